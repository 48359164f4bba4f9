//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// trusted returns why somebody else may have written the file, if he may.
func trusted(info fs.FileInfo, name string) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) != os.Geteuid() && owner.Uid != 0 {
		return usage("chown it to the user that mailhaul runs as", fmt.Errorf("the configuration %s belongs to somebody else, who could have any command run", name))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return usage("chmod go-w "+name, fmt.Errorf("others can write to the configuration %s, and have any command run (mode %04o)", name, info.Mode().Perm()))
	}
	return nil
}

// private reports whether only its owner can read the file.
func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
