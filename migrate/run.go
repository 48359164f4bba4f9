package migrate

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A Job brings what Archive holds to Destination.
type Job struct {
	Archive     *archive.Archive
	Destination Destination
	// Others are further sessions of the same account, to be used where several are better than one. They connect when
	// they must.
	Others  []Destination
	Account mail.Account // the destination's: outcomes are kept for it
	Rules   Rules        // where mailboxes go; the zero value leaves it to what is known of both sides
	Watch   progress.Watch
	Pause   retry.Pause // how to wait for a server; nil: by the clock
	// IncludeGone brings also what the source shows no more.
	IncludeGone bool
	// Chosen brings only what was given to the archive's Choose. No other folder is made at the destination, and the run does
	// not count as one that has brought everything.
	Chosen bool
	// MergeByID brings one message of each Message-ID to a mailbox, whatever the others hold.
	MergeByID bool
	// Allow, if set, is asked before messages are sent, and AllowBack before messages there are read to be compared
	// with ours. When nothing may go, Run settles what went and ends with the error.
	Allow, AllowBack retry.Allow
	// Stop, when closed, makes Run finish the batch it is at and return retry.ErrStopped.
	Stop <-chan struct{}
	// More, if set, says that more has been archived meanwhile; Run goes on until it is closed.
	More <-chan struct{}
	// Held, if set, says that nothing is to be brought of a mailbox of the archive yet. It is asked again when there is
	// More.
	Held func(mailbox string) bool
	// Whole, if set, reports when there is no More whether the source was gone through to its end. Until then nothing is
	// brought of a view of all mail.
	Whole func() bool
	// Repair brings what the server refuses, or has refused, as mended copies.
	Repair bool
	// Seen says what of POP3 mail is brought as read.
	Seen Seen
}

func (j Job) wanted() archive.Wanted { return archive.Wanted{Gone: j.IncludeGone, Chosen: j.Chosen} }

// Run works until every message of the archive that is wanted is at the destination or was refused, and returns what became of
// each; the report holds also when the error says why it ended early. What it has recorded before an error stays
// recorded: the next Run settles what was under way and goes on from there.
func (j Job) Run(ctx context.Context) (Report, error) {
	j.Watch = alone(j.Watch)
	r := newRun(j)
	before, err := j.Archive.Counts(j.Account)
	if err != nil {
		return Report{}, err
	}
	err = r.begin(ctx)
	r.noteDropped()
	report, rerr := r.report(before)
	return report, cmp.Or(err, rerr)
}

// newRun returns a run that has no hands yet.
func newRun(j Job) *run {
	r := &run{
		Job:     j,
		boxes:   map[string]*box{},
		unsure:  map[int64]int{},
		skipped: map[int64]Failure{},
		blocked: map[string]bool{},
		merges:  map[int64]archive.Outcome{},

		flaggings: map[string]*flagging{},
		dropped:   map[mail.Flag]int{},
		mending:   newMending(),
		remade:    map[string]bool{},
	}
	if from, ok := j.Archive.Account(); ok {
		r.flagless = from.Protocol == "pop3"
	}
	return r
}

// run is one Run under way. All that is here belongs to the hand that has the floor.
type run struct {
	Job
	floor     sync.Mutex
	door      sync.Mutex // held by a hand that comes
	hands     []*hand    // the first is that of Destination
	idle      []*hand    // those that may help others
	queue     []errand
	serving   int         // hands at work beside the first
	halted    error       // why the run is to end
	halting   atomic.Bool // it is; for those who have not got the floor
	layout    layout
	flagless  bool                      // the archive's mail comes from POP3, which has no flags
	whole     bool                      // everything that the source shows is archived
	brought   map[string]bool           // mailboxes of the archive of which mail was brought before
	ranBefore bool                      // a run came to its end before
	room      mail.Room                 // what the destination took when the run began
	short     bool                      // it was said that this is too little
	boxes     map[string]*box           // by name at the destination
	unsure    map[int64]int             // how often an entry's APPEND was left without an answer
	skipped   map[int64]Failure         // entries not to be tried again in this run
	blocked   map[string]bool           // shares that cannot be brought now, by key
	blockedBy error                     // why the first of them cannot
	merges    map[int64]archive.Outcome // by entry: what was merged in this run
	findings  []Finding
	octets    int64
	sample    sample
	flaggings map[string]*flagging
	remade    map[string]bool   // mailboxes at the destination that were made again
	dropped   map[mail.Flag]int // messages of this run that are there without the flag
	mending   *mending
}

