package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var errStopped = errors.New("the world has stopped")

// A stopper stops the world at the n-th step: that one fails, and every one after it. With once set, that one
// fails with it, and the world goes on.
type stopper struct {
	mu   sync.Mutex
	n    int
	at   int // the step to stop at
	once error
	last Step // the one that failed
}

func (s *stopper) step(st Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	switch {
	case s.n == s.at && s.once != nil:
		s.last = st
		return s.once
	case s.n == s.at:
		s.last = st
		return errStopped
	case s.n > s.at && s.once == nil:
		return errStopped
	}
	return nil
}

func (s *stopper) stopped() bool { return s.n >= s.at }

// ramDir returns a directory in memory where there is one: these tests are about the order of things, and a disk
// would make them wait for thousands of fsyncs.
func ramDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "mailhaul-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// pull is a run: it opens the archive, archives what it does not have, and closes it.
func pull(dir string, steps func(Step) error, batches ...[]letter) error {
	a, err := Open(dir, Options{Create: true, Steps: steps})
	if err != nil {
		return err
	}
	err = a.Bind(source, false)
	for _, letters := range batches {
		if err == nil {
			err = take(a, letters...)
		}
	}
	return errors.Join(err, a.Close())
}

// finish runs until all is done and checks that all is there.
func finish(t *testing.T, dir string, letters []letter) {
	t.Helper()
	if err := pull(dir, nil, letters); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	defer shut(t, a)
	checkHolds(t, a, letters...)
	checkNothingLeft(t, a)
}

func checkNothingLeft(t *testing.T, a *Archive) {
	t.Helper()
	if a.ledger.awake || len(a.Notes()) > 0 {
		t.Errorf("an archive closed in order was opened with work to do: %q", a.Notes())
	}
	for _, pattern := range []string{"tmp/*", "mailhaul/*.tmp"} {
		if left, err := filepath.Glob(filepath.Join(a.root.Name(), pattern)); err != nil || len(left) > 0 {
			t.Errorf("%q stayed", left)
		}
	}
}

// TestStopAtEveryStep stops a first run at each of its steps, before and after, and has a second one finish.
func TestStopAtEveryStep(t *testing.T) {
	n := 1
	for ; ; n += stride {
		dir := ramDir(t)
		s := &stopper{at: n}
		err := pull(dir, s.step, fourLetters[:2], fourLetters[2:])
		if !s.stopped() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err == nil && s.last.Op != "remove" {
			t.Errorf("stopped at step %d (%+v), and the run did not fail", n, s.last)
		}
		if finish(t, dir, fourLetters); t.Failed() {
			t.Fatalf("stopped at step %d, %+v", n, s.last)
		}
	}
	t.Logf("stopped at each of %d steps: lost 0, doubled 0, altered 0", (n-1)/stride)
}

// TestKillAtEveryStep takes a picture of the archive at each step, which is what kill -9 would leave of it then, the
// ledger's journal and all, and has a run finish from each.
func TestKillAtEveryStep(t *testing.T) {
	dir, steps, pictures := ramDir(t), 0, []string{}
	var mu sync.Mutex
	err := pull(dir, func(Step) error {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps%stride != 0 {
			return nil
		}
		picture := ramDir(t)
		mustDo(t, os.RemoveAll(picture))
		pictures = append(pictures, picture)
		return os.CopyFS(picture, os.DirFS(dir))
	}, fourLetters[:2], fourLetters[2:])
	mustDo(t, err)
	for n, picture := range pictures {
		if v, err := View(picture); err == nil {
			_, err = v.Mailboxes()
			mustDo(t, errors.Join(err, v.Close()))
		} else if err != ErrLedger && err != ErrNone {
			t.Errorf("killed at step %d, it cannot be viewed: %v", n+1, err)
		}
		if finish(t, picture, fourLetters); t.Failed() {
			t.Fatalf("killed at step %d", n+1)
		}
	}
	t.Logf("killed at each of %d steps: lost 0, doubled 0, altered 0", len(pictures))
}

