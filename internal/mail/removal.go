package mail

import "io"

// A Removal is a way for messages to leave a mailbox.
type Removal int

// The ways.
const (
	RemovalQuit    Removal = iota + 1 // POP3: DELE, and gone with QUIT (RFC 1939 §6)
	RemovalExpunge                    // IMAP: UID EXPUNGE of what was marked (RFC 4315)
	RemovalTrash                      // IMAP: moved to the trash, where it takes up room until that is emptied
	// RemovalEverywhere is RemovalTrash where mailboxes are labels (Gmail): the message goes from all that show it, and the
	// provider empties the trash after some days. The messages that are one have the same Identity.
	RemovalEverywhere
)

// Removing is what backup.Remover's Remove asks and tells. All calls are made in the goroutine of Remove.
type Removing struct {
	// Same reports whether the message is what is archived. The item is as the server shows it now; the header, up to the
	// first empty line at least, is good until Same returns, and nil if the server cannot show a header alone (POP3 without
	// TOP). What it says no to is not touched and not reported. An error of it ends Remove before the batch is harmed.
	Same func(item Item, header io.Reader) (bool, error)

	// Intend is called with what of a batch is to go before the first command that harms it; its error ends Remove
	// before that.
	Intend func(items []Item) error

	// Done is called when it is known what became of a message: nil, it is gone; a *Error of ScopeMessage, it stays, or
	// was gone before (CauseVanished); the same with Unsure, the answer was lost, and only a new listing can tell.
	Done func(item Item, err error)
}
