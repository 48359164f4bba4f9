package archive

import (
	"os"
	"path"
	"runtime"
)

// A held is a directory of the archive that is kept open: what is done in it needs no look for its way from the root
// for each file. It stays the same directory if something else gets its name. Names are of files in it.
type held struct {
	root *os.Root
	path string
	dir  *os.File
}

// hold opens a directory. The caller closes it.
func (a *Archive) hold(dir string) (*held, error) {
	f, err := a.root.Open(dir)
	if err != nil {
		return nil, diskError("open", dir, err)
	}
	return &held{root: a.root, path: dir, dir: f}, nil
}

// sync makes what was made, renamed or removed in it durable.
func (h *held) sync() error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	return h.dir.Sync()
}

func (h *held) Close() error { return h.dir.Close() }

// file returns a file's path from the root.
func (h *held) file(name string) string { return path.Join(h.path, name) }
