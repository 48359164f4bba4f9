package mbox

import (
	"bufio"
	"bytes"
	"io"
	"math"
)

const readerBuffer = 64 << 10

// A Reader reads the messages of an mbox one after the other, whatever their size, in bounded memory. After Next, Read
// gives the octets of the message, and io.EOF at its end.
type Reader struct {
	in   *bufio.Reader
	at   io.ReaderAt // the same octets, to look ahead; nil: nothing can be known of what comes
	size int64
	form Form
	pos  int64 // of what comes next out of in

	From  FromLine
	Books Books
	Start int64 // where the message begins in the file, behind what the file has put before it
	End   int64 // and where it ends, once it was read

	next    FromLine // of the message that follows
	begun   bool     // next is good
	open    bool     // the message has not ended yet
	whole   bool     // all there is, is one message
	start   bool     // a line begins
	blank   bool     // the line before was empty
	header  bool
	length  int64  // what Content-Length says, -1: nothing
	no      int64  // up to here no message begins
	held    []byte // line end that belongs to the file if the message ends here
	out     []byte // read, and not given out
	outHeld []byte // what held was, before out
	err     error
}

// NewReader returns a Reader of the mbox in r, size octets long. at may be nil; then Content-Length says nothing.
func NewReader(r io.Reader, at io.ReaderAt, size int64, f Form) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, readerBuffer), at: at, size: size, form: f, start: true, blank: true}
}

// reread returns a Reader of one message again, of what lies from its Start to its End.
func reread(r io.Reader, f Form) *Reader {
	m := NewReader(r, nil, 0, f)
	m.whole, m.open, m.no = true, true, math.MaxInt64
	return m
}

// Next goes on to the next message, past what is left of this one. At the end it returns io.EOF, of a file that is no
// mbox ErrNotMbox.
func (r *Reader) Next() error {
	for r.open {
		r.out, r.outHeld = nil, nil
		if err := r.fill(); err != nil {
			return err
		}
	}
	if r.err != nil {
		return r.err
	}
	if !r.begun {
		if err := r.first(); err != nil {
			return err
		}
	}
	r.From, r.begun = r.next, false
	r.Books = Books{}
	if !r.form.Own {
		r.takeBooks()
	}
	r.Start, r.End = r.pos, r.pos
	r.open, r.start, r.blank, r.header, r.length, r.held = true, true, false, true, -1, nil
	return nil
}

// first reads the From_ line that an mbox begins with.
func (r *Reader) first() error {
	line, err := r.in.ReadSlice('\n')
	if len(line) == 0 {
		return r.fail(err)
	}
	r.pos += int64(len(line))
	from, ok := ParseFromLine(bytes.TrimRight(line, "\r\n"))
	if !ok {
		return r.fail(ErrNotMbox)
	}
	r.next = from
	return nil
}

// atEnd reports whether the message that was read is the last.
func (r *Reader) atEnd() bool { return !r.open && !r.begun }

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}

// takeBooks reads the lines that the program which keeps the mailbox has put on top of the message.
func (r *Reader) takeBooks() {
	if ahead, _ := r.in.Peek(len(booksBegin)); !bytes.EqualFold(ahead, []byte(booksBegin)) {
		return
	}
	ahead, _ := r.in.Peek(maxBooks)
	books, n := ReadBooks(ahead)
	r.Books = books
	d, _ := r.in.Discard(n)
	r.pos += int64(d)
}

// Read gives the next octets of the message.
func (r *Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(r.outHeld)+len(r.out) == 0 {
			if !r.open {
				break
			}
			if err := r.fill(); err != nil {
				return n, err
			}
			continue
		}
		from := &r.outHeld
		if len(*from) == 0 {
			from = &r.out
		}
		m := copy(p[n:], *from)
		*from = (*from)[m:]
		n += m
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// fill reads a line, or the part of a long one, into out, or ends the message.
func (r *Reader) fill() error {
	line, err := r.in.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
		return r.fail(err)
	}
	if len(line) == 0 {
		r.open = false
		r.err = io.EOF
		return nil
	}
	begins := r.start
	r.start = err == nil
	r.pos += int64(len(line))
	if begins && bytes.HasPrefix(line, fromWord) && len(line) <= maxFromLine {
		line = bytes.Clone(line) // looking ahead moves it
		if r.ends(line) {
			return nil
		}
	}
	r.give(line, begins)
	return nil
}

