package parts

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// DecodeField returns the text of a field: encoded words (RFC 2047) decoded, also inside quotes and beside other letters,
// where they do not belong, and octets that are not ASCII as UTF-8 or as what they most likely are. White space between two
// encoded words is not there, and one character may be cut in two by them.
func DecodeField(s string) string {
	var b strings.Builder
	charset := "" // of octets
	var octets []byte
	flush := func() {
		b.WriteString(Decode(charset, octets))
		octets = octets[:0]
	}
	for s != "" {
		plain, name, text, rest, found := cutWord(s)
		if between := strings.Trim(plain, " \t\r\n"); len(octets) == 0 || !found || between != "" {
			flush()
			b.WriteString(Decode("", []byte(plain)))
		}
		if !found {
			break
		}
		if !strings.EqualFold(name, charset) {
			flush()
			charset = name
		}
		octets = append(octets, text...)
		s = rest
	}
	flush()
	return b.String()
}

// cutWord cuts s around the first encoded word in it.
func cutWord(s string) (before, charset string, text []byte, after string, found bool) {
	for from := 0; ; {
		start := strings.Index(s[from:], "=?")
		if start < 0 {
			return s, "", nil, "", false
		}
		start += from
		name, rest, ok := strings.Cut(s[start+2:], "?")
		name, _, _ = strings.Cut(name, "*") // a language (RFC 2231 §5)
		if ok && len(name) < 60 && !strings.ContainsAny(name, " \t=") && len(rest) > 2 && rest[1] == '?' {
			if end := strings.Index(rest[2:], "?="); end >= 0 {
				if text, ok := wordText(rest[0], rest[2:2+end]); ok {
					return s[:start], name, text, rest[2+end+2:], true
				}
			}
		}
		from = start + 2
	}
}

func wordText(encoding byte, s string) ([]byte, bool) {
	switch encoding | 0x20 {
	case 'b':
		s = strings.Map(func(r rune) rune {
			if r < 256 && base64Value[byte(r)] {
				return r
			}
			return -1
		}, s)
		if len(s)%4 == 1 {
			s = s[:len(s)-1] // one too many, or one too few
		}
		text, err := base64.RawStdEncoding.DecodeString(s)
		return text, err == nil
	case 'q':
		text := bytes.ReplaceAll([]byte(s), []byte{'_'}, []byte{' '})
		out := text[:0]
		for i := 0; i < len(text); i++ {
			if text[i] == '=' && i+2 < len(text) {
				high, ok := hex(text[i+1])
				low, also := hex(text[i+2])
				if ok && also {
					out = append(out, high<<4|low)
					i += 2
					continue
				}
			}
			out = append(out, text[i])
		}
		return out, true
	}
	return nil, false
}
