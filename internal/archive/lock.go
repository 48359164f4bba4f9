package archive

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const lockFile = ownDir + "/lock"

// An InUseError says that another run writes to the archive.
type InUseError struct {
	Holder string // "pid 4711 on host since 2026-11-24 03:00:05 +0100"; "" where it cannot be read
}

func (e *InUseError) Error() string {
	if e.Holder == "" {
		return "another run is using the archive"
	}
	return "another run is using the archive: " + e.Holder
}

// takeLock makes this process the only writer. The lock is the kernel's, not the file: it dies with the process.
func (a *Archive) takeLock() error {
	f, err := a.root.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return diskError("lock", lockFile, err)
	}
	defer f.Close()
	lock := flock.New(filepath.Join(a.root.Name(), filepath.FromSlash(lockFile)), flock.SetFlag(os.O_RDWR))
	got, err := lock.TryLock()
	if err != nil {
		return diskError("lock", lockFile, err)
	}
	if !got {
		holder, _ := io.ReadAll(io.LimitReader(f, 200))
		return &InUseError{Holder: mail.Printable(string(holder))}
	}
	a.lock = lock
	return diskError("lock", lockFile, signLock(f))
}

func signLock(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "pid %d on %s since %s", os.Getpid(), host, time.Now().Format("2006-01-02 15:04:05 -0700"))
	return err
}