// ends reports whether the line is the From_ line of the next message, and takes it.
func (r *Reader) ends(line []byte) bool {
	if r.pos-int64(len(line)) < r.no {
		return false
	}
	text := bytes.TrimRight(line, "\r\n")
	from, _ := ParseFromLine(text)
	if !r.form.Own && !r.isNext(text, from) {
		return false
	}
	r.next, r.begun, r.open = from, true, false
	return true
}

// isNext judges a line that begins with "From ". Without an empty line before it, it is text, unless Thunderbird's
// books follow, which stand nowhere else.
func (r *Reader) isNext(line []byte, from FromLine) bool {
	ahead, _ := r.in.Peek(maxFromLine)
	past := r.pos - int64(len(line)) - r.no
	if r.blank || r.no > 0 && past <= int64(len("\r\n\r\n")) {
		next, _, _ := bytes.Cut(ahead, []byte{'\n'})
		return isBoundary(line, r.form, next)
	}
	books, _ := ReadBooks(ahead)
	return from.Sender == "-" && !from.Date.IsZero() && books.Told
}

// give puts a line out. The line end that may be the file's is held back until it is known what follows.
func (r *Reader) give(line []byte, begins bool) {
	if r.form.Own && !r.whole {
		r.giveOwn(line, begins)
		return
	}
	r.outHeld, r.held = r.held, nil
	base := r.pos - int64(len(line))
	text := bytes.TrimRight(line, "\r\n")
	empty := begins && len(text) == 0 && r.start
	if begins && r.header {
		r.readHeader(text, empty)
	}
	switch {
	case r.whole:
	case empty && base >= r.no:
		line, r.held = nil, lineEnd(line)
	case base < r.no && r.pos > r.no: // what Content-Length counts ends within the line
		line, r.held = line[:r.no-base], lineEnd(line[r.no-base:])
	}
	r.End = r.pos - int64(len(r.held))
	if begins {
		r.blank = empty
		if r.form.Quoted && isQuoted(line) {
			line = line[1:]
		}
	}
	r.out = line
}

// giveOwn puts out a line of what we have written. The last line end is the file's, and of a message whose last line has
// none, the one before it too.
func (r *Reader) giveOwn(line []byte, begins bool) {
	keep, held := 1, len(r.held)
	if r.From.Sender == openSender {
		keep = 2
	}
	if begins && isQuoted(line) {
		line = line[1:]
	}
	switch {
	case bytes.Equal(line, lf):
		r.outHeld, r.out, r.held = lfs[:max(0, held+1-keep)], nil, lfs[:min(held+1, keep)]
	case line[len(line)-1] == '\n':
		r.outHeld, r.out, r.held = lfs[:held], line[:len(line)-1], lf
	default:
		r.outHeld, r.out, r.held = lfs[:held], line, nil
	}
	r.End = r.pos - int64(len(r.held))
}

// readHeader looks for a length, and at the end of the header whether it fits.
func (r *Reader) readHeader(text []byte, empty bool) {
	if !empty {
		r.length = max(r.length, contentLength(text))
		return
	}
	r.header = false
	if r.form.Lengths && r.at != nil && fits(r.at, r.size, r.pos, r.length) {
		r.no = r.pos + r.length
	}
}

var lf, crlf, lfs = []byte("\n"), []byte("\r\n"), []byte("\n\n")

// lineEnd returns a copy of a line end: the buffer it stands in is read into again.
func lineEnd(b []byte) []byte {
	switch {
	case bytes.Equal(b, lf):
		return lf
	case bytes.Equal(b, crlf):
		return crlf
	}
	return bytes.Clone(b)
}
