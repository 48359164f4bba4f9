package migrate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// The first messages sent to a server are read back, and one in so many afterwards; an OK may be a lie.
const (
	sampleFirst = 3
	sampleEvery = 250
	// sampleBatch is how many are read back together: a way there and back for each batch of mail would be many.
	sampleBatch = 8
)

// A sample is what reading back has taught about the server.
type sample struct {
	sent     int
	liar     bool // it has said OK and kept nothing: everything is read back from then on
	rewrites bool
	lineEnds bool
}

// take reports whether the next message sent is to be read back.
func (s *sample) take() bool {
	s.sent++
	return s.liar || s.sent <= sampleFirst || s.sent%sampleEvery == 0
}

// unread is what was appended to a mailbox since a sample of it was read back.
type unread struct {
	some, others []archive.Outcome
	bold         bool // nothing that this server has was read back yet, or it has lied
}

// check takes a sample of what was just appended, to be read back: the first at once, later ones when there are some.
func (b *box) check(ctx context.Context, outcomes []archive.Outcome) error {
	s, u := &b.run.sample, &b.unread
	for _, o := range outcomes {
		u.bold = u.bold || s.liar || s.sent < sampleFirst
		switch {
		case o.State == archive.Refused && o.Reason == keptNothing(archive.Entry{}, "").Reason:
			s.liar, u.bold = true, true
		case o.State != archive.Done:
		case s.take():
			u.some = append(u.some, o)
		default:
			u.others = append(u.others, o)
		}
	}
	if !u.bold && len(u.some) < sampleBatch {
		return nil
	}
	return b.readBack(ctx)
}

// readBack compares the sample with what was sent. One lie makes suspect all that was sent since the last one.
func (b *box) readBack(ctx context.Context) error {
	u := b.unread
	b.unread = unread{}
	if err := b.compare(ctx, u.some); err != nil || !b.run.sample.liar {
		return err
	}
	return b.compare(ctx, u.others)
}

// sentAs returns an entry in the form in which it was sent.
func (r *run) sentAs(id int64) (archive.Entry, error) {
	if c, mended := r.mending.copyOf(id); mended {
		return c.Entry, nil
	}
	return r.Archive.Entry(id)
}

// compare reads the messages back. What is not there, or is there without its octets, has been refused in truth.
func (b *box) compare(ctx context.Context, outcomes []archive.Outcome) error {
	uids := make([]uint32, len(outcomes))
	for i, o := range outcomes {
		uids[i] = o.UID
	}
	shown, err := b.read(ctx, uids)
	if err != nil {
		return err
	}
	var missing []archive.Outcome
	for _, o := range outcomes {
		e, err := b.run.sentAs(o.Entry)
		if err != nil {
			return err
		}
		sum, had := shown[o.UID]
		if b.unshown[o.UID] {
			continue // it is there, for all we know
		}
		if !had || sum.Octets == 0 && e.Octets > 0 {
			missing = append(missing, o)
			continue
		}
		if err := b.judge(e, sum); err != nil {
			return err
		}
	}
	return b.unsay(ctx, missing)
}

// unsay takes back what a server said OK to and has not: it named a UID for each, and there is nothing under it. What it
// has under another was merged (Gmail names a new UID also for what it throws away); the rest was not kept.
func (b *box) unsay(ctx context.Context, missing []archive.Outcome) error {
	entries := make([]archive.Entry, len(missing))
	for i, o := range missing {
		var err error
		if entries[i], err = b.run.sentAs(o.Entry); err != nil {
			return err
		}
		b.shelf.false[o.UID] = true
	}
	outcomes, left, err := b.mergedThere(ctx, entries)
	if err != nil {
		return err
	}
	into := make(map[int64]uint32, len(outcomes))
	for _, o := range outcomes {
		into[o.Entry] = o.UID
	}
	for _, e := range left {
		b.run.sample.liar = true
		outcomes = append(outcomes, keptNothing(e, b.name))
	}
	for i, o := range missing {
		delete(b.sent, o.UID)
		joined, err := b.rejoin(o.UID, into[entries[i].ID])
		if err != nil {
			return err
		}
		outcomes = append(outcomes, joined...)
	}
	return b.settle(outcomes)
}

// judge notes how the server changed a message.
func (b *box) judge(e archive.Entry, shown mail.Sum) error {
	s := &b.run.sample
	switch {
	case shown.Digest == e.Digest:
		return nil
	case shown.Match == e.Match:
		b.noteOnce(&s.lineEnds, "the server changes line ends; nothing else of the mail")
		return nil
	}
	ours, err := b.run.sumOf(e)
	if err != nil {
		return err
	}
	if ours.BodyDigest == shown.BodyDigest {
		b.noteOnce(&s.rewrites, "the server rewrites header fields; the bodies are as they were sent")
		return nil
	}
	b.run.findings = append(b.run.findings, Finding{Kind: "altered", Ref: e.Ref, MessageID: e.Header.MessageID,
		Reason: fmt.Sprintf("the server shows %d octets of the %d it was sent, and they differ", shown.Octets, e.Octets)})
	return nil
}

func (b *box) noteOnce(said *bool, text string) {
	if !*said {
		*said = true
		b.run.note(text)
	}
}

// audit lists once what this run has appended to each mailbox: whatever the server said, it must be there now, and
// flagged.
func (r *run) audit(ctx context.Context) error {
	var errands []errand
	for _, name := range slices.Sorted(maps.Keys(r.boxes)) {
		if len(r.boxes[name].sent) > 0 {
			errands = append(errands, errand{name, []func(context.Context, *hand) error{func(ctx context.Context, h *hand) error {
				return r.persist(ctx, h, func() error { return r.box(h, name).audit(ctx) })
			}}})
		}
	}
	return r.together(ctx, errands)
}

func (b *box) audit(ctx context.Context) error {
	if err := b.selectBox(ctx); err != nil {
		return err
	}
	if err := b.readBack(ctx); err != nil {
		return err
	}
	var unflagged []archive.Outcome
	seen := make([]uint32, 0, len(b.sent))
	err := b.listFrom(ctx, b.first, func(it mail.Item) { // nothing else is done in this box now
		sent, ours := b.sent[uidOf(it)]
		if !ours {
			return
		}
		seen = append(seen, uidOf(it))
		if lie, lied := b.unflagged(sent, it); lied {
			unflagged = append(unflagged, lie)
		}
	})
	if err != nil {
		return err
	}
	for _, uid := range seen {
		delete(b.sent, uid)
	}
	if err := b.run.Archive.Settle(b.run.Account, b.run.remark(unflagged)); err != nil {
		return err
	}
	var missing []archive.Outcome
	for uid, sent := range b.sent {
		missing = append(missing, archive.Outcome{Entry: sent.entry, UID: uid})
	}
	slices.SortFunc(missing, func(x, y archive.Outcome) int { return cmp.Compare(x.Entry, y.Entry) })
	if err := b.unsay(ctx, missing); err != nil {
		return err
	}
	return b.keep()
}
