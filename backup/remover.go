package backup

import (
	"context"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Remover takes messages out of an account, for good. It is used by one goroutine at a time, fails as a Source does, and
// connects when it must. Only Remove changes anything.
type Remover interface {
	// Mailboxes and List are those of Source. What List returns is asked for when it is called, never remembered.
	Mailboxes(ctx context.Context) ([]mail.Mailbox, error)
	List(ctx context.Context, mailbox string) ([]mail.Item, error)

	// Able returns how messages would leave the mailbox, or an error of ScopeMailbox that names what the server lacks: UIDLs;
	// UIDPLUS and a mailbox for the trash.
	Able(ctx context.Context, mailbox string) (mail.Removal, error)

	// Remove takes away those of the items of which r.Same says that they are what is archived, in batches of a few hundred.
	// Of each batch it looks in the session that removes whether the messages are there, shows each to r.Same, calls r.Intend
	// with those that are to go, and only then says the first command that harms them. Each message that was intended is
	// reported to r.Done once, whatever happens; so is, before that, what is not there or cannot be looked at. All else was
	// not touched.
	//
	// Over POP3 each batch is a session of its own, which ends with QUIT. Over IMAP an item whose UIDVALIDITY is not the
	// mailbox's ends Remove with an error of ScopeMailbox, and a message that somebody else has marked \Deleted is neither
	// removed nor changed. A message that stays is left without marks of ours, as far as the connection lasts.
	//
	// An error ends it: what was intended and has no answer is reported as Unsure before. It is never to be repeated before
	// a List has told what is still there.
	Remove(ctx context.Context, mailbox string, items []mail.Item, r mail.Removing) error

	// End ends the session politely, if there is one.
	End(ctx context.Context) error
}

// A Marker is a Remover that marks messages before it removes them, so that a Remove that was broken off may leave its marks
// behind (IMAP): the next EXPUNGE of any mail program takes away what is marked \Deleted.
type Marker interface {
	Remover

	// Unmark takes \Deleted off those of the items that are there. It is for messages that were intended and that a List
	// shows with this flag afterwards, before anything else is done about them.
	Unmark(ctx context.Context, mailbox string, items []mail.Item) error
}
