//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mbox"
)

// TestFilesDiskFull sweeps the space that there is for an import, and for an export: without enough they end with 9 and a
// hint, nothing half is in the place of an export, and when there is space again the same command does the rest.
func TestFilesDiskFull(t *testing.T) {
	if os.Getenv(ownMounts) == "" {
		runWithOwnMounts(t)
		return
	}
	const n = 120
	dir, disk := t.TempDir(), t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	from, ar := filepath.Join(dir, "All mail Including Spam and Trash.mbox"), filepath.Join(dir, "mail")
	takeout(t, from, n)
	if status, said := mailhaul(t, "import", from, ar); status != exitDone {
		t.Fatalf("it ended with %d:\n%s", status, said)
	}
	there := filepath.Join(disk, "mail")
	sweepSpace(t, disk, []string{"import", "-q", from, there}, func(status int) {
		if status == exitDone {
			holds(t, there, n)
		}
	})
	for _, name := range []string{"tree", "out.zip", "out.mbox"} {
		target := filepath.Join(disk, name)
		sweepSpace(t, disk, []string{"export", "-q", ar, "-o", target}, func(status int) {
			if _, err := os.Lstat(target); (err == nil) != (status == exitDone) {
				t.Errorf("it ended with %d: %v", status, err)
			}
			if left := mbox.Leftovers(target); len(left) > 0 {
				t.Errorf("%q was left", left)
			}
		})
	}
}

func mailhaul(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	cmd := exec.Command("mailhaul", args...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// sweepSpace runs a command with more and more space, and each time again with all of it.
func sweepSpace(t *testing.T, disk string, args []string, check func(status int)) {
	t.Helper()
	filler, full := filepath.Join(disk, "filler"), 0
	for free, enough := int64(0), 0; enough < 2; free += 48 << 10 {
		if err := leave(filler, free); err != nil {
			t.Fatal(err)
		}
		status, said := mailhaul(t, args...)
		switch {
		case status == exitDone:
			enough++
		case status != exitDisk || !strings.Contains(said, "hint: make space"):
			t.Errorf("%q with %d octets left ended with %d:\n%s", args, free, status, said)
		default:
			full++
		}
		check(status)
		os.Remove(filler)
		if status != exitDone {
			if status, said = mailhaul(t, args...); status != exitDone {
				t.Errorf("%q with all the space ended with %d:\n%s", args, status, said)
			}
			check(status)
		}
		for _, made := range []string{"mail", "tree", "out.zip", "out.mbox"} {
			os.RemoveAll(filepath.Join(disk, made))
		}
	}
	t.Logf("%s: there was no space %d times", args[0], full)
	if full == 0 {
		t.Errorf("%q was never short of space", args)
	}
}
