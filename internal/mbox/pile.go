package mbox

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Pile is mail in a file, in a directory, or in a zip file. It is used by one goroutine.
type Pile struct {
	Name   string // the last element of what was named, without an extension
	Kind   string // what it was taken for, and why, for a person
	Octets int64  // of the files that may hold mail

	// What Each has come upon so far.
	Deleted int      // messages that their program had deleted, and were passed over
	Passed  int      // files that are no mail
	Links   int      // symbolic links, which are not followed
	Changed []string // files that somebody wrote to while they were read
	Notes   []string // what a person may want to know

	// Beneath puts all folders beneath this one; what lies in no folder goes right into it.
	Beneath []string
	// Passing, if set, is told of octets that were read and belong to no message that is handed over.
	Passing func(octets int64)

	each  func(func(*file) error) error
	stat  func(name string) (int64, time.Time, error)
	side  func(name string) (io.ReadCloser, error) // a file beside, by its name
	isDir func(name string) bool                   // whether there is a directory of that name
	close func() error

	load     loader
	alone    bool // a single file was named
	survey   survey
	index    *dirIndex
	maildir  map[string]bool              // directories, as far as they were asked for
	archives map[string]map[string]Folder // of ours, by directory
	letters  *lettering
	forms    map[string]bool // those that Notes tell
}

// ErrUnknown says that a file is none of those that can be read.
var ErrUnknown = errors.New("it is neither an mbox nor an EML or emlx file, nor a zip file of these")

