//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestDiskFull guards what is promised for a disk that another program fills: the run ends with 9 and a hint,
// nothing half-written counts as mail, the source is not told that its mail is safe, and when there is space again the
// same command goes on. The free space is swept in steps, so that there is none at every kind of act in turn.
func TestDiskFull(t *testing.T) {
	if os.Getenv(ownMounts) == "" {
		t.Parallel()
		runWithOwnMounts(t)
		return
	}
	for _, v := range []*volume{
		{name: "tmpfs, a new archive", mount: mountTmpfs, step: 4096, from: []string{"create ledger"}},
		{name: "tmpfs", mount: mountTmpfs, step: 8192, begun: true, from: []string{"write", "commit ledger"}},
		{name: "ext4", mount: mountExt4, step: 4096, begun: true, from: []string{"write", "rename", "commit ledger"}},
		{name: "ext4 on a file on a tmpfs", mount: mountThin, step: 8192, begun: true, fresh: true, from: []string{"sync"}},
	} {
		t.Run(v.name, func(t *testing.T) { v.sweep(t) })
	}
}

// ownMounts is set for the test in a namespace of its own, where it can mount what it likes, and what is left behind
// when it dies is gone with it.
const ownMounts = "MAILHAUL_TEST_OWN_MOUNTS"

// runWithOwnMounts runs the test again in a mount namespace of its own, and, for who is not root, a user namespace.
func runWithOwnMounts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("needs to mount a small disk, which is not allowed here: %v", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// A volume is a small disk.
type volume struct {
	name  string
	mount func(v *volume, under string) error
	step  int64    // by which the free space is swept
	begun bool     // there is an archive already, and more mail comes
	fresh bool     // it is mounted anew for each size: a full disk below a file system leaves it damaged
	from  []string // the acts that no space must have been met at

	dir  string // where the archive goes
	fill string // where the other program writes
}

var errNoSuchDisk = errors.New("there is no such disk to be had here")

func mountTmpfs(v *volume, under string) error {
	v.dir, v.fill = under, under
	return syscall.Mount("none", under, "tmpfs", 0, "size=4m")
}

func mountExt4(v *volume, under string) error {
	image := filepath.Join(shm(), fmt.Sprintf("mailhaul-%d.img", os.Getpid()))
	defer os.Remove(image) // which the loop device keeps
	v.dir, v.fill = under, under
	return loop(image, "2M", under, "-O", "^has_journal")
}

// mountThin mounts a file system that takes more than there is below it, so that it learns of that only when it writes
// out what it has taken. What it has of its own is below already.
func mountThin(v *volume, under string) error {
	below := filepath.Join(under, "below")
	v.dir, v.fill = filepath.Join(under, "above"), below
	for _, dir := range []string{below, v.dir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := syscall.Mount("none", below, "tmpfs", 0, "size=14m"); err != nil {
		return err
	}
	return loop(filepath.Join(below, "image"), "12M", v.dir, "-E", "lazy_itable_init=0,lazy_journal_init=0")
}

// shm is a directory in memory.
func shm() string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return os.TempDir()
}

// loop mounts a new ext4.
func loop(image, size, at string, options ...string) error {
	for _, args := range [][]string{
		append(append([]string{"mkfs.ext4", "-q", "-m", "0", "-b", "1024"}, options...), image, size),
		{"fallocate", "-l", size, image},
		{"mount", "-o", "loop", image, at},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s: %w\n%s", errNoSuchDisk, args[0], err, out)
		}
	}
	return nil
}

// umount lets go of everything that is mounted at under and below.
func umount(under string) {
	for _, dir := range []string{"above", "below", "."} {
		syscall.Unmount(filepath.Join(under, dir), syscall.MNT_DETACH)
	}
}

// sweep tries every size of free space until a migration needs no more.
func (v *volume) sweep(t *testing.T) {
	under := t.TempDir()
	defer umount(under)
	if err := v.mount(v, under); errors.Is(err, errNoSuchDisk) {
		t.Logf("not tried: %v", err) // the others are
		return
	} else if err != nil {
		t.Fatal(err)
	}
	met := map[string]int{}
	sizes, enough := 0, 0
	var total trial.Verdict
	for free := int64(0); enough < 3 && !t.Failed(); free += v.step {
		if v.fresh && free > 0 {
			umount(under)
			if err := v.mount(v, under); err != nil {
				t.Fatal(err)
			}
		}
		at, verdict := v.try(t, free)
		total.Add(verdict)
		met[at]++
		sizes++
		if at == "" {
			enough++
		}
	}
	delete(met, "")
	t.Logf("%d sizes of free space, %d octets apart; there was none at", sizes, v.step)
	for _, act := range slices.Sorted(maps.Keys(met)) {
		t.Logf("%4d × %s", met[act], act)
	}
	t.Logf("resumed: %v", total)
	for _, act := range v.from {
		if met[act] == 0 {
			t.Errorf("no size made %s fail: it was not tried", act)
		}
	}
}

