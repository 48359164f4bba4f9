package postoffice

import (
	"bytes"
	"slices"
)

// Strict returns the faults of a server that refuses mail for its form. Cyrus refuses most of this, Mailutils,
// hoodiecrow and gluon some.
func Strict() []Fault {
	refuse := func(why string, match func(octets []byte) bool) Fault {
		return Fault{Verb: "APPEND", Match: func(m Message) bool { return match(m.Octets) }, Say: "NO " + why}
	}
	return []Fault{
		refuse("Message is empty", func(m []byte) bool { return len(m) == 0 }),
		refuse("Message contains NUL characters", func(m []byte) bool { return bytes.IndexByte(m, 0) >= 0 }),
		refuse("Message contains bare newlines", hasBareLineEnd),
		refuse("Message contains invalid header", hasBadHeader),
		refuse("Message contains a line that is too long", hasLongLine),
	}
}

func hasBareLineEnd(m []byte) bool {
	return bytes.ContainsAny(bytes.ReplaceAll(m, []byte("\r\n"), nil), "\r\n")
}

func hasLongLine(m []byte) bool {
	const longest = 998 // RFC 5322 §2.1.1
	return slices.ContainsFunc(bytes.Split(m, []byte("\r\n")), func(line []byte) bool { return len(line) > longest })
}

// hasBadHeader goes by what Cyrus takes for a header, and by what comes first in it.
func hasBadHeader(m []byte) bool {
	for i, line := range bytes.SplitAfter(m, []byte("\n")) {
		text, ended := bytes.CutSuffix(line, []byte("\r\n"))
		switch {
		case ended && len(text) == 0:
			return false
		case len(line) == 0: // the end of it
			return false
		case !ended, bytes.HasPrefix(line, []byte("From ")), i == 0 && (line[0] == ' ' || line[0] == '\t'):
			return true
		case line[0] == ' ' || line[0] == '\t':
			continue
		}
		colon := bytes.IndexByte(text, ':')
		if colon <= 0 || slices.ContainsFunc(text[:colon], func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
			return true
		}
	}
	return false
}
