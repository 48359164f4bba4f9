package pop3

import (
	"bytes"
	"io"
)

// A body reads a message as RETR or TOP sends it (RFC 1939 §3): doubled dots are taken off, nothing else is
// changed, and nothing is kept. It is over at CRLF . CRLF and at nothing else: what ends in LF alone is no line to
// POP3, or mail that holds "\n.\n" could say where it ends and answer for the server.
type body struct {
	gate  *gate
	alone bool // no other answer is on its way after this one
	start bool // the next octet begins a line
	cr    bool // the last octet given out was a CR
	err   error
}

func newBody(g *gate, alone bool) *body { return &body{gate: g, alone: alone, start: true} }

// Read says io.EOF only after the end was seen.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.start {
		if b.err = b.undot(); b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.give(p)
	b.err = err
	return n, err
}

// undot passes over the dot that begins a line, if one does, and returns io.EOF if there is nothing else in it.
func (b *body) undot() error {
	first, err := b.gate.in.Peek(1)
	if err != nil || first[0] != '.' {
		return err
	}
	line, err := b.gate.in.Peek(3) // no message ends right after a dot
	if err != nil {
		return err
	}
	b.start = false
	if string(line) != ".\r\n" {
		b.gate.in.Discard(1)
		return nil
	}
	b.gate.in.Discard(len(line))
	if b.alone {
		if err := b.gate.quiet(); err != nil {
			return err
		}
	}
	return io.EOF
}

var lineDot = []byte("\r\n.")

// give copies what has arrived up to the next line that begins with a dot.
func (b *body) give(p []byte) (int, error) {
	if _, err := b.gate.in.Peek(1); err != nil {
		return 0, err
	}
	there, _ := b.gate.in.Peek(b.gate.in.Buffered())
	if b.cr && there[0] == '\n' {
		there = there[:1]
	} else if i := bytes.Index(there, lineDot); i >= 0 {
		there = there[:i+2]
	}
	n := copy(p, there)
	b.start = p[n-1] == '\n' && (n > 1 && p[n-2] == '\r' || n == 1 && b.cr)
	b.cr = p[n-1] == '\r'
	b.gate.in.Discard(n)
	return n, nil
}

// drain reads to the end.
func (b *body) drain() error {
	_, err := io.Copy(io.Discard, b)
	return err
}
