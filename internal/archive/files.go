package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// subdirs are where the messages of a folder lie.
var subdirs = [...]string{"cur", "new"}

// mkdir makes a directory if it is not there; made says that it was not. A link in its place is refused.
func (a *Archive) mkdir(path string) (made bool, err error) {
	if _, err := a.root.Lstat(path); err == nil {
		return false, refuseLink(a.root, path, fs.ModeDir)
	}
	err = a.act("mkdir", path, func() error { return a.root.Mkdir(path, 0o700) })
	return err == nil, err
}

// makeMaildir makes the directories of a folder, as far as they are not there; made says that some were not.
func (a *Archive) makeMaildir(f *folder) (made bool, err error) {
	if f.made {
		return false, nil
	}
	if f.dir != "" {
		if made, err = a.mkdir(f.dir); err == nil {
			err = a.markFolder(f)
		}
		if err != nil {
			return made, err
		}
	}
	for sub, known := range map[string]*int64{"cur": &f.cur, "new": &f.new, "tmp": new(int64)} {
		fresh, err := a.mkdir(f.path(sub))
		if err != nil {
			return made, err
		}
		if fresh {
			made, *known = true, a.mtime(f.path(sub)) // nothing is in it
		}
	}
	if made {
		err = a.syncDir(f.path("."))
	}
	f.made = err == nil
	return made, err
}

// markFolder puts the file into f that tells delivery agents that it is no Maildir of its own but a folder of one
// (Maildir++).
func (a *Archive) markFolder(f *folder) error {
	path := f.path("maildirfolder")
	if _, err := a.root.Lstat(path); err == nil {
		return nil
	}
	return a.act("create", path, func() error {
		file, err := a.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return file.Close() // it stays empty: syncing the directory is all it needs
	})
}

// syncDir makes what was made, renamed or removed in a directory durable.
func (a *Archive) syncDir(dir string) error {
	return a.act("syncdir", dir, func() error {
		return syncPath(func() (*os.File, error) { return a.root.Open(dir) })
	})
}

func syncPath(open func() (*os.File, error)) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened for that there
	}
	d, err := open()
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// protect takes the right to write into the archive's directory from others: they could put links there.
func (a *Archive) protect() error {
	info, err := a.root.Stat(".")
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o022 == 0 {
		return diskError("open", a.root.Name(), err)
	}
	err = errors.New("others may write there")
	if info.Mode()&fs.ModeSticky == 0 {
		err = a.root.Chmod(".", info.Mode().Perm()&^0o022)
	}
	if err == nil {
		a.note("others could write into the archive's directory; now they cannot")
	}
	return diskError("protect", a.root.Name(), err)
}

// sweep removes what an earlier run has left half written.
func (a *Archive) sweep() error {
	d, err := a.root.Open("tmp")
	if err != nil {
		return diskError("list", "tmp", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && err != io.EOF {
		return diskError("list", "tmp", err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, ownTmp) {
			continue
		}
		path := "tmp/" + name
		if err := a.act("remove", path, func() error { return a.root.Remove(path) }); err != nil {
			return err
		}
	}
	return nil
}

// replace writes the file durably beside its place, and then into it.
func (a *Archive) replace(path string, text []byte) error {
	return a.replaceBy(path+".tmp", path, text, time.Time{})
}

// replaceBy does so under a given name, and gives it a time that is a second later than before, if need be.
func (a *Archive) replaceBy(tmp, path string, text []byte, before time.Time) error {
	err := a.writeFile(tmp, text)
	if err == nil && !before.IsZero() {
		err = a.makeNewer(tmp, before)
	}
	if err == nil {
		err = a.act("rename", path, func() error { return a.root.Rename(tmp, path) })
	}
	if err != nil {
		_ = a.act("remove", tmp, func() error { return a.root.Remove(tmp) })
		return err
	}
	return a.syncDir(filepath.ToSlash(filepath.Dir(path)))
}

// makeNewer sees to it that who compares times by the second finds the file changed.
func (a *Archive) makeNewer(path string, before time.Time) error {
	info, err := a.root.Lstat(path)
	if err != nil || info.ModTime().Unix() > before.Unix() {
		return diskError("times", path, err)
	}
	return a.act("times", path, func() error { return a.root.Chtimes(path, time.Time{}, before.Add(time.Second)) })
}

func (a *Archive) writeFile(path string, text []byte) error {
	var f *os.File
	err := a.act("create", path, func() (err error) {
		f, err = a.root.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	err = a.act("write", path, func() error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	return a.act("sync", path, f.Sync)
}

// setAside gives a damaged file, with what goes by its name, another name.
func (a *Archive) setAside(path string, suffixes ...string) (string, error) {
	aside := ""
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, n)
		if _, err := a.root.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	for _, suffix := range append(suffixes, "") {
		if _, err := a.root.Lstat(path + suffix); err != nil {
			continue
		}
		if err := a.act("rename", aside+suffix, func() error { return a.root.Rename(path+suffix, aside+suffix) }); err != nil {
			return "", err
		}
	}
	return aside, a.syncDir(ownDir)
}
