package imap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A letter is a message on its way into an APPEND. All but whole belong to the goroutine that sends.
type letter struct {
	size    int64
	total   int64 // with what is enclosed
	hurry   bool  // it need not wait for the server's consent
	source  io.Reader
	octets  []byte // all of a small one
	close   func() error
	started bool        // the server may have got some of it
	err     error       // the source failed, and the message will never be whole
	whole   atomic.Bool // all of it has left

	enclosed []enclosed // that go with it
	// What the answer named, for it and all that is enclosed; none, if not so many UIDs.
	validity uint32
	uids     []uint32
}

// small is up to what size a message is read before anything of it is sent, so that one that cannot be read costs
// no connection.
const small = 256 << 10

var errLong = errors.New("there is more of the message than was announced")

// openLetter opens the message. What it returns an error for has not been sent, and nothing of it.
func openLetter(m mail.Outgoing, hurry bool) (*letter, error) {
	source, err := m.Open()
	if err != nil {
		return nil, err
	}
	l := &letter{size: m.Octets, total: m.Octets, hurry: hurry, source: &exact{r: source, left: m.Octets}, close: source.Close}
	if l.size > small {
		return l, nil
	}
	defer source.Close()
	l.close = func() error { return nil }
	l.octets = make([]byte, l.size)
	if _, err := io.ReadFull(l.source, l.octets); err != nil {
		return nil, short(err)
	}
	if _, err := l.source.Read(make([]byte, 1)); err != io.EOF {
		return nil, err
	}
	l.source = bytes.NewReader(l.octets)
	return l, nil
}

func short(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("there is less of the message than was announced: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// An exact reader gives out exactly left octets, the last of them only when the source has proved to end there: a
// literal that falls short leaves a server waiting, and whatever it is told next would become part of the message.
type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 && len(p) > 0 {
		return 0, e.end()
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if err == nil && e.left == 0 {
		err = e.end()
	}
	if err != nil && (err != io.EOF || e.left > 0) {
		return 0, short(err)
	}
	return n, err
}

// end returns io.EOF if the source has ended.
func (e *exact) end() error {
	var one [1]byte
	for range 100 {
		if n, err := e.r.Read(one[:]); n > 0 {
			return errLong
		} else if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
