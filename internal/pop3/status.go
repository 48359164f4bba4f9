package pop3

import (
	"bytes"
	"strings"
)

// A status is the first line of an answer (RFC 1939 §3).
type status struct {
	ok   bool
	code string // the response code (RFC 2449 §8, RFC 3206) in capitals: "IN-USE", "SYS/TEMP"; or ""
	text string // what follows the indicator, the code among it, as the server sent it
}

// parseStatus reads a status line with or without its end. It is lenient about case, about a TAB after the
// indicator, and about "-ERR[IN-USE]", all of which servers have sent; anything else is not a status.
func parseStatus(line []byte) (status, bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	var st status
	var rest []byte
	switch {
	case len(line) >= 3 && strings.EqualFold(string(line[:3]), "+OK"):
		st.ok, rest = true, line[3:]
	case len(line) >= 4 && strings.EqualFold(string(line[:4]), "-ERR"):
		rest = line[4:]
	default:
		return status{}, false
	}
	if len(rest) > 0 && !bytes.ContainsAny(rest[:1], " \t[") {
		return status{}, false
	}
	st.text = string(bytes.Trim(rest, " \t"))
	if code, _, found := strings.Cut(st.text, "]"); found && strings.HasPrefix(code, "[") {
		st.code = strings.ToUpper(code[1:])
	}
	return st, true
}

// line is the status in the one form that go-pop3 knows.
func (st status) line() []byte {
	if st.ok {
		return []byte("+OK " + st.text + "\r\n")
	}
	return []byte("-ERR " + st.text + "\r\n")
}
