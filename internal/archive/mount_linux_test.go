package archive

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

// smallDisk returns a disk of that size, in memory.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := ramDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+strconv.Itoa(size)); err != nil {
		t.Skipf("this needs a disk of its own, and mounting is not allowed here (%v): run it as root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	mustDo(t, syscall.Unmount(dir, 0))
}

// readOnly makes dir refuse writes: by a mount where the permissions do not hold, for root.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		chmodReadOnly(t, dir)
		return
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("root may write anywhere, and mounting is not allowed here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	mustDo(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
}
