package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A keeper goes through the mailboxes of a source that remembers.
type keeper struct {
	*run
	src    Stateful
	listed map[string]bool        // the mailboxes that the source shows, but for those that hold no mail
	now    map[string]mail.Status // how they stand, as far as the source told it when the run began
	states map[string]mail.Status // how the archived ones stood when the last run had been through
	turn   string                 // the mailbox that is looked into although nothing has changed in it
	// Of the mailbox at hand:
	trusted bool // its UIDs were found to be what they were
	older   int  // messages that were archived by an earlier run
}

// keep brings what has changed since the last time, mailbox by mailbox. One that has not changed costs nothing.
func (r *run) keep(ctx context.Context, src Stateful, all []mail.Mailbox) error {
	k := &keeper{run: r, src: src, listed: map[string]bool{}}
	for _, mb := range all {
		k.listed[mb.Name] = !mb.NoSelect
	}
	defer k.tellNotes()
	boxes := r.wanted(all)
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
	if k.states, err = r.Archive.States(); err != nil {
		return err
	}
	if k.turn, err = k.nextInTurn(boxes); err != nil {
		return err
	}
	if err := r.each(inOrder(boxes), func(mb mail.Mailbox) error { return k.mailbox(ctx, mb) }); err != nil {
		return err
	}
	return k.shown(all)
}

// shown notes which mailboxes there are. Of those that are not wanted only the archived ones matter: they are there.
func (k *keeper) shown(all []mail.Mailbox) error {
	known, err := k.Archive.Names()
	if err != nil {
		return err
	}
	_, err = k.Archive.Shown(slices.DeleteFunc(slices.Clone(all), func(mb mail.Mailbox) bool { return !known[mb.Name] }))
	return err
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
		return k.emptied(mb)
	}
	since, err := k.since(mb)
	if err != nil {
		return err
	}
	k.begin()
	k.trusted, k.older = false, 0
	defer func() {
		k.tally.addTo(&k.report)
		k.report.Listed += k.older
		k.report.Known += k.older
	}()
	if mb.Name != k.turn && unchanged(since, k.now[mb.Name]) {
		k.older = int(since.Messages)
		k.tellLooked(mb)
		return nil
	}
	err = k.persist(ctx, func() error { return k.catchUp(ctx, mb) })
	if isVanished(err) {
		k.note(fmt.Sprintf("%s is not there any more", mail.Printable(mb.Name)))
		return nil
	}
	return err
}

// isVanished reports whether a mailbox is not there any more.
func isVanished(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope == mail.ScopeMailbox && e.Cause == mail.CauseVanished
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
// unseen. Not every server tells the MAILBOXID wherever it tells the rest.
func unchanged(since, now mail.Status) bool {
	if since.ID == "" || now.ID == "" {
		since.ID, now.ID = "", ""
	}
	return since.Validity != 0 && now.ModSeq != 0 && since == now
}

// nothing reports whether a mailbox that was opened all the same has shown nothing but what the ledger has.
func nothing(since mail.Status, ch mail.Changes) bool {
	return unchanged(since, ch.Status) && len(ch.New)+len(ch.Flags) == 0 && ch.Left == nil && ch.Partial == ""
}

// emptied notes of a mailbox that held mail, and is a name in the tree only by now, that its mail is gone.
func (k *keeper) emptied(mb mail.Mailbox) error {
	st, err := k.Archive.State(mb.Name)
	if err != nil || st.Messages == 0 {
		return err
	}
	st.Messages = 0
	_, _, err = k.Archive.Looked(mb.Name, archive.Look{Changes: mail.Changes{Status: st}, Complete: true})
	return err
}

// catchUp brings one mailbox up to date.
func (k *keeper) catchUp(ctx context.Context, mb mail.Mailbox) error {
	since, ch, err := k.changes(ctx, mb)
	if err != nil {
		return err
	}
	if k.older, err = k.countOlder(mb, since, ch); err != nil {
		return err
	}
	if nothing(since, ch) {
		k.tellLooked(mb)
		return nil
	}
	todo := k.tally.list(ch.New, k.Archive.Has)
	todo, err = k.recognise(ctx, mb, ch, todo)
	if err != nil {
		return err
	}
	look := archive.Look{Since: since, Changes: ch}
	if err := k.looked(mb, look); err != nil {
		return err
	}
	k.Watch.Tell(progress.Listed{Half: progress.Source, Mailbox: mb.Name, Messages: len(todo), Octets: octets(todo)})
	if err := k.fetch(ctx, mb, todo); err != nil {
		return err
	}
	if err := k.lookForVanished(ctx, mb); err != nil {
		return err
	}
	if ch.Partial != "" {
		k.report.Partial = append(k.report.Partial, Partial{mb.Name, ch.Partial})
	}
	look.Complete = k.tally.complete() // what is not archived is listed again the next time
	return k.looked(mb, look)
}

func (k *keeper) looked(mb mail.Mailbox, look archive.Look) error {
	if _, _, err := k.Archive.Looked(mb.Name, look); err != nil {
		return err
	}
	k.tellLooked(mb)
	return nil
}

func (k *keeper) tellLooked(mb mail.Mailbox) {
	if k.Looked != nil {
		k.Looked(mb.Name)
	}
}

// changes returns what has changed in a mailbox whose UIDs can be trusted, and since when.
func (k *keeper) changes(ctx context.Context, mb mail.Mailbox) (since mail.Status, ch mail.Changes, err error) {
	if since, err = k.since(mb); err != nil {
		return since, ch, err
	}
	if ch, err = k.src.Changes(ctx, mb.Name, since); err != nil || k.trusted {
		return since, ch, err
	}
	reused, err := k.reused(ctx, mb, since, ch)
	if err != nil || !reused {
		k.trusted = err == nil
		return since, ch, err
	}
	k.note(fmt.Sprintf("%s: the server has given UIDs that are archived to other messages; the folder is looked through from the beginning", mail.Printable(mb.Name)))
	if err := k.Archive.Distrust(mb.Name, ch.Status.Validity); err != nil {
		return since, ch, err
	}
	k.trusted = true
	ch, err = k.src.Changes(ctx, mb.Name, mail.Status{})
	return mail.Status{}, ch, err
}
