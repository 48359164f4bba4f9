package archive

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// grown are the letters of the archive that evolves; the last is a copy of the second.
var grown = append(append(twins(inbox, 3), twins(work, 2)...), newLetter(inbox, 4, twins(inbox, 2)[1].body))

// young returns an archive as a run left it before the source changed.
func young(t *testing.T) string {
	t.Helper()
	dir := ramDir(t)
	a := open(t, dir)
	mustTake(t, a, grown[:5]...)
	for _, l := range []letter{grown[0], grown[3]} {
		look := Look{Changes: mail.Changes{Status: status(4, 3), New: items(grown[:5]...)}, Complete: true}
		mustLook(t, a, l.mb.Name, look)
	}
	mustDo(t, a.Settle(there, []Outcome{{Entry: 2, State: Done, UID: 1}, {Entry: 4, State: Refused, Reason: "no"}}))
	shut(t, a)
	return dir
}

// evolve is a run after the source has changed: in the INBOX there is a new copy of the second message, which has been
// deleted, and the first has other flags; in Work, the first has gone to Jobs, and the second has got its UID.
func evolve(dir string, steps func(Step) error) error {
	a, err := Open(dir, Options{Steps: steps})
	if err != nil {
		return err
	}
	err = errors.Join(a.Bind(source, false), a.AddMailboxes([]mail.Mailbox{inbox, work, jobs}))
	for _, do := range []func(*Archive) error{copyOne, lookAgain, moveTwo, lookElsewhere} {
		if err == nil {
			err = do(a)
		}
	}
	return errors.Join(err, a.Close())
}

func copyOne(a *Archive) error {
	if a.Has(grown[5].item.Ref) {
		return nil
	}
	of, err := a.Entry(2)
	if err == nil {
		_, err = link(a, grown[5], of)
	}
	return err
}

func lookAgain(a *Archive) error {
	since, err := a.State("INBOX")
	if err != nil || since == status(5, 3) {
		return err
	}
	_, _, err = a.Looked("INBOX", Look{Since: since, Complete: true, Changes: mail.Changes{Status: status(5, 3),
		New: items(grown[5]), Left: []uint32{1, 3}, Flags: []mail.Item{flagged(grown[0], `\Flagged`, "later", "work")}}})
	return err
}

func moveTwo(a *Archive) error {
	moves := []Move{moveTo(4, jobs, epoch, 1), moveTo(5, work, epoch, 1)}
	if a.Has(moves[0].Ref) {
		return nil
	}
	return a.Rekey(moves)
}

func lookElsewhere(a *Archive) error {
	moved := grown[3]
	moved.item.Ref.Mailbox = "Jobs"
	_, _, err := a.Looked("Jobs", Look{Changes: mail.Changes{Status: status(2, 1), New: items(moved)}, Complete: true})
	if err == nil {
		_, err = a.Shown([]mail.Mailbox{inbox, jobs, work})
	}
	return err
}

// portrait says all that is to be the same in the end. What is adopted counts as linked no more.
func portrait(t *testing.T, a *Archive) string {
	t.Helper()
	var b strings.Builder
	for _, e := range allEntries(t, a) {
		fmt.Fprintln(&b, e.ID, e.Ref, e.Flags, e.Gone, filepath.Dir(e.Path), len(readMessage(t, a, e)), flagsOf(t, a, e.ID))
	}
	counts, _ := a.MailboxCounts(there)
	states, _ := a.States()
	boxes, _ := a.Mailboxes()
	fmt.Fprintln(&b, counts, states, boxes)
	return b.String()
}

// grownUp returns how the archive is to be.
func grownUp(t *testing.T) string {
	t.Helper()
	dir := young(t)
	mustDo(t, evolve(dir, nil))
	checkTimes(t, dir)
	a := open(t, dir)
	defer shut(t, a)
	p := portrait(t, a)
	for _, want := range []string{`1 INBOX/7/1 [\Flagged later work] false cur`, `2 INBOX/7/2 [\Seen work] true cur`,
		"4 Jobs/7/1", "5 Work/2019/7/1", `6 INBOX/7/4 [\Seen work] false cur`, "INBOX:map[1:3 3:1]", "Jobs:map[6:1]", "Work/2019:map[1:1]"} {
		if !strings.Contains(p, want) {
			t.Fatalf("no %q in\n%s", want, p)
		}
	}
	return p
}

