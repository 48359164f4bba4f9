package mbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Format is what mail is exported as.
type Format string

// The formats. Tree is one mbox for each folder, Single one for everything.
const (
	Tree   Format = "mboxrd"
	Single Format = "mbox"
	EML    Format = "eml"
	Zip    Format = "zip"
)

// An Outgoing is a message to be exported.
type Outgoing struct {
	Subject  string // as its header has it
	Received time.Time
	Flags    mail.Flags
	Digest   mail.Digest
	// Open returns the canonical octets, twice where they are many; the caller closes it.
	Open func() (io.ReadCloser, error)
}

// A TargetError says that the target cannot be written.
type TargetError struct{ Err error }

func (e *TargetError) Error() string { return "write the export: " + e.Err.Error() }
func (e *TargetError) Unwrap() error { return e.Err }

func target(err error) error {
	if err == nil || errors.As(err, new(*TargetError)) {
		return err
	}
	return &TargetError{err}
}

// ErrThere says that there is something in the place of the target.
var ErrThere = errors.New("is there already, and nothing is overwritten")

// An Exporter writes mail to a place where nothing is yet. All of it lies beside that place under another name, until
// Commit has made it durable and gives it its own: nobody ever finds half an export there. It is ended by Commit or
// Abort.
type Exporter struct {
	path, tmp string
	form      form
	names     Names
	loaded    []byte
}

// A form writes one of the formats into tmp.
type form interface {
	folder(path string, mb mail.Mailbox) error // begins with a folder
	add(m loaded) error
	close() error // makes all of it durable
	abort()
}

// Export begins an export to path.
func Export(path string, format Format) (*Exporter, error) {
	path = filepath.Clean(path)
	if err := free(path); err != nil {
		return nil, err
	}
	x := &Exporter{path: path}
	pattern := filepath.Base(path) + ".part-*"
	var err error
	if format == Tree || format == EML {
		x.tmp, err = os.MkdirTemp(filepath.Dir(path), pattern)
		tree := tree{dir: x.tmp}
		x.form = &mboxTree{tree: tree}
		if format == EML {
			x.form = &emlTree{tree: tree}
		}
		return x, target(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), pattern)
	if err != nil {
		return nil, target(err)
	}
	x.tmp = f.Name()
	if format == Zip {
		x.form = newZipTree(f)
	} else {
		x.form = &single{f: f, w: NewWriter(f)}
	}
	return x, nil
}

// free fails with ErrThere unless nothing is at path, or an empty directory.
func free(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		entries, err := os.ReadDir(path)
		if err == nil && len(entries) == 0 {
			return nil
		}
	}
	return fmt.Errorf("%s %w", path, ErrThere)
}

// Leftovers returns what exports to path have left that were killed.
func Leftovers(path string) []string {
	path = filepath.Clean(path)
	found, _ := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), escapeGlob(filepath.Base(path))+".part-*"))
	return found
}

func escapeGlob(s string) string {
	var b bytes.Buffer
	for _, c := range []byte(s) {
		if bytes.IndexByte([]byte(`*?[\`), c) >= 0 && filepath.Separator == '/' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Folder begins with the next folder: what is added from now on is of it. Each is begun once.
func (x *Exporter) Folder(mb mail.Mailbox) error {
	head := NewIndexHead(mb)
	return target(x.form.folder(x.names.Folder(LevelsOf(mb.Name, head.Delimiter)), mb))
}

// A loaded message is known to be whole: it was read once.
type loaded struct {
	Outgoing
	shape Shape
}

// Add exports a message. One that cannot be read whole is an error, nothing of it is written, and the next can be added.
// After a *TargetError there is only Abort.
func (x *Exporter) Add(m Outgoing) error {
	l, err := x.load(m)
	if err != nil {
		return err
	}
	return target(x.form.add(l))
}

// load reads a message to its end: that is where the archive says whether its octets are those that were archived.
func (x *Exporter) load(m Outgoing) (loaded, error) {
	l := loaded{Outgoing: m}
	in, err := m.Open()
	if err != nil {
		return l, err
	}
	defer in.Close()
	shape := NewShape()
	kept := bytes.NewBuffer(x.loaded[:0])
	n, err := io.Copy(io.MultiWriter(kept, shape), io.LimitReader(in, keepOctets+1))
	if err == nil && n > keepOctets {
		_, err = io.Copy(shape, in)
	}
	if err != nil {
		return l, err
	}
	l.shape, x.loaded = *shape, kept.Bytes()
	if n <= keepOctets {
		l.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept.Bytes())), nil }
	}
	return l, nil
}

// copyTo writes the message.
func (l loaded) copyTo(w io.Writer) error {
	in, err := l.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}

func (l loaded) line(name string) IndexLine {
	flags := make([]string, len(l.Flags))
	for i, f := range l.Flags {
		flags[i] = string(f)
	}
	return IndexLine{Name: name, Received: l.Received, Flags: flags, Digest: l.Digest.String()}
}

// Commit makes everything durable and gives it its name.
func (x *Exporter) Commit() error {
	if err := x.form.close(); err != nil {
		return target(err)
	}
	if err := x.place(); err != nil {
		return target(err)
	}
	return target(syncDir(filepath.Dir(x.path)))
}

// place gives the export its name, unless somebody has taken it meanwhile.
func (x *Exporter) place() error {
	info, err := os.Lstat(x.tmp)
	if err != nil {
		return err
	}
	if err := free(x.path); err != nil {
		return err
	}
	if err := os.Remove(x.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty directory
		return err
	}
	if !info.IsDir() {
		switch err := os.Link(x.tmp, x.path); {
		case err == nil:
			return os.Remove(x.tmp)
		case errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%s %w", x.path, ErrThere)
		}
	}
	return os.Rename(x.tmp, x.path)
}

// Abort removes what was written.
func (x *Exporter) Abort() {
	x.form.abort()
	os.RemoveAll(x.tmp)
}

// writeLine writes v as a line of JSON.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
