package backup

import (
	"context"
	"io"

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
	Able(ctx context.Context, mailbox string) (Removal, error)

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
	Remove(ctx context.Context, mailbox string, items []mail.Item, r Removing) error

	// End ends the session politely, if there is one.
	End(ctx context.Context) error
}

// A Removal is a way for messages to leave a mailbox.
type Removal int

// The ways.
const (
	RemovalQuit    Removal = iota + 1 // POP3: DELE, and gone with QUIT (RFC 1939 §6)
	RemovalExpunge                    // IMAP: UID EXPUNGE of what was marked (RFC 4315)
	RemovalTrash                      // IMAP: moved to the trash, where it takes up room until that is emptied
)

// Removing is what Remove asks and tells. All calls are made in the goroutine of Remove.
type Removing struct {
	// Same reports whether the message is what is archived. The item is as the server shows it now; the header, up to the
	// first empty line at least, is good until Same returns, and nil if the server cannot show a header alone (POP3 without
	// TOP). What it says no to is not touched and not reported. An error of it ends Remove before the batch is harmed.
	Same func(item mail.Item, header io.Reader) (bool, error)

	// Intend is called with what of a batch is to go before the first command that harms it; its error ends Remove
	// before that.
	Intend func(items []mail.Item) error

	// Done is called when it is known what became of a message: nil, it is gone; a *mail.Error of ScopeMessage, it stays, or
	// was gone before (CauseVanished); the same with Unsure, the answer was lost, and only a new listing can tell.
	Done func(item mail.Item, err error)
}
