package archive

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A Step is one act on the disk that cannot be taken back, or a transaction of the ledger.
type Step struct {
	Op    string // create, write, times, sync, link, rename, syncdir, mkdir, remove, lock; bind, commit, looked ... of the ledger
	Path  string // below the archive's directory
	After bool   // the act was done
}

// steps is told each act before and after. What it answers is what the act fails with: before it, so that it is
// not done; after it, so that nobody learns that it was.
type steps func(Step) error

func (s steps) around(op, path string, act func() error) error {
	if s == nil {
		return act()
	}
	if err := s(Step{Op: op, Path: path}); err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	return s(Step{Op: op, Path: path, After: true})
}

// A DiskError is trouble on this side: the disk, its permissions, the ledger.
type DiskError struct {
	Op   string // what was being done
	Path string
	Full bool   // there is no space left, or no quota
	Hint string // what the person can do about it, or ""
	Err  error  // never nil
}

// Error is one line; the hint is not part of it.
func (e *DiskError) Error() string {
	err := e.Err
	var path *fs.PathError
	var link *os.LinkError
	if errors.As(err, &path) {
		err = path.Err
	} else if errors.As(err, &link) {
		err = link.Err
	} else if code := ledgerCode(err); e.Full && code != 0 { // SQLite has several words for it, with numbers
		err = syscall.ENOSPC
	} else if code == sqlite3.SQLITE_IOERR {
		err = syscall.EIO
	}
	return e.Op + " " + e.Path + ": " + err.Error()
}

func (e *DiskError) Unwrap() error { return e.Err }

// diskError makes err of an act on path a *DiskError, if it is none yet.
func diskError(op, path string, err error) error {
	var e *DiskError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &DiskError{Op: op, Path: path, Full: isFull(err), Hint: hint(err), Err: err}
}

// Trouble makes err, of an act on a file that lies beside ours, a *DiskError as those of the archive are.
func Trouble(op, path string, err error) error { return diskError(op, path, err) }

// IsReadOnly reports whether err says that nothing can be written there.
func IsReadOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) || ledgerCode(err) == sqlite3.SQLITE_READONLY
}

func isFull(err error) bool {
	var e *sqlite.Error
	// Shared memory that cannot grow is SQLite's way of not finding room for its -shm file.
	noRoom := errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE
	return noRoom || ledgerCode(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func hint(err error) string {
	code := ledgerCode(err)
	switch {
	case isFull(err):
		return "make space and run again: what is archived stays archived"
	case errors.Is(err, syscall.EROFS) || code == sqlite3.SQLITE_READONLY:
		return "the archive cannot be written to: its file system or its ledger is read-only"
	case errors.Is(err, fs.ErrPermission) || code == sqlite3.SQLITE_PERM:
		return "look whose the archive's files are, and with which permissions"
	case errors.Is(err, syscall.EMFILE):
		return "too many files are open: raise the limit (ulimit -n)"
	case errors.Is(err, syscall.EIO) || code == sqlite3.SQLITE_IOERR:
		return "the disk is full, or reports errors: make space, or look into the system's log, and run again"
	case isDamage(err):
		return "run again: a damaged ledger is made again from the messages"
	}
	return ""
}

// ledgerCode returns SQLite's primary result code, 0 if err is not SQLite's.
func ledgerCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// isDamage reports whether err says that the ledger is not a sound database.
func isDamage(err error) bool {
	code := ledgerCode(err)
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB || errors.Is(err, errNotSound)
}
