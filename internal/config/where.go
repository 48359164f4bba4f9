package config

import (
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// lines says on which line each key and each table of a file is set first. The TOML library does not keep that. What it
// is asked about is TOML that the library has read, so it only has to know where strings, lists and tables end.
type lines map[string]int

// linesOf reads the file once more.
func linesOf(text string) lines {
	s := &lineScanner{text: text, line: 1, lines: lines{}}
	for s.skip("\r\n"); s.at < len(s.text); s.skip("\r\n") {
		from := s.at
		if s.text[s.at] == '[' {
			s.header()
		} else {
			s.pair(s.table)
		}
		if s.at == from { // nothing that TOML knows
			s.at++
		}
	}
	return s.lines
}

// of returns the line of a key, or of the nearest table around it.
func (l lines) of(path ...string) int {
	for n := len(path); n > 0; n-- {
		if line := l[joined(path[:n])]; line > 0 {
			return line
		}
	}
	return 1
}

func joined(path []string) string { return strings.Join(path, "\x00") }

type lineScanner struct {
	text  string
	at    int
	line  int
	table []string // whose keys follow
	lines lines
}

// skip goes over blanks, over comments and over what else is in more.
func (s *lineScanner) skip(more string) {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '#' && more != "":
			for s.at+1 < len(s.text) && s.text[s.at+1] != '\n' {
				s.at++
			}
		case c == '\n' && strings.Contains(more, "\n"):
			s.line++
		case c != ' ' && c != '\t' && !strings.Contains(more, string(rune(c))):
			return
		}
	}
}

// header reads [TABLE] or [[TABLE]].
func (s *lineScanner) header() {
	for s.at < len(s.text) && s.text[s.at] == '[' {
		s.at++
	}
	s.table = s.key(nil)
	for s.at < len(s.text) && s.text[s.at] != '\n' { // the brackets, and perhaps a comment
		s.at++
	}
}

// pair reads KEY = VALUE.
func (s *lineScanner) pair(table []string) {
	path := s.key(table)
	if s.at < len(s.text) && s.text[s.at] == '=' {
		s.at++
		s.value(path)
	}
}

// key reads a key up to what ends it, and notes its line, and that of the tables it makes.
func (s *lineScanner) key(table []string) []string {
	from := s.at
	for s.at < len(s.text) && !strings.ContainsRune("=]}\n", rune(s.text[s.at])) {
		if c := s.text[s.at]; c == '"' || c == '\'' {
			s.quoted()
		} else {
			s.at++
		}
	}
	path := slices.Clone(table)
	if md, err := toml.Decode(s.text[from:s.at]+"=0", new(map[string]any)); err == nil {
		for _, k := range md.Keys() {
			if len(table)+len(k) > len(path) {
				path = slices.Concat(table, k)
			}
		}
	}
	for n := range path {
		if name := joined(path[:n+1]); s.lines[name] == 0 {
			s.lines[name] = s.line
		}
	}
	return path
}

// value goes over a value. Keys of an inline table are noted.
func (s *lineScanner) value(path []string) {
	s.skip("")
	if s.at == len(s.text) {
		return
	}
	switch s.text[s.at] {
	case '"', '\'':
		s.quoted()
	case '[':
		s.each(']', func() { s.value(path) })
	case '{':
		s.each('}', func() { s.pair(path) })
	default:
		for s.at < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.text[s.at])) {
			s.at++
		}
	}
}

// each goes over what stands between two brackets.
func (s *lineScanner) each(end byte, element func()) {
	s.at++
	for s.skip("\r\n,"); s.at < len(s.text) && s.text[s.at] != end; s.skip("\r\n,") {
		from := s.at
		element()
		if s.at == from {
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.text))
}

// quoted goes over a string of any of the four kinds.
func (s *lineScanner) quoted() {
	quote := s.text[s.at : s.at+1]
	end := quote
	if strings.HasPrefix(s.text[s.at:], strings.Repeat(quote, 3)) {
		end = strings.Repeat(quote, 3)
	}
	for s.at += len(end); s.at < len(s.text); s.at++ {
		switch {
		case s.text[s.at] == '\\' && quote == `"` && s.at+1 < len(s.text) && s.text[s.at+1] != '\n':
			s.at++
		case s.text[s.at] == '\n':
			s.line++
		case strings.HasPrefix(s.text[s.at:], end):
			s.at += len(end)
			for n := 0; n < 2 && len(end) == 3 && strings.HasPrefix(s.text[s.at:], quote); n++ {
				s.at++ // up to two quotes may stand before the last three
			}
			return
		}
	}
}