// finishEvolving checks that each message is there once, under one Ref, and that a run ends as it should.
func finishEvolving(t *testing.T, dir, want string) {
	t.Helper()
	a := open(t, dir)
	refs := refsOf(t, a)
	checkBodies(t, a, grown[:len(refs)])
	checkNoLock(t, dir)
	shut(t, a)
	mustDo(t, evolve(dir, nil))
	a = open(t, dir)
	defer shut(t, a)
	if got := portrait(t, a); got != want {
		t.Errorf("it is\n%s and should be\n%s", got, want)
	}
	checkNothingLeft(t, a)
}

// checkTimes checks that the next Open need not look through any folder.
func checkTimes(t *testing.T, dir string) {
	t.Helper()
	v, err := View(dir)
	mustDo(t, err)
	defer shut(t, v)
	mustDo(t, v.ledger.each("select dir, cur, new from mailbox", func(scan func(...any) error) error {
		f := &folder{}
		if err := scan(&f.dir, &f.cur, &f.new); err != nil {
			return err
		}
		if f.cur != v.mtime(f.path("cur")) || f.new != v.mtime(f.path("new")) {
			t.Errorf("what is in %q is not known", f.dir)
		}
		return nil
	}))
}

func checkNoLock(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"*.lock", ".*/*.lock"} {
		if left, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("%q stayed", left)
		}
	}
}

func TestStopEvolving(t *testing.T) {
	want, n := grownUp(t), 1
	for ; ; n += stride {
		dir := young(t)
		s := &stopper{at: n}
		err := evolve(dir, s.step)
		if !s.stopped() {
			mustDo(t, err)
			break
		}
		if finishEvolving(t, dir, want); t.Failed() {
			t.Fatalf("stopped at step %d, %+v", n, s.last)
		}
	}
	t.Logf("stopped at each of %d steps: lost 0, doubled 0, altered 0", (n-1)/stride)
}

func TestKillEvolving(t *testing.T) {
	want, dir, steps := grownUp(t), young(t), 0
	var pictures []string
	var mu sync.Mutex
	mustDo(t, evolve(dir, func(Step) error {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps%stride != 0 {
			return nil
		}
		picture := ramDir(t)
		mustDo(t, os.RemoveAll(picture))
		pictures = append(pictures, picture)
		return os.CopyFS(picture, os.DirFS(dir))
	}))
	for n, picture := range pictures {
		if finishEvolving(t, picture, want); t.Failed() {
			t.Fatalf("killed at step %d", n+1)
		}
	}
	t.Logf("killed at each of %d steps: lost 0, doubled 0, altered 0", len(pictures))
}

// TestErrorEvolving has each act fail once, as on a full disk, and everything after it work.
func TestErrorEvolving(t *testing.T) {
	want, n := grownUp(t), 1
	for ; ; n += stride {
		dir := young(t)
		s := &stopper{at: n, once: syscall.ENOSPC}
		err := evolve(dir, s.step)
		if !s.stopped() {
			break
		}
		var disk *DiskError
		if err != nil && (!errors.As(err, &disk) || !disk.Full) {
			t.Fatalf("step %d, %+v: %v is no DiskError that says so", n, s.last, err)
		}
		if finishEvolving(t, dir, want); t.Failed() {
			t.Fatalf("step %d, %+v, failed", n, s.last)
		}
	}
	t.Logf("%d steps failed: lost 0, doubled 0, altered 0", (n-1)/stride)
}

// TestEvolvingDurably checks that the ledger is told of new names when they are on disk: where a file came from as
// well as where it went.
func TestEvolvingDurably(t *testing.T) {
	var mu sync.Mutex
	var log []Step
	mustDo(t, evolve(young(t), func(s Step) error {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, s)
		return nil
	}))
	dirty, told := map[string]bool{}, map[string]int{}
	for _, s := range log {
		switch {
		case s.Op == "rename" && !s.After:
			dirty[filepath.ToSlash(filepath.Dir(s.Path))] = true
			if strings.HasPrefix(s.Path, jobsDir) {
				dirty[".Work.2019/cur"] = true
			}
		case s.Op == "syncdir" && s.After:
			delete(dirty, s.Path)
		case s.Path == ledgerFile && !s.After:
			if told[s.Op]++; len(dirty) > 0 && s.Op != "wake" {
				t.Errorf("%s while %v are not synced", s.Op, dirty)
			}
		}
	}
	if want := map[string]int{"wake": 1, "commit": 2, "looked": 2, "move": 1, "rekey": 1, "sleep": 1}; !maps.Equal(told, want) {
		t.Errorf("the ledger was written %v times, want %v", told, want)
	}
}

const jobsDir = ".Jobs/cur/"
