package backup

import (
	"context"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// labels are the messages of an account whose mailboxes are labels (Gmail). A message that several of them show goes from all at
// once. It counts once, and may go if it may in one of them; but it stays where one of them shows what is not archived, so
// that the label is not lost, and where none of them is wanted.
type labels struct {
	byIdentity map[string]*labelled
	inTurn     []*labelled
}

// A labelled message is what is to become of one message.
type labelled struct {
	verdict
	wanted bool
}

// areLabels reports whether the mailboxes are labels. Only an account with a view of all mail can have them.
func (r *freeing) areLabels(ctx context.Context, all []mail.Mailbox) (are bool, err error) {
	for _, mb := range all {
		if mb.Role != mail.RoleAll || mb.NoSelect {
			continue
		}
		var how mail.Removal
		err := r.persist(ctx, func() (err error) {
			how, err = r.From.Able(ctx, mb.Name)
			return err
		})
		if err != nil && !mailboxOnly(err) {
			return false, err
		}
		are = are || how == mail.RemovalEverywhere
	}
	return are, nil
}

// label takes in what the mailbox says of a message.
func (b *freeBox) label(v verdict) {
	l := b.byIdentity[v.Item.Identity]
	switch {
	case l == nil:
		l = &labelled{verdict: v}
		if b.byIdentity == nil {
			b.byIdentity = make(map[string]*labelled)
		}
		b.byIdentity[v.Item.Identity] = l
		b.inTurn = append(b.inTurn, l)
	case v.stay.forAll() && !l.stay.forAll(), v.stay == "" && l.stay != "" && !l.stay.forAll():
		l.verdict = v
	}
	l.wanted = l.wanted || b.wanted
}

// forAll reports whether a message that stays in one mailbox for this reason stays in all.
func (s Stay) forAll() bool { return s == StayNew || s == StayMarked || s == StayDamaged }

// isRead reports whether the octets of a message that was taken for one in another mailbox were downloaded with that one: where
// mailboxes are labels, they are one message.
func (b *freeBox) isRead(it mail.Item) bool {
	if b.freed.Ways[b.Name] != mail.RemovalEverywhere || it.Identity == "" {
		return false
	}
	same, err := b.Archive.Identical(it.Identity)
	return err == nil && slices.ContainsFunc(same, func(e archive.Entry) bool { return !e.Linked })
}

// areLabels reports whether mail goes from labels.
func (f *Freed) areLabels() bool {
	for _, how := range f.Ways {
		if how == mail.RemovalEverywhere {
			return true
		}
	}
	return false
}

// labelled counts the messages and returns those that may go.
func (r *freeing) labelled() (may []candidate) {
	for _, l := range r.inTurn {
		if l.wanted {
			may = append(may, r.count(l.verdict)...)
		}
	}
	return may
}
