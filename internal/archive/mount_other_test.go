//go:build !linux

package archive

import "testing"

func smallDisk(t *testing.T, size int) string {
	t.Skip("this needs a disk of its own, which is made on Linux only")
	return ""
}

func unmount(t *testing.T, dir string) {}

func readOnly(t *testing.T, dir string) { chmodReadOnly(t, dir) }
