package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// How long to wait before a second look for a message that the server may be about to store: as long again as the
// APPEND took, within these.
const (
	minSecondLook = 2 * time.Second
	maxSecondLook = 30 * time.Second
)

// maxUnsure is how often an APPEND of one message may be left without an answer in one run.
const maxUnsure = 2

// look finds out what became of the entries of s whose APPEND named no UID or got no answer. It never sends
// anything again: what is not there is pending once more. Entries it could not find out about keep their intent.
func (b *box) look(ctx context.Context, s *sending) error {
	for second := false; ; second = true {
		if err := b.find(ctx, s); err != nil {
			return err
		}
		if len(s.unnamed)+len(s.unsure) == 0 {
			return nil
		}
		if second {
			break
		}
		pause := min(max(s.took, minSecondLook), maxSecondLook)
		b.run.Watch.Tell(progress.Waiting{Half: progress.Destination, For: pause, Why: "the server may still be storing what was sent"})
		if err := b.at.sleep(ctx, pause); err != nil {
			return err
		}
	}
	if err := b.merged(ctx, s); err != nil {
		return err
	}
	b.notThere(s)
	return nil
}

// find looks once at what has come since the intents were written, and pairs it with the entries, one to one.
func (b *box) find(ctx context.Context, s *sending) error {
	items, err := b.unclaimed(ctx, s.from)
	if err != nil {
		return err
	}
	if len(s.unsure) == 0 {
		s.unnamed = b.pairByKey(s, items)
	}
	left := slices.DeleteFunc(items, func(it mail.Item) bool { return b.claimed[uidOf(it)] })
	if len(left) == 0 {
		return nil
	}
	return b.pairByContent(ctx, s, left)
}

// unclaimed lists the mailbox from a UID on, and returns the messages that belong to no entry.
func (b *box) unclaimed(ctx context.Context, from uint32) (items []mail.Item, err error) {
	err = b.listFrom(ctx, from, func(it mail.Item) { // nothing of this box is claimed meanwhile
		if !b.claimed[uidOf(it)] {
			items = append(items, it)
		}
	})
	return items, err
}

// pairByKey gives each entry that the server said OK to one of the new messages that looks like it: nothing else
// of ours can have come. It returns the entries that found none.
func (b *box) pairByKey(s *sending, items []mail.Item) (left []archive.Entry) {
	for i, j := range assign(len(s.unnamed), len(items), func(i, j int) likeness {
		return looksLike(s.unnamed[i], items[j])
	}) {
		if j < 0 {
			left = append(left, s.unnamed[i])
		} else {
			s.outcomes = append(s.outcomes, b.done(s.unnamed[i], uidOf(items[j])))
		}
	}
	return left
}

// looksLike judges by what a listing shows.
func looksLike(e archive.Entry, it mail.Item) likeness {
	switch {
	case !slices.Equal(e.Header.Keys(), it.Header.Keys()):
		return unlike
	case e.Octets == it.Size:
		return levelled
	}
	return fieldsBody
}

// pairByContent reads the new messages and judges by their octets.
func (b *box) pairByContent(ctx context.Context, s *sending, items []mail.Item) error {
	entries := slices.Concat(s.unnamed, s.unsure)
	if len(entries) == 0 {
		return nil
	}
	uids := make([]uint32, len(items))
	for i, it := range items {
		uids[i] = uidOf(it)
	}
	pairs, err := b.pair(ctx, entries, uids)
	if err != nil {
		return err
	}
	named := len(s.unnamed)
	s.unnamed, s.unsure = nil, nil
	for i, e := range entries {
		switch {
		case pairs[i] != 0:
			if i >= named { // nobody has said what it was stored with
				s.lack(e, e.Flags.Without(shownFlags(items, pairs[i])))
			}
			s.outcomes = append(s.outcomes, b.done(e, pairs[i]))
		case i < named:
			s.unnamed = append(s.unnamed, e)
		default:
			s.unsure = append(s.unsure, e)
		}
	}
	return nil
}

func shownFlags(items []mail.Item, uid uint32) mail.Flags {
	for _, it := range items {
		if uidOf(it) == uid {
			return it.Flags
		}
	}
	return nil
}

