//go:build !linux

package main

import "os"

// makeReadOnly lets nobody write into dir, by its mode.
func makeReadOnly(dir string) (undo func(), err error) {
	return func() { os.Chmod(dir, 0o700) }, os.Chmod(dir, 0o500)
}
