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
