package mbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// IndexName is the index of a directory of EML files; the index of an mbox has its name and IndexExt behind it.
const (
	IndexName = "mailhaul.jsonl"
	IndexExt  = ".jsonl"
)

// An IndexHead is the first line of an index: the folder that the mail is of.
type IndexHead struct {
	Version   int       `json:"mailhaul"` // 1
	Folder    string    `json:"folder"`   // as it is on the wire
	Raw       []byte    `json:"raw_folder,omitempty"`
	Delimiter string    `json:"delimiter,omitempty"`
	Role      mail.Role `json:"role,omitempty"`
}

// An IndexLine is what the octets of a message do not say. Those of an mbox are in the order of its messages.
type IndexLine struct {
	Name     string    `json:"name,omitempty"` // of the EML file
	Received time.Time `json:"received"`
	Flags    []string  `json:"flags"`
	Digest   string    `json:"digest"` // SHA-256 of the canonical octets
}

// NewIndexHead returns the first line for a mailbox.
func NewIndexHead(mb mail.Mailbox) IndexHead {
	h := IndexHead{Version: 1, Folder: mb.Name, Role: mb.Role}
	if mb.Delim != 0 {
		h.Delimiter = string(mb.Delim)
	}
	if !utf8.ValidString(mb.Name) {
		h.Raw = []byte(mb.Name)
	}
	return h
}

// folder returns the levels that people read.
func (h IndexHead) folder() Folder {
	name := h.Folder
	if len(h.Raw) > 0 {
		name = string(h.Raw)
	}
	return Folder{Levels: LevelsOf(name, h.Delimiter), Role: h.Role}
}

// LevelsOf takes the name of a mailbox apart into levels as people read them.
func LevelsOf(name, delim string) []string {
	levels := []string{name}
	if delim != "" {
		levels = strings.Split(name, delim)
	}
	for i, l := range levels {
		levels[i] = mail.NameText(l)
	}
	return levels
}

const (
	maxIndexLine = 64 << 10
	maxIndexed   = 5_000_000
)

// An index is read beside the mail. What is wrong with it ends it, and costs no message.
type index struct {
	in   *bufio.Scanner
	head IndexHead
	n    int
}

// openIndex reads the first line.
func openIndex(r io.Reader) (*index, error) {
	x := &index{in: bufio.NewScanner(r)}
	x.in.Buffer(make([]byte, 0, 4<<10), maxIndexLine)
	if !x.in.Scan() || json.Unmarshal(x.in.Bytes(), &x.head) != nil || x.head.Version != 1 {
		return nil, errors.New("it is no index of this version")
	}
	return x, nil
}

// next returns the next line, false at the end or at one that cannot be read.
func (x *index) next() (line IndexLine, ok bool) {
	x.n++
	if x.n > maxIndexed || !x.in.Scan() {
		return line, false
	}
	return line, json.Unmarshal(x.in.Bytes(), &line) == nil
}

// all returns the lines by the names of their files.
func (x *index) all() map[string]IndexLine {
	lines := map[string]IndexLine{}
	for {
		line, ok := x.next()
		if !ok {
			return lines
		}
		lines[line.Name] = line
	}
}

// apply gives a message what the index says of it, if it is about this very message.
func (l IndexLine) apply(m *Message) bool {
	if l.Digest == "" || l.Digest != m.Sum.Digest.String() {
		return false
	}
	m.Received = l.Received
	m.Flags = safeFlags(l.Flags)
	return true
}

func safeFlags(names []string) mail.Flags {
	var some []string
	for _, n := range names {
		if len(some) < maxKeywords && (isKeyword(n) || len(mail.MakeFlags(n).Maildir()) == 1) {
			some = append(some, n)
		}
	}
	return mail.MakeFlags(some...)
}

// A dirIndex is the index of one directory of EML files.
type dirIndex struct {
	dir   string
	head  IndexHead
	lines map[string]IndexLine
}

// lineOf returns what the index beside an EML file says of it.
func (p *Pile) lineOf(name string) (IndexLine, bool) {
	dir := path.Dir(name)
	if p.index == nil || p.index.dir != dir {
		p.index = &dirIndex{dir: dir}
		if x, done := p.indexOf(path.Join(dir, IndexName)); x != nil {
			p.index.head, p.index.lines = x.head, x.all()
			done()
		}
	}
	line, ok := p.index.lines[path.Base(name)]
	return line, ok
}

// indexOf opens the index of that name; nil: there is none that can be read. done is to be called in any case.
func (p *Pile) indexOf(name string) (x *index, done func()) {
	in, err := p.side(name)
	if err != nil {
		return nil, func() {}
	}
	x, err = openIndex(in)
	if err != nil {
		in.Close()
		return nil, func() {}
	}
	return x, func() { in.Close() }
}
