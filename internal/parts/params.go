package parts

import (
	"net/url"
	"sort"
	"strconv"
	"strings"
)

const maxParams = 100

// parseParams takes a field like Content-Type apart: its first word in small letters, and the parameters, decoded
// (RFC 2231, and RFC 2047 where it does not belong), by their names in small letters. What cannot be read is passed over.
func parseParams(field string) (word string, params map[string]string) {
	word, rest := cutParam(field)
	word = strings.ToLower(strings.TrimSpace(word))
	params = map[string]string{}
	pieces := map[string][]piece{}
	for n := 0; rest != "" && n < maxParams; n++ {
		var param string
		param, rest = cutParam(rest)
		name, value, found := strings.Cut(param, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !found || name == "" {
			continue
		}
		value = unquote(strings.TrimSpace(value))
		if base, p, split := pieceOf(name, value); split {
			pieces[base] = append(pieces[base], p)
		} else if _, twice := params[name]; !twice {
			params[name] = DecodeField(value)
		}
	}
	for name, ps := range pieces {
		params[name] = joinPieces(ps)
	}
	return word, params
}

// cutParam cuts at the first semicolon that is not quoted.
func cutParam(s string) (param, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' {
		word, _, _ := strings.Cut(s, " ") // a comment, or what was not quoted
		if strings.HasPrefix(s, "=?") || !strings.Contains(s, "(") {
			return s
		}
		return word
	}
	var b strings.Builder
	for i := 1; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// A piece is a part of a long or encoded parameter (RFC 2231 §3, §4).
type piece struct {
	n       int
	value   string
	encoded bool
}

func pieceOf(name, value string) (base string, p piece, split bool) {
	base, number, split := strings.Cut(name, "*")
	if !split {
		return name, p, false
	}
	number, p.encoded = strings.CutSuffix(number, "*")
	if number == "" {
		p.encoded = true
	} else if n, err := strconv.Atoi(number); err == nil {
		p.n = n
	}
	p.value = value
	return base, p, true
}

func joinPieces(ps []piece) string {
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].n < ps[j].n })
	charset := ""
	var octets []byte
	for i, p := range ps {
		if !p.encoded {
			octets = append(octets, p.value...)
			continue
		}
		if i == 0 {
			if name, rest, found := strings.Cut(p.value, "'"); found {
				_, text, _ := strings.Cut(rest, "'")
				charset, p.value = name, text
			}
		}
		if plain, err := url.PathUnescape(p.value); err == nil {
			p.value = plain
		}
		octets = append(octets, p.value...)
	}
	return Decode(charset, octets)
}
