// Package pop3 reads a maildrop over POP3 (RFC 1939). A Source leaves it as it was: it never says DELE. A Remover takes
// messages out of it, and nothing but those that it was told are archived.
//
// The commands go out through github.com/knadh/go-pop3, which this package alone uses, and which stands behind a
// fence, because it takes a blank line for success, lets a mail's own text pass for an answer, and holds whole
// messages in memory. The fence is a gate between it and the connection: go-pop3 is given one status line at a
// time, checked before; everything that has more than one line is read here, straight from the gate.
package pop3

import (
	"context"
	"errors"
	"io"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// A Source is a POP3 account to read from: a backup.Source, a backup.Windowed and a backup.Headed one. It is used by one goroutine
// at a time. It connects when it must, and drops the connection, without QUIT, after any error.
type Source struct {
	server dial.Server
	login  mail.Login

	secret  sasl.Credential
	asked   bool  // for it
	refused error // the login, for good: an account is locked soon by those who try again

	session *session // nil: not connected
	delayed bool     // the server announced a LOGIN-DELAY
	notes   []string // not asked for yet
	noted   bool     // that the keys are not UIDLs
}

// New returns a Source; nothing is connected yet.
func New(server dial.Server, login mail.Login) *Source { return &Source{server: server, login: login} }

// Mailboxes returns the one there is.
func (s *Source) Mailboxes(context.Context) ([]mail.Mailbox, error) {
	return []mail.Mailbox{{Name: mail.Inbox, Role: mail.RoleInbox}}, nil
}

// List returns what the maildrop shows. The key of a message is its UIDL; where the server has none for each
// message, every key is made from the digest of the header and the size instead. STAT, UIDL and LIST must agree;
// if they do not, they are asked once more in a new session.
func (s *Source) List(ctx context.Context, mailbox string) ([]mail.Item, error) {
	if err := onlyInbox("list", mailbox); err != nil {
		return nil, err
	}
	return s.list(ctx)
}

func onlyInbox(op, mailbox string) error {
	if mail.IsInbox(mailbox) {
		return nil
	}
	return &mail.Error{Op: op, Mailbox: mailbox, Scope: mail.ScopeMailbox, Cause: mail.CauseUsage,
		Err: errors.New("POP3 has one mailbox, INBOX")}
}

func (s *Source) list(ctx context.Context) (items []mail.Item, err error) {
	list := func(c *session) error {
		items, err = c.list()
		return err
	}
	err = s.do(ctx, "list", list)
	if errors.As(err, new(disagreement)) {
		err = s.do(ctx, "list", list)
	}
	if err != nil {
		return nil, err
	}
	s.delayed = s.session.caps.loginDelay() > 0
	if s.session.degraded && !s.noted {
		s.noted = true
		s.notes = append(s.notes, "the server has no UIDL for each message; they are told apart by their headers and sizes, which takes a TOP of each at every run")
	}
	return items, nil
}

// Notes returns what a person may want to know of the server, once.
func (s *Source) Notes() []string {
	notes := s.notes
	s.notes = nil
	return notes
}

// Fetch reads messages with RETR, which some servers mark as read; see backup.Source. A message that is not in
// the maildrop any more ends as vanished.
func (s *Source) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return s.read(ctx, whole, items, fn)
}

// Heads reads headers with TOP, which marks nothing; see backup.Headed. It is an error of ScopeMailbox if the server
// has no TOP.
func (s *Source) Heads(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return s.read(ctx, head, items, fn)
}

func (s *Source) read(ctx context.Context, what string, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	if len(items) == 0 {
		return nil
	}
	if s.session == nil || s.session.numbers == nil { // message numbers are good for one session only
		if _, err := s.list(ctx); err != nil {
			return err
		}
	}
	err := s.do(ctx, "fetch", func(c *session) error { return c.fetch(what, items, fn) })
	if own, ok := err.(fnError); ok {
		return own.err
	}
	return err
}

// End says QUIT, waits for the answer, and closes. Gmail takes everything that was read for delivered then.
func (s *Source) End(ctx context.Context) error {
	if s.session == nil {
		return nil
	}
	err := s.do(ctx, "quit", (*session).quit)
	s.drop()
	return err
}

// Close drops the connection, if there is one, without QUIT.
func (s *Source) Close() error {
	s.drop()
	return nil
}

// Windows reports whether another session may show more, as Gmail does, which shows some 250 conversations at a
// time and no sign of it. It is never worth it where the server wants a pause between logins.
func (s *Source) Windows() bool { return !s.delayed }

// do has work done on the session, logging in before if there is none. Cancelling ctx closes the connection, and so
// does any error: after it nobody can say what the server is at.
func (s *Source) do(ctx context.Context, op string, work func(*session) error) (err error) {
	if s.refused != nil {
		return s.refused
	}
	if cause := context.Cause(ctx); cause != nil {
		s.drop()
		return cause
	}
	if s.session == nil {
		s.session = newSession(ctx)
	}
	c := s.session
	stop := context.AfterFunc(ctx, func() { c.cut(context.Cause(ctx)) })
	defer func() {
		if !stop() || err != nil {
			s.drop()
		}
	}()
	if c.conn == nil {
		if err := s.open(c); err != nil {
			return within("log in", "", err)
		}
	}
	err = work(c)
	if no := (refusal{}); errors.As(err, &no) {
		err = within(op, mail.Inbox, no.said)
		s.refused = err
	}
	return within(op, mail.Inbox, err)
}

func (s *Source) drop() {
	if s.session != nil {
		s.session.abort()
		s.session = nil
	}
}
