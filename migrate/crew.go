package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A Serial destination answers each message of an Append before it takes the next, so that several sessions at one
// mailbox are worth their while.
type Serial interface {
	Destination
	Serial() bool
}

// errHalted ends the work of a hand because that of another has ended the run.
var errHalted = errors.New("another session has ended the run")

// An errand is what is to be done in one mailbox at the destination. One hand runs it from beginning to end.
type errand struct {
	to string
	do []func(ctx context.Context, h *hand) error
}

// errands returns what there is to do, in the order of the archive's mailboxes.
func (r *run) errands(mailboxes []archive.Mailbox) (all []errand, err error) {
	for _, mb := range mailboxes {
		if r.Held != nil && r.Held(mb.Name) {
			continue
		}
		shares, err := r.shares(mb.Name)
		if err != nil {
			return nil, err
		}
		for _, s := range shares {
			i := slices.IndexFunc(all, func(e errand) bool { return e.to == s.To.Name })
			if i < 0 {
				i = len(all)
				all = append(all, errand{to: s.To.Name})
			}
			all[i].do = append(all[i].do, func(ctx context.Context, h *hand) error { return r.bring(ctx, h, mb, s) })
		}
	}
	return all, nil
}

// together runs the errands with as many hands as there are, and returns what ended the run, if anything did.
func (r *run) together(ctx context.Context, errands []errand) error {
	r.queue = errands
	for len(r.queue) > 0 && r.halted == nil { // what a hand that is lost has left, the first one does
		r.idle = nil
		early, late := context.WithCancel(ctx)
		var others sync.WaitGroup
		for _, h := range r.hands[1:] {
			switch {
			case h.lost:
			case len(r.queue) > 1+r.serving:
				r.serving++
				others.Go(func() {
					r.floor.Lock()
					defer r.floor.Unlock()
					if r.comes(early, h) {
						r.serve(ctx, h)
					}
					r.serving--
					r.idle = append(r.idle, h)
				})
			default:
				r.idle = append(r.idle, h)
			}
		}
		r.serve(ctx, r.hands[0])
		late() // there is nothing left for who has not come yet
		r.outside(others.Wait)
	}
	err := r.halted
	r.halted = nil
	return err
}

// comes has a hand log in before it takes an errand, and reports whether it can: logins are some time apart, and little
// mail is brought sooner than that by who is there. One comes after the other: what it is told, all need not hear.
func (r *run) comes(early context.Context, h *hand) bool {
	if h.worked {
		return true
	}
	r.outside(r.door.Lock)
	defer r.door.Unlock()
	if h.lost || early.Err() != nil {
		return false
	}
	_, err := h.Namespace(early)
	if early.Err() == nil && r.spares(err) {
		r.lose(h, err)
	}
	return early.Err() == nil && !h.lost
}

// serve has a hand run errands until there are none, or it is lost, or the run ends.
func (r *run) serve(ctx context.Context, h *hand) {
	for len(r.queue) > 0 && r.halted == nil && !h.lost {
		e := r.queue[0]
		r.queue = r.queue[1:]
		err := e.run(ctx, h)
		switch {
		case err == nil, errors.Is(err, errHalted):
		case h != r.hands[0] && r.spares(err):
			r.lose(h, err)
			r.queue = append(r.queue, e) // it goes on where it was broken off
		case r.halted == nil:
			r.halted = err
			r.halting.Store(!retry.IsNotAllowed(err)) // what the others were allowed, they do
		}
	}
}

// spares reports whether what has befallen one hand leaves the others unharmed: a server that allows no further session
// says so in many ways, a refused login among them.
func (r *run) spares(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && (e.Scope == mail.ScopeSession || e.Cause == mail.CauseLogin)
}

// lose goes on with one hand less, and with none that was not at work yet: that one would fare the same.
func (r *run) lose(h *hand, why error) {
	h.lost = true
	left := 0
	for _, other := range r.hands[1:] {
		other.lost = other.lost || !other.worked
		if !other.lost {
			left++
		}
	}
	r.note(fmt.Sprintf("going on with fewer sessions (%d): %v", left+1, why))
}

