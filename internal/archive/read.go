package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A DamagedError says that a message is not in the archive as it was archived. The source is asked for it again.
type DamagedError struct {
	Path string
	Why  string
}

func (e *DamagedError) Error() string { return "damaged: " + e.Path + ": " + e.Why }

// OpenMessage returns the message's canonical octets, also if another program has renamed the file for its flags.
// A file that is missing or of another size than it must be is a *DamagedError. So is one with other octets, which
// is found at the end of it: then the last octets are not given out, and the message cannot be taken for whole.
func (a *Archive) OpenMessage(e Entry) (io.ReadCloser, error) {
	f, err := a.openEntry(&e)
	if err != nil {
		return nil, err
	}
	return &message{a: a, e: e, file: f, canon: mail.Canonical(f), hash: sha256.New()}, nil
}

// openEntry opens the file of an entry, wherever it is by now, and sets its Path. One that is not there or not of the
// right size is noted as such.
func (a *Archive) openEntry(e *Entry) (*os.File, error) {
	f, err := a.openFile(e)
	if errors.Is(err, fs.ErrNotExist) && a.refresh(e) {
		f, err = a.openFile(e)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, a.damage(*e, missing, "the file is missing")
	}
	if err != nil {
		return nil, diskError("open", e.Path, err)
	}
	n, _ := parseName(path.Base(e.Path))
	info, err := f.Stat()
	if err == nil && info.Size() == n.stored {
		return f, nil
	}
	f.Close()
	if err != nil {
		return nil, diskError("open", e.Path, err)
	}
	return nil, a.damage(*e, damaged, fmt.Sprintf("it has %d octets instead of %d", info.Size(), n.stored))
}

// refresh reads the entry again, and reports whether it has another path by now: it may have got another Ref, or a
// fresh copy of its file.
func (a *Archive) refresh(e *Entry) bool {
	a.commits.Lock() // somebody may be about it
	defer a.commits.Unlock()
	if err := a.settleMoves(); err != nil {
		return false
	}
	now, err := a.Entry(e.ID)
	if err != nil || now.Path == e.Path {
		return false
	}
	*e = now
	return true
}

func (a *Archive) openFile(e *Entry) (*os.File, error) {
	n, ours := parseName(path.Base(e.Path))
	if !ours {
		return nil, fmt.Errorf("%q is no message of an archive", e.Path)
	}
	f, err := a.root.Open(e.Path)
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 3; try++ {
		renamed, lerr := a.look(path.Dir(path.Dir(e.Path)), n)
		if lerr != nil {
			return nil, lerr
		}
		if f, err = a.root.Open(renamed); err == nil {
			e.Path = renamed
		}
	}
	return f, err
}

// A listing is what a folder's directories held at a time.
type listing struct {
	dir   string
	times [len(subdirs)]int64
	paths map[string]string // by base name
}

// look finds a file whose flags have changed. The folder is listed at most once as long as nobody changes it: who
// marks a mailbox as read renames every file in it.
func (a *Archive) look(dir string, n fileName) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := folder{dir: dir}
	if dir == "." {
		f.dir = ""
	}
	times := [...]int64{a.mtime(f.path(subdirs[0])), a.mtime(f.path(subdirs[1]))}
	if a.listing.paths == nil || a.listing.dir != dir || a.listing.times != times {
		l, err := a.list(&f)
		if err != nil {
			return "", err
		}
		l.dir, l.times = dir, times
		a.listing = l
	}
	if p := a.listing.paths[n.base()]; p != "" {
		return p, nil
	}
	return "", fs.ErrNotExist
}

func (a *Archive) list(f *folder) (listing, error) {
	l := listing{paths: map[string]string{}}
	for _, sub := range subdirs {
		entries, err := readDir(a.root, f.path(sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return l, err
		}
		for _, e := range entries {
			if n, ours := parseName(e.Name()); ours {
				l.paths[n.base()] = f.path(sub, e.Name())
			}
		}
	}
	return l, nil
}

// damage notes that e is missing or damaged, so that Has says so, and returns the error for it.
func (a *Archive) damage(e Entry, state int, why string) error {
	found := &DamagedError{Path: e.Path, Why: why}
	if a.lock == nil {
		return found
	}
	n, _ := parseName(path.Base(e.Path))
	if err := a.learnKeys(); err != nil {
		return err
	}
	var was int64
	err := a.write("damage", func() error {
		// e may be older than a fresh copy of its message.
		r, err := a.ledger.exec(`update entry set state = ? where id = ? and key = ? and nth = ? and state = 0
			and not exists (select 1 from move where entry = id)`, state, e.ID, n.key[:], n.nth)
		if err == nil {
			was, err = r.RowsAffected()
		}
		return err
	})
	if err != nil {
		return err
	}
	if was > 0 {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.keys, n.key)
		a.unsound[n.key] = unsound{id: e.ID, nth: n.nth, digest: e.Digest}
	}
	return found
}

// A message reads one message, and vouches for it with its last octets.
type message struct {
	a     *Archive
	e     Entry
	file  *os.File
	canon io.Reader
	hash  hash.Hash
	n     int64
	err   error
}

func (m *message) Read(p []byte) (int, error) {
	if m.err != nil || len(p) == 0 {
		return 0, m.err
	}
	n, err := m.canon.Read(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	if m.n < m.e.Octets && err == nil {
		return n, nil
	}
	if err != nil && err != io.EOF {
		m.err = diskError("read", m.e.Path, err)
	} else if m.n != m.e.Octets || mail.Digest(m.hash.Sum(nil)) != m.e.Digest {
		m.err = m.a.damage(m.e, damaged, "its octets are not those that were archived")
	}
	if m.err != nil {
		return 0, m.err
	}
	return n, err
}

func (m *message) Close() error { return m.file.Close() }
