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
// characters is cut.
func Printable(s string) string {
	var b strings.Builder
	for n := 0; len(s) > 0; n++ {
		if n == maxPrintable {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r < 0x80 && unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		default: // C1, bidi, zero width, unassigned, private use
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[size:]
	}
	return b.String()
}
