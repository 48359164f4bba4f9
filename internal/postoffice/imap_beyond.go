package postoffice

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// beyond is what of the command under way imapserver has no words for. The relay takes it out on the way in and says
// it on the way out.
type beyond struct {
	modSeq, mailboxID bool   // of STATUS
	since             uint64 // CHANGEDSINCE of a FETCH (RFC 7162 §3.1.4.1)
	emailID, gmailID  bool   // of a FETCH
	xlist             bool
	row               *stored // the message a FETCH is showing
	hollow            bool    // without its octets
	begun             string  // of a line that goes on behind octets that are not shown
	named             int     // literals of an APPEND before its message
	enclosed          []enclosed
	appended          uint32 // UID of the first message
}

var (
	condStore    = regexp.MustCompile(`(?i) \(CONDSTORE\)(\r?\n)$`)
	changedSince = regexp.MustCompile(`(?i) \(CHANGEDSINCE (\d+)\)(\r?\n)$`)
	statusItems  = regexp.MustCompile(`(?i)(STATUS .*)\(([A-Z -]*)\)`)
	fetchItems   = regexp.MustCompile(`\(.*\)`)
)

// understood takes out of a command's first line what imapserver would not know.
func (r *relay) understood(line string) string {
	r.beyond = beyond{}
	switch r.verb {
	case "SELECT", "EXAMINE":
		if r.hasToo("CONDSTORE") {
			return condStore.ReplaceAllString(line, "$1")
		}
	case "STATUS", "LIST":
		return statusItems.ReplaceAllStringFunc(line, r.statusOf)
	case "FETCH", "UID FETCH":
		return r.fetchOf(line)
	case "XLIST":
		if r.hasToo("XLIST") {
			r.xlist = true
			return strings.Replace(line, "XLIST", "LIST", 1)
		}
	case "ID":
		if r.hasToo("ID") {
			r.say("* ID NIL")
			return r.tag + " NOOP\r\n"
		}
	}
	return line
}

func (r *relay) statusOf(items string) string {
	found := statusItems.FindStringSubmatch(items)
	names := slices.DeleteFunc(strings.Fields(found[2]), func(name string) bool {
		switch {
		case strings.EqualFold(name, "HIGHESTMODSEQ") && r.hasToo("CONDSTORE"):
			r.modSeq = true
		case strings.EqualFold(name, "MAILBOXID") && r.hasToo("OBJECTID"):
			r.mailboxID = true
		default:
			return false
		}
		return true
	})
	return found[1] + "(" + strings.Join(names, " ") + ")"
}

func (r *relay) fetchOf(line string) string {
	if found := changedSince.FindStringSubmatch(line); found != nil && r.hasToo("CONDSTORE") {
		r.since, _ = strconv.ParseUint(found[1], 10, 64)
		line = changedSince.ReplaceAllString(line, "$2")
	}
	return fetchItems.ReplaceAllStringFunc(line, func(items string) string {
		names := slices.DeleteFunc(strings.Split(items[1:len(items)-1], " "), func(name string) bool {
			switch {
			case strings.EqualFold(name, "EMAILID") && r.hasToo("OBJECTID"):
				r.emailID = true
			case strings.EqualFold(name, "X-GM-MSGID") && r.hasToo("X-GM-EXT-1"):
				r.gmailID = true
			default:
				return false
			}
			return true
		})
		return "(" + strings.Join(names, " ") + ")"
	})
}

// besides returns what is said instead of a line of imapserver's, so that it tells what was taken out.
func (r *relay) besides(line string) []string {
	line = r.severalUIDs(line)
	switch {
	case strings.HasPrefix(line, "* STATUS ") && (r.modSeq || r.mailboxID):
		line = r.fullStatus(line)
	case strings.HasPrefix(line, "* LIST ") && r.xlist:
		line = "* X" + line[2:]
	case strings.HasPrefix(line, "* OK [UIDVALIDITY"):
		return append([]string{line}, r.session.opening()...)
	case r.row != nil && strings.HasSuffix(line, ")") && marker.FindString(line) == "":
		line = strings.TrimSuffix(line, ")") + r.row.beside(r.beyond) + ")"
		r.row = nil
	}
	return []string{line}
}

// fullStatus adds to a STATUS, whose mailbox is named in hexadecimal still.
func (r *relay) fullStatus(line string) string {
	name, _ := hex.DecodeString(hexName.FindStringSubmatch(line)[1])
	account := r.session.account
	account.mu.Lock()
	defer account.mu.Unlock()
	mb := account.mailbox(string(name))
	if mb == nil {
		return line
	}
	line = strings.TrimSuffix(line, ")")
	if r.modSeq {
		line += fmt.Sprintf(" HIGHESTMODSEQ %d", mb.modSeq)
	}
	if r.mailboxID {
		line += fmt.Sprintf(" MAILBOXID (%s)", mb.id)
	}
	return strings.Replace(line, "( ", "(", 1) + ")"
}

// opening is what SELECT says of the mailbox besides.
func (s *session) opening() (lines []string) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if s.hasToo("CONDSTORE") {
		lines = append(lines, fmt.Sprintf("* OK [HIGHESTMODSEQ %d] Highest", s.mailbox.modSeq))
	}
	if s.hasToo("OBJECTID") {
		lines = append(lines, fmt.Sprintf("* OK [MAILBOXID (%s)] Ok", s.mailbox.id))
	}
	return lines
}

// beside is what a row says of the message besides. Its identities are made of its octets, as those of servers are
// that vouch for it.
func (m *stored) beside(b beyond) string {
	sum := sha256.Sum256(m.Octets)
	switch {
	case b.since > 0:
		return fmt.Sprintf(" MODSEQ (%d)", m.modSeq)
	case b.emailID:
		return fmt.Sprintf(" EMAILID (M%x)", sum[:10])
	case b.gmailID:
		return fmt.Sprintf(" X-GM-MSGID %d", binary.BigEndian.Uint64(sum[:])>>1)
	}
	return ""
}

// answeredFor returns the messages of those asked for that are answered for, and what is said of the others.
func (s *session) answeredFor(asked []numbered) ([]numbered, string) {
	if most := s.now().AtOnce; most > 0 && len(asked) > most {
		return asked[:most], ""
	}
	for _, capability := range s.at.With {
		digits, _ := strings.CutPrefix(capability, "MESSAGELIMIT=")
		if most, err := strconv.Atoi(digits); err == nil && len(asked) > most {
			asked = asked[len(asked)-most:]
			return asked, fmt.Sprintf("OK [MESSAGELIMIT %d %d] the rest another time", most, asked[0].m.UID)
		}
	}
	return asked, ""
}

// A numbered message is one as the client knows it.
type numbered struct {
	n uint32
	m *stored
}
