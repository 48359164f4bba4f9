package postoffice

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// imapserver takes mailbox names apart and puts them together again, so that only well-formed modified UTF-7
// survives. Accounts have names of any octets. So & becomes &- on the way in, an 8-bit octet a rune for private
// use, and on the way out names travel in hexadecimal.

const octetRunes = 0xF700

var namesMailbox = []string{
	"SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "STATUS",
	"COPY", "UID COPY", "MOVE", "UID MOVE",
}

func (r *relay) harmless(s string, first bool) string {
	if r.verb == "APPEND" && first {
		end := len(r.tag) + len(" APPEND ")
		end = min(len(s), end+astring(s[min(end, len(s)):]))
		return escape(s[:end]) + s[end:]
	}
	if slices.Contains(namesMailbox, r.verb) {
		return escape(s)
	}
	return s
}

// astring returns the length of the quoted string or atom that s begins with.
func astring(s string) int {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, " \r\n")
		return max(n, 0)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			b.WriteString("&-")
		case c >= 0x80:
			b.WriteRune(octetRunes + rune(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// wireName undoes escape after imapserver has decoded the name.
func wireName(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c >= octetRunes+0x80 && c <= octetRunes+0xFF {
			b.WriteByte(byte(c - octetRunes))
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

const inHex = "mailbox-"

// outName is how a session gives imapserver a mailbox name to say.
func outName(name string) string { return inHex + hex.EncodeToString([]byte(name)) }

var hexName = regexp.MustCompile(`"` + inHex + `([0-9a-f]*)"`)

func sayNames(line string) string {
	return hexName.ReplaceAllStringFunc(line, func(found string) string {
		name, _ := hex.DecodeString(hexName.FindStringSubmatch(found)[1])
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(name)) + `"`
	})
}
