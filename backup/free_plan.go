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
