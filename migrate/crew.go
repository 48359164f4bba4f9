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

// helpers returns hands that have nothing else to do and stand at the box now, for a batch of n messages. They are to
// be dismissed.
func (b *box) helpers(ctx context.Context, n int) (some []*hand) {
	for b.width() > 1 && n >= helpersFrom*(len(some)+2) {
		h := b.run.idle[0]
		b.run.idle = b.run.idle[1:]
		switch err := b.join(ctx, h); {
		case err == nil:
			some = append(some, h)
		case b.run.spares(err):
			b.run.lose(h, err)
		}
		b.run.idle = slices.DeleteFunc(b.run.idle, func(h *hand) bool { return h.lost })
	}
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
	hands := append(b.helpers(ctx, len(batch)), b.at)
	if len(hands) == 1 {
		return b.at.Append(ctx, b.name, batch, done)
	}
	defer b.run.dismiss(hands[:len(hands)-1])
	errs := make([]error, len(hands))
	b.run.outside(func() {
		var all sync.WaitGroup
		for k, h := range hands {
			all.Go(func() {
				errs[k] = h.append(ctx, b.name, every(batch, k, len(hands)), func(i int, got mail.Stored, err error) {
					done(k+i*len(hands), got, err)
				})
			})
		}
		all.Wait()
	})
	for k, h := range hands {
		if errs[k] != nil {
			h.at = nil
		}
	}
	if err := gravest(errs); err != nil {
		return err
	}
	// What other sessions have appended, a server need not show in this one until the mailbox is opened anew.
	b.selected = false
	return b.selectBox(ctx)
}

// every returns each nth of the batch, from the kth on, so that they arrive about in their order.
func every(batch []mail.Outgoing, k, n int) (some []mail.Outgoing) {
	for i := k; i < len(batch); i += n {
		some = append(some, batch[i])
	}
	return some
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
