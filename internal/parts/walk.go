package parts

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
)

const (
	maxDepth = 20
	maxParts = 1000
	maxGuess = 256 << 10 // octets of a multipart in which no part begins that are taken for text
)

// A Part is one part of a message.
type Part struct {
	// Number is as IMAP counts (RFC 9051 §6.4.5.1): "1", "2.1". The message itself has "".
	Number string
	// Header is the part's own; that of the message with Number "".
	Header Header
	// Type is the media type in small letters: what is written, or what a part of that kind is without a word of it.
	Type    string
	Charset string // as it is named; "": it is not
	Name    string // the file's name, decoded and on one line; "": it has none. It is foreign: no path to be used as it is.
	// Attached: it is there to be kept rather than to be read with the rest. Whatever has a name counts, too.
	Attached bool
	// Nth says which of several alternatives it is, or belongs to, counted from 1 (RFC 2046 §5.1.4), and Among of which: it is the
	// same for all of them. 0 and "": there is no other.
	Nth      int
	Among    string
	encoding string
	boundary string
}

// IsText reports whether it can be read as text.
func (p Part) IsText() bool {
	return strings.HasPrefix(p.Type, "text/") || p.Type == "message/delivery-status" || p.Type == "message/disposition-notification"
}

// IsMessage reports whether it is a message itself.
func (p Part) IsMessage() bool { return p.Type == "message/rfc822" || p.Type == "message/global" }

// Walk calls visit first for the message itself, with nothing in the reader, and then for each part that is no multipart, in
// their order, with its octets without transfer encoding. The reader is good until visit returns, which need not have read
// it. A message in the message is a part as well: if visit has read nothing of it, its own parts follow, the first of them
// the message itself under the part's number and ".".
//
// Walk ends with the error of visit, or that of r.
func Walk(r io.Reader, visit func(p Part, body io.Reader) error) error {
	w := &walker{visit: visit, in: &noted{r: r}}
	err := w.message("", w.in, 0)
	if err == nil && w.in.err != io.EOF {
		err = w.in.err
	}
	return err
}

type walker struct {
	visit func(Part, io.Reader) error
	in    *noted
	parts int
}

// A noted remembers the error of a reader, which is the message's only one that counts.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	c, err := n.r.Read(p)
	if err != nil {
		n.err = err
	}
	return c, err
}

// message takes a whole message, whose parts are numbered below prefix.
func (w *walker) message(prefix string, r io.Reader, depth int) error {
	in := bufio.NewReaderSize(r, 32<<10)
	p := makePart(readHeader(in), "text/plain")
	p.Number = prefix
	if err := w.visit(p, bytes.NewReader(nil)); err != nil {
		return err
	}
	if !strings.HasPrefix(p.Type, "multipart/") {
		p.Number = prefix + "1"
	}
	return w.part(p, prefix, in, depth)
}

// part takes the body of a part. Those within it are numbered below prefix.
func (w *walker) part(p Part, prefix string, in *bufio.Reader, depth int) error {
	if w.parts++; w.parts > maxParts {
		return nil
	}
	switch {
	case strings.HasPrefix(p.Type, "multipart/") && depth < maxDepth:
		return w.multipart(p, prefix, in, depth)
	case p.IsMessage() && depth < maxDepth:
		body := &counted{r: decoded(p.encoding, in)}
		if err := w.visit(p, body); err != nil || body.n > 0 {
			return err
		}
		return w.message(p.Number+".", body, depth+1)
	}
	return w.visit(p, decoded(p.encoding, in))
}

// A counted knows how much was read of it.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func (w *walker) multipart(p Part, prefix string, in *bufio.Reader, depth int) error {
	s := &section{in: in, boundary: p.boundary}
	var preamble bytes.Buffer
	io.Copy(&preamble, io.LimitReader(s, maxGuess))
	io.Copy(io.Discard, s)
	without := "text/plain"
	if p.Type == "multipart/digest" {
		without = "message/rfc822"
	}
	for n := 1; s.next(); n++ {
		body := bufio.NewReaderSize(s, 4<<10)
		child := makePart(readHeader(body), without)
		child.Number, child.Nth, child.Among = prefix+strconv.Itoa(n), p.Nth, p.Among
		if p.Type == "multipart/alternative" {
			child.Nth, child.Among = n, "in "+prefix
		}
		if err := w.part(child, child.Number+".", body, depth+1); err != nil {
			return err
		}
		io.Copy(io.Discard, s)
	}
	if !s.found { // no part begins anywhere
		p.Number, p.Type, p.encoding = prefix+"1", "text/plain", ""
		return w.visit(p, &preamble)
	}
	return nil
}

// A section reads what stands between two lines with a boundary; the line end before such a line belongs to it.
type section struct {
	in       *bufio.Reader
	boundary string // "": the first line that looks like one tells
	buf      []byte // not given out yet
	held     []byte // the end of the last line, which may belong to a boundary
	inLine   bool
	ended    bool // a line with the boundary was read
	last     bool // it was the one that closes the multipart, or there is nothing behind it
	found    bool
}

// next goes to the next section; false means that there is none.
func (s *section) next() bool {
	if s.last || !s.ended {
		return false
	}
	s.ended, s.buf, s.held, s.inLine = false, nil, nil, false
	return true
}

func (s *section) Read(p []byte) (int, error) {
	for len(s.buf) == 0 {
		if s.ended || s.last {
			return 0, io.EOF
		}
		s.fill()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

// fill reads a line, or a piece of a long one.
func (s *section) fill() {
	line, err := s.in.ReadSlice('\n')
	if !s.inLine && s.isBoundary(line) {
		s.ended, s.found = true, true
		s.last = s.last || err == io.EOF
		return
	}
	content := bytes.TrimRight(line, "\r\n")
	s.buf = append(append(s.buf[:0], s.held...), content...)
	s.held = append(s.held[:0], line[len(content):]...)
	s.inLine = err == bufio.ErrBufferFull
	if err != nil && err != bufio.ErrBufferFull {
		s.buf = append(s.buf, s.held...)
		s.last = true
	}
}

// isBoundary reports whether a line is a boundary, and notes if it is the last one.
func (s *section) isBoundary(line []byte) bool {
	rest, dashes := bytes.CutPrefix(line, []byte("--"))
	if !dashes {
		return false
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	if s.boundary == "" && !s.found && len(rest) > 2 && !bytes.ContainsAny(rest, " \t") {
		s.boundary = string(rest)
	}
	rest, same := bytes.CutPrefix(rest, []byte(s.boundary))
	if !same || s.boundary == "" {
		return false
	}
	switch string(rest) {
	case "":
		return true
	case "--":
		s.last = true
		return true
	}
	return false
}
