package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	ownDir = "mailhaul"
	// ownTmp begins the name of every file that we write into tmp/, where other programs may write too.
	ownTmp = "mailhaul."
)

// What Open finds instead of an archive.
var (
	ErrNone     = errors.New("no archive is there")
	ErrNotEmpty = errors.New("the directory is neither empty nor an archive")
)

// openRoot opens the archive's directory, and makes it if there is none and create says so.
func openRoot(dir string, create bool) (*os.Root, error) {
	if create {
		if err := makeDir(dir); err != nil {
			return nil, diskError("make", dir, err)
		}
	}
	// SQLite and the lock go by path: with the links in it resolved, they and root mean the same directory.
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, diskError("open", dir, err)
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, diskError("open", dir, err)
	}
	if err := checkRoot(root, create); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// makeDir makes dir and what is missing above it, durably.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncPath(func() (*os.File, error) { return os.Open(parent) })
}

// checkRoot says whether root is an archive or can become one, and that nothing of ours in it is a link to
// somewhere else.
func checkRoot(root *os.Root, create bool) error {
	for _, name := range []string{"cur", "new", "tmp", ownDir} {
		if err := refuseLink(root, name, fs.ModeDir); err != nil {
			return err
		}
	}
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "lock", "folders.json"} {
		if err := refuseLink(root, ownDir+"/"+name, 0); err != nil {
			return err
		}
	}
	is, err := isArchive(root)
	if err != nil || is {
		return err
	}
	if !create {
		return ErrNone
	}
	return refuseFull(root)
}

// refuseLink fails if there is something of that name which is not of the kind it must be.
func refuseLink(root *os.Root, name string, kind fs.FileMode) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != kind {
		err = errors.New("is a link or of another kind than it must be; it is not followed")
	}
	return diskError("open", name, err)
}

// isArchive reports whether root is an archive, be it one that has lost its ledger's directory.
func isArchive(root *os.Root) (bool, error) {
	if _, err := root.Lstat(ownDir); err == nil {
		return true, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, diskError("open", ownDir, err)
	}
	dirs, err := maildirs(root)
	if err != nil {
		return false, err
	}
	for _, dir := range dirs {
		if holdsOurs(root, dir) {
			return true, nil
		}
	}
	return false, nil
}

// refuseFull fails if root holds something that is no Maildir: nobody's home is to become an archive by mistake.
func refuseFull(root *os.Root) error {
	entries, err := readDir(root, ".")
	if err != nil {
		return err
	}
	isMaildir := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "cur" && e.IsDir() })
	if isMaildir {
		return nil
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Name() != "lost+found" {
			return fmt.Errorf("%w: %s", ErrNotEmpty, root.Name())
		}
	}
	return nil
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, diskError("list", dir, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	return entries, diskError("list", dir, err)
}

// maildirs returns the directories that can be folders: "" for the INBOX, and those that begin with a dot.
func maildirs(root *os.Root) ([]string, error) {
	entries, err := readDir(root, ".")
	if err != nil {
		return nil, err
	}
	dirs := []string{""}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") {
			dirs = append(dirs, e.Name())
		}
	}
	slices.Sort(dirs)
	return dirs, nil
}

// holdsOurs reports whether a message of ours lies in the folder of that directory.
func holdsOurs(root *os.Root, dir string) bool {
	for _, sub := range subdirs {
		f, err := root.Open((&folder{dir: dir}).path(sub))
		if err != nil {
			continue
		}
		defer f.Close()
		for {
			names, err := f.Readdirnames(4096)
			if slices.ContainsFunc(names, func(s string) bool { _, ours := parseName(s); return ours }) {
				return true
			}
			if err != nil {
				break
			}
		}
	}
	return false
}

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
	return a.writeFile(path, nil)
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
