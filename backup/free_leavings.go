package backup

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// leavings are the messages of one Remove under way.
type leavings struct {
	*carrying
	waiting map[mail.Ref]Leaving // nothing is known of them yet
	states  map[int64]archive.Removal
}

// same reports whether the message that the server shows is what is archived. It reads its file once more, to the end.
func (b *leavings) same(it mail.Item, header io.Reader) (bool, error) {
	l, waits := b.waiting[it.Ref]
	if !waits {
		return false, nil
	}
	doubt, why, err := b.speaksAgainst(l, it, header)
	if err != nil || why == "" {
		return err == nil, err
	}
	delete(b.waiting, it.Ref)
	b.freed.doubt(doubt, l, why)
	return false, nil
}

func (b *leavings) speaksAgainst(l Leaving, it mail.Item, header io.Reader) (Stay, string, error) {
	switch {
	case it.Size != l.Item.Size:
		return StayUnsure, fmt.Sprintf("its size was %d and is %d octets", l.Item.Size, it.Size), nil
	case !it.Received.Equal(l.Item.Received):
		return StayUnsure, "the time it was received at is another one than a moment ago", nil
	case header == nil && !b.TrustUIDL:
		return StayUnsure, "the server cannot show its header alone (TOP), by which it would be known again", nil
	}
	e, err := b.Archive.Entry(l.Entry)
	if err != nil {
		return "", "", err
	}
	archived, err := sumOfEntry(b.Archive, e)
	if isDamage(err) {
		return StayDamaged, err.Error(), nil
	}
	if err != nil || header == nil {
		return "", "", err
	}
	shown, err := mail.SumOf(header)
	if err == nil && shown.HeadDigest != archived.HeadDigest {
		return StayUnsure, "the header that the server shows is not the archived one", nil
	}
	return "", "", err
}

// sumOfEntry reads a message of the archive to its end.
func sumOfEntry(a *archive.Archive, e archive.Entry) (mail.Sum, error) {
	r, err := a.OpenMessage(e)
	if err != nil {
		return mail.Sum{}, err
	}
	defer r.Close()
	return mail.SumOf(r)
}

// settled writes down what is known of those that were intended.
func (b *leavings) settled() error {
	err := b.Archive.SettleFree(b.states)
	if err == nil {
		clear(b.states)
	}
	return err
}

// intend writes down what is about to be removed. It is where a run stops that is to stop.
func (b *leavings) intend(items []mail.Item) error {
	if err := cmp.Or(b.stopped(), b.settled()); err != nil {
		return err
	}
	all := make([]archive.Freed, 0, len(items))
	for _, it := range items {
		l, waits := b.waiting[it.Ref]
		if !waits {
			return fmt.Errorf("%s is to be removed, and nobody asked for that", it.Ref)
		}
		everywhere := b.freed.Ways[it.Ref.Mailbox] == mail.RemovalEverywhere
		all = append(all, archive.Freed{Entry: l.Entry, Ref: it.Ref, Octets: it.Size, Everywhere: everywhere})
	}
	if err := b.Archive.IntendFree(b.Account, all); err != nil {
		return err
	}
	for _, it := range items {
		b.unsure[it.Ref] = b.waiting[it.Ref]
		delete(b.waiting, it.Ref)
	}
	return nil
}

// done takes in what became of a message.
func (b *leavings) done(it mail.Item, err error) {
	l, intended := b.unsure[it.Ref]
	if !intended {
		b.notAsked(it, err)
		return
	}
	var e *mail.Error
	switch {
	case errors.As(err, &e) && e.Unsure:
		return
	case err == nil:
		b.states[l.Entry] = archive.Removed
		b.claimed[it.Ref] = l
		b.retry.Progress()
		b.Watch.Tell(progress.Moved{Half: progress.Source, Octets: l.Item.Size})
	default:
		b.states[l.Entry] = archive.Stayed
		b.stay(l, err)
	}
	delete(b.unsure, it.Ref)
}

// notAsked takes in why a message was left alone before anything was intended.
func (b *leavings) notAsked(it mail.Item, err error) {
	l, waits := b.waiting[it.Ref]
	if !waits || err == nil {
		return
	}
	delete(b.waiting, it.Ref)
	b.stay(l, err)
}

func (r *carrying) stay(l Leaving, err error) {
	var e *mail.Error
	if errors.As(err, &e) && e.Cause == mail.CauseVanished {
		r.freed.stays(StayVanished, l.Item)
		return
	}
	r.freed.doubt(StayRefused, l, err.Error())
}
