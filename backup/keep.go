package backup

import (
	"context"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A keeper goes through the mailboxes of a source that remembers.
type keeper struct {
	*run
	src    Stateful
	now    map[string]mail.Status
	listed map[string]bool // the mailboxes the source shows
	moved  map[int64]bool  // entries that have got a new Ref in this run
	older  int             // messages of the mailbox at hand that were archived by an earlier run
}

// keep brings what has changed since the last time, mailbox by mailbox. One that has not changed costs nothing.
func (r *run) keep(ctx context.Context, src Stateful, boxes []mail.Mailbox) error {
	k := &keeper{run: r, src: src, listed: map[string]bool{}, moved: map[int64]bool{}}
	for _, mb := range boxes {
		k.listed[mb.Name] = true
	}
	if err := r.Archive.AddMailboxes(boxes); err != nil {
		return err
	}
	err := r.persist(ctx, func() (err error) {
		k.now, err = src.Statuses(ctx, boxes)
		return err
	})
	if err != nil {
		return err
	}
	return r.each(inOrder(boxes), func(mb mail.Mailbox) error { return k.mailbox(ctx, mb) })
}

// inOrder puts the mailbox that holds all mail first: what the others hold is linked to it then, and not fetched
// again.
func inOrder(boxes []mail.Mailbox) []mail.Mailbox {
	boxes = slices.Clone(boxes)
	slices.SortStableFunc(boxes, func(a, b mail.Mailbox) int { return rank(a) - rank(b) })
	return boxes
}

func rank(mb mail.Mailbox) int {
	if mb.Role == mail.RoleAll {
		return 0
	}
	return 1
}

func (k *keeper) mailbox(ctx context.Context, mb mail.Mailbox) error {
	if mb.NoSelect {
		return nil
	}
	since, err := k.since(mb)
	if err != nil {
		return err
	}
	k.tally, k.broke, k.older = tally{}, map[mail.Ref]int{}, 0
	defer func() {
		k.tally.addTo(&k.report)
		k.report.Listed += k.older
		k.report.Known += k.older
	}()
	if unchanged(since, k.now[mb.Name]) {
		k.older = int(since.Messages)
		return nil
	}
	return k.persist(ctx, func() error { return k.catchUp(ctx, mb, since) })
}

// since returns how the mailbox stood when everything it showed was archived. If some of that has gone missing or
// was damaged since, all is to be listed again.
func (k *keeper) since(mb mail.Mailbox) (mail.Status, error) {
	st, err := k.Archive.State(mb.Name)
	if err != nil || st.Validity == 0 {
		return st, err
	}
	if n, err := k.Archive.Unsound(mb.Name, st.Validity); err != nil || n > 0 {
		return mail.Status{}, err
	}
	return st, nil
}

// unchanged reports whether nothing can have happened in between. Without a HIGHESTMODSEQ flags may have changed
// unseen.
func unchanged(since, now mail.Status) bool {
	return since.Validity != 0 && now.ModSeq != 0 && since == now
}

// catchUp brings one mailbox up to date.
func (k *keeper) catchUp(ctx context.Context, mb mail.Mailbox, since mail.Status) error {
	ch, err := k.src.Changes(ctx, mb.Name, since)
	if err != nil {
		return err
	}
	k.older = int(ch.Status.Messages) - len(ch.New)
	if ch.Left != nil {
		k.older = len(ch.Left)
	}
	todo := k.tally.list(ch.New, k.Archive.Has)
	todo, err = k.recognise(ctx, mb, todo)
	if err != nil {
		return err
	}
	k.Watch.Tell(progress.Listed{Half: progress.Source, Mailbox: mb.Name, Messages: len(todo), Octets: octets(todo)})
	if err := k.fetch(ctx, mb, todo); err != nil {
		return err
	}
	if ch.Partial != "" {
		k.report.Partial = append(k.report.Partial, Partial{mb.Name, ch.Partial})
	}
	_, _, err = k.Archive.Looked(mb.Name, archive.Look{
		Since: since, Changes: ch, Complete: k.tally.complete(), // what is not archived is listed again the next time
	})
	return err
}
