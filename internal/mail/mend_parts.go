package mail

import (
	"bytes"
	"mime"
	"strings"
)

// Limits on how a stranger's message can be nested: what goes beyond them is text like any other.
const (
	maxNesting   = 50
	maxPartField = 8 << 10
)

const (
	encodingNone = iota
	encodingBase64
	encodingQuoted
)

// A partScan follows the lines of a message through its parts (RFC 2046 §5.1), so that it is known which of them are
// header lines, and how the others are encoded.
type partScan struct {
	header     bool
	encoding   int
	boundaries []string // of the multiparts that are open, the innermost last
	field      string   // under way: contentType, transferEncoding or ""
	fields     map[string]string
}

const (
	contentType      = "content-type"
	transferEncoding = "content-transfer-encoding"
)

// take takes the beginning of the next line, without its end. The line is of a header when header is set afterwards.
func (s *partScan) take(line []byte) {
	switch {
	case s.delimiter(line):
	case !s.header:
	case len(line) == 0:
		s.endHeader()
	default:
		s.takeField(line)
	}
}

// delimiter reports whether the line ends a part, and what it was in.
func (s *partScan) delimiter(line []byte) bool {
	text, dashes := bytes.CutPrefix(line, []byte("--"))
	if !dashes {
		return false
	}
	text = bytes.TrimRight(text, " \t")
	for i := len(s.boundaries) - 1; i >= 0; i-- {
		after, found := bytes.CutPrefix(text, []byte(s.boundaries[i]))
		switch {
		case found && len(after) == 0:
			s.boundaries = s.boundaries[:i+1]
			s.begin()
			return true
		case found && string(after) == "--":
			s.boundaries = s.boundaries[:i]
			s.header, s.encoding = false, encodingNone
			return true
		}
	}
	return false
}

// begin is at the first line of a header.
func (s *partScan) begin() {
	s.header, s.encoding, s.field, s.fields = true, encodingNone, "", nil
}

func (s *partScan) takeField(line []byte) {
	if isWSP(line[0]) {
		if s.field != "" && len(s.fields[s.field]) < maxPartField {
			s.fields[s.field] += string(line)
		}
		return
	}
	name, value, _ := bytes.Cut(line, []byte{':'})
	s.field = strings.ToLower(string(bytes.TrimRight(name, " \t")))
	if s.field != contentType && s.field != transferEncoding || s.fields[s.field] != "" {
		s.field = ""
		return
	}
	if s.fields == nil {
		s.fields = make(map[string]string)
	}
	s.fields[s.field] = string(value)
}

func (s *partScan) endHeader() {
	s.header, s.field = false, ""
	switch strings.ToLower(strings.TrimSpace(s.fields[transferEncoding])) {
	case "base64":
		s.encoding = encodingBase64
	case "quoted-printable":
		s.encoding = encodingQuoted
	}
	kind, boundary := s.kind()
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		s.encoding = encodingNone // whatever it says: the parts have theirs (RFC 2045 §6.4)
		if boundary != "" && len(s.boundaries) < maxNesting {
			s.boundaries = append(s.boundaries, boundary)
		}
	case (kind == "message/rfc822" || kind == "message/global") && s.encoding == encodingNone:
		s.begin()
	}
}

func (s *partScan) kind() (kind, boundary string) {
	kind, params, err := mime.ParseMediaType(s.fields[contentType])
	if err != nil && kind == "" {
		return "", ""
	}
	return kind, params["boundary"]
}

// beginsPart reports whether the line, met in a header, is the first delimiter of what that header says is to come.
func (s *partScan) beginsPart(line []byte) bool {
	text, dashes := bytes.CutPrefix(line, []byte("--"))
	if !dashes {
		return false
	}
	_, boundary := s.kind()
	return boundary != "" && string(bytes.TrimRight(text, " \t")) == boundary
}
