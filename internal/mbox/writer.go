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

// Append writes one message, given in canonical form. It is written with LF line ends if it then can be read back, which
// takes a pass over it: crs says whether it holds a CR before a CRLF.
func (w *Writer) Append(message io.Reader, received time.Time, crs bool) error {
	if err := w.write([]byte("From " + OwnSender + " " + received.UTC().Format(asctime) + "\n")); err != nil {
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
		if werr := w.line(line, start, &cr, crs); werr != nil {
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
	return w.write(lf)
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

// HoldsCRs returns a writer that finds out whether what is written to it, which is in canonical form, holds a CR before a
// CRLF.
type HoldsCRs struct {
	Found bool
	crs   int
}

// Write takes the next octets; it never fails.
func (h *HoldsCRs) Write(p []byte) (int, error) {
	for rest := p; !h.Found && len(rest) > 0; {
		switch {
		case rest[0] == '\r':
			h.crs++
			rest = rest[1:]
		case rest[0] == '\n':
			h.Found = h.crs > 1
			h.crs = 0
			rest = rest[1:]
		default:
			h.crs = 0
			i := bytes.IndexByte(rest, '\r')
			if i < 0 {
				i = len(rest)
			}
			rest = rest[i:]
		}
	}
	return len(p), nil
}
