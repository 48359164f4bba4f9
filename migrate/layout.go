package migrate

import (
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A layout is how the destination's mailboxes lie: which there are, and what separates their levels.
type layout struct {
	delim rune
	there map[string]bool
}

func layoutOf(boxes []mail.Mailbox) layout {
	l := layout{there: map[string]bool{}}
	for _, mb := range boxes {
		l.there[mb.Name] = true
		// The INBOX may have no separator where the other mailboxes have one (RFC 9051 §6.3.9).
		if l.delim == 0 {
			l.delim = mb.Delim
		}
	}
	return l
}

// place returns where the mailbox of the archive goes: INBOX to INBOX, any other to the same path in the
// destination's delimiter. A level that holds that delimiter would fall apart and is refused.
func (l layout) place(mb mail.Mailbox) (mail.Mailbox, error) {
	if mail.IsInbox(mb.Name) {
		return mail.Mailbox{Name: mail.Inbox, Delim: l.delim, Role: mail.RoleInbox}, nil
	}
	levels := []string{mb.Name}
	if mb.Delim != 0 {
		levels = strings.Split(mb.Name, string(mb.Delim))
	}
	for _, level := range levels {
		if l.delim != 0 && strings.ContainsRune(level, l.delim) {
			return mail.Mailbox{}, &mail.Error{Op: "map", Mailbox: mb.Name, Scope: mail.ScopeMailbox, Cause: mail.CauseUsage,
				Err: fmt.Errorf("the folder name %q holds %q, which separates folders at the destination", level, l.delim)}
		}
	}
	if l.delim == 0 && len(levels) > 1 {
		return mail.Mailbox{}, &mail.Error{Op: "map", Mailbox: mb.Name, Scope: mail.ScopeMailbox, Cause: mail.CauseUsage,
			Err: fmt.Errorf("the destination has no folders within folders")}
	}
	return mail.Mailbox{Name: strings.Join(levels, string(l.delim)), Delim: l.delim, Role: mb.Role}, nil
}
