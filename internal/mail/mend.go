package mail

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	maxLine  = 998      // octets of a line without its CRLF (RFC 5322 §2.1.1)
	lookHead = 16 << 10 // how far is looked ahead for what a line without a field name is
)

// MendedField is the field behind which the text of header lines is put that are no fields.
const MendedField = "X-Mended"

// A Mending reads a message with the least changes that make its form one that servers take: RFC 5322 lines and
// header fields, and no NUL (RFC 3501 §9). It keeps a few lines of the message at a time, whatever its size.
//
//   - NUL octets are left out, and a byte order mark and white space before the header. Of a run of CRs before LF one stays. Any other
//     CR is a line end; within the header it is a fold, so that no text of a field becomes a field of its own, unless
//     the message begins without any LF: then CRs end its lines there too.
//   - Lines from an mbox file before the header ("From ", ">From ") are left out.
//   - A header line that has no valid field name is put behind X-Mended:, as is a continuation of nothing. It becomes a
//     field and not a continuation of the field before, because that one means what it meant then; readers pass over
//     both. White space between name and colon is left out. Where nothing but such lines comes up to the next empty
//     line, it is the body, and an empty line is put before it.
//   - A header that the message ends with gets its last line end.
//   - Lines longer than 998 octets are broken: header lines are folded, base64 is broken as any base64 is,
//     quoted-printable softly, all other text behind white space. Where there is none, it is broken at 998 octets.
//
// Octets that are not ASCII stay as they are also in the header: RFC 6532 has them there, the servers that do not like
// them replace them, and in which charset they were written nobody could say. A message without an octet has no form
// to be mended.
//
// Mending a mended message changes nothing; what needs no mending is read in its canonical form.
type Mending struct {
	src    *bufio.Reader // of levelLines
	header bool
	first  bool // no line of the header has come yet
	blank  bool // the last line of the header was white space alone
	parts  partScan
	line   []byte // the output's line under way, without its end
	within bool   // some of the source's line has been taken, and not its end
	broken bool   // it is the rest of a line that was longer
	hard   bool   // and that one had no place to be broken
	out    []byte // to be read
	given  int    // of out, read already
	err    error
	counts mendCounts
}

// Mend returns a reader of the mended message. Its errors are those of r.
func Mend(r io.Reader) *Mending {
	m := &Mending{header: true, first: true}
	m.parts.header = true
	m.src = bufio.NewReaderSize(newLevelLines(r, &m.counts), 2*lookHead)
	return m
}

// Mended returns what has been changed, in words for a person, nil if nothing: "3 NUL octets left out". It is whole
// when the message has been read to its end.
func (m *Mending) Mended() []string { return m.counts.words() }

// Read is an io.Reader's.
func (m *Mending) Read(p []byte) (int, error) {
	for m.given == len(m.out) && m.err == nil && len(p) > 0 {
		m.out, m.given = m.out[:0], 0
		if m.header && !m.within {
			m.err = m.headerLine()
		} else {
			m.err = m.takeLine()
		}
	}
	n := copy(p, m.out[m.given:])
	m.given += n
	if n == 0 && len(p) > 0 {
		return 0, m.err
	}
	return n, nil
}

// headerLine takes the next line of the header.
func (m *Mending) headerLine() error {
	ahead, err := m.src.Peek(lookHead)
	if len(ahead) == 0 || err != nil && err != io.EOF {
		return err
	}
	if m.first && m.skipStart(ahead) {
		return nil
	}
	line, _ := cutLine(ahead)
	colon := fieldName(line)
	switch folded := len(line) > 0 && isWSP(line[0]); {
	case len(line) == 0:
		m.header = false
	case folded && !m.first, colon > 0 && !m.parts.beginsPart(line):
	case !folded && m.bodyBegins(line, ahead):
		m.counts[noSeparator]++
		m.header = false
		m.parts.take(nil)
		m.out = append(m.out, crlf...)
		return nil
	default:
		m.counts[noField]++
		m.put([]byte(MendedField + ":"))
		if !folded {
			m.put([]byte{' '})
		}
	}
	m.first, m.blank = false, len(bytes.TrimLeft(line, " \t")) == 0
	m.spaceBeforeColon(line, colon)
	return m.takeLine()
}

// skipStart leaves out what stands before a header and is none, and reports whether it has.
func (m *Mending) skipStart(ahead []byte) bool {
	if bom := []byte("\xef\xbb\xbf"); bytes.HasPrefix(ahead, bom) {
		m.counts[byteOrderMark]++
		m.src.Discard(len(bom))
		return true
	}
	if n := spaceBeforeField(ahead); n > 0 {
		m.counts[spacedStart]++
		m.src.Discard(n)
		return true
	}
	if !bytes.HasPrefix(bytes.TrimPrefix(ahead, []byte{'>'}), []byte("From ")) {
		return false
	}
	m.counts[fromLine]++
	for { // an error comes again with the next Peek
		if _, err := m.src.ReadSlice('\n'); err != bufio.ErrBufferFull {
			return true
		}
	}
}

