package pop3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxLine is the longest line of a status or a listing; RFC 2449 §4 allows 512 octets. In a message lines have no
// limit.
const maxLine = 64 << 10

// A gate stands between the connection and go-pop3, which reads one status line at a time through it: Read never
// returns past its end, so that go-pop3's buffer holds nothing back, and returns it only if it is one.
type gate struct {
	net.Conn
	in   *bufio.Reader
	rest []byte  // of the status line that go-pop3 is reading
	last *status // the line that go-pop3 has read; nil when it was taken
	err  error   // what was no status line; nothing is read after it

	redact func(string) string // takes out what nobody is shown, even if the server says it
}

func newGate(conn net.Conn, redact func(string) string) *gate {
	return &gate{Conn: conn, in: bufio.NewReaderSize(conn, maxLine), redact: redact}
}

// Dial makes the gate a Dialer for go-pop3, which insists on dialing itself.
func (g *gate) Dial(string, string) (net.Conn, error) { return g, nil }

// Read is for go-pop3 only.
func (g *gate) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if err := g.readStatus(); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func (g *gate) readStatus() error {
	if g.err != nil {
		return g.err
	}
	line, err := g.readLine()
	if err != nil {
		g.err = err
		return err
	}
	st, ok := parseStatus(line)
	if !ok {
		g.err = outOfStep(`"%s" is neither +OK nor -ERR`, g.shown(bytes.TrimRight(line, "\r\n")))
		return g.err
	}
	g.last, g.rest = &st, st.line()
	return nil
}

// taken returns the status line that go-pop3 has just read. What go-pop3 makes of it does not matter; err counts
// when there is no line.
func (g *gate) taken(err error) (status, error) {
	st := g.last
	g.last = nil
	if st == nil {
		return status{}, err
	}
	return *st, nil
}

// line returns the next line of a listing without its end and its doubled dot, good until the next read, or false
// for the line that ends it.
func (g *gate) line() (line []byte, more bool, err error) {
	line, err = g.readLine()
	if err != nil {
		return nil, false, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, false, outOfStep("a line ends in LF without CR")
	}
	if line, dot := bytes.CutPrefix(line, []byte(".")); dot {
		return line, len(line) > 0, nil
	}
	return line, true, nil
}

func (g *gate) readLine() ([]byte, error) {
	line, err := g.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, outOfStep("a line is longer than %d KiB", maxLine>>10)
	}
	return line, err
}

// quiet reports an error if the server has said something nobody asked for: what is left of a mail whose text
// looked like its end would otherwise be the next answer.
func (g *gate) quiet() error {
	if n := g.in.Buffered(); n > 0 {
		ahead, _ := g.in.Peek(min(n, 80))
		return outOfStep(`it said "%s" unasked`, g.shown(ahead))
	}
	return nil
}

// shown is what the server said, fit for a person.
func (g *gate) shown(said []byte) string {
	return mail.Printable(g.redact(string(said)))
}

// outOfStep is the error for a server that breaks the protocol: the session is of no use any more.
func outOfStep(format string, args ...any) error {
	return &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseProtocol,
		Err: fmt.Errorf("the server broke the protocol: "+format, args...)}
}
