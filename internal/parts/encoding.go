package parts

import (
	"bufio"
	"encoding/base64"
	"io"
)

// decoded returns the reader of what a transfer encoding (RFC 2045 §6) stands for.
func decoded(encoding string, in *bufio.Reader) io.Reader {
	switch encoding {
	case "base64":
		return &base64Reader{in: in}
	case "quoted-printable":
		return &quotedReader{in: in}
	}
	return in
}

// pending is what a decoder has and has not given out yet.
type pending struct {
	out   []byte
	ended bool // nothing more comes
}

// read gives out some of it; fill decodes more, or ends it.
func (d *pending) read(p []byte, fill func()) (int, error) {
	for len(d.out) == 0 {
		if d.ended {
			return 0, io.EOF
		}
		fill()
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// A base64Reader reads base64, and passes over whatever is none.
type base64Reader struct {
	pending
	in    *bufio.Reader
	chars [4]byte
	n     int
}

var base64Value = func() (is [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		is[c] = true
	}
	return is
}()

func (b *base64Reader) Read(p []byte) (int, error) { return b.read(p, b.fill) }

// fill decodes some more. Padding ends a group of four, and no more than that: some encoders do a line at a time.
func (b *base64Reader) fill() {
	b.out = b.out[:0]
	for len(b.out) < 4096 {
		c, err := b.in.ReadByte()
		if err != nil {
			b.ended = true
			b.group()
			return
		}
		if c == '=' {
			b.group()
		} else if base64Value[c] {
			if b.chars[b.n], b.n = c, b.n+1; b.n == 4 {
				b.group()
			}
		}
	}
}

func (b *base64Reader) group() {
	b.out, _ = base64.RawStdEncoding.AppendDecode(b.out, b.chars[:b.n])
	b.n = 0
}

// A quotedReader reads quoted-printable; an = that is not followed by two digits stands for itself.
type quotedReader struct {
	pending
	in *bufio.Reader
}

func (q *quotedReader) Read(p []byte) (int, error) { return q.read(p, q.fill) }

func (q *quotedReader) fill() {
	q.out = q.out[:0]
	for len(q.out) < 4096 {
		c, err := q.in.ReadByte()
		if err != nil {
			q.ended = true
			return
		}
		if c != '=' {
			q.out = append(q.out, c)
			continue
		}
		q.escape()
	}
}

// escape reads what follows an =: two digits, or the end of a line that goes on.
func (q *quotedReader) escape() {
	next, _ := q.in.Peek(2)
	if len(next) == 2 {
		high, ok := hex(next[0])
		low, also := hex(next[1])
		if ok && also {
			q.out = append(q.out, high<<4|low)
			q.in.Discard(2)
			return
		}
	}
	// White space may have come behind it on the way.
	for n := 1; n <= 80; n++ {
		next, err := q.in.Peek(n)
		if len(next) < n {
			if err == io.EOF {
				q.in.Discard(len(next))
				return
			}
			break
		}
		if next[n-1] == '\n' {
			q.in.Discard(n)
			return
		}
		if c := next[n-1]; c != ' ' && c != '\t' && c != '\r' {
			break
		}
	}
	q.out = append(q.out, '=')
}

func hex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
