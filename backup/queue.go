package backup

import (
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// What was read of messages and is not taken yet is bounded by so many parts. A message of any size has one at least.
const (
	partOctets = 64 << 10
	maxParts   = 64
)

// A queue stands between the wire and the archive: one goroutine reads messages, another takes them, in the same
// order. So the next message comes while the digest of this one is made and its file written.
type queue struct {
	take  func(mail.Item, io.Reader) error
	parts chan part
	free  chan []byte   // buffers that were taken
	made  int           // buffers; of the goroutine that reads
	over  chan struct{} // closed when nothing more is taken
	// Of the goroutine that takes, until over:
	now   part
	rest  []byte // of now
	taken int    // messages
	err   error  // what take failed with
}

// A part is what was read of a message at once.
type part struct {
	item   mail.Item
	octets []byte
	err    error         // of reading behind the octets; io.EOF: the message is whole
	told   chan struct{} // closed when an error that is not io.EOF was taken for what it is
}

func newQueue(take func(mail.Item, io.Reader) error) *queue {
	q := &queue{take: take, parts: make(chan part, maxParts), free: make(chan []byte, maxParts), over: make(chan struct{})}
	go q.takeAll()
	return q
}

// put reads a message to its end and hands it over. What it returns is why the messages before could not be taken,
// or this one, if reading it fails: then put waits until that was decided.
func (q *queue) put(it mail.Item, body io.Reader) error {
	for {
		buf, err := q.buffer()
		if err != nil {
			return err
		}
		p := part{item: it}
		n := 0
		for n < len(buf) && p.err == nil {
			var m int
			m, p.err = body.Read(buf[n:])
			n += m
		}
		p.octets = buf[:n]
		if p.err != nil && p.err != io.EOF {
			p.told = make(chan struct{})
		}
		q.parts <- p // there is room for as many as there are buffers
		switch {
		case p.err == io.EOF:
			return nil
		case p.err != nil:
			return q.await(p.told)
		}
	}
}

// buffer returns one to read into.
func (q *queue) buffer() ([]byte, error) {
	select {
	case <-q.over:
		return nil, q.err
	case buf := <-q.free:
		return buf, nil
	default:
	}
	if q.made < maxParts {
		q.made++
		return make([]byte, partOctets), nil
	}
	select {
	case <-q.over:
		return nil, q.err
	case buf := <-q.free:
		return buf, nil
	}
}

func (q *queue) await(told chan struct{}) error {
	select {
	case <-q.over:
		return q.err
	case <-told:
		return nil
	}
}

// close waits until everything that was put is taken, or one could not be: err says why. It is called once, by the
// goroutine that reads.
func (q *queue) close() (taken int, err error) {
	close(q.parts)
	<-q.over
	return q.taken, q.err
}

func (q *queue) takeAll() {
	defer close(q.over)
	for q.now = range q.parts {
		q.rest = q.now.octets
		if q.err = q.take(q.now.item, q); q.err != nil {
			return
		}
		q.taken++
		for q.now.err == nil { // what was left of the message
			q.next()
		}
		if q.now.told != nil {
			close(q.now.told)
		}
		q.release()
	}
}

// Read reads the message that is being taken.
func (q *queue) Read(p []byte) (int, error) {
	for len(q.rest) == 0 {
		if q.now.err != nil {
			return 0, q.now.err
		}
		q.next()
	}
	n := copy(p, q.rest)
	q.rest = q.rest[n:]
	return n, nil
}

// next goes on to the next part of the message.
func (q *queue) next() {
	q.release()
	q.now = <-q.parts
	q.rest = q.now.octets
}

// release gives the buffer back of which everything was read.
func (q *queue) release() { q.free <- q.now.octets[:partOctets] }
