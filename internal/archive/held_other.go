//go:build !linux

package archive

import "os"

// create makes a file that is not there yet, open for reading and writing.
func (h *held) create(name string) (*os.File, error) {
	return h.root.OpenFile(h.file(name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

// rename moves a file into another directory, in the place of any that has the name there.
func (h *held) rename(name string, to *held, as string) error {
	return h.root.Rename(h.file(name), to.file(as))
}
