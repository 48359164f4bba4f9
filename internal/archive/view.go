package archive

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"
)

// View opens the archive in dir for reading, beside a run that writes to it if there is one. It writes nothing.
func View(dir string) (*Archive, error) {
	root, err := openRoot(dir, false)
	if err != nil {
		return nil, err
	}
	a := newArchive(root)
	err = a.view()
	if err != nil {
		a.shut()
	}
	if isDamage(err) || errors.Is(err, os.ErrNotExist) {
		return nil, ErrLedger
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Archive) view() error {
	if _, err := a.root.Lstat(ledgerFile); err != nil {
		return diskError("open", ledgerFile, err)
	}
	err := a.openLedger(true)
	if ledgerCode(err) == sqlite3.SQLITE_READONLY {
		err = a.viewCopy()
	}
	if err != nil {
		return err
	}
	if err := a.loadAccount(); err != nil {
		return err
	}
	return a.loadUnsound()
}

// viewCopy looks into a copy of the ledger, made in a directory for temporary files: a run was killed in the middle of
// a transaction, which SQLite must roll back before anything can be read, and a reader writes nothing here.
func (a *Archive) viewCopy() error {
	dir, err := os.MkdirTemp("", "mailhaul-ledger-")
	if err != nil {
		return diskError("open", ledgerFile, err)
	}
	a.copied = dir
	for _, suffix := range []string{"", "-journal", "-wal"} {
		err := a.copyOut(ledgerFile+suffix, filepath.Join(dir, "ledger.db"+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return diskError("open", ledgerFile, err)
		}
	}
	a.ledger, err = openLedger(filepath.Join(dir, "ledger.db"), false, a.act)
	return diskError("open", ledgerFile, err)
}

func (a *Archive) copyOut(from, to string) error {
	src, err := a.root.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
