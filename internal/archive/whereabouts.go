package archive

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// whereabouts finds the files of a folder, also those that another program has renamed. The folder is listed once,
// when the first file is not where it should be.
type whereabouts struct {
	a      *Archive
	folder *folder
	paths  map[string]string // by base name
}

// find returns where the file of that name is; nil: not in this folder.
func (w *whereabouts) find(sub int, n fileName) (*found, error) {
	is := found{folder: w.folder, sub: sub, name: n}
	_, err := w.a.root.Lstat(is.path())
	if err == nil {
		return &is, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, diskError("open", is.path(), err)
	}
	if err := w.list(); err != nil {
		return nil, err
	}
	p := w.paths[n.base()]
	if p == "" {
		return nil, nil
	}
	is.name, _ = parseName(path.Base(p))
	is.sub = 0
	if strings.HasSuffix(path.Dir(p), subdirs[1]) {
		is.sub = 1
	}
	return &is, nil
}

func (w *whereabouts) list() error {
	if w.paths != nil {
		return nil
	}
	l, err := w.a.list(w.folder)
	w.paths = l.paths
	return err
}

// move gives the file of a row the place and name that to makes of those it has; nil: it is not there any more. If
// something of that name is there, which is a copy that a person has made, it fails with fs.ErrExist.
func (w *whereabouts) move(r row, to func(found) found) (*found, error) {
	for try := 1; ; try++ {
		is, err := w.find(r.sub, r.name)
		if is == nil {
			return nil, err
		}
		dst := to(*is)
		if dst == *is {
			return is, nil
		}
		if _, err := w.a.root.Lstat(dst.path()); err == nil {
			return nil, diskError("rename", dst.path(), fs.ErrExist)
		}
		err = w.a.act("rename", dst.path(), func() error { return w.a.root.Rename(is.path(), dst.path()) })
		if !errors.Is(err, fs.ErrNotExist) || try == 3 {
			return &dst, err
		}
		w.paths = nil // another program was faster
	}
}

// inFolders does something with the files of folders, and makes it durable.
func (a *Archive) inFolders(folders []*folder, do func() error) error {
	news := make([]int64, len(folders))
	for i, f := range folders {
		a.lookAt(f)
		news[i] = a.mtime(f.path("new"))
	}
	if err := do(); err != nil {
		a.stranded = true
		return err
	}
	for i, f := range folders {
		if err := a.syncDir(f.path("cur")); err != nil {
			a.stranded = true
			return err
		}
		if f.cur != 0 {
			f.cur = a.mtime(f.path("cur"))
		}
		if news[i] == a.mtime(f.path("new")) {
			continue
		}
		f.new = 0 // something was taken out of it; the next Open looks what
		if err := a.syncDir(f.path("new")); err != nil {
			a.stranded = true
			return err
		}
	}
	return nil
}
