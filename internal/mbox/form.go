package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// OwnSender is who our From_ lines name: by it we know that a file is read back as we have written it.
const OwnSender = "mailhaul-mboxrd"

// openSender is who they name before a message whose last line has no end.
const openSender = OwnSender + "-open"

// isOwn reports whether we have written a From_ line.
func (f FromLine) isOwn() bool {
	return (f.Sender == OwnSender || f.Sender == openSender) && !f.Date.IsZero()
}

// A Form is how an mbox is to be read.
type Form struct {
	Own      bool   // we have written it
	Lengths  bool   // Content-Length says how long a message is, wherever that fits
	Quoted   bool   // lines that begin with ">From " have one ">" more than in the message
	Dateless bool   // its From_ lines have no dates
	Name     string // mboxrd, mboxo, mboxcl or mboxcl2
	Why      string // for a person
}

// ErrNotMbox says that a file does not begin as an mbox does.
var ErrNotMbox = errors.New("it does not begin with a From_ line")

// maxProbe is how much of a file is looked at to find out its dialect.
const maxProbe = 16 << 20

// Probe finds out how the mbox in r, so many octets long, is to be read. An empty one is one without messages.
func Probe(r io.ReaderAt, size int64) (Form, error) {
	head := make([]byte, min(size, headProbe))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return Form{}, err
	}
	f, err := beginning(head)
	if err != nil || f.Own || size == 0 {
		return f, err
	}
	p := prober{at: r, size: size}
	if err := p.run(f); err != nil {
		return Form{}, err
	}
	return p.decide(f), nil
}

// headProbe is how much of a file is enough to tell whether it is an mbox.
const headProbe = 4 << 10

// beginning judges by the first lines. What comes as a stream cannot be judged by more.
func beginning(head []byte) (Form, error) {
	f := Form{Quoted: true, Name: "mboxrd", Why: "of lines that begin with >From one > is not the message's"}
	if len(head) == 0 {
		return f, nil
	}
	line, rest, _ := bytes.Cut(head, []byte{'\n'})
	from, ok := ParseFromLine(bytes.TrimRight(line, "\r"))
	if !ok {
		return f, ErrNotMbox
	}
	if from.isOwn() {
		return Form{Own: true, Quoted: true, Name: "mboxrd", Why: "mailhaul has written it"}, nil
	}
	f.Dateless = from.Date.IsZero()
	if next, _, _ := bytes.Cut(rest, []byte{'\n'}); f.Dateless && !isField(next) {
		return f, ErrNotMbox
	}
	return f, nil
}

// A prober counts what tells the dialects apart.
type prober struct {
	at   io.ReaderAt
	size int64
	pos  int64

	messages, fitting int
	once, more        int // lines that begin with >From and with >>From
	bare              int // lines that begin with From within a length that fits
	end               int64
}

// run reads the file as one whose lengths fit and that quotes nothing, as far as maxProbe.
func (p *prober) run(f Form) error {
	in := bufio.NewReaderSize(io.NewSectionReader(p.at, 0, min(p.size, maxProbe)), 64<<10)
	header, blank, start := false, true, true
	length := int64(-1)
	for {
		line, err := in.ReadSlice('\n')
		p.pos += int64(len(line))
		if err != nil && err != bufio.ErrBufferFull {
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if start {
			switch text := bytes.TrimRight(line, "\r\n"); {
			case p.pos > p.end && blank && bytes.HasPrefix(line, fromWord) && isBoundary(text, f, nil):
				p.messages++
				header, length = true, -1
			case header && len(text) == 0:
				header = false
				if p.fits(length) {
					p.fitting++
					p.end = p.pos + length
				}
			case header:
				length = max(length, contentLength(text))
			default:
				p.count(line)
			}
			blank = len(bytes.TrimRight(line, "\r\n")) == 0
		}
		start = err == nil
	}
}

func (p *prober) count(line []byte) {
	switch {
	case bytes.HasPrefix(line, []byte(">From ")):
		p.once++
	case isQuoted(line):
		p.more++
	case p.pos <= p.end && bytes.HasPrefix(line, fromWord):
		p.bare++
	}
}

func (p *prober) fits(length int64) bool { return fits(p.at, p.size, p.pos, length) }

// fits reports whether a body of so many octets from pos on ends where a message can end.
func fits(at io.ReaderAt, size, pos, length int64) bool {
	if length < 0 || length > size-pos {
		return false
	}
	next := make([]byte, min(int64(len("\r\nFrom ")), size-pos-length))
	if n, _ := at.ReadAt(next, pos+length); n < len(next) {
		return false
	}
	rest := bytes.TrimPrefix(bytes.TrimPrefix(next, []byte{'\r'}), []byte{'\n'})
	return len(rest) == 0 || bytes.HasPrefix(rest, fromWord[:min(len(rest), len(fromWord))])
}

// contentLength returns what a field says, -1 if it is another.
func contentLength(field []byte) int64 {
	name, value, _ := bytes.Cut(field, []byte{':'})
	if !bytes.EqualFold(name, []byte("Content-Length")) {
		return -1
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func (p *prober) decide(f Form) Form {
	f.Lengths = p.fitting > 0 && 2*p.fitting >= p.messages
	switch {
	case f.Lengths && (p.bare > 0 || p.once+p.more == 0):
		f.Name, f.Quoted = "mboxcl2", false
		f.Why = "Content-Length says where messages end, and no line is quoted"
	case f.Lengths:
		f.Name = "mboxcl"
		f.Why = "Content-Length says where messages end, and lines that begin with From are quoted"
	case p.more == 0 && p.once > 0:
		f.Why = "lines that begin with From are quoted, and none twice; mboxo would be the same"
	case p.more > 0:
		f.Why = "there are lines that begin with >>From"
	default:
		f.Why = "no line is quoted; mboxo would be the same"
	}
	return f
}

// isBoundary reports whether a line that begins with "From ", with an empty line before it, begins a message. next
// is what follows it, as far as it is known.
func isBoundary(line []byte, f Form, next []byte) bool {
	from, ok := ParseFromLine(line)
	if !ok {
		return false
	}
	return !from.Date.IsZero() || f.Dateless && (next == nil || isField(next))
}