// run runs the errand.
func (e errand) run(ctx context.Context, h *hand) error {
	h.at = nil
	for _, do := range e.do {
		if err := do(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// helpers are worth their while from so many messages each.
const helpersFrom = 4

// width is for how many hands a batch is made.
func (b *box) width() int {
	if s, ok := b.at.dst.(Serial); !ok || !s.Serial() {
		return 1
	}
	return 1 + len(b.run.idle)
}

// helpers takes hands that have nothing else to do, for a batch of n messages. They are to be dismissed.
func (b *box) helpers(n int) []*hand {
	many := min(b.width(), n/helpersFrom) - 1
	if many <= 0 {
		return nil
	}
	some := b.run.idle[:many]
	b.run.idle = b.run.idle[many:]
	return some
}

// join has a helper open the mailbox, which must be the one that the box is.
func (b *box) join(ctx context.Context, h *hand) error {
	if h.at == b {
		return nil
	}
	st, err := h.Select(ctx, b.name)
	if err == nil && st.Validity != b.status.Validity {
		err = fmt.Errorf("the folder has another UIDVALIDITY (%d) in another session", st.Validity)
	}
	if err == nil {
		h.at = b
	}
	return err
}

// dismiss gives helpers back.
func (r *run) dismiss(some []*hand) {
	r.idle = append(r.idle, slices.DeleteFunc(some, func(h *hand) bool { return h.lost })...)
}

// sendAll sends a batch, with the help of all hands where that is worth their while; see Destination.Append.
func (b *box) sendAll(ctx context.Context, batch []mail.Outgoing, done func(i int, got mail.Stored, err error)) error {
	helpers := b.helpers(len(batch))
	if len(helpers) == 0 {
		return b.at.Append(ctx, b.name, batch, done)
	}
	defer b.run.dismiss(helpers)
	c := &common{box: b, batch: batch, done: done, hands: 1 + len(helpers)}
	early, late := context.WithCancel(ctx)
	c.late = late
	b.run.outside(func() {
		var all sync.WaitGroup
		for _, h := range helpers {
			all.Go(func() {
				if c.comes(early, h) {
					c.work(ctx, h)
				}
			})
		}
		c.work(ctx, b.at)
		all.Wait()
	})
	late()
	if err := gravest(c.errs); err != nil {
		return err
	}
	// What other sessions have appended, a server need not show in this one until the mailbox is opened anew.
	b.selected = false
	return b.selectBox(ctx)
}

// A common is a batch that several hands send, each one part after the other: who comes later takes part in what is left.
type common struct {
	*box
	batch []mail.Outgoing
	done  func(i int, got mail.Stored, err error)
	hands int
	late  func() // tells who has not come yet that nothing is left

	mu   sync.Mutex
	next int
	errs []error
}

// A part is large enough that the way there and back that it costs to begin one counts for little, and small enough that all
// end at about the same time, and that messages arrive about in their order.
const (
	minPart = helpersFrom
	maxPart = 64
)

// part returns what is to be sent next, in batch[from:to]; nothing if from is to.
func (c *common) part() (from, to int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from = c.next
	c.next = min(from+min(max((len(c.batch)-from)/(4*c.hands), minPart), maxPart), len(c.batch))
	if c.next == len(c.batch) {
		c.late()
	}
	return from, c.next
}

// comes has a helper log in and open the mailbox, one after the other as in run.comes, and reports whether it can work.
func (c *common) comes(early context.Context, h *hand) bool {
	r := c.run
	r.door.Lock()
	defer r.door.Unlock()
	r.floor.Lock()
	defer r.floor.Unlock()
	if h.lost || early.Err() != nil {
		return false
	}
	err := c.join(early, h)
	if err == nil {
		return true
	}
	h.at = nil
	if early.Err() == nil && r.spares(err) {
		r.lose(h, err)
	}
	return false
}

// work sends part after part. What ends a session leaves the rest to the others; what is everybody's trouble ends it for all.
func (c *common) work(ctx context.Context, h *hand) {
	for {
		from, to := c.part()
		if from == to {
			return
		}
		err := h.append(ctx, c.name, c.batch[from:to], func(i int, got mail.Stored, err error) { c.done(from+i, got, err) })
		if err == nil {
			continue
		}
		h.at = nil
		c.mu.Lock()
		defer c.mu.Unlock()
		c.errs = append(c.errs, err)
		if !c.run.spares(err) {
			c.next = len(c.batch)
			c.late()
		}
		return
	}
}

// gravest returns the error that spoils most.
func gravest(errs []error) error {
	scope := func(err error) mail.Scope {
		var e *mail.Error
		if err != nil && !errors.As(err, &e) {
			return mail.ScopeAccount + 1
		} else if err == nil {
			return 0
		}
		return e.Scope
	}
	if len(errs) == 0 {
		return nil
	}
	return slices.MaxFunc(errs, func(a, b error) int { return int(scope(a) - scope(b)) })
}

// alone makes a Watch that several goroutines may tell.
func alone(w progress.Watch) progress.Watch {
	if w == nil {
		return nil
	}
	var mu sync.Mutex
	return func(e progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		w(e)
	}
}
