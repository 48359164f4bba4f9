package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	_, err := Open(dir, Options{})
	var used *InUseError
	if !errors.As(err, &used) || !strings.HasPrefix(used.Holder, fmt.Sprintf("pid %d on ", os.Getpid())) {
		t.Errorf("a second Open = %v", err)
	}
	v, err := View(dir)
	if err != nil {
		t.Fatal(err)
	}
	shut(t, v)
	shut(t, a)
	shut(t, open(t, dir))
}

func TestNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Open(dir, Options{}); err != ErrNone {
		t.Errorf("Open of nothing = %v", err)
	}
	if _, err := View(dir); err != ErrNone {
		t.Errorf("View of nothing = %v", err)
	}
	mustDo(t, os.MkdirAll(filepath.Join(dir, "photos"), 0o700))
	if _, err := Open(dir, Options{}); err != ErrNone {
		t.Errorf("Open of something else = %v", err)
	}
	if _, err := Open(dir, Options{Create: true}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("an archive was made among other files: %v", err)
	}
}

// snapshot says what is in a directory, to the time.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	mustDo(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			info, _ := d.Info()
			fmt.Fprintln(&b, p, info.Mode(), info.Size(), info.ModTime())
		}
		return err
	}))
	return b.String()
}

func TestViewWritesNothing(t *testing.T) {
	dir, file := oneDone(t)
	before := snapshot(t, dir)
	v, err := View(dir)
	mustDo(t, err)
	checkOne(t, v, 1, 1, 1)
	if now, bound := v.Account(); now != source || !bound {
		t.Errorf("Account = %v", now)
	}
	for _, err := range []error{v.Bind(there, true), v.Ran("INBOX"), v.Intend(there, nil), v.Settle(there, nil), v.AddMailboxes(nil)} {
		if err != errReadOnly {
			t.Errorf("a view was written to: %v", err)
		}
	}
	shut(t, v)
	if after := snapshot(t, dir); after != before {
		t.Errorf("the archive was\n%s and is\n%s", before, after)
	}
	mustDo(t, os.Remove(file))
	v, err = View(dir)
	mustDo(t, err)
	var gone *DamagedError
	if _, err := v.OpenMessage(allEntries(t, v)[0]); !errors.As(err, &gone) {
		t.Errorf("OpenMessage = %v", err)
	}
	shut(t, v)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	if _, err = View(dir); err != ErrLedger {
		t.Errorf("View without a ledger = %v", err)
	}
}

// TestNoOpWritesNothing checks that a run with nothing new leaves everything but the lock as it was.
func TestNoOpWritesNothing(t *testing.T) {
	dir, _ := oneDone(t)
	shut(t, open(t, dir))
	writes := 0
	err := pull(dir, func(s Step) error { writes++; return nil }, []letter{letterOne})
	if err != nil || writes > 0 {
		t.Errorf("%d steps in a run with nothing to do, %v", writes, err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	old := umask(0)
	defer umask(old)
	dir := filepath.Join(t.TempDir(), "archive")
	a := open(t, dir)
	defer shut(t, a)
	mustTake(t, a, fourLetters...)
	if _, err := os.Stat(filepath.Join(dir, ledgerFile+"-wal")); err != nil {
		t.Error("the journal is not there while the ledger is written")
	}
	mustDo(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		return err
	}))
}

func TestOthersMayNotWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	dir := t.TempDir()
	mustDo(t, os.Chmod(dir, 0o777))
	a := open(t, dir)
	checkNote(t, a, "now they cannot")
	shut(t, a)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	mustDo(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	var disk *DiskError
	if _, err := Open(dir, Options{}); !errors.As(err, &disk) {
		t.Errorf("a directory like /tmp became an archive: %v", err)
	}
}

