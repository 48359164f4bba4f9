package mbox

import (
	"archive/zip"
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A single is one mbox for everything.
type single struct {
	f *os.File
	w *Writer
}

func (s *single) folder(string, mail.Mailbox) error { return nil }

func (s *single) add(l loaded) error { return appendTo(s.w, l) }

func (s *single) close() error {
	return cmp.Or(s.w.Flush(), s.f.Sync(), s.f.Close())
}

func (s *single) abort() { s.f.Close() }

func appendTo(w *Writer, l loaded) error {
	in, err := l.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	return w.Append(in, l.Received, l.shape)
}

// A tree is a directory of its own.
type tree struct {
	dir   string
	made  []string // directories below it
	index *indexFile
}

// mkdir makes a directory below, and what is missing above it.
func (t *tree) mkdir(rel string) error {
	if rel == "." {
		return nil
	}
	err := os.Mkdir(t.path(rel), 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if errors.Is(err, os.ErrNotExist) {
		if err := t.mkdir(path.Dir(rel)); err != nil {
			return err
		}
		err = os.Mkdir(t.path(rel), 0o700)
	}
	t.made = append(t.made, rel)
	return err
}

func (t *tree) path(rel string) string { return filepath.Join(t.dir, filepath.FromSlash(rel)) }

// sync makes the names durable, from the inner directories to the outer.
func (t *tree) sync() error {
	for i := len(t.made) - 1; i >= 0; i-- {
		if err := syncDir(t.path(t.made[i])); err != nil {
			return err
		}
	}
	return syncDir(t.dir)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}

// An indexFile is an index that is being written.
type indexFile struct {
	f   *os.File
	out *bufio.Writer
}

func newIndexFile(f *os.File, mb mail.Mailbox) (*indexFile, error) {
	x := &indexFile{f, bufio.NewWriter(f)}
	return x, writeLine(x.out, NewIndexHead(mb))
}

func (x *indexFile) close() error {
	if x == nil {
		return nil
	}
	return cmp.Or(x.out.Flush(), x.f.Sync(), x.f.Close())
}

func (x *indexFile) abort() {
	if x != nil {
		x.f.Close()
	}
}

// create makes a new file below.
func (t *tree) create(rel string) (*os.File, error) {
	return os.OpenFile(t.path(rel), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// An mboxTree is an mbox and its index for each folder.
type mboxTree struct {
	tree
	f *os.File
	w *Writer
}

func (t *mboxTree) folder(rel string, mb mail.Mailbox) error {
	err := cmp.Or(t.end(), t.mkdir(path.Dir(rel)))
	if err != nil {
		return err
	}
	if t.f, err = t.create(rel + ".mbox"); err != nil {
		return err
	}
	t.w = NewWriter(t.f)
	beside, err := t.create(rel + ".mbox" + IndexExt)
	if err != nil {
		return err
	}
	t.index, err = newIndexFile(beside, mb)
	return err
}

// end ends the folder.
func (t *mboxTree) end() error {
	if t.f == nil {
		return nil
	}
	return cmp.Or(t.w.Flush(), t.f.Sync(), t.f.Close(), t.index.close())
}

func (t *mboxTree) add(l loaded) error {
	return cmp.Or(appendTo(t.w, l), writeLine(t.index.out, l.line("")))
}

func (t *mboxTree) close() error { return cmp.Or(t.end(), t.sync()) }

func (t *mboxTree) abort() {
	if t.f != nil {
		t.f.Close()
	}
	t.index.abort()
}

// maxFileSyncs is how many files are synced at a time.
const maxFileSyncs = 16

// An emlTree is a directory of EML files, and its index, for each folder.
type emlTree struct {
	tree
	rel   string
	names *FileNames

	once  sync.Once
	slots chan struct{}
	syncs sync.WaitGroup
	mu    sync.Mutex
	err   error // the first of syncing
}

func (t *emlTree) folder(rel string, mb mail.Mailbox) error {
	if err := cmp.Or(t.index.close(), t.mkdir(rel)); err != nil {
		return err
	}
	t.rel, t.names = rel, new(FileNames)
	f, err := t.create(path.Join(rel, IndexName))
	if err != nil {
		return err
	}
	t.index, err = newIndexFile(f, mb)
	return err
}

func (t *emlTree) add(l loaded) error {
	name := t.names.Message(l.Received, l.Subject, l.Digest)
	f, err := t.create(path.Join(t.rel, name))
	if err != nil {
		return err
	}
	if err := l.copyTo(f); err != nil {
		f.Close()
		return err
	}
	t.sync1(f, l)
	return cmp.Or(writeLine(t.index.out, l.line(name)), t.failed())
}

// sync1 syncs a file while others are written.
func (t *emlTree) sync1(f *os.File, l loaded) {
	t.once.Do(func() { t.slots = make(chan struct{}, maxFileSyncs) })
	t.slots <- struct{}{}
	t.syncs.Go(func() {
		err := cmp.Or(f.Sync(), f.Close(), os.Chtimes(f.Name(), l.Received, l.Received))
		t.mu.Lock()
		t.err = cmp.Or(t.err, err)
		t.mu.Unlock()
		<-t.slots
	})
}

func (t *emlTree) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *emlTree) close() error {
	t.syncs.Wait()
	return cmp.Or(t.failed(), t.index.close(), t.sync())
}

func (t *emlTree) abort() {
	t.syncs.Wait()
	t.index.abort()
}

// A zipTree is the same in a zip file.
type zipTree struct {
	f     *os.File
	out   *bufio.Writer
	z     *zip.Writer
	rel   string
	names *FileNames
	side  *os.File // the index, until the folder ends: a zip file is written one file after the other
	index *indexFile
}

func newZipTree(f *os.File) *zipTree {
	out := bufio.NewWriterSize(f, 256<<10)
	return &zipTree{f: f, out: out, z: zip.NewWriter(out)}
}

func (t *zipTree) folder(rel string, mb mail.Mailbox) (err error) {
	if err := t.end(); err != nil {
		return err
	}
	t.rel, t.names = rel, new(FileNames)
	if t.side, err = os.CreateTemp(filepath.Dir(t.f.Name()), filepath.Base(t.f.Name())+"-*"); err != nil {
		return err
	}
	t.index, err = newIndexFile(t.side, mb)
	return err
}

// end writes the folder's index.
func (t *zipTree) end() error {
	if t.side == nil {
		return nil
	}
	side := t.side
	defer t.dropSide()
	if err := t.index.out.Flush(); err != nil {
		return err
	}
	if _, err := side.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w, err := t.z.CreateHeader(&zip.FileHeader{Name: path.Join(t.rel, IndexName), Method: zip.Deflate, Modified: time.Now().UTC()})
	if err == nil {
		_, err = io.Copy(w, side)
	}
	return err
}

func (t *zipTree) dropSide() {
	if t.side != nil {
		t.side.Close()
		os.Remove(t.side.Name())
		t.side = nil
	}
}

func (t *zipTree) add(l loaded) error {
	name := t.names.Message(l.Received, l.Subject, l.Digest)
	w, err := t.z.CreateHeader(&zip.FileHeader{Name: path.Join(t.rel, name), Method: zip.Deflate, Modified: l.Received.UTC()})
	if err != nil {
		return err
	}
	return cmp.Or(l.copyTo(w), writeLine(t.index.out, l.line(name)))
}

func (t *zipTree) close() error {
	return cmp.Or(t.end(), t.z.Close(), t.out.Flush(), t.f.Sync(), t.f.Close())
}

func (t *zipTree) abort() {
	t.dropSide()
	t.f.Close()
}
