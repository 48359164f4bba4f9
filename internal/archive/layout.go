package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
