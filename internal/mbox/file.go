package mbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A file is one that may hold mail.
type file struct {
	name   string // below what the person named, with slashes
	size   int64
	mod    time.Time
	open   func() (io.ReadCloser, error)
	packed bool // it cannot be read from the middle
	bad    error
}

// A kind is what a file holds.
type kind int

const (
	noMail kind = iota
	oneMbox
	oneEML
	oneEMLX
	oneMaildir // a message of a Maildir
)

// kindOf judges a file by its name, and if that says nothing, by how it begins.
func (p *Pile) kindByName(f *file) (kind, error) {
	base := path.Base(f.name)
	lower := strings.ToLower(base)
	dir := path.Dir(f.name)
	switch parent := path.Base(dir); {
	case strings.HasPrefix(base, "."), base == IndexName:
		return noMail, nil
	case isMaildirPart(parent) && p.isMaildir(path.Dir(dir)):
		return map[bool]kind{true: oneMaildir}[parent != "tmp"], nil
	case strings.HasSuffix(lower, ".eml"):
		return oneEML, nil
	case strings.HasSuffix(lower, ".emlx"):
		return oneEMLX, nil
	case f.size == 0:
		return map[bool]kind{true: oneMbox}[strings.HasSuffix(lower, ".mbox")], nil
	case notMail[path.Ext(lower)]:
		return noMail, nil
	}
	r, err := f.open()
	if err != nil {
		return noMail, err
	}
	defer r.Close()
	head := make([]byte, headProbe)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return noMail, err
	}
	if _, err := beginning(head[:n]); err != nil {
		return noMail, nil
	}
	return oneMbox, nil
}

// notMail are what mail programs keep beside their mail.
var notMail = map[string]bool{".msf": true, ".dat": true, ".sqlite": true, ".json": true, ".jsonl": true, ".js": true, ".plist": true,
	".html": true, ".xml": true, ".zip": true, ".emlxpart": true}

// mbox reads the messages of an mbox.
func (p *Pile) mbox(ctx context.Context, f *file, fn func(*Message) error) error {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer in.Close()
	form, at, err := probe(f, in)
	if err != nil {
		return err
	}
	p.say(f, form)
	b := &box{Pile: p, file: f, folder: p.folderOf(f.name, oneMbox)}
	b.r = NewReader(io.LimitReader(in, f.size), at, f.size, form) // what is added meanwhile is for the next time
	if form.Own {
		side, done := p.indexOf(f.name + IndexExt)
		defer done()
		b.beside(side)
	}
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := b.r.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := b.message(fn); err != nil {
			return err
		}
	}
}

// A box is an mbox that is being read.
type box struct {
	*Pile
	file   *file
	r      *Reader
	folder Folder
	index  *index // nil: there is none, or what it says is about others from here on
	taken  int64  // octets of the messages so far
}

// beside takes in an index.
func (b *box) beside(x *index) {
	if b.index = x; x != nil {
		b.folder = b.beneath(x.head.folder())
	}
}

// message hands over the one that the reader is at.
func (b *box) message(fn func(*Message) error) error {
	r := b.r
	m := &Message{Folders: []Folder{b.folder}, Where: fmt.Sprintf("%s, octet %d", b.file.name, r.Start)}
	err := b.load.load(m, r, func() (io.ReadCloser, error) { return again(b.file, r.form, r.Start, r.End) })
	if isTrouble(err) {
		return err
	}
	m.Err = err
	b.inMbox(m, r)
	if b.index != nil {
		if line, ok := b.index.next(); !ok || !line.apply(m) {
			b.index = nil
		}
	}
	first := b.taken == 0
	m.Taken, b.taken = r.pos-b.taken, r.pos
	switch {
	case r.atEnd() && b.changed(b.file): // nobody knows how much of it was there
		return nil
	case first && isInternal(m.head()):
		b.Notes = append(b.Notes, b.file.name+" begins with what a mail program has written for itself; that is no mail, and not imported")
		b.tell(m.Taken)
		return nil
	}
	return b.give(m, r.Books.Deleted, fn)
}

// isInternal reports whether a message is the one that UW IMAP and Pine keep at the beginning of a mailbox.
func isInternal(head []byte) bool {
	return bytes.Contains(head, []byte("Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA")) && bytes.Contains(head, []byte("X-IMAP"))
}

// probe finds out the dialect. Of a file that cannot be read from the middle its beginning must do.
func probe(f *file, in io.Reader) (Form, io.ReaderAt, error) {
	at, ok := in.(io.ReaderAt)
	if ok && !f.packed {
		form, err := Probe(at, f.size)
		return form, at, err
	}
	other, err := f.open()
	if err != nil {
		return Form{}, nil, err
	}
	defer other.Close()
	head := make([]byte, min(f.size, headProbe))
	n, _ := io.ReadFull(other, head)
	form, err := beginning(head[:n])
	return form, nil, err
}

