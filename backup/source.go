// Package backup brings mail from a source into the archive: everything the source shows that the archive does
// not hold yet, each message once, and none counted before it is safe on disk.
package backup

import (
	"context"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Source is an account to read from. It leaves the account as it found it. It is used by one goroutine at a
// time. Errors are *mail.Error; cancelling ctx closes the connection, and what fails because of that fails with the
// context's cause. A Source connects when it must: after an error of ScopeSession the next call dials again.
type Source interface {
	Mailboxes(ctx context.Context) ([]mail.Mailbox, error)

	// List returns every message the mailbox shows, none twice, or an error: a listing that does not add up is
	// never returned short.
	List(ctx context.Context, mailbox string) ([]mail.Item, error)

	// Fetch calls fn with each of the items in turn and the octets the server sends for it. The reader is good
	// until fn returns and says io.EOF only when the message is whole. A message that the server does not hand
	// over makes the first Read fail with an error of ScopeMessage, and Fetch goes on after fn; any other error
	// ends it. When fn fails, Fetch drops the connection without a farewell (over POP3 without QUIT) and
	// returns fn's error.
	Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error

	// End ends the session politely (over POP3 with QUIT, after which a server may forget what it handed over):
	// it is called when everything fetched is archived. Without a session it does nothing.
	End(ctx context.Context) error
}

// A Windowed source may show only a part of its mail at a time (Gmail over POP3): when a session has ended, the
// next may show more.
type Windowed interface {
	Source
	// Windows reports whether it is worth listing again in a new session.
	Windows() bool
}

// A Headed source can show headers alone, which is how mail is recognised whose keys have changed (TOP over POP3).
type Headed interface {
	Source

	// Heads calls fn with the header of each of the items in turn, up to the first empty line at least, as Fetch
	// does with the whole message.
	Heads(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error
}

// A Stateful source remembers: it can say what has changed in a mailbox since it was last looked at (IMAP).
type Stateful interface {
	Headed

	// Statuses returns how each of the mailboxes stands without opening it: in one command for all of them where
	// the server can (LIST-STATUS, RFC 5819), else with one STATUS each. One that cannot be asked is left out.
	Statuses(ctx context.Context, boxes []mail.Mailbox) (map[string]mail.Status, error)

	// Changes opens a mailbox for reading only and returns what differs from since, how it stood when it was last
	// looked at to the end; the zero Status stands for never. Requested and received UIDs are compared: what the
	// server counts and does not show makes it Partial.
	Changes(ctx context.Context, mailbox string, since mail.Status) (mail.Changes, error)

	// Items returns those of the messages with these UIDs that are there.
	Items(ctx context.Context, mailbox string, uids []uint32) ([]mail.Item, error)
}

// A Noted source has something to say of its server, once.
type Noted interface {
	Source
	Notes() []string
}