// merged looks for what the server said OK to and does not show as new among all that it shows, claimed or not:
// some servers keep one of what they take for the same (Gmail does).
func (b *box) merged(ctx context.Context, s *sending) error {
	found, left, err := b.mergedThere(ctx, s.unnamed)
	s.outcomes, s.unnamed = append(s.outcomes, found...), left
	return err
}

// mergedThere finds the entries of which there is one that is the same by its content, and returns the others.
func (b *box) mergedThere(ctx context.Context, entries []archive.Entry) (found []archive.Outcome, left []archive.Entry, err error) {
	for i, e := range entries {
		pairs, err := b.pair(ctx, []archive.Entry{e}, b.candidates(e, true))
		if err != nil {
			return found, append(left, entries[i:]...), err
		}
		if pairs[0] == 0 {
			left = append(left, e)
		} else {
			found = append(found, b.merge(e, pairs[0], ByServer))
		}
	}
	return found, left, nil
}

// lookBetween lists what somebody else has put there between messages of ours: it may be one that is still to come. A
// server that only leaves out UIDs is not asked again.
func (b *box) lookBetween(ctx context.Context) error {
	if !b.shelf.gap() || b.gaps {
		return nil
	}
	items, err := b.unclaimed(ctx, b.shelf.next)
	b.gaps = err == nil && len(items) == 0
	return err
}

// notThere gives the entries that were not found their outcome.
func (b *box) notThere(s *sending) {
	for _, e := range s.unnamed {
		s.outcomes = append(s.outcomes, keptNothing(e, b.name))
	}
	for _, e := range s.unsure {
		s.outcomes = append(s.outcomes, archive.Outcome{Entry: e.ID, State: archive.Pending, Mailbox: b.name})
		if b.run.unsure[e.ID] >= maxUnsure {
			b.run.skip(e, fmt.Sprintf("the connection broke %d times when it was sent, and the server does not have it", maxUnsure))
		}
	}
	s.unnamed, s.unsure = nil, nil
}

func keptNothing(e archive.Entry, mailbox string) archive.Outcome {
	return archive.Outcome{Entry: e.ID, State: archive.Refused, Mailbox: mailbox,
		Reason: "the server said OK and did not keep the message"}
}

// settleIntents settles what an earlier run has left without an outcome, wherever it was going.
func (r *run) settleIntents(ctx context.Context) error {
	intents, err := r.Archive.Intents(r.Account)
	if err != nil {
		return err
	}
	for _, in := range intents {
		h := r.hands[0]
		if err := r.persist(ctx, h, func() error { return r.box(h, in.Mailbox).settleIntents(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// settleIntents settles what was on its way to this mailbox when a line or a run broke. Nothing else is sent there
// before.
func (b *box) settleIntents(ctx context.Context) error {
	intents, err := b.run.Archive.Intents(b.run.Account)
	if err != nil {
		return err
	}
	intents = slices.DeleteFunc(intents, func(in archive.Intent) bool { return in.Mailbox != b.name })
	if len(intents) == 0 {
		return nil
	}
	s := &sending{took: b.took}
	for _, in := range intents {
		e, err := b.run.intended(in)
		if err != nil {
			return err
		}
		e.Flags = b.run.flagsOf(e)
		s.unsure = append(s.unsure, e)
	}
	if !b.run.layout.there[b.name] {
		b.notThere(s) // nor is anything else
		return b.settle(s.outcomes)
	}
	err = b.lookFor(ctx, s, intents)
	if err == nil {
		err = b.mark(ctx, s)
	}
	b.holdBack(s)
	if serr := b.settle(s.outcomes); serr != nil { // what was found is not looked for again: it is claimed
		return serr
	}
	return err
}

// lookFor looks from the UIDNEXT the intents were written at, or, if the folder was numbered anew since, everywhere.
func (b *box) lookFor(ctx context.Context, s *sending, intents []archive.Intent) error {
	if err := b.selectBox(ctx); err != nil {
		return err
	}
	s.from = 1
	if intents[0].Validity == b.status.Validity {
		s.from = intents[0].Next
		for _, in := range intents {
			s.from = min(s.from, in.Next)
		}
	}
	if b.first == 0 {
		b.first = s.from
	}
	if s.from == 1 && b.status.Messages > 0 {
		if err := b.listFrom(ctx, 1, nil); err != nil {
			return err
		}
		if err := b.claimStranded(ctx, s.unsure); err != nil {
			return err
		}
	}
	return b.look(ctx, s)
}
