package imap

import (
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A respText is what stands after OK, NO, BAD, BYE or PREAUTH (RFC 3501 §7.1).
type respText struct {
	code string // in upper case, "" if there is none
	args string
	text string
}

// parseRespText never fails: what is no response code is text. A code may hold quoted strings, as those of Exchange
// do: [Error="Microsoft.Exchange.… [x]"].
func parseRespText(s string) respText {
	s = strings.TrimLeft(s, " ")
	end := codeEnd(s)
	if end < 0 {
		return respText{text: s}
	}
	name, args, _ := strings.Cut(s[1:end], " ")
	return respText{code: strings.ToUpper(name), args: strings.TrimSpace(args), text: strings.TrimLeft(s[end+1:], " ")}
}

// codeEnd finds the bracket that ends a code: not one in a string, nor one in a list, for flags may hold it.
func codeEnd(s string) int {
	if !strings.HasPrefix(s, "[") {
		return -1
	}
	quoted, depth := false, 0
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
		case c == ')' && !quoted:
			depth--
		case c == ']' && !quoted && depth <= 0:
			return i
		}
	}
	return strings.IndexByte(s, ']')
}

// String is the form go-imap is given: only codes that it can read, so that none of them ends the session, nor
// turns a message that was stored into an error (a malformed APPENDUID does).
func (t respText) String() string {
	code := t.known()
	if code == "" {
		return t.text
	}
	return strings.TrimRight("["+code+"] "+t.text, " ")
}

func (t respText) known() string {
	switch t.code {
	case "APPENDUID":
		if validity, uid, ok := appendUID(t.args); ok {
			return "APPENDUID " + strconv.FormatUint(uint64(validity), 10) + " " + strconv.FormatUint(uint64(uid), 10)
		}
		return ""
	case "UIDNEXT", "UIDVALIDITY":
		if n, ok := (token{text: t.args}).number(); ok && n > 0 {
			return t.code + " " + t.args
		}
		return ""
	case "PERMANENTFLAGS":
		return t.code + " " + flagList(tokens(t.args))
	case "CAPABILITY", "COPYUID", "HIGHESTMODSEQ", "CLOSED":
		return ""
	}
	if isCode(t.code) {
		return t.code
	}
	return ""
}

// appendUID reads a response code APPENDUID (RFC 4315 §3), which for one message names one UID.
func appendUID(args string) (validity, uid uint32, ok bool) {
	a, b, _ := strings.Cut(args, " ")
	validity, okA := token{text: a}.number()
	uid, okB := token{text: b}.number()
	return validity, uid, okA && okB && validity > 0 && soundUID(uid)
}

// soundUID reports whether a UID can be one: the highest number of all makes loops over ranges endless.
func soundUID(uid uint32) bool { return uid != 0 && uid != 1<<32-1 }

func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// tokens splits a list that stands in a response code.
func tokens(args string) []token {
	var list []token
	for _, text := range strings.Fields(strings.NewReplacer("(", " ", ")", " ").Replace(args)) {
		list = append(list, token{text: text})
	}
	return list
}

// flagList writes the flags go-imap can read; one that it cannot would end the session.
func flagList(list []token) string { return soundFlags(flagNames(list)) }

func soundFlags(names []string) string {
	var flags []string
	for _, f := range names {
		if f == `\*` || soundFlag(f) {
			flags = append(flags, f)
		}
	}
	return "(" + strings.Join(flags, " ") + ")"
}

// flagNames are the flags in a list, with one backslash where servers write two.
func flagNames(list []token) []string {
	names := make([]string, 0, len(list))
	for _, t := range list {
		f := t.text
		if strings.HasPrefix(f, `\`) {
			f = `\` + strings.TrimLeft(f, `\`)
		}
		names = append(names, f)
	}
	return names
}

// soundFlag reports whether f is a flag of RFC 3501 §9: an atom, with a backslash before it if it is the system's.
func soundFlag(f string) bool {
	name := strings.TrimPrefix(f, `\`)
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return name != "" && len(name) <= 255
}

// said makes one line for people of what the server said.
func (t respText) said() string {
	if t.text == "" {
		return mail.Printable(t.code)
	}
	return mail.Printable(t.text)
}

// keptFlag reports whether f is a flag to be kept: one of RFC 3501, or a keyword with a bracket, which some servers
// have.
func keptFlag(f string) bool { return soundFlag(strings.ReplaceAll(f, "]", "_")) }