func TestLinksAreRefused(t *testing.T) {
	for _, name := range []string{"cur", "new", "tmp", ownDir, lockFile, ledgerFile, ledgerFile + "-wal", foldersFile, ".Work.2019", ".Work.2019/cur"} {
		dir, outside := t.TempDir(), t.TempDir()
		a := open(t, dir)
		mustTake(t, a, fourLetters...)
		shut(t, a)
		path := filepath.Join(dir, name)
		mustDo(t, os.RemoveAll(path))
		if err := os.Symlink(outside, path); err != nil {
			t.Skip("no links here: ", err)
		}
		if err := pull(dir, nil, append(fourLetters[:4:4], newLetter(work, 9, "x\r\n"))); err == nil {
			t.Errorf("%s may be a link", name)
		}
		if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
			t.Errorf("%s: %v was written outside, %v", name, left, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	shut(t, a)
	readOnly(t, dir)
	var disk *DiskError
	err := pull(dir, nil, []letter{letterOne})
	if !errors.As(err, &disk) || disk.Full || disk.Hint == "" {
		t.Errorf("an archive that cannot be written to: %v", err)
	}
	v, err := View(dir)
	if err != nil {
		t.Fatalf("it can still be read: %v", err)
	}
	shut(t, v)
}

// chmodReadOnly takes the right to write from us.
func chmodReadOnly(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{filepath.Join(dir, ownDir), filepath.Join(dir, "tmp"), dir} {
		mustDo(t, os.Chmod(d, 0o500))
		t.Cleanup(func() { os.Chmod(d, 0o700) })
	}
}

// TestFullDisk fills a small disk up to every few KB and runs out of space there; once there is space again, the
// next run has everything.
func TestFullDisk(t *testing.T) {
	letters := append(many(20), newLetter(inbox, 99, strings.Repeat("z", 300<<10)+"\n\r\n"))
	const size = 2 << 20
	stages := map[string]int{}
	for left := 0; left < size; left += stride * 28 << 10 {
		disk := smallDisk(t, size)
		dir := filepath.Join(disk, "archive")
		a := open(t, dir)
		mustTake(t, a, letters[0])
		shut(t, a)
		filler := fill(t, disk, left)
		stages[fullRun(t, dir, letters)]++
		mustDo(t, os.Remove(filler))
		if finish(t, dir, letters); t.Failed() {
			t.Fatalf("with %d octets left", left)
		}
		unmount(t, disk)
	}
	t.Logf("ran out of space at %v: lost 0, doubled 0, altered 0", stages)
}

// fullRun works until the disk is full, and returns at what it found out.
func fullRun(t *testing.T, dir string, letters []letter) string {
	t.Helper()
	err := pull(dir, nil, letters[:5], letters[5:10], letters[10:])
	if err == nil {
		return "nothing"
	}
	var disk *DiskError
	if !errors.As(err, &disk) || !disk.Full {
		t.Errorf("a full disk made %v", err)
		return ""
	}
	for _, f := range files(t, dir) {
		n, ours := parseName(filepath.Base(f))
		info, err := os.Stat(filepath.Join(dir, f))
		if strings.Contains(f, "cur/") && (!ours || err != nil || info.Size() != n.stored) {
			t.Errorf("%s is half delivered", f)
		}
	}
	return disk.Op
}

// fill leaves only so many octets free.
func fill(t *testing.T, disk string, left int) string {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	mustDo(t, err)
	defer f.Close()
	size := int64(0)
	for block := make([]byte, 4<<10); ; {
		n, err := f.Write(block)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		mustDo(t, err)
	}
	mustDo(t, f.Truncate(max(0, size-int64(left))))
	return path
}

// TestLedgerComesThroughAFullDisk checks that the ledger can be used again in the same run.
func TestLedgerComesThroughAFullDisk(t *testing.T) {
	disk := smallDisk(t, 2<<20)
	a := open(t, filepath.Join(disk, "archive"))
	mustTake(t, a, letterOne)
	filler := fill(t, disk, 0)
	long := Outcome{Entry: 1, State: Refused, Mailbox: strings.Repeat("m", 500<<10), Reason: "no"}
	var full *DiskError
	if err := a.Settle(there, []Outcome{long}); !errors.As(err, &full) || !full.Full {
		t.Errorf("Settle on a full disk = %v", err)
	}
	checkIs(t, "Pending", pendingIDs(t, a, there, "INBOX", 0, 9), []int64{1})
	mustDo(t, os.Remove(filler))
	mustDo(t, a.Settle(there, []Outcome{long}))
	checkIs(t, "Pending", pendingIDs(t, a, there, "INBOX", 0, 9), nil)
	mustTake(t, a, fourLetters[2])
	shut(t, a)
	unmount(t, disk)
}
