package backup

import (
	"context"
	"errors"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// settle finds out what became of those messages of a mailbox that an earlier removal was to take away: what is listed is
// there. Marks of ours are taken off it first.
func (r *freeing) settle(ctx context.Context, mailbox string, items []mail.Item) error {
	open, err := r.Archive.FreeIntents(r.Account)
	if err != nil || len(open) == 0 {
		return err
	}
	there := make(map[mail.Ref]int, len(items))
	for i, it := range items {
		there[it.Ref] = i
	}
	states := map[int64]archive.Removal{}
	var marked []mail.Item
	now, err := r.Archive.State(mailbox)
	if err != nil {
		return err
	}
	for _, f := range open {
		if f.Ref.Mailbox != mailbox {
			continue
		}
		i, is := there[f.Ref]
		renumbered := len(items) > 0 && items[0].Ref.Validity != f.Ref.Validity
		if renumbered && now.Validity != items[0].Ref.Validity {
			continue // until a backup has found out which messages have which UIDs now
		}
		if !is {
			states[f.Entry] = archive.Removed
			r.freed.Settled.Messages++
			r.freed.Settled.Octets += f.Octets
			continue
		}
		states[f.Entry] = archive.Stayed
		if items[i].Flags.Has(mail.Deleted) {
			marked = append(marked, items[i])
			items[i].Flags = items[i].Flags.Without(mail.Flags{mail.Deleted})
		}
	}
	if err := r.unmark(ctx, mailbox, marked); err != nil {
		return err
	}
	return r.Archive.SettleFree(states)
}

func (r *freeing) unmark(ctx context.Context, mailbox string, marked []mail.Item) error {
	m, ok := r.From.(Marker)
	if !ok || len(marked) == 0 {
		return nil
	}
	return r.persist(ctx, func() error { return m.Unmark(ctx, mailbox, marked) })
}

// isDamage reports whether it is the archive's file that is not sound.
func isDamage(err error) bool { return errors.As(err, new(*archive.DamagedError)) }