// TestStopAdoption does the same with a run that finds files the ledger does not know, one that it has lost, and a
// half-written one.
func TestStopAdoption(t *testing.T) {
	n := 1
	for ; ; n += stride {
		dir := wreck(t)
		s := &stopper{at: n}
		err := pull(dir, s.step, fourLetters)
		if !s.stopped() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if finish(t, dir, fourLetters); t.Failed() {
			t.Fatalf("stopped at step %d, %+v", n, s.last)
		}
	}
	t.Logf("stopped at each of %d steps: lost 0, doubled 0, altered 0", (n-1)/stride)
}

// wreck returns an archive as a kill leaves it between the renames and the commit, after which somebody has deleted
// a message.
func wreck(t *testing.T) string {
	t.Helper()
	dir := ramDir(t)
	if err := pull(dir, nil, fourLetters[:1]); err != nil {
		t.Fatal(err)
	}
	old := files(t, dir)[0]
	commits := 0
	err := pull(dir, func(s Step) error {
		if s.Op == "commit" || commits > 0 {
			commits++
			return errStopped
		}
		return nil
	}, fourLetters[1:])
	if !errors.Is(err, errStopped) || len(files(t, dir)) != 4 {
		t.Fatalf("%v, %q", err, files(t, dir))
	}
	if err := os.Remove(filepath.Join(dir, old)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp", ownTmp+"1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestErrorAtEveryStep has each act fail once, as a disk does, and everything after it work.
func TestErrorAtEveryStep(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		n := 1
		for ; ; n += stride {
			dir := ramDir(t)
			s := &stopper{at: n, once: errno}
			err := pull(dir, s.step, fourLetters[:2], fourLetters[2:])
			if !s.stopped() {
				break
			}
			var disk *DiskError
			if err != nil && (!errors.As(err, &disk) || disk.Full != (errno == syscall.ENOSPC) || disk.Hint == "") {
				t.Fatalf("step %d, %+v: %v is no DiskError that says so", n, s.last, err)
			}
			if finish(t, dir, fourLetters); t.Failed() {
				t.Fatalf("step %d, %+v, failed with %v", n, s.last, errno)
			}
		}
		t.Logf("%d steps failed with %v: lost 0, doubled 0, altered 0", (n-1)/stride, errno)
	}
}

// TestDurabilityOrder checks that nothing is said before it is true: each file is synced before it is renamed, each
// directory after that and before the ledger is told.
func TestDurabilityOrder(t *testing.T) {
	var mu sync.Mutex
	var log []Step
	err := pull(ramDir(t), func(s Step) error {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, s)
		return nil
	}, fourLetters[:2], fourLetters[2:])
	if err != nil {
		t.Fatal(err)
	}
	var synced, renamed, commits int
	dirty := map[string]bool{}
	for _, s := range log {
		switch {
		case s.Op == "sync" && s.After && strings.HasPrefix(s.Path, "tmp/"):
			synced++
		case s.Op == "rename" && !s.After && strings.Contains(s.Path, "cur/"):
			if renamed++; renamed > synced {
				t.Errorf("%s was renamed before it was synced", s.Path)
			}
			dirty[filepath.Dir(s.Path)] = true
		case s.Op == "syncdir" && s.After:
			delete(dirty, s.Path)
		case s.Op == "commit" && !s.After:
			if commits++; len(dirty) > 0 {
				t.Errorf("commit while %v are not synced", dirty)
			}
		}
	}
	if synced != 4 || renamed != 4 || commits < 2 {
		t.Errorf("%d syncs, %d renames, %d commits", synced, renamed, commits)
	}
	if order := fmt.Sprint(log); strings.Index(order, "rename "+foldersFile) > strings.Index(order, "rename .Work") {
		t.Error("folders.json comes after the first message of a folder")
	}
}
