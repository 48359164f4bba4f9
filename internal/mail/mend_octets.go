package mail

import (
	"bufio"
	"bytes"
	"io"
)

// lookLines is how far an LF is looked for in a message that may end its lines with CRs.
const lookLines = 4 << 10

// levelLines reads a message without NUL, and with CRLF for what ends a line in it.
type levelLines struct {
	src    *bufio.Reader
	counts *mendCounts
	header bool // the first empty line has not come yet
	empty  bool // the line under way has no octet yet
	byCR   bool // a CR alone ends a line also in the header
	crs    int  // seen, and not what follows them
	owed   int  // CRLFs to be given out before anything else
	begun  bool
	buf    [8 << 10]byte
	rest   []byte // of buf, not read yet
	out    []byte
	given  int // of out
	err    error
}

func newLevelLines(r io.Reader, counts *mendCounts) *levelLines {
	return &levelLines{src: bufio.NewReaderSize(r, lookLines), counts: counts, header: true, empty: true}
}

func (l *levelLines) Read(p []byte) (int, error) {
	for l.given == len(l.out) && len(p) > 0 {
		l.out, l.given = l.out[:0], 0
		switch {
		case l.owed > 0: // somebody may send a message of CRs alone
			n := min(l.owed, len(l.buf))
			l.owed -= n
			for range n {
				l.out = append(l.out, crlf...)
			}
		case len(l.rest) > 0:
			l.step()
		case l.err != nil:
			return 0, l.err
		default:
			l.fill()
		}
	}
	n := copy(p, l.out[l.given:])
	l.given += n
	return n, nil
}

func (l *levelLines) fill() {
	if !l.begun {
		start, _ := l.src.Peek(lookLines) // an error comes again with Read
		l.byCR = bytes.IndexByte(start, '\r') >= 0 && bytes.IndexByte(start, '\n') < 0
		l.begun = true
	}
	var n int
	n, l.err = l.src.Read(l.buf[:])
	l.rest = l.buf[:n]
	if n == 0 && l.err == io.EOF && l.crs > 0 { // no more will come: they end the last line
		l.counts[loneCR] += l.crs
		l.crs, l.owed = 0, 1
	}
}

// step takes octets up to where CRLFs are owed, or all there are.
func (l *levelLines) step() {
	for i, c := range l.rest {
		switch c {
		case 0:
			l.counts[nulOctet]++
		case '\r':
			l.crs++
		case '\n':
			l.counts[manyCR] += max(0, l.crs-1)
			l.crs = 0
			l.out = append(l.out, crlf...)
			l.header = l.header && !l.empty
			l.empty = true
		default:
			if l.crs > 0 && l.alone(c) {
				l.rest = l.rest[i:]
				return
			}
			l.out = append(l.out, c)
			l.empty = false
		}
	}
	l.rest = nil
}

// alone takes the CRs that c follows, and reports whether CRLFs are owed for them.
func (l *levelLines) alone(c byte) bool {
	n := l.crs
	l.crs = 0
	l.counts[loneCR] += n
	if l.header && !l.byCR {
		l.fold(c)
		return false
	}
	l.header = l.header && !l.empty && n == 1
	l.empty = true
	l.owed = n
	return true
}

// fold makes what follows a continuation of the line. A line of white space alone, or none, would end the header.
func (l *levelLines) fold(c byte) {
	if !l.empty {
		l.out = append(l.out, crlf...)
	}
	if !isWSP(c) {
		l.out = append(l.out, ' ')
	}
	l.empty = false
}
