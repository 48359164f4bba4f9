package backup

import (
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// places says which mailbox of the archive a folder of a file is.
type places struct {
	delim  rune
	byPath map[string]mail.Mailbox
	byRole map[mail.Role]mail.Mailbox
	fresh  map[string]bool // names of those that were none before
}

func newPlaces(boxes []archive.Mailbox) places {
	p := places{byPath: map[string]mail.Mailbox{}, byRole: map[mail.Role]mail.Mailbox{}, fresh: map[string]bool{}}
	for _, mb := range boxes {
		if p.delim == 0 {
			p.delim = mb.Delim
		}
		if !mb.NoSelect {
			p.add(mb.Mailbox)
		}
	}
	if p.delim == 0 {
		p.delim = '/'
	}
	return p
}

func (p places) add(mb mail.Mailbox) {
	levels := []string{mb.Name}
	if mb.Delim != 0 {
		levels = strings.Split(mb.Name, string(mb.Delim))
	}
	for i, l := range levels {
		levels[i] = mail.NameText(l)
	}
	if key := pathKey(levels); p.byPath[key] == (mail.Mailbox{}) {
		p.byPath[key] = mb
	}
	if _, taken := p.byRole[mb.Role]; mb.Role != mail.RoleNone && !taken {
		p.byRole[mb.Role] = mb
	}
}

// pathKey is the same for two ways to write INBOX.
func pathKey(levels []string) string {
	key := strings.Join(levels, "\x00")
	if mail.IsInbox(levels[0]) {
		key = mail.Inbox + key[len(mail.Inbox):]
	}
	return key
}

// maxPlaces is how many mailboxes there can be: a file may name one for every message.
const maxPlaces = 20_000

// room reports whether there can be one more.
func (p places) room(w Wherein) bool {
	return len(p.byPath) < maxPlaces || p.byPath[pathKey(w.Levels)] != (mail.Mailbox{})
}

// of returns the mailbox of that path, else the one for the same, else a new one. What the archive calls all mail is
// where archived mail is in an account that has such a view.
func (p places) of(w Wherein) mail.Mailbox {
	key := pathKey(w.Levels)
	if mb, ok := p.byPath[key]; ok {
		return mb
	}
	for _, role := range []mail.Role{w.Role, viewFor(w.Role)} {
		if mb, ok := p.byRole[role]; ok && role != mail.RoleNone {
			return mb
		}
	}
	mb := mail.Mailbox{Name: p.name(w.Levels), Delim: p.delim, Role: w.Role, Subscribed: true}
	if mail.IsInbox(mb.Name) {
		mb = mail.Mailbox{Name: mail.Inbox, Delim: p.delim, Role: mail.RoleInbox, Subscribed: true}
	}
	p.byPath[key] = mb
	p.fresh[mb.Name] = mb.Role != mail.RoleInbox
	if mb.Role != mail.RoleNone {
		p.byRole[mb.Role] = mb
	}
	return mb
}

// made returns the names of the mailboxes that are new.
func (p places) made() (names []string) {
	for name, new := range p.fresh {
		if new {
			names = append(names, name)
		}
	}
	return names
}

func viewFor(r mail.Role) mail.Role {
	if r == mail.RoleArchive {
		return mail.RoleAll
	}
	return mail.RoleNone
}

// name writes a path as the wire has it. A delimiter within a level would make two of it.
func (p places) name(levels []string) string {
	var wire []string
	for _, l := range levels {
		l = strings.Map(func(r rune) rune {
			if r == p.delim || r < ' ' || r == 0x7f {
				return '_'
			}
			return r
		}, strings.ToValidUTF8(l, "_"))
		wire = append(wire, mail.EncodeUTF7(l))
	}
	return strings.Join(wire, string(p.delim))
}
