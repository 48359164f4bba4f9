package imap

import (
	"bufio"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// maxChatter is how many responses may come before a command is done: a server that talks without end is as
	// bad as a silent one. The messages of a listing come on top.
	maxChatter = 1 << 17
	maxSaid    = 8
	readAhead  = 32 << 10
)

// A guard is the connection under go-imap. Its Read and Write may run at the same time, each in one goroutine at a
// time, as those of go-imap do.
//
// The first error is the answer to every Read after it and closes the connection: go-imap loses an error that
// comes between two responses, and would read on.
type guard struct {
	conn net.Conn

	// What the reading side has under way.
	lex   lexer
	buf   []byte
	out   []byte   // what go-imap has not taken yet of buf
	queue [][]byte // and before that
	held  int64    // octets of messages that came before their turn
	body  int64    // octets of a body that may be streamed to go-imap
	row   *row     // the FETCH response that body belongs to; its last octet and the rest of its line are to come
	greet bool     // the greeting was read

	// What the writing side has under way.
	w       *bufio.Writer
	current *command
	line    []byte // what go-imap has written of a line
	inside  int64  // octets of a literal of go-imap's that are still to come
	refused bool   // the server wants nothing more of this command
	mute    bool   // writing failed; only reading can still tell something

	mu       sync.Mutex
	err      error
	writeErr error
	pending  []*command // sent, and not answered yet
	waiting  *command   // waits for a command continuation request
	letter   *letter    // the message for the next APPEND
	exchange *exchange  // that of the next AUTHENTICATE
	facts    facts
	dialect
}

// facts are what the server has told beside the answers that go-imap passes on.
type facts struct {
	greeting  string
	caps      capabilities // nil: not said, or no longer valid
	opening   opening
	expunged  int                    // how many messages it said are gone
	statuses  map[string]mail.Status // of what STATUS or LIST was asked for, by mailbox; zero fields: not told
	outOfTurn bool                   // it shows more out of turn than is held
	early     bool                   // it has sent a "+" before its time
	bye       *respText
	said      []string // ALERT, NO and BAD without a tag, BYE: the last ones
	notes     []string // what was strange about the server, each once
	chatter   int
}

// An opening is what a mailbox that is selected, or being selected, has told of itself.
type opening struct {
	exists    bool // its EXISTS
	readOnly  bool // it cannot be changed, although that was wanted
	permanent bool // its PERMANENTFLAGS
	modSeq    uint64
	id        string
}

func newGuard(conn net.Conn) *guard {
	return &guard{
		conn: conn,
		lex:  lexer{r: bufio.NewReaderSize(conn, readAhead)},
		w:    bufio.NewWriterSize(conn, readAhead),
	}
}

// Read gives go-imap what it is to see.
func (g *guard) Read(p []byte) (int, error) {
	if err := g.failure(); err != nil {
		return 0, err
	}
	for len(g.out) == 0 && (g.body == 0 || len(g.queue) > 0) {
		if len(g.queue) > 0 {
			g.out, g.queue = g.queue[0], g.queue[1:]
			continue
		}
		g.buf = g.buf[:0]
		if err := g.next(); err != nil {
			return 0, g.fail(cutOff(err))
		}
		if g.out = g.buf; len(g.queue) > 0 {
			g.push(nil)
			g.out = nil
		}
	}
	if len(g.out) > 0 {
		n := copy(p, g.out)
		g.out = g.out[n:]
		return n, nil
	}
	n, err := g.lex.r.Read(p[:min(int64(len(p)), g.body)])
	g.body -= int64(n)
	if err != nil {
		return n, g.fail(cutOff(err))
	}
	return n, nil
}

// next reads a response, or what is left of one, and puts into buf what go-imap is to see of it.
func (g *guard) next() error {
	g.lex.begin()
	if g.row != nil {
		return g.afterBody()
	}
	return g.response()
}

func (g *guard) emit(parts ...string) {
	for _, s := range parts {
		g.buf = append(g.buf, s...)
	}
}

// fail closes the connection with err and returns the error it was closed with first.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
		g.resume(false)
	}
	err = g.err
	g.mu.Unlock()
	if first {
		g.conn.Close()
	}
	return err
}

func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// trouble returns why the connection can no longer be used, nil as long as it can. What reading ran into tells more
// than what writing did.
func (g *guard) trouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	return g.writeErr
}

// known returns what the server has told so far.
func (g *guard) known() facts {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.facts
	f.said, f.notes = slices.Clone(f.said), slices.Clone(f.notes)
	return f
}

// note remembers that something was strange; the text is one of few, ours and not the server's.
func (g *guard) note(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.facts.notes, text) {
		g.facts.notes = append(g.facts.notes, text)
	}
}

// Close closes the connection. It never waits for go-imap, which may itself be waiting for somebody to take a body.
func (g *guard) Close() error {
	g.fail(net.ErrClosed)
	return nil
}

// LocalAddr and RemoteAddr are those of the connection.
func (g *guard) LocalAddr() net.Addr  { return g.conn.LocalAddr() }
func (g *guard) RemoteAddr() net.Addr { return g.conn.RemoteAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing: the connection below has idle times of its own, and
// go-imap's five minutes for a whole literal would end a large message on a slow line.
func (g *guard) SetDeadline(time.Time) error      { return nil }
func (g *guard) SetReadDeadline(time.Time) error  { return nil }
func (g *guard) SetWriteDeadline(time.Time) error { return nil }