// begin works with the floor taken.
func (r *run) begin(ctx context.Context) error {
	for _, d := range append([]Destination{r.Destination}, r.Others...) {
		r.hire(d)
	}
	r.floor.Lock()
	defer r.floor.Unlock()
	return r.work(ctx)
}

func (r *run) work(ctx context.Context) error {
	some, err := r.anyToBring()
	if err != nil {
		return err
	}
	if lacking, err := r.mayLackFolders(); err != nil || !some && !lacking && r.More == nil {
		return err // nothing to bring: not even a login
	}
	if err := r.mayBegin(ctx); err != nil {
		return err
	}
	if err := r.layOut(ctx); err != nil {
		return err
	}
	if err := r.preflight(ctx); err != nil {
		return err
	}
	if err := r.settleIntents(ctx); err != nil {
		return err
	}
	for more := true; more && err == nil; more, err = r.awaitMore(ctx) {
		if err := r.round(ctx); err != nil {
			return r.ended(ctx, err)
		}
	}
	if err != nil {
		return err
	}
	if err := cmp.Or(r.audit(ctx), r.blockedBy, r.mapFolders()); err != nil || r.Chosen {
		return err
	}
	return r.Archive.RanTo(r.Account)
}

// awaitMore waits until more has been archived; false means that nothing more will come.
func (r *run) awaitMore(ctx context.Context) (bool, error) {
	if r.More == nil {
		return false, nil
	}
	r.floor.Unlock()
	defer r.floor.Lock()
	select {
	case _, open := <-r.More:
		if !open {
			r.More = nil // one more round, for what came last
		}
		return true, nil
	case <-r.Stop:
		return false, retry.ErrStopped
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// round brings what is pending in every mailbox of the archive. One that cannot be written to does not keep the
// others waiting, and is not tried again in this run.
func (r *run) round(ctx context.Context) error {
	mailboxes, err := r.Archive.Mailboxes()
	if err != nil {
		return err
	}
	if err := r.beforeRound(mailboxes); err != nil {
		return err
	}
	errands, err := r.errands(mailboxes)
	if err != nil {
		return err
	}
	return r.together(ctx, errands)
}

// bring brings one share of a mailbox.
func (r *run) bring(ctx context.Context, h *hand, mb archive.Mailbox, p share) error {
	if r.blocked[p.key()] {
		return nil
	}
	bring := func() error {
		if err := r.makeFolder(ctx, h, mb, p); err != nil {
			return err
		}
		return r.push(ctx, h, p)
	}
	err := r.persist(ctx, h, bring)
	if r.remake(err, p.To.Name) {
		err = r.persist(ctx, h, bring)
	}
	if err == nil || !mailboxOnly(err) {
		return err
	}
	r.blocked[p.key()], r.blockedBy = true, cmp.Or(r.blockedBy, notMade(err, p.Step))
	return nil
}

// mailboxOnly reports whether other mailboxes can still be written to.
func mailboxOnly(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope <= mail.ScopeMailbox
}

// persist does it again as long as a new session is worth a try. A box that was open is to be opened again then.
func (r *run) persist(ctx context.Context, h *hand, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		for _, b := range r.boxes {
			b.selected = b.selected && b.at != h
		}
		if h != r.hands[0] && !h.worked && r.spares(err) {
			return err // it is not waited for: there are others
		}
		if again := h.again(ctx, err); again != nil {
			return again
		}
	}
}

func (r *run) note(text string) {
	r.Watch.Tell(progress.Note{Half: progress.Destination, Text: text})
}

// skip leaves an entry for the next run.
func (r *run) skip(e archive.Entry, reason string) {
	if r.mending.leave(e.ID) {
		return
	}
	f := failure(e, StateFailed, reason)
	r.skipped[e.ID] = f
	r.Watch.Tell(progress.Failed{Half: progress.Destination, Ref: e.Ref, State: f.State, Reason: reason})
}
