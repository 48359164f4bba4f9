package mbox

import (
	"bufio"
	"bytes"
	"io"
	"time"
)

// A Writer writes an mboxrd that Reader reads back to the octet.
type Writer struct {
	out *bufio.Writer
	n   int64
}

// NewWriter returns a Writer to w. What it was given is in w after Flush.
func NewWriter(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, 64<<10)} }

// Written returns how many octets were written, be they flushed or not.
func (w *Writer) Written() int64 { return w.n }

// Flush writes what is buffered.
func (w *Writer) Flush() error { return w.out.Flush() }

// asctime is how a From_ line says a date, in UTC (RFC 4155).
const asctime = "Mon Jan _2 15:04:05 2006"

// Append writes one message, given in canonical form, whose Shape a pass over it has shown. It is written with LF line
// ends, if it then can be read back. One without a last line end gets one, which its From_ line says: there are readers
// that know the next only by the empty line before it.
func (w *Writer) Append(message io.Reader, received time.Time, s Shape) error {
	sender, end := OwnSender, lf
	if s.Open {
		sender, end = openSender, lfs
	}
	if err := w.write([]byte("From " + sender + " " + received.UTC().Format(asctime) + "\n")); err != nil {
		return err
	}
	in := bufio.NewReaderSize(message, readerBuffer)
	start := true
	var cr bool // one is not written yet: a part of a long line has ended with it
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return err
		}
		if werr := w.line(line, start, &cr, s.CRs); werr != nil {
			return werr
		}
		start = err == nil
		if err == io.EOF {
			break
		}
	}
	if cr {
		if err := w.write(crlf[:1]); err != nil {
			return err
		}
	}
	return w.write(end)
}

// line writes a line or a part of one.
func (w *Writer) line(line []byte, start bool, cr *bool, crs bool) error {
	if start && (bytes.HasPrefix(line, fromWord) || isQuoted(line)) {
		if err := w.write([]byte{'>'}); err != nil {
			return err
		}
	}
	if crs {
		return w.write(line)
	}
	if *cr && !bytes.Equal(line, lf) && len(line) > 0 {
		*cr = false
		if err := w.write(crlf[:1]); err != nil {
			return err
		}
	}
	switch {
	case bytes.Equal(line, lf):
		*cr = false
	case bytes.HasSuffix(line, crlf):
		if err := w.write(line[:len(line)-2]); err != nil {
			return err
		}
		line = lf
	case bytes.HasSuffix(line, crlf[:1]):
		*cr = true
		line = line[:len(line)-1]
	}
	return w.write(line)
}

func (w *Writer) write(p []byte) error {
	n, err := w.out.Write(p)
	w.n += int64(n)
	return err
}

// A Shape is what is to be known of a message before it is written. What it is written is in canonical form.
type Shape struct {
	CRs  bool // it holds a CR before a CRLF
	Open bool // its last line has no end
	run  int  // CRs
}

// NewShape returns the Shape of nothing, to be written to.
func NewShape() *Shape { return &Shape{Open: true} }

// Write takes the next octets; it never fails.
func (s *Shape) Write(p []byte) (int, error) {
	if len(p) > 0 {
		s.Open = p[len(p)-1] != '\n'
	}
	for rest := p; !s.CRs && len(rest) > 0; {
		switch rest[0] {
		case '\r':
			s.run++
			rest = rest[1:]
			continue
		case '\n':
			s.CRs = s.run > 1
		}
		s.run = 0
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			return len(p), nil
		}
		rest = rest[i:]
	}
	return len(p), nil
}
