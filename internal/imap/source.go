package imap

import (
	"context"
	"io"
	"slices"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Source is an IMAP account to read from: a backup.Source, a backup.Stateful and a backup.Headed. It leaves the
// account as it found it: mailboxes are opened with EXAMINE, messages read with PEEK, and nothing else is ever said
// that could change anything. It connects when it must and keeps the session until an error spoils it or Close ends
// it. It is used by one goroutine at a time. All errors are *mail.Error, but for that of a Fetch or Heads whose fn
// failed.
type Source struct {
	account
	statuses map[string]mail.Status // told by the last Mailboxes and not asked for yet
	notes    []string
	wary     bool // the last session broke while messages were asked for
}

// NewSource returns a Source without connecting. Close must be called in the end.
func NewSource(server dial.Server, login mail.Login) *Source {
	return &Source{account: account{server: server, login: login, readOnly: true}}
}

// Mailboxes lists the mailboxes of the account's owner, in the server's order, those that hold no mail too. What
// other users share is left out and named in Notes.
func (s *Source) Mailboxes(ctx context.Context) (list []mail.Mailbox, err error) {
	s.statuses = nil
	err = s.with(ctx, "list folders", "", func(c *session) error {
		t, err := c.tree()
		if err != nil {
			return wholeAccount(c.explain(err))
		}
		list, s.statuses = t.own(), t.statuses
		s.note(t.notes...)
		return nil
	})
	return list, err
}

// Statuses returns how the mailboxes stand; see backup.Stateful. What Mailboxes has learnt with its listing, where
// the server offers that (LIST-STATUS, RFC 5819), is not asked for again the first time.
func (s *Source) Statuses(ctx context.Context, boxes []mail.Mailbox) (statuses map[string]mail.Status, err error) {
	told := s.statuses
	s.statuses = nil
	if told != nil && s.session != nil && !s.session.broken() && s.session.mailbox == "" {
		return sound(told, boxes), nil
	}
	err = s.with(ctx, "look at folders", "", func(c *session) error {
		all, err := c.statusesOf(boxes)
		statuses = sound(all, boxes)
		return err
	})
	return statuses, err
}

// Changes opens a mailbox with EXAMINE and returns what differs from since; see backup.Stateful. Left is nil also
// if the mailbox is shown only in part: nothing is known to be gone then. A message whose INTERNALDATE is none has
// a zero Received. A mailbox that is not there any more is an error of CauseVanished.
func (s *Source) Changes(ctx context.Context, mailbox string, since mail.Status) (changes mail.Changes, err error) {
	err = s.with(ctx, "list", mailbox, func(c *session) error {
		changes, err = c.changes(mailbox, since)
		return err
	})
	return changes, err
}

// List returns every message of the mailbox. One that is shown only in part is an error of ScopeMailbox.
func (s *Source) List(ctx context.Context, mailbox string) ([]mail.Item, error) {
	changes, err := s.Changes(ctx, mailbox, mail.Status{})
	if err == nil && changes.Partial != "" {
		err = at(strange(changes.Partial), "list", mailbox)
	}
	if err != nil {
		return nil, err
	}
	return changes.New, nil
}

// Items returns those of the messages with these UIDs that are there, in the order of their UIDs.
func (s *Source) Items(ctx context.Context, mailbox string, uids []uint32) (items []mail.Item, err error) {
	err = s.with(ctx, "list", mailbox, func(c *session) error {
		items, err = c.items(mailbox, uids)
		return err
	})
	return items, err
}

// Fetch reads messages with BODY.PEEK[]; see backup.Source. It is an error of ScopeMailbox if the mailbox has been
// renumbered since they were listed. When the session breaks, the first message that fn was not given is to blame if
// it is so twice in a row: after a break it is asked for alone.
func (s *Source) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return s.fetch(ctx, &fetch{fn: fn, items: items, options: wholeMessage})
}

// Heads reads the headers of messages with BODY.PEEK[HEADER], as Fetch does messages.
func (s *Source) Heads(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return s.fetch(ctx, &fetch{fn: fn, items: items, options: headerOnly})
}

func (s *Source) fetch(ctx context.Context, f *fetch) error {
	if f.width = fetchBatch; s.wary {
		f.width = 1
	}
	err := s.read(ctx, f)
	s.wary = f.failed == nil && scopeOf(err) >= mail.ScopeSession
	return err
}

// End does nothing: a server forgets nothing of what it has shown, and the session is kept for the next mailbox.
func (s *Source) End(context.Context) error { return nil }

// Notes returns what was strange about the server so far, or left out of what it shows, each once and fit for a
// terminal.
func (s *Source) Notes() []string {
	if s.session != nil {
		s.note(s.session.guard.known().notes...)
	}
	return slices.Clone(s.notes)
}

func (s *Source) note(notes ...string) {
	for _, n := range notes {
		if !slices.Contains(s.notes, n) {
			s.notes = append(s.notes, n)
		}
	}
}
