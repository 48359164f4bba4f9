package backup

import (
	"cmp"
	"context"
	"errors"
	"slices"
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

// Plan looks at the account and reads from disk what may go. After an error it returns what it has found till then, of
// which nothing is to go.
func (f Freeing) Plan(ctx context.Context) (*Freed, error) {
	r := f.begin(&Freed{Stays: map[Stay]archive.Amount{}, Ways: map[string]mail.Removal{}, boxes: map[string]archive.Amount{}})
	err := r.plan(ctx)
	if err != nil {
		for _, l := range r.freed.Going {
			r.freed.stays(StayUnreached, l.Item)
		}
		r.freed.Going = nil
	}
	return r.freed, err
}

// freeing is one Plan or Carry under way.
type freeing struct {
	Freeing
	retry retry.Policy
	freed *Freed
	labels
}

func (f Freeing) begin(freed *Freed) *freeing {
	if f.Now.IsZero() {
		f.Now = time.Now()
	}
	return &freeing{Freeing: f, freed: freed, retry: retry.Policy{Half: progress.Source, Watch: f.Watch, Stop: f.Stop, Pause: f.Pause}}
}

func (r *freeing) plan(ctx context.Context) error {
	boxes, err := r.mailboxes(ctx)
	if err != nil {
		return err
	}
	days, err := r.Archive.Arrivals()
	if err != nil {
		return err
	}
	var may []candidate
	for _, b := range boxes {
		b.days = days
		some, err := b.look(ctx)
		if err != nil {
			return err
		}
		may = append(may, some...)
		if err := r.stopped(); err != nil {
			return err
		}
	}
	// What follows may take long, and a POP3 session keeps others out. How one ends that has only looked does not matter.
	_ = r.From.End(ctx)
	if len(r.freed.Unable) == len(boxes) {
		return r.freed.Unable[0]
	}
	return r.choose(ctx, append(may, r.labelled()...))
}

// mailboxes returns those that mail may go from, and where they are labels all others too: what is in them is in these as well.
func (r *freeing) mailboxes(ctx context.Context) (boxes []*freeBox, err error) {
	var all []mail.Mailbox
	err = r.persist(ctx, func() (err error) {
		all, err = r.From.Mailboxes(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	labels, err := r.areLabels(ctx, all)
	found := false
	for _, mb := range all {
		b := &freeBox{freeing: r, Mailbox: mb, wanted: r.Wanted == nil || r.Wanted(mb)}
		view := mb.Role == mail.RoleAll && !labels || mb.Role == mail.RoleFlagged || mb.Role == mail.RoleImportant
		if !mb.NoSelect && !view && (b.wanted || labels) {
			boxes = append(boxes, b)
			found = found || b.wanted
		}
	}
	if err == nil && !found {
		err = ErrNoMailbox
	}
	return boxes, err
}

func (r *freeing) persist(ctx context.Context, do func() error) error {
	return persist(ctx, &r.retry, do)
}

func (r *freeing) stopped() error {
	select {
	case <-r.Stop:
		return retry.ErrStopped
	default:
		return nil
	}
}

// choose takes the candidates in their order, reads from disk what it takes, and ends with what is wanted.
func (r *freeing) choose(ctx context.Context, may []candidate) error {
	r.inOrder(may)
	left, ceiling := r.freed.Listed.Octets, r.Max.of(r.freed.Listed.Messages)
	r.Watch.Tell(progress.Listed{Half: progress.Archive, Messages: min(len(may), ceiling)})
	for i, c := range may {
		switch {
		case r.Target > 0 && left < r.Target:
			r.freed.stays(StayBelow, c.Item)
			continue
		case len(r.freed.Going) >= ceiling:
			r.freed.stays(StayCeiling, c.Item)
			continue
		}
		sound, err := r.examine(ctx, c)
		if err != nil {
			for _, c := range may[i:] {
				r.freed.stays(StayUnreached, c.Item)
			}
			return err
		}
		if sound {
			r.freed.Going = append(r.freed.Going, c.Leaving)
			left -= c.Item.Size
		}
	}
	return nil
}

func (r *freeing) inOrder(may []candidate) {
	slices.SortStableFunc(may, func(a, b candidate) int {
		if r.LargestFirst && a.Item.Size != b.Item.Size {
			return cmp.Compare(b.Item.Size, a.Item.Size)
		}
		return cmp.Or(cmp.Compare(a.received, b.received), cmp.Compare(a.Entry, b.Entry))
	})
}

// examine reports whether a candidate is for certain what is archived, and its file sound.
func (r *freeing) examine(ctx context.Context, c candidate) (bool, error) {
	if err := cmp.Or(r.stopped(), context.Cause(ctx)); err != nil {
		return false, err
	}
	if c.doubt != "" {
		r.freed.doubt(StayUnsure, c.Leaving, c.doubt)
		return false, nil
	}
	e, err := r.Archive.Entry(c.Entry)
	if err == nil {
		err = r.Archive.Check(e)
	}
	unread := false
	if err == nil && !c.read {
		unread, err = r.Archive.Unread(e)
	}
	r.Watch.Tell(progress.Moved{Half: progress.Archive, Octets: e.Octets})
	if damage := new(archive.DamagedError); errors.As(err, &damage) {
		r.freed.doubt(StayDamaged, c.Leaving, damage.Why)
		return false, nil
	}
	if err == nil && unread {
		r.freed.stays(StayUnread, c.Item)
	}
	return err == nil && !unread, err
}
