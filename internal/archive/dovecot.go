package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Dovecot changes a folder's files of its own only while it holds dovecot-uidlist.lock in it, a file with the
// process's number and the host's name; dovecot-keywords has no lock of its own (its maildir-keywords.c says so). A
// lock whose process is no more, or which nobody has touched for two minutes, is taken away from its holder.
const (
	dovecotLock  = "dovecot-uidlist.lock"
	dovecotStale = 2 * time.Minute
	lockWait     = 5 * time.Second // for a Dovecot at work in the folder
	lockPause    = 20 * time.Millisecond
)

// lockDovecot keeps Dovecot from changing the folder until unlock is called; nil without an error means that somebody
// else holds the lock and keeps it.
func (a *Archive) lockDovecot(f *folder) (unlock func() error, err error) {
	path := f.path(dovecotLock)
	for began := time.Now(); ; time.Sleep(lockPause) {
		made := false
		err := a.act("lock", path, func() error {
			err := a.signDovecot(path)
			made = err == nil
			return err
		})
		switch {
		case err == nil:
			return func() error { return a.unlockDovecot(path) }, nil
		case made:
			return nil, errors.Join(err, a.unlockDovecot(path))
		case !errors.Is(err, fs.ErrExist):
			return nil, err
		}
		if a.staleDovecot(path) {
			if err := a.remove(path); err != nil {
				return nil, err
			}
		} else if time.Since(began) > lockWait {
			return nil, nil
		}
	}
}

// unlockDovecot removes our lock. If that fails, the next Open does it.
func (a *Archive) unlockDovecot(path string) error {
	err := a.remove(path)
	if err != nil {
		a.stranded = true
	}
	return err
}

func (a *Archive) signDovecot(path string) error {
	file, err := a.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err == nil {
		_, err = fmt.Fprintf(file, "%d:%s", os.Getpid(), host)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		a.root.Remove(path)
	}
	return err
}

// staleDovecot reports whether nobody holds the lock any more.
func (a *Archive) staleDovecot(path string) bool {
	info, err := a.root.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := a.root.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, 512))
	number, host, _ := strings.Cut(strings.TrimSpace(string(text)), ":")
	here, _ := os.Hostname()
	if pid, err := strconv.Atoi(number); err == nil && pid > 0 && host == here {
		return pid == os.Getpid() || !running(pid) // with our number it is from an earlier life
	}
	return time.Since(info.ModTime()) > dovecotStale
}

// sweepLock removes the lock of a run that was killed while it held it, and what that was writing.
func (a *Archive) sweepLock(f *folder) error {
	path := f.path(dovecotLock)
	if !a.staleDovecot(path) {
		return nil
	}
	return errors.Join(a.remove(f.path(lettersFile+".lock")), a.remove(path))
}

// remove removes a file that may be gone already.
func (a *Archive) remove(path string) error {
	if _, err := a.root.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := a.act("remove", path, func() error { return a.root.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
