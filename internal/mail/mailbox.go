package mail

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"
)

// Inbox is the one mailbox name every account has (RFC 9051 §5.1); it is matched in any case.
const Inbox = "INBOX"

// A Role is what a mailbox is for: a special use of RFC 6154, or RoleInbox.
type Role string

// The roles of RFC 6154 §2, RFC 8457 and the INBOX.
const (
	RoleNone      Role = ""
	RoleInbox     Role = "inbox"
	RoleAll       Role = "all"
	RoleArchive   Role = "archive"
	RoleDrafts    Role = "drafts"
	RoleFlagged   Role = "flagged"
	RoleImportant Role = "important"
	RoleJunk      Role = "junk"
	RoleSent      Role = "sent"
	RoleTrash     Role = "trash"
)

// A Mailbox is one folder of an account.
type Mailbox struct {
	// Name is the name as the server spells it on the wire, in full; it is the key, and never prettified.
	// INBOX, in whatever case, is spelt "INBOX".
	Name string
	// Delim separates the levels of Name; 0 where the server has none (NIL).
	Delim rune
	Role  Role
	// NoSelect: it is a name in the tree only, and holds no mail (RFC 9051 §7.3.1, \Noselect or \NonExistent).
	NoSelect bool
	// Subscribed: the account's owner wants to see it (RFC 9051 §6.3.7).
	Subscribed bool
}

// IsInbox reports whether name is the INBOX.
func IsInbox(name string) bool { return strings.EqualFold(name, Inbox) }

// A Ref names one message at its source, for good: over IMAP by mailbox, UIDVALIDITY and UID; over POP3 by the
// UIDL, in mailbox INBOX with Validity 0. A message number is never part of it: it means one session only.
type Ref struct {
	Mailbox  string
	Validity uint32 // UIDVALIDITY (RFC 9051 §2.3.1.1); 0 over POP3
	// UID is the UID in decimal, or the UIDL as raw octets (RFC 1939 §7). A UIDL that a listing shows more than
	// once is followed by NUL and the number of its occurrence from the second on.
	UID string
}

// String is for people and reports, not for keys.
func (r Ref) String() string {
	if r.Validity == 0 {
		return r.Mailbox + "/" + strings.ReplaceAll(r.UID, "\x00", "#")
	}
	return r.Mailbox + "/" + strconv.FormatUint(uint64(r.Validity), 10) + "/" + r.UID
}

// An Item is a message as a listing shows it: everything but its octets.
type Item struct {
	Ref Ref
	// Size in octets as the server announces it: LIST (RFC 1939 §5) or RFC822.SIZE. An estimate, never an equality.
	Size  int64
	Flags Flags
	// Received is the INTERNALDATE (RFC 9051 §2.3.3), not the Date header; zero where the protocol has none.
	Received time.Time
	// Header is what the listing asked for of the header, zero where it did not.
	Header Header
	// Identity is the same for two messages only if the server vouches that their octets are: EMAILID (RFC 8474) or
	// X-GM-MSGID, with its name before it; "" where the server has neither.
	Identity string
}

// An Account names an account for good: what an archive is bound to and outcomes are kept for. Port and TLS are
// ways to reach it, not part of it.
type Account struct {
	Protocol string // "pop3" or "imap"
	Host     string // in lower case
	User     string
}

// String is the account's key and its name in reports; it holds no secret.
func (a Account) String() string { return a.Protocol + "://" + a.User + "@" + a.Host }

// A Status is how a mailbox stands (RFC 9051 §6.3.2 and §6.3.11).
type Status struct {
	Validity uint32 // UIDVALIDITY, never 0
	Next     uint32 // UIDNEXT: no message that arrives after has a smaller UID; never 0
	Messages uint32 // EXISTS
	ModSeq   uint64 // HIGHESTMODSEQ (RFC 7162 §3.1.2); 0: the server does not say
	ID       string // MAILBOXID (RFC 8474), which a renamed mailbox keeps; "": the server does not say
}

// Changes are what differs in a mailbox from how it stood when it was last looked at.
type Changes struct {
	Status Status // how it stands now
	// New are the messages that were not there: those with UIDs of the old Next and above, or, if it was never
	// looked at or its UIDVALIDITY has changed, all of them.
	New []Item
	// Flags are older messages with the flags they have now: those whose flags have changed since, where the server
	// can tell (CONDSTORE), else all of them.
	Flags []Item
	// Left are the UIDs of the older messages that are still there, in order; nil: all of them are.
	Left []uint32
	// Partial says why the server shows only a part of the mailbox, for a person; "": it shows the whole.
	Partial string
}

// An Outgoing is a message on its way to a destination.
type Outgoing struct {
	Flags    Flags
	Received time.Time // becomes the INTERNALDATE; zero: the server's own time
	Octets   int64     // of the canonical form, to the octet
	// Open returns the canonical form, which must be Octets long; the caller closes it.
	Open func() (io.ReadCloser, error)
}

// Stored is what a server has said of a message that it took.
type Stored struct {
	UID uint32 // as a valid APPENDUID (RFC 4315) names it; 0: it named none
	// Lacks are the flags of the message that it was sent without, for whatever reason: \Deleted always, those that
	// the mailbox does not keep, cannot be said, or were refused.
	Lacks Flags
}

// A Marking is flags that are to be added to a message.
type Marking struct {
	UID   uint32
	Flags Flags
}

// A Login is who logs in and how the secret is had. A password is asked for at the first login only and kept by nobody
// else; a token is asked for at every login.
type Login struct {
	User     string
	Password func(ctx context.Context) (string, error)
	// Token, if set, returns an OAuth2 access token, which is used instead of a password. refused is the one that the
	// server has just refused, "" if it was none: then another is wanted, or the error that says why there is none.
	Token func(ctx context.Context, refused string) (string, error)
	// Authorize is whose mail is wanted, where it is another's than User's: the authorization identity of SASL
	// (RFC 4422 §2).
	Authorize string
	// Mechanism is the only SASL mechanism to be used; LOGIN and USER are the commands of that name. "" leaves it to
	// what both ends can do.
	Mechanism string
}
