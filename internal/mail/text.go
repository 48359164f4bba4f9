package mail

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrintable is how many runes of a foreign text a person is shown.
const maxPrintable = 200

// Printable returns s so that it can be shown on a terminal or put on one line of a log: what servers and mail
// say may hold escape sequences, line ends or text that runs the wrong way. Control characters, invisible and
// bidirectional ones and octets that are not UTF-8 are written as \x.. or \u....; what is longer than 200
// characters is cut. A joiner stays where it belongs, behind a letter of a script that needs it.
func Printable(s string) string {
	var p printer
	for n := 0; len(s) > 0; n++ {
		if n == maxPrintable {
			p.WriteString("…")
			break
		}
		s = p.write(s)
	}
	return p.String()
}

// PrintableText does the same for text of any length, of which line ends stay as they are and tabs are blanks up to the
// next of every eight columns.
func PrintableText(s string) string {
	var p printer
	p.Grow(len(s) + len(s)/8)
	column := 0
	for len(s) > 0 {
		switch column++; s[0] {
		case '\n':
			p.WriteByte('\n')
			column, p.before, s = 0, '\n', s[1:]
		case '\t':
			blanks := 8 - (column-1)%8
			p.WriteString("        "[:blanks])
			column, p.before, s = column-1+blanks, ' ', s[1:]
		default:
			s = p.write(s)
		}
	}
	return p.String()
}

// A printer writes what can be printed.
type printer struct {
	strings.Builder
	before rune // the character written last
}

// write writes the first character of s, and returns the others.
func (p *printer) write(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		fmt.Fprintf(p, `\x%02x`, s[0])
	case r < 0x80 && unicode.IsControl(r):
		fmt.Fprintf(p, `\x%02x`, r)
	case r == ' ' || unicode.IsPrint(r):
		p.WriteRune(r)
	case (r == 0x200c || r == 0x200d) && isJoined(p.before):
		p.WriteRune(r)
	default: // C1, bidi, zero width, unassigned, private use
		fmt.Fprintf(p, `\u%04x`, r)
	}
	p.before = r
	return s[size:]
}

// isJoined reports whether a joiner or non-joiner behind r is part of how a word is written: in Arabic, Persian and the scripts
// of India, and within emoji.
func isJoined(r rune) bool {
	return 0x0620 <= r && r < 0x1100 && (unicode.IsLetter(r) || unicode.IsMark(r)) || r == 0xfe0f || 0x1f000 <= r && r <= 0x1faff
}