// spaceBeforeField returns how much white space there is before the first field, or in a line before it that has nothing
// else.
func spaceBeforeField(ahead []byte) int {
	text := bytes.TrimLeft(ahead, " \t")
	line, _ := cutLine(text)
	switch space := len(ahead) - len(text); {
	case bytes.HasPrefix(text, crlf) && space > 0:
		return space + len(crlf)
	case fieldName(line) > 0:
		return space
	}
	return 0
}

// fieldName returns where the colon behind the field's name is; 0: the line does not begin with one.
func fieldName(line []byte) int {
	line = line[:min(len(line), maxLine)]
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return 0
	}
	name := bytes.TrimRight(line[:colon], " \t")
	if len(name) == 0 || slices.ContainsFunc(name, func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
		return 0
	}
	return colon
}

// spaceBeforeColon takes the name of a field that has white space behind it.
func (m *Mending) spaceBeforeColon(line []byte, colon int) {
	if colon == 0 || !isWSP(line[colon-1]) {
		return
	}
	m.counts[spacedColon]++
	m.put(bytes.TrimRight(line[:colon], " \t"))
	m.src.Discard(colon)
}

func isWSP(c byte) bool { return c == ' ' || c == '\t' }

// bodyBegins reports whether the body begins with line, which is no field: all that comes up to the next empty line,
// or to the end, is none either. A single line before an empty one is more likely a broken fold, unless white space
// alone stands where an empty line should.
func (m *Mending) bodyBegins(line, ahead []byte) bool {
	if m.parts.beginsPart(line) {
		return true
	}
	for n := 0; len(ahead) > 0; n++ {
		line, ahead = cutLine(ahead)
		if len(line) == 0 {
			return n > 1 || m.blank
		}
		if colon := fieldName(line); colon > 0 && isCommonField(strings.ToLower(string(bytes.TrimRight(line[:colon], " \t")))) {
			return false
		}
	}
	return true
}

// isCommonField reports whether the name is one that headers are full of. Prose has colons too: "Note: …".
func isCommonField(name string) bool {
	switch name {
	case "from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
		"received", "received-spf", "return-path", "delivered-to", "envelope-to", "errors-to", "mime-version", "organization",
		"user-agent", "precedence", "priority", "importance", "status", "mailing-list", "auto-submitted", "newsgroups":
		return true
	}
	prefix, _, hyphen := strings.Cut(name, "-")
	switch prefix {
	case "x", "content", "list", "resent", "dkim", "domainkey", "arc", "authentication", "thread", "disposition", "return":
		return hyphen
	}
	return false
}

// The kinds of changes, in the order they are told in.
const (
	nulOctet = iota
	loneCR
	manyCR
	byteOrderMark
	spacedStart
	fromLine
	noField
	spacedColon
	noSeparator
	noLineEnd
	longField
	longToken
	longBase64
	longQuoted
	longText
	longWord
	mendKinds
)

type mendCounts [mendKinds]int

var mendWords = [mendKinds]struct{ one, more string }{
	nulOctet:      {"1 NUL octet left out", "%d NUL octets left out"},
	loneCR:        {"1 lone CR made a line end", "%d lone CRs made line ends"},
	manyCR:        {"1 CR too many before a line end left out", "%d CRs too many before line ends left out"},
	byteOrderMark: {"a byte order mark before the header left out", "%d byte order marks before the header left out"},
	spacedStart:   {"white space before the header left out", "white space before the header left out"},
	fromLine:      {"an mbox From line left out", "%d mbox From lines left out"},
	noField:       {"1 header line without a field name put behind X-Mended:", "%d header lines without a field name put behind X-Mended:"},
	spacedColon:   {"white space before the colon of 1 field left out", "white space before the colon of %d fields left out"},
	noSeparator:   {"an empty line put between header and body", ""},
	noLineEnd:     {"a line end put at the end of the header", ""},
	longField:     {"1 header line of more than 998 octets folded", "%d header lines of more than 998 octets folded"},
	longToken:     {"1 header line of more than 998 octets folded where it has no white space", "%d header lines of more than 998 octets folded where they have no white space"},
	longBase64:    {"1 line of more than 998 octets of base64 broken", "%d lines of more than 998 octets of base64 broken"},
	longQuoted:    {"1 line of more than 998 octets broken softly", "%d lines of more than 998 octets broken softly"},
	longText:      {"1 line of more than 998 octets broken at white space", "%d lines of more than 998 octets broken at white space"},
	longWord:      {"1 line of more than 998 octets broken where it has no white space", "%d lines of more than 998 octets broken where they have no white space"},
}

func (c *mendCounts) words() (all []string) {
	for kind, n := range c {
		switch {
		case n == 1:
			all = append(all, mendWords[kind].one)
		case n > 1 && strings.Contains(mendWords[kind].more, "%d"):
			all = append(all, fmt.Sprintf(mendWords[kind].more, n))
		case n > 1:
			all = append(all, mendWords[kind].more)
		}
	}
	return all
}
