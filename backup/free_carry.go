package backup

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// Carry takes away what Plan said may go, and completes what Plan returned. What it says of a message holds also after an
// error. Before the server is told to remove anything, that is written down; what became of it is, when the server has
// said so, and is looked for in a new listing at the end, or, should the run die, by the next one.
func (f Freeing) Carry(ctx context.Context, plan *Freed) error {
	r := &carrying{freeing: f.begin(plan), todo: plan.Going, touched: map[string]bool{}, claimed: map[mail.Ref]Leaving{}, unsure: map[mail.Ref]Leaving{}}
	plan.Going = nil
	err := r.carry(ctx)
	err = cmp.Or(err, r.lookAgain(ctx))
	for _, l := range r.todo {
		plan.stays(StayUnreached, l.Item)
	}
	for _, l := range r.unsure {
		plan.doubt(StayUnknown, l, "the connection broke before the server had said whether it is gone; the next run finds out")
	}
	for _, l := range r.claimed {
		plan.Gone.Messages++
		plan.Gone.Octets += l.Item.Size
	}
	return err
}

// carrying is one Carry under way.
type carrying struct {
	*freeing
	todo    []Leaving
	touched map[string]bool      // mailboxes that something was asked of
	claimed map[mail.Ref]Leaving // gone, as the server says
	unsure  map[mail.Ref]Leaving // intended, and not known to be gone or there
}

func (r *carrying) carry(ctx context.Context) error {
	r.Watch.Tell(progress.Listed{Half: progress.Source, Messages: len(r.todo), Octets: leavingOctets(r.todo)})
	var first error
	for len(r.todo) > 0 {
		some := r.next()
		err := r.remove(ctx, some)
		if err == nil {
			continue
		}
		if mailboxOnly(err) { // the others can still be emptied
			first = cmp.Or(first, err)
			r.giveUp(some[0].Item.Ref.Mailbox, err)
			continue
		}
		if again := r.retry.Again(ctx, err); again != nil {
			return cmp.Or(first, again)
		}
		if err := r.resume(ctx, some[0].Item.Ref.Mailbox); err != nil {
			return cmp.Or(first, err)
		}
	}
	return first
}

func leavingOctets(all []Leaving) (sum int64) {
	for _, l := range all {
		sum += l.Item.Size
	}
	return sum
}

// next takes from what is to be done all that is in the mailbox of the first.
func (r *carrying) next() (some []Leaving) {
	var others []Leaving
	for _, l := range r.todo {
		if l.Item.Ref.Mailbox == r.todo[0].Item.Ref.Mailbox {
			some = append(some, l)
		} else {
			others = append(others, l)
		}
	}
	r.todo = others
	return some
}

// remove has the messages of one mailbox removed, and writes down what became of them. Those that it did not come to, it
// puts back.
func (r *carrying) remove(ctx context.Context, some []Leaving) error {
	mailbox := some[0].Item.Ref.Mailbox
	r.touched[mailbox] = true
	b := &leavings{carrying: r, waiting: make(map[mail.Ref]Leaving, len(some)), states: map[int64]archive.Removal{}}
	items := make([]mail.Item, len(some))
	for i, l := range some {
		items[i] = l.Item
		b.waiting[l.Item.Ref] = l
	}
	err := r.From.Remove(ctx, mailbox, items, mail.Removing{Same: b.same, Intend: b.intend, Done: b.done})
	serr := b.settled()
	var back []Leaving
	for _, l := range some {
		if _, waits := b.waiting[l.Item.Ref]; waits {
			back = append(back, l)
		}
	}
	if err == nil && serr == nil && len(back) > 0 {
		err = &mail.Error{Op: "remove", Mailbox: mailbox, Scope: mail.ScopeMailbox, Err: errors.New("it was not said what became of some messages")}
	}
	r.todo = append(back, r.todo...)
	return cmp.Or(serr, err)
}

// giveUp leaves what is still to be done in a mailbox.
func (r *carrying) giveUp(mailbox string, err error) {
	r.todo = slices.DeleteFunc(slices.Clone(r.todo), func(l Leaving) bool {
		in := l.Item.Ref.Mailbox == mailbox
		if in {
			r.freed.doubt(StayUnreached, l, err.Error())
		}
		return in
	})
}

// resume goes on after the session broke: what is still listed of that which was intended is to be done again.
func (r *carrying) resume(ctx context.Context, mailbox string) error {
	there, err := r.list(ctx, mailbox)
	if err != nil {
		return err
	}
	again := r.found(mailbox, there)
	if len(again) == 0 { // it got through
		r.retry.Progress()
	}
	r.todo = append(again, r.todo...)
	return nil
}

// found takes in what a new listing of a mailbox says of what was intended there, and returns what is still there.
func (r *carrying) found(mailbox string, there map[mail.Ref]bool) (still []Leaving) {
	for ref, l := range r.unsure {
		if ref.Mailbox != mailbox {
			continue
		}
		delete(r.unsure, ref)
		if there[ref] {
			still = append(still, l)
		} else {
			r.claimed[ref] = l
		}
	}
	slices.SortFunc(still, func(a, b Leaving) int { return cmp.Compare(a.Entry, b.Entry) })
	return still
}

// list lists a mailbox anew, and settles by that what is open.
func (r *carrying) list(ctx context.Context, mailbox string) (map[mail.Ref]bool, error) {
	var items []mail.Item
	err := r.persist(ctx, func() (err error) {
		items, err = r.From.List(ctx, mailbox)
		return err
	})
	if err != nil {
		return nil, err
	}
	earlier := r.freed.Settled
	err = r.settle(ctx, mailbox, items)
	r.freed.Settled = earlier // what was settled now is of this run
	there := make(map[mail.Ref]bool, len(items))
	for _, it := range items {
		there[it.Ref] = true
	}
	r.freed.boxes[mailbox] = archive.Amount{Messages: len(items), Octets: octets(items)}
	return there, err
}

// lookAgain looks at the end whether all is gone that the server said was gone, and what became of the rest.
func (r *carrying) lookAgain(ctx context.Context) error {
	for mailbox := range r.touched {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		there, err := r.list(ctx, mailbox)
		if err != nil {
			return err
		}
		for _, l := range r.found(mailbox, there) {
			r.freed.doubt(StayRefused, l, "the connection broke before the server had said that it is gone, and it is there")
		}
		if err := r.refute(there); err != nil {
			return err
		}
	}
	_ = r.From.End(ctx)
	if r.freed.areLabels() { // what they hold is no sum of what they show, and what is in the trash counts
		return nil
	}
	r.freed.Left = new(archive.Amount)
	for _, n := range r.freed.boxes {
		r.freed.Left.Messages += n.Messages
		r.freed.Left.Octets += n.Octets
	}
	return nil
}

// refute notes of messages that the server had called gone that they are there.
func (r *carrying) refute(there map[mail.Ref]bool) error {
	states := map[int64]archive.Removal{}
	for ref, l := range r.claimed {
		if there[ref] {
			delete(r.claimed, ref)
			states[l.Entry] = archive.Stayed
			r.freed.doubt(StayRefused, l, "the server said that it was gone, and shows it")
		}
	}
	return r.Archive.SettleFree(states)
}