// Open looks at what is at a path.
func Open(name string) (*Pile, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	p := &Pile{Name: stem(filepath.Base(abs)), maildir: map[string]bool{}, archives: map[string]map[string]Folder{}, forms: map[string]bool{}}
	p.load.keep = keepOctets
	switch {
	case info.IsDir():
		err = p.openDir(abs)
	case !info.Mode().IsRegular():
		err = errors.New("it is neither a file nor a directory")
	default:
		err = p.openFile(abs, info)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func stem(base string) string {
	for _, ext := range []string{".mbox", ".mbx", ".zip", ".eml", ".emlx", ".sbd"} {
		if n := len(base) - len(ext); n > 0 && strings.EqualFold(base[n:], ext) {
			return base[:n]
		}
	}
	return base
}

// Close lets go of what Open has opened.
func (p *Pile) Close() error {
	if p.close == nil {
		return nil
	}
	return p.close()
}

// openFile looks at a single file.
func (p *Pile) openFile(name string, info fs.FileInfo) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	head := make([]byte, headProbe)
	n, err := io.ReadFull(f, head)
	f.Close()
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if bytes.HasPrefix(head[:n], []byte("PK\x03\x04")) || bytes.HasPrefix(head[:n], []byte("PK\x05\x06")) {
		return p.openZip(name, info.Size())
	}
	if bytes.HasPrefix(head[:n], []byte{0x1f, 0x8b}) {
		return errors.New("it is compressed: unpack it first (tar -xzf, or gunzip), and import what comes out")
	}
	k, err := singleKind(filepath.Base(name), head[:n])
	if err != nil {
		return err
	}
	one := &file{name: filepath.Base(name), size: info.Size(), mod: info.ModTime(),
		open: func() (io.ReadCloser, error) { return os.Open(name) }}
	p.alone, p.Octets = true, info.Size()
	p.Kind = map[kind]string{oneMbox: "an mbox", oneEML: "a message", oneEMLX: "a message of Apple Mail"}[k]
	p.each = func(fn func(*file) error) error { return fn(one) }
	p.stat = func(string) (int64, time.Time, error) { return statOf(os.Stat(name)) }
	p.side = func(base string) (io.ReadCloser, error) {
		beside := filepath.Join(filepath.Dir(name), filepath.Base(base))
		if info, err := os.Lstat(beside); err != nil || !info.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
		return os.Open(beside)
	}
	return nil
}

func statOf(info fs.FileInfo, err error) (int64, time.Time, error) {
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}

// singleKind judges a file that the person named. Whatever its name, it is mail if it begins like mail.
func singleKind(name string, head []byte) (kind, error) {
	lower := strings.ToLower(name)
	line, _, _ := bytes.Cut(head, lf)
	_, err := beginning(head)
	switch {
	case strings.HasSuffix(lower, ".emlx"):
		return oneEMLX, nil
	case strings.HasSuffix(lower, ".eml"):
		return oneEML, nil
	case err == nil:
		return oneMbox, nil
	case isField(line) && bytes.IndexByte(head, 0) < 0:
		return oneEML, nil
	}
	return noMail, ErrUnknown
}

// Each calls fn with every message, file by file. A message that cannot be had is handed over with its Err; an error
// of fn ends it.
func (p *Pile) Each(ctx context.Context, fn func(*Message) error) error {
	return p.each(func(f *file) error {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if f.bad != nil {
			return fn(&Message{Folders: []Folder{p.folderOf(f.name, oneEML)}, Where: f.name, Err: f.bad, Taken: f.size})
		}
		return p.one(ctx, f, fn)
	})
}

func (p *Pile) one(ctx context.Context, f *file, fn func(*Message) error) error {
	k, err := p.kindOf(f)
	if err != nil {
		return fn(&Message{Folders: []Folder{p.folderOf(f.name, oneEML)}, Where: f.name, Err: err, Taken: f.size})
	}
	switch k {
	case oneMbox:
		var mine error // of fn, or of the run
		err := p.mbox(ctx, f, func(m *Message) error {
			mine = fn(m)
			return mine
		})
		if err != nil && mine == nil && ctx.Err() == nil {
			return fn(&Message{Folders: []Folder{p.folderOf(f.name, k)}, Where: f.name, Err: fmt.Errorf("the rest of the file cannot be read: %w", err)})
		}
		return err
	case oneEMLX:
		return p.emlx(f, fn)
	case oneEML, oneMaildir:
		return p.single(f, k, fn)
	}
	if base := path.Base(f.name); base != IndexName && !strings.HasSuffix(base, IndexExt) {
		p.Passed++
	}
	p.tell(f.size)
	return nil
}

func (p *Pile) kindOf(f *file) (kind, error) {
	if !p.alone {
		return p.kindByName(f)
	}
	in, err := f.open()
	if err != nil {
		return noMail, err
	}
	defer in.Close()
	head := make([]byte, headProbe)
	n, _ := io.ReadFull(in, head)
	return singleKind(f.name, head[:n])
}

func (p *Pile) tell(octets int64) {
	if p.Passing != nil {
		p.Passing(octets)
	}
}

// say notes in which dialect a file is, the first time of each.
func (p *Pile) say(f *file, form Form) {
	if key := form.Name + form.Why; !p.forms[key] && f.size > 0 {
		p.forms[key] = true
		p.Notes = append(p.Notes, fmt.Sprintf("%s is %s: %s", f.name, form.Name, form.Why))
	}
}

// beneath puts a folder where the person wants it.
func (p *Pile) beneath(f Folder) Folder {
	if len(p.Beneath) == 0 {
		return f
	}
	return Folder{Levels: slices.Concat(p.Beneath, f.Levels)}
}

// openDir looks through a directory once, for what can be told only of all of it.
func (p *Pile) openDir(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	p.close = root.Close
	p.each = func(fn func(*file) error) error { return p.walk(root, ".", 0, fn) }
	p.stat = func(name string) (int64, time.Time, error) { return statOf(root.Stat(filepath.FromSlash(name))) }
	p.side = func(name string) (io.ReadCloser, error) {
		if info, err := root.Lstat(filepath.FromSlash(name)); err != nil || !info.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
		return root.Open(filepath.FromSlash(name))
	}
	p.isDir = func(name string) bool {
		info, err := root.Lstat(filepath.FromSlash(name))
		return err == nil && info.IsDir()
	}
	return p.look()
}

const (
	maxDepth = 64
	maxFiles = 5_000_000
)

// walk calls fn with every file below dir, in the order of their names, and those of a directory before its own
// directories. No link is followed.
func (p *Pile) walk(root *os.Root, dir string, depth int, fn func(*file) error) error {
	entries, err := readDir(root, dir)
	if err != nil && dir != "." {
		return fn(&file{name: dir, bad: err}) // the others can be read
	}
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	var dirs []string
	for _, e := range entries {
		name := path.Join(dir, filepath.ToSlash(e.Name()))
		switch {
		case e.IsDir():
			dirs = append(dirs, name)
		case e.Type()&fs.ModeSymlink != 0:
			p.survey.link(name)
		case e.Type().IsRegular():
			if err := p.visit(root, name, e, fn); err != nil {
				return err
			}
		}
	}
	for _, name := range dirs {
		if depth >= maxDepth {
			return fmt.Errorf("%s: directories are nested more than %d deep", name, maxDepth)
		}
		if err := p.walk(root, name, depth+1, fn); err != nil {
			return err
		}
	}
	return nil
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	d, err := root.Open(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func (p *Pile) visit(root *os.Root, name string, e fs.DirEntry, fn func(*file) error) error {
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was moved meanwhile
	}
	if err != nil {
		return err
	}
	return fn(&file{name: name, size: info.Size(), mod: info.ModTime(),
		open: func() (io.ReadCloser, error) { return root.Open(filepath.FromSlash(name)) }})
}

// openZip looks at a zip file.
func (p *Pile) openZip(name string, size int64) error {
	if err := checkZip(name, size); err != nil {
		return err
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return fmt.Errorf("the zip file is damaged: %w", err)
	}
	p.close = z.Close
	p.load.keep = keepPacked
	files, err := zipFiles(&z.Reader, size, &p.survey)
	if err != nil {
		return err
	}
	p.each = func(fn func(*file) error) error {
		for _, f := range files {
			if err := fn(f); err != nil {
				return err
			}
		}
		return nil
	}
	dirs := dirsIn(&z.Reader)
	p.isDir = func(name string) bool { return dirs[name] }
	byName := make(map[string]*file, len(files))
	for _, f := range files {
		byName[f.name] = f
	}
	p.side = func(name string) (io.ReadCloser, error) {
		if f := byName[name]; f != nil && f.bad == nil {
			return f.open()
		}
		return nil, fs.ErrNotExist
	}
	return p.look()
}
