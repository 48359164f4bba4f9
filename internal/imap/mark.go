package imap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// Mark adds flags by UID STORE; see migrate.Destination. There are servers that refuse with a message what they keep
// when they are told afterwards. Messages that lack the same share a command, and of several flags that are refused
// together each is tried by itself.
func (c *Client) Mark(ctx context.Context, mailbox string, marks []mail.Marking) (dropped []mail.Flags, err error) {
	m := &marking{marks: marks}
	err = c.with(ctx, "mark mail in", mailbox, func(s *session) error {
		m.session, m.dropped = s, make([]mail.Flags, len(marks))
		if err := s.reopen(mailbox, c.opened); err != nil {
			return err
		}
		for _, g := range m.groups() {
			if err := m.add(g); err != nil {
				return err
			}
		}
		return nil
	})
	return m.dropped, err
}

// marking is one Mark in a session.
type marking struct {
	*session
	marks   []mail.Marking
	dropped []mail.Flags // by mark
}

// A group is marks that get the same flags.
type group struct {
	flags mail.Flags
	of    []int // indexes of marks
}

// groups leaves out what the mailbox does not keep.
func (m *marking) groups() []*group {
	var all []*group
	known := make(map[string]*group)
	for i, mark := range m.marks {
		var kept mail.Flags
		if soundUID(mark.UID) {
			kept = m.storable(mark.Flags, allFlags)
		}
		if m.dropped[i] = mark.Flags.Without(kept); len(kept) == 0 {
			continue
		}
		key := strings.ToLower(fmt.Sprint(kept))
		g := known[key]
		if g == nil {
			g = &group{flags: kept}
			known[key] = g
			all = append(all, g)
		}
		g.of = append(g.of, i)
	}
	return all
}

// add tells the server in as many commands as it takes. What it has refused before is not tried again.
func (m *marking) add(g *group) error {
	for part := range slices.Chunk(g.of, int(min(maxNumbers, m.window()))) {
		flags := m.storable(g.flags, allFlags)
		m.drop(part, g.flags.Without(flags))
		if len(flags) == 0 {
			continue
		}
		taken, err := m.store(part, flags)
		if err == nil && !taken {
			err = m.singly(part, flags)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// singly adds flags one by one that were refused together.
func (m *marking) singly(of []int, flags mail.Flags) error {
	for _, f := range flags {
		taken, err := false, error(nil)
		if len(flags) > 1 {
			taken, err = m.store(of, mail.Flags{f})
		}
		if err != nil {
			return err
		}
		if !taken {
			m.spurned = append(m.spurned, f)
			m.drop(of, mail.Flags{f})
		}
	}
	return nil
}

func (m *marking) drop(of []int, flags mail.Flags) {
	for _, i := range of {
		m.dropped[i] = append(m.dropped[i], flags...)
	}
}

// store reports whether the server takes the flags. A server that is busy is an error; any other refusal is about the
// flags, a full mailbox's too: the mail is there.
func (m *marking) store(of []int, flags mail.Flags) (taken bool, err error) {
	var set imap.UIDSet
	for _, i := range of {
		set.AddNum(imap.UID(m.marks[i].UID))
	}
	err = m.imap.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: onWire(flags)}, nil).Close()
	var no *imap.Error
	if !errors.As(err, &no) || no.Type == imap.StatusResponseTypeBye {
		return err == nil, err
	}
	if m.refusal(no).Scope == mail.ScopeSession && !aboutSyntax(no) {
		return false, err
	}
	return false, nil
}