// trim gives back what the file system has of the disk below and does not use.
func (v *volume) trim(t *testing.T) {
	syscall.Sync()
	if out, err := exec.Command("fstrim", v.dir).CombinedOutput(); err != nil {
		t.Fatalf("fstrim: %v\n%s", err, out)
	}
}

// try migrates with so much space, and again with all of it. It returns the act that found no space, or "".
func (v *volume) try(t *testing.T, free int64) (at string, verdict trial.Verdict) {
	w, err := newTown(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	archive, filler := filepath.Join(v.dir, "mail"), filepath.Join(v.fill, "filler")
	defer os.RemoveAll(archive)
	if v.begun {
		w.enlarge(t, archive)
	}
	if v.fresh {
		v.trim(t)
	}
	if err := leave(filler, free); err != nil {
		t.Fatal(err)
	}
	status, said := w.migrate(t, archive)
	switch status {
	case exitDone:
	case exitDisk:
		at = w.checkFull(t, free, archive, said)
	default:
		t.Errorf("with %d octets left it ended with %d:\n%s", free, status, said)
	}
	os.Remove(filler)
	if status, said = w.migrate(t, archive); status != exitDone {
		t.Errorf("with %d octets left at first, and then enough, it ended with %d:\n%s", free, status, said)
	}
	verdict = w.verdict(t, archive)
	if left, _ := os.ReadDir(filepath.Join(archive, "tmp")); verdict != (trial.Verdict{}) || len(left) > 0 {
		t.Errorf("with %d octets left at first: %v, and %d files in tmp/", free, verdict, len(left))
	}
	return at, verdict
}

// enlarge has a first migration made, and more mail delivered.
func (w *town) enlarge(t *testing.T, archive string) {
	if status, said := w.migrate(t, archive); status != exitDone {
		t.Fatalf("with all the space it ended with %d:\n%s", status, said)
	}
	for _, octets := range append(trial.Mail(), trial.Mail()...) {
		w.from.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	}
	w.from.Deliver(mail.Inbox, letters["large"])
	w.begin()
}

// migrate runs a migration and returns how it ended.
func (w *town) migrate(t *testing.T, archive string) (status int, said string) {
	cmd := exec.Command("mailhaul", "migrate", w.urls["pop3"], w.urls["imap"], "--archive", archive)
	cmd.Env = append(os.Environ(), "MAILHAUL_PASSWORD="+canary)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func (w *town) verdict(t *testing.T, archive string) trial.Verdict {
	kept, err := inCur(archive)
	if err != nil {
		t.Fatal(err)
	}
	v := trial.Judge(inInbox(w.from), kept)
	v.Add(trial.Judge(inInbox(w.from), inInbox(w.to)))
	return v
}

var (
	noSpace = regexp.MustCompile(`(?m)^mailhaul: error: (\w+) (\S+): (no space left on device|input/output error)$`)
	aHint   = regexp.MustCompile(`(?m)^mailhaul: hint: (make space and run again|the disk is full, or reports errors)`)
)

// checkFull checks how a run has ended that found no space, and returns at which act that was.
func (w *town) checkFull(t *testing.T, free int64, archive, said string) string {
	met := noSpace.FindStringSubmatch(said)
	if met == nil || len(aHint.FindAllString(said, -1)) != 1 || strings.Count(said, "error:") > 2 {
		t.Errorf("with %d octets left it said:\n%s", free, said)
		return "?"
	}
	act := met[1]
	if strings.HasSuffix(met[2], "ledger.db") {
		act += " ledger"
	}
	v := w.verdict(t, archive)
	if v.Altered+v.Doubled > 0 {
		t.Errorf("with %d octets left, %s failed, and something else than whole messages is there: %v", free, act, v)
	}
	quit := slices.Contains(w.servers["pop3"].Commands()[w.heard["pop3"]:], "QUIT")
	if kept, _ := inCur(archive); quit && len(kept) < len(inInbox(w.from)) {
		t.Errorf("with %d octets left, %s failed, and the source was told that all is safe", free, act)
	}
	return act
}

// leave has another program write until only so much is left.
func leave(filler string, free int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(filler), &disk); err != nil {
		return err
	}
	f, err := os.Create(filler)
	if err != nil {
		return err
	}
	defer f.Close()
	for left := int64(disk.Bavail)*disk.Bsize - free; left > 0; left -= disk.Bsize { // the file needs some for itself
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, left); !errors.Is(err, syscall.ENOSPC) {
			return err
		}
	}
	return nil
}
