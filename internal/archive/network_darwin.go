package archive

import "syscall"

const mntLocal = 0x1000 // MNT_LOCAL of sys/mount.h

// onNetwork reports whether dir lies on a file system on which SQLite's WAL cannot be trusted.
func onNetwork(dir string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) == nil && st.Flags&mntLocal == 0
}