// again reads what lies in a file from start to end.
func again(f *file, form Form, start, end int64) (io.ReadCloser, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	if s, ok := r.(io.Seeker); ok && !f.packed {
		_, err = s.Seek(start, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r, start)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{reread(io.LimitReader(r, end-start), form), r}, nil
}

// inMbox takes in what an mbox says of a message besides its octets.
func (p *Pile) inMbox(m *Message, r *Reader) {
	if r.Books.Partial {
		m.Incomplete = "Thunderbird has fetched only the beginning of it"
	}
	m.Received = receivedOf(r.From, m.Sum.Header)
	flags, told := mail.Flags(nil), true
	switch {
	case r.form.Own:
		told = false // unless the index does
	case r.Books.Labelled:
		filed := File(r.Books.Labels)
		m.Folders, flags = nil, filed.Flags
		for _, folder := range filed.Folders {
			m.Folders = append(m.Folders, p.beneath(folder))
		}
	case r.Books.Told:
		flags = r.Books.Flags
	default:
		flags, told = fieldFlags(m.head())
	}
	m.Flags = orSeen(flags, told)
}

// orSeen is the flags of old mail. What a format has no place for, it does not deny: mail on somebody's disk has been
// read, unless it says otherwise.
func orSeen(flags mail.Flags, told bool) mail.Flags {
	if told {
		return flags
	}
	return mail.MakeFlags(string(mail.Seen))
}

// receivedOf decides when a message came in. A From_ line tells, if it is ours or says in which zone, as Takeout's do.
// Of others nobody knows more than that the message was put into the file then, by whatever program: what its own
// header says counts more.
func receivedOf(from FromLine, h mail.Header) time.Time {
	if from.isOwn() || from.Zoned || h.Arrived().IsZero() {
		return from.Date
	}
	return time.Time{}
}

// single reads a file that is one message: EML, or one of a Maildir.
func (p *Pile) single(f *file, k kind, fn func(*Message) error) error {
	m := &Message{Folders: []Folder{p.folderOf(f.name, k)}, Where: f.name, Taken: f.size}
	books, n, err := p.booksOf(f, k)
	part := func() (io.ReadCloser, error) { return again(f, Form{}, n, math.MaxInt64) }
	if err == nil {
		err = p.loadFrom(m, part)
	}
	m.Err = err
	if err != nil {
		return fn(m)
	}
	switch line, indexed := p.lineOf(f.name); {
	case books.Told:
		m.Flags, m.Received = books.Flags, fallback(m, f)
	case k == oneMaildir:
		m.Flags, m.Received = p.maildirFlags(f.name), arrival(m, f)
	case indexed && line.apply(m):
		m.Folders[0] = p.beneath(p.index.head.folder())
	default:
		m.Flags = orSeen(nil, false)
		m.Received = fallback(m, f)
	}
	return p.give(m, books.Deleted, fn)
}

// loadFrom loads a message that can be opened by itself.
func (p *Pile) loadFrom(m *Message, open func() (io.ReadCloser, error)) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close()
	return p.load.load(m, in, open)
}

// booksOf reads Thunderbird's books on top of a message, where it keeps each in a file of its own.
func (p *Pile) booksOf(f *file, k kind) (b Books, n int64, err error) {
	if k != oneMaildir || !p.survey.msf {
		return b, 0, nil
	}
	in, err := f.open()
	if err != nil {
		return b, 0, err
	}
	defer in.Close()
	head := make([]byte, min(f.size, maxBooks))
	got, err := io.ReadFull(in, head)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	b, octets := ReadBooks(head[:got])
	return b, int64(octets), err
}

// arrival is the file's time, which in a Maildir is when the message came in; but if the message says the same, with its
// zone, that counts.
func arrival(m *Message, f *file) time.Time {
	if m.Sum.Header.Arrived().Equal(f.mod.Truncate(time.Second)) {
		return time.Time{}
	}
	return f.mod.UTC()
}

// fallback is the file's time, for a message that does not say itself when it came.
func fallback(m *Message, f *file) time.Time {
	if m.Sum.Header.Arrived().IsZero() {
		return f.mod.UTC()
	}
	return time.Time{}
}

// emlx reads a file of Apple Mail.
func (p *Pile) emlx(f *file, fn func(*Message) error) error {
	m := &Message{Folders: []Folder{p.folderOf(f.name, oneEMLX)}, Where: f.name, Taken: f.size}
	e, err := readEMLX(f)
	part := func() (io.ReadCloser, error) { return again(f, Form{}, e.Start, e.Start+e.Octets) }
	if err == nil {
		err = p.loadFrom(m, part)
	}
	m.Err = err
	if err != nil {
		return fn(m)
	}
	m.Flags, m.Received = e.Flags, e.Received
	if m.Received.IsZero() {
		m.Received = fallback(m, f)
	}
	if strings.HasSuffix(strings.ToLower(f.name), ".partial.emlx") {
		m.Incomplete = "Apple Mail keeps its attachments elsewhere, or has not fetched them"
	}
	return p.give(m, e.Deleted, fn)
}

func readEMLX(f *file) (EMLX, error) {
	in, err := f.open()
	if err != nil {
		return EMLX{}, err
	}
	defer in.Close()
	return ReadEMLX(in, f.size)
}

// give hands a message over, unless its program has deleted it.
func (p *Pile) give(m *Message, deleted bool, fn func(*Message) error) error {
	defer p.load.shrink()
	if deleted {
		p.Deleted++
		p.tell(m.Taken)
		return nil
	}
	return fn(m)
}

// changed reports whether somebody has written to the file since it was opened, and notes that.
func (p *Pile) changed(f *file) bool {
	if p.stat == nil {
		return false
	}
	size, mod, err := p.stat(f.name)
	if err == nil && size == f.size && mod.Equal(f.mod) {
		return false
	}
	p.Changed = append(p.Changed, f.name)
	return true
}
