package main

import (
	"os"
	"syscall"
)

// makeReadOnly lets nobody write into dir: by modes, or, for root may write all the same, by a read-only mount.
func makeReadOnly(dir string) (undo func(), err error) {
	if os.Geteuid() != 0 {
		return closeTree(dir)
	}
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		return nil, err
	}
	undo = func() { syscall.Unmount(dir, syscall.MNT_DETACH) }
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		undo()
		return nil, err
	}
	return undo, nil
}
