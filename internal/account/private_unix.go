//go:build unix

package account

import (
	"io/fs"
	"os"
	"syscall"
)

// private returns why the file may be read or written by others, if it may.
func private(info fs.FileInfo, name string) error {
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return wrong("chown it to the user that mailhaul runs as", "the password file %s belongs to somebody else", name)
	}
	if open := info.Mode().Perm() &^ 0o700; open != 0 {
		return wrong("chmod 600 "+name, "the password file %s is open to others (mode %04o)", name, info.Mode().Perm())
	}
	return nil
}

// notPublic returns why a file that the service manager has made may be read by everybody, if it may. It may belong to
// root, and what looks like a group may be the one user that an access list names.
func notPublic(info fs.FileInfo, name string) error {
	if info.Mode().Perm()&0o007 != 0 {
		return wrong("", "the credential %s is open to everybody (mode %04o)", name, info.Mode().Perm())
	}
	return nil
}

// openAtOnce opens a file and does not wait for anybody, as a FIFO would have us do.
func openAtOnce(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// syncDir sees to it that what was renamed in a directory stays so.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
