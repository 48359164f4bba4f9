package mbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Message is one message of a pile. It is good until the function it was given to returns.
type Message struct {
	Folders  []Folder // one at least; the same message is in each of them
	Flags    mail.Flags
	Received time.Time // zero: only its own header tells
	Sum      mail.Sum
	// Identity is the second digest of the message without what mail programs write into headers whenever somebody reads
	// it (Status and its like). It is what a message is known by when its file is read again.
	Identity   mail.Digest
	Where      string // the file, and of an mbox the octet it begins at
	Incomplete string // why it is not the whole message, for a person
	Taken      int64  // octets of the file that were read for it
	// Err says why the message cannot be had. Then there is nothing but Folders, Where and Taken.
	Err error

	kept []byte
	open func() (io.ReadCloser, error) // if it is not all in kept
}

// Open returns its octets, any number of times; the caller closes it.
func (m *Message) Open() (io.ReadCloser, error) {
	if m.open == nil {
		return io.NopCloser(bytes.NewReader(m.kept)), nil
	}
	return m.open()
}

// stateFields are those in which programs with mailboxes in one file keep what they know of a message.
var stateFields = []string{"status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase", "content-length", "lines"}

func isStateField(field []byte) bool {
	name, _, _ := bytes.Cut(field, []byte{':'})
	return len(name) <= len("content-length") && slices.Contains(stateFields, strings.ToLower(string(name)))
}

// identify sets the Identity.
func (m *Message) identify() error {
	m.Identity = m.Sum.Match
	head := m.head()
	if !slices.ContainsFunc(fields(head), isStateField) {
		return nil
	}
	in, err := m.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	s := mail.NewSummer()
	for _, f := range fields(head) {
		if !isStateField(f) {
			s.Write(f)
		}
	}
	if _, err := io.CopyN(io.Discard, in, int64(len(head))); err != nil {
		return err
	}
	if _, err := io.Copy(s, in); err != nil {
		return err
	}
	m.Identity = s.Sum().Match
	return nil
}

// fields takes a header apart.
func fields(head []byte) (all [][]byte) {
	for len(head) > 0 {
		var field []byte
		field, head = cutField(head)
		all = append(all, field)
	}
	return all
}

const (
	// Larger messages are not kept in memory but read again, from a file.
	keepOctets = 1 << 20
	// What is in the middle of a compressed file cannot be read again cheaply. No provider takes larger messages.
	keepPacked = 48 << 20
	// maxMessage is what IMAP can say of a message (RFC 3501 §9, number).
	maxMessage = 1<<32 - 1
)

var errTooLarge = fmt.Errorf("it has more than %d octets, which no mailbox can hold", int64(maxMessage))

// A loader reads messages, one at a time.
type loader struct {
	buf  []byte
	keep int
}

// load reads r, which is the message, and sums it up. again returns it once more.
func (l *loader) load(m *Message, r io.Reader, again func() (io.ReadCloser, error)) error {
	if err := l.read(m, r, again); err != nil {
		return err
	}
	return m.identify()
}

func (l *loader) read(m *Message, r io.Reader, again func() (io.ReadCloser, error)) error {
	if l.buf == nil {
		l.buf = make([]byte, 64<<10)
	}
	s := mail.NewSummer()
	n := 0
	for {
		if n == len(l.buf) && n < l.keep {
			l.buf = append(l.buf, make([]byte, min(len(l.buf), l.keep-n))...)
		}
		if n == len(l.buf) {
			m.open = again
			return l.pass(m, s, r)
		}
		k, err := r.Read(l.buf[n:])
		s.Write(l.buf[n : n+k])
		n += k
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	m.kept, m.Sum = l.buf[:n], s.Sum()
	return nil
}

// pass reads what is not kept of a message.
func (l *loader) pass(m *Message, s *mail.Summer, r io.Reader) error {
	m.kept = l.buf // its header is in it
	part := make([]byte, 64<<10)
	total := int64(len(l.buf))
	for {
		n, err := r.Read(part)
		if total += int64(n); total > maxMessage {
			return errTooLarge
		}
		s.Write(part[:n])
		if err == io.EOF {
			m.Sum = s.Sum()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// shrink gives a large buffer back.
func (l *loader) shrink() {
	if cap(l.buf) > keepOctets {
		l.buf = nil
	}
}

// head returns the message's header, or as much of it as is kept.
func (m *Message) head() []byte {
	head := m.kept[:min(len(m.kept), keepOctets)]
	if bytes.HasPrefix(head, lf) || bytes.HasPrefix(head, crlf) {
		return nil
	}
	if i := bytes.Index(head, []byte("\n\n")); i >= 0 {
		head = head[:i+1]
	}
	if i := bytes.Index(head, []byte("\n\r\n")); i >= 0 {
		head = head[:i+1]
	}
	return head
}

// isTrouble tells trouble with the whole file from that with one message.
func isTrouble(err error) bool { return err != nil && !errors.Is(err, errTooLarge) }
