package archive

import (
	"errors"
	"os"
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
	if err := a.openLedger(true); err != nil {
		return err
	}
	if err := a.loadAccount(); err != nil {
		return err
	}
	if err := a.loadUnsound(); err != nil {
		return err
	}
	return a.loadKeys()
}
