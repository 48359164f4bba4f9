// Package migrate brings mail from the archive to an account: what is not there yet, each message once, whatever
// was cut off in between, and it can say of every message what became of it.
package migrate

import (
	"context"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Destination is an account to write to. It is used by one goroutine at a time. Errors are *mail.Error;
// cancelling ctx closes the connection. A Destination connects when it must: after an error of ScopeSession the
// next call dials again.
type Destination interface {
	Mailboxes(ctx context.Context) ([]mail.Mailbox, error)

	// Namespace returns where the owner's mailboxes stand, zero if the server does not say.
	Namespace(ctx context.Context) (mail.Namespace, error)

	// Room returns how much more the account takes. It opens no mailbox.
	Room(ctx context.Context) (mail.Room, error)

	// Create makes the mailbox, and subscribes the owner to it, or not, as mb has it. It is no error if it is there
	// already, nor if the server does not want to know of subscriptions.
	Create(ctx context.Context, mb mail.Mailbox) error

	// Select opens the mailbox for appending. No UIDVALIDITY, or none that can be trusted, is an error.
	Select(ctx context.Context, mailbox string) (mail.Status, error)

	// List calls fn with the messages of the mailbox with UIDs of from and above, with their Header, some at a time: each
	// once, and in order but for those that the server has left out at first.
	List(ctx context.Context, mailbox string, from uint32, fn func([]mail.Item)) error

	// Fetch reads messages back without marking them read; as backup.Source's.
	Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error

	// Append sends the batch to one mailbox, in order, and reports the outcome of each message at most once, as
	// soon as it is known: a nil error means the server said OK; an error of ScopeMessage is the server's definite
	// no; one with Unsure set means the server may have stored it or not; one that is no *mail.Error says why the
	// message could not be read here, and nothing of it is stored. What was not reported when Append returns is not
	// there: it was not sent, or turned away for a reason that lies not in it (a quota, a busy server), which is then
	// the error returned. It sends no message again that the server may have.
	Append(ctx context.Context, mailbox string, batch []mail.Outgoing, done func(i int, got mail.Stored, err error)) error

	// Mark adds flags to messages of the mailbox, those that Append has sent them without, and returns for each message
	// which of them it is without all the same: \Deleted always, for anybody's EXPUNGE would take the message away, and
	// what the mailbox does not keep or the server refuses, which is no error. After an error some may have been added;
	// to mark again does no harm.
	Mark(ctx context.Context, mailbox string, marks []mail.Marking) (dropped []mail.Flags, err error)
}
