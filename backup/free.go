package backup

import (
	"errors"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A Freeing takes out of an account what is safe in the archive, and nothing else. Plan says what may go and touches
// nothing; Carry takes that away.
//
// A message is safe when it is archived, and its file has been read from disk in this run and has the octets that were
// archived; when it is more than KeepDays days in the archive; when its octets were downloaded for itself, and not only
// taken for those of another entry; and when it was seen, in the last days, at each of the accounts in Delivered. Just before
// it goes it is looked at once more at the server, and its header compared with the archived one.
type Freeing struct {
	From    Remover
	Archive *archive.Archive
	Account mail.Account // From's
	Watch   progress.Watch
	Pause   retry.Pause // how to wait for a server; nil: by the clock
	Stop    <-chan struct{}

	// Wanted, if set, says which mailboxes mail may go from; nil: all. Views of mail that is elsewhere are never among them.
	Wanted       func(mail.Mailbox) bool
	Delivered    []mail.Account // where it must be as well, by what archive.Proofs say
	KeepDays     int
	LargerThan   int64 // octets, as the server counts
	Target       int64 // octets: no more goes when less than that is left in all of the mailboxes; 0: all that is safe goes
	LargestFirst bool  // else the oldest first
	Max          Ceiling
	TrustUIDL    bool      // where the server cannot show a header alone (POP3 without TOP), its UIDL is enough
	Now          time.Time // that ages are counted by; zero: now
}

// A Ceiling is how many messages may go in one run.
type Ceiling struct {
	N       int
	Percent bool // of what the mailboxes hold; a part of a message counts as one
}

func (c Ceiling) of(messages int) int {
	if c.Percent {
		return (messages*c.N + 99) / 100
	}
	return c.N
}

// A Stay is why a message stays.
type Stay string

// The reasons. Those of isDoubt should not have to be: something is to be done about them.
const (
	StayNew         Stay = "not_archived"  // it came since the last backup, or could not be archived
	StayYoung       Stay = "young"         // it has not been archived for long enough
	StaySmall       Stay = "small"         // it is not larger than LargerThan
	StayUndelivered Stay = "not_confirmed" // nobody has seen it at each destination lately
	StayUnread      Stay = "never_read"    // it was taken for the same as another message, and its octets were never compared
	StayMarked      Stay = "marked"        // another mail program has marked it as deleted
	StayBelow       Stay = "below_target"  // without it the target is met
	StayCeiling     Stay = "ceiling"       // so many may not go in one run
	StayVanished    Stay = "vanished"      // somebody else has removed it meanwhile
	StayDamaged     Stay = "damaged"       // its file is missing or damaged
	StayUnsure      Stay = "unsure"        // what the server shows is not for certain what is archived
	StayRefused     Stay = "refused"       // the server does not let it go
	StayUnknown     Stay = "unknown"       // the connection broke; the next run finds out what became of it
	StayUnreached   Stay = "not_reached"   // the run ended before
)

func (s Stay) isDoubt() bool {
	return s == StayDamaged || s == StayUnsure || s == StayRefused || s == StayUnknown || s == StayUnreached
}

// A Leaving is a message that may go, or has gone.
type Leaving struct {
	Entry int64
	Item  mail.Item
}

// A Doubt is a message that stays although it was its turn.
type Doubt struct {
	Ref    mail.Ref
	Entry  int64 // 0: it is not known
	Stay   Stay
	Reason string
}

// Freed says what became of each message: Listed = Going + the sum of Stays before Carry, and Listed = Gone + the sum of
// Stays after it.
type Freed struct {
	Listed  archive.Amount // what the mailboxes hold, as the server counts
	Going   []Leaving      // in the order they go
	Gone    archive.Amount
	Ways    map[string]mail.Removal // how they go, by mailbox
	Stays   map[Stay]archive.Amount
	Doubts  []Doubt
	Settled archive.Amount  // of an earlier run: what was not known to be gone, and is
	Unable  []error         // of mailboxes that nothing can be removed from, and that are not among Listed
	Left    *archive.Amount // what they held at the end; nil: it was not looked

	boxes map[string]archive.Amount // what each mailbox held when it was last listed
}

func (f *Freed) stays(s Stay, it mail.Item) {
	n := f.Stays[s]
	n.Messages++
	n.Octets += it.Size
	f.Stays[s] = n
}

func (f *Freed) doubt(s Stay, l Leaving, reason string) {
	f.stays(s, l.Item)
	f.Doubts = append(f.Doubts, Doubt{l.Item.Ref, l.Entry, s, reason})
}

// GoingOctets returns how much room that is, as the server counts.
func (f *Freed) GoingOctets() (sum int64) {
	for _, l := range f.Going {
		sum += l.Item.Size
	}
	return sum
}

// Incomplete reports whether a message stays that should not have to.
func (f *Freed) Incomplete() bool {
	for s, n := range f.Stays {
		if s.isDoubt() && n.Messages > 0 {
			return true
		}
	}
	return false
}

// ErrNoMailbox says that no mailbox of the account is wanted.
var ErrNoMailbox = errors.New("the account has no such folder")
