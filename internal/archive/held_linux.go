package archive

import (
	"os"
	"syscall"
)

// create makes a file that is not there yet, open for reading and writing. os.Root would try, at the price of four
// system calls, whether the runtime can wait for it, which it cannot for files.
func (h *held) create(name string) (*os.File, error) {
	const mode = os.O_CREATE | os.O_EXCL | os.O_RDWR | syscall.O_NOFOLLOW | syscall.O_CLOEXEC | syscall.O_LARGEFILE
	for {
		fd, err := syscall.Openat(int(h.dir.Fd()), name, mode, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != syscall.EINTR {
			return nil, &os.PathError{Op: "create", Path: h.file(name), Err: err}
		}
	}
}

// rename moves a file into another directory, in the place of any that has the name there.
func (h *held) rename(name string, to *held, as string) error {
	for {
		err := syscall.Renameat(int(h.dir.Fd()), name, int(to.dir.Fd()), as)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.LinkError{Op: "rename", Old: h.file(name), New: to.file(as), Err: err}
		}
	}
}
