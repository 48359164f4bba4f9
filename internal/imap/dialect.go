package imap

import (
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A dialect is what the guard says for go-imap, which has no words for it.
type dialect struct {
	verb      string // what the next LIST is sent as: LSUB, XLIST; "" is itself
	identity  string // what is asked for beside INTERNALDATE: emailID, gmailID or ""
	mailboxID bool   // STATUS asks for MAILBOXID too
	licence   licence
	take      func(shown) error // takes the rows of a FETCH of small items; nil: they are go-imap's
}

// The identities of a message (RFC 8474 §5.1, and what Gmail calls its own).
const (
	emailID = "EMAILID"
	gmailID = "X-GM-MSGID"
)

// speak changes the dialect for the commands to come.
func (g *guard) speak(change func(*dialect)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.dialect)
}

// extend puts into a command what go-imap cannot say.
func (g *guard) extend(c *command, line string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case c.take != nil && g.identity != "" && strings.Contains(line, "INTERNALDATE"):
		return behind(line, " "+g.identity, strings.LastIndexByte(line, ')'))
	case c.name == "STATUS" && g.mailboxID:
		return behind(line, " MAILBOXID", strings.LastIndexByte(line, ')'))
	case c.name == "LIST" && g.mailboxID && strings.Contains(line, "STATUS ("):
		at := strings.Index(line, "STATUS (")
		return behind(line, " MAILBOXID", at+strings.IndexByte(line[at:], ')'))
	case c.name == "LIST" && c.verb != "LIST":
		return strings.Replace(line, " LIST ", " "+c.verb+" ", 1)
	}
	return line
}

// behind puts more before what stands at at.
func behind(line, more string, at int) string {
	if at < 0 {
		return line
	}
	return line[:at] + more + line[at:]
}

// listing returns what the mailboxes asked for are listed as.
func (g *guard) listing() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.pending {
		if c.name == "LIST" {
			return c.verb
		}
	}
	return "LIST"
}

// identity reads EMAILID or X-GM-MSGID; "" if it is none.
func identity(name string, v token) string {
	text := v.text
	if len(v.list) == 1 {
		text = v.list[0].text
	}
	if id := objectID(text); id != "" {
		return name + ":" + id
	}
	return ""
}

// objectID reads an object ID (RFC 8474 §7), in parentheses or not; "" if it is none.
func objectID(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "("), ")")
	if len(s) > 255 || strings.ContainsFunc(s, func(c rune) bool { return !isIDChar(c) }) {
		return ""
	}
	return s
}

func isIDChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// modSeq reads a mod-sequence (RFC 7162 §3.1.2.1); 0 if it is none.
func modSeq(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// learnStatus remembers what STATUS tells, by the mailbox it is told of: go-imap looks for the name it asked for, and
// takes the STATUS of a LIST only right behind it.
func (g *guard) learnStatus(name string, items []token) {
	if mail.IsInbox(name) {
		name = mail.Inbox
	}
	var s mail.Status
	for l := items; len(l) >= 2; l = l[2:] {
		n, _ := l[1].number()
		switch strings.ToUpper(l[0].text) {
		case "MESSAGES":
			s.Messages = n
		case "UIDNEXT":
			s.Next = n
		case "UIDVALIDITY":
			s.Validity = n
		case "HIGHESTMODSEQ":
			s.ModSeq = modSeq(l[1].text)
		case "MAILBOXID":
			if len(l[1].list) == 1 {
				s.ID = objectID(l[1].list[0].text)
			}
		}
	}
	g.learn(func(f *facts) {
		if f.statuses != nil && len(f.statuses) < maxMailboxes && checkName(name) == nil {
			f.statuses[name] = s
		}
	})
}
