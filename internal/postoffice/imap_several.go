package postoffice

import (
	"fmt"
	"strings"
	"time"
)

// An enclosed message follows another in one APPEND (MULTIAPPEND, RFC 3502), which imapserver does not know: it is given
// the first alone.
type enclosed struct {
	args   string // flags and date
	octets []byte
}

// encloses reports whether a literal that goes on with a command is one more message.
func (r *relay) encloses() bool {
	return r.verb == "APPEND" && r.hasToo("MULTIAPPEND") && len(r.literals) > r.named
}

// nameLiterals returns how many literals of an APPEND are not its message: the mailbox's name may be one.
func nameLiterals(command, marker string) int {
	if strings.EqualFold(strings.TrimSpace(strings.TrimSuffix(command, strings.TrimSpace(marker))), "APPEND") {
		return 1
	}
	return 0
}

func (e enclosed) message() Message {
	m := Message{Octets: e.octets}
	args := e.args
	if open, end := strings.IndexByte(args, '('), strings.IndexByte(args, ')'); open >= 0 && end > open {
		m.Flags = strings.Fields(args[open+1 : end])
		args = args[end+1:]
	}
	if from, to := strings.IndexByte(args, '"'), strings.LastIndexByte(args, '"'); from < to {
		m.Received, _ = time.Parse("_2-Jan-2006 15:04:05 -0700", args[from+1:to])
	}
	return m
}

// messages returns all messages of the APPEND that begins with this one.
func (s *session) messages(first Message) []Message {
	all := []Message{first}
	for _, e := range s.enclosed {
		all = append(all, e.message())
	}
	return all
}

// severalUIDs changes the APPENDUID of the first message to that of all.
func (r *relay) severalUIDs(line string) string {
	if len(r.enclosed) == 0 || r.appended == 0 {
		return line
	}
	one := fmt.Sprintf(" %d] ", r.appended)
	return strings.Replace(line, one, fmt.Sprintf(" %d:%d] ", r.appended, int(r.appended)+len(r.enclosed)), 1)
}
