package migrate

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Mended is a message that this run has brought as a mended copy, or found there as one.
type Mended struct {
	Ref       mail.Ref
	MessageID string
	What      string // is mended, in words for a person
}

// mending is what a run knows of the entries that are brought as mended copies, by their IDs. Messages are opened while
// others have the rest of the run.
type mending struct {
	mu      sync.Mutex
	copies  map[int64]mendedCopy
	left    map[int64]bool // as they are, refused, for the rest of the run
	brought map[int64]Mended
}

// A mendedCopy is a message in a form that servers take. It goes through the run as an entry of its own form, which
// has no Path: nobody can take it for what lies in the archive.
type mendedCopy struct {
	archive.Entry
	of     archive.Entry
	what   string
	reason string // the server's words when it refused the message as it is; "": nobody has asked it
}

func newMending() *mending {
	return &mending{copies: map[int64]mendedCopy{}, left: map[int64]bool{}, brought: map[int64]Mended{}}
}

func (m *mending) copyOf(id int64) (mendedCopy, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, mended := m.copies[id]
	return c, mended
}

func (m *mending) keep(c mendedCopy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[c.ID] = c
}

// forget has an entry be brought, and looked for, as it is.
func (m *mending) forget(id int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.copies, id)
}

// leave reports whether the entry is a mended one; then it is left as it was, refused.
func (m *mending) leave(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, mended := m.copies[id]
	if mended {
		m.left[id] = true
	}
	return mended
}

// mend makes a mended copy of an entry. There is none if its form needs no mending, if nothing would be left, or if it
// is damaged.
func (r *run) mend(e archive.Entry, reason string) (c mendedCopy, ok bool, err error) {
	f, err := r.Archive.OpenMessage(e)
	if err == nil {
		defer f.Close()
		m := mail.Mend(f)
		var sum mail.Sum
		if sum, err = mail.SumOf(m); err == nil {
			c = mendedCopy{Entry: e, of: e, what: strings.Join(m.Mended(), ", "), reason: reason}
			c.Octets, c.Digest, c.Match, c.Header, c.Path = sum.Octets, sum.Digest, sum.Match, sum.Header, ""
			return c, c.what != "" && c.Octets > 0, nil
		}
	}
	if errors.As(err, new(*archive.DamagedError)) {
		err = nil
	}
	return c, false, err
}

// open opens a message in the form it is brought in.
func (r *run) open(e archive.Entry) (io.ReadCloser, error) {
	c, mended := r.mending.copyOf(e.ID)
	if !mended {
		return r.Archive.OpenMessage(e)
	}
	f, err := r.Archive.OpenMessage(c.of)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{mail.Mend(f), f}, nil
}

// refusals returns, where that is asked for, the next of the share's messages that were refused as they are, as mended
// copies.
func (b *box) refusals(p share) ([]archive.Entry, error) {
	if !b.run.Repair {
		return nil, nil
	}
	key := p.key() + "\x00refused"
	for {
		page, err := b.run.Archive.Refusals(b.run.Account, b.run.wanted(), p.From.Name, b.after[key], batchMessages)
		if err != nil || len(page) == 0 {
			return nil, err
		}
		batch, err := b.copies(p, page)
		if err != nil || len(batch) > 0 {
			return batch, err
		}
		b.after[key] = page[len(page)-1].ID
	}
}

// copies returns the mended copies of some of the refused, as many as fit in a batch.
func (b *box) copies(p share, page []archive.Refusal) (batch []archive.Entry, err error) {
	m := b.run.mending
	var octets int64
	for _, refused := range page {
		if m.left[refused.ID] || p.takes != nil && refused.To != p.To.Name && !p.takes(refused.Entry) {
			continue
		}
		c, mendable := m.copyOf(refused.ID)
		if !mendable {
			if c, mendable, err = b.run.mend(refused.Entry, refused.Reason); err != nil {
				return nil, err
			}
		}
		if !mendable {
			continue
		}
		if octets += c.Octets; octets > batchOctets && len(batch) > 0 {
			break
		}
		m.keep(c)
		batch = append(batch, c.Entry)
	}
	return batch, nil
}

// recogniseMended finds, of what is about to be sent as it is, what an earlier run has brought as a mended copy, and the
// ledger knows nothing of any more. It returns the others.
func (b *box) recogniseMended(ctx context.Context, batch []archive.Entry) (rest []archive.Entry, err error) {
	if !b.run.Repair || b.status.Messages == 0 {
		return batch, nil
	}
	var maybe []archive.Entry
	for _, e := range batch {
		found, err := b.mendedCandidates(e)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			rest = append(rest, e)
			continue
		}
		c, _ := b.run.mending.copyOf(e.ID)
		maybe = append(maybe, c.Entry)
	}
	if err := b.claimStranded(ctx, maybe); err != nil {
		return nil, err
	}
	var uids []uint32
	for _, e := range maybe {
		uids = append(uids, b.candidates(e, false)...)
	}
	pairs, err := b.pair(ctx, maybe, uids)
	if err != nil {
		return nil, err
	}
	var present []archive.Outcome
	for i, e := range maybe {
		if pairs[i] != 0 {
			present = append(present, b.claim(e, archive.Present, pairs[i]))
			continue
		}
		c, _ := b.run.mending.copyOf(e.ID)
		b.run.mending.forget(e.ID)
		rest = append(rest, c.of)
	}
	slices.SortFunc(rest, func(x, y archive.Entry) int { return int(x.ID - y.ID) })
	return rest, b.settle(present)
}

// mendedCandidates returns the messages at the destination that may be a mended copy of e; if there are some, the copy
// is kept.
func (b *box) mendedCandidates(e archive.Entry) ([]uint32, error) {
	if _, mended := b.run.mending.copyOf(e.ID); mended {
		return nil, nil // it was looked for as that already
	}
	c, mendable, err := b.run.mend(e, "")
	if err != nil || !mendable {
		return nil, err
	}
	found := b.candidates(c.Entry, false)
	if len(found) > 0 {
		b.run.mending.keep(c)
	}
	return found, nil
}

// intended returns the entry of an intent, in the form in which it was sent.
func (r *run) intended(in archive.Intent) (archive.Entry, error) {
	e, err := r.Archive.Entry(in.Entry)
	if err != nil || in.Mended == "" {
		return e, err
	}
	c, mendable, err := r.mend(e, in.Reason)
	if err != nil || !mendable {
		return e, err
	}
	r.mending.keep(c)
	return c.Entry, nil
}

// forms returns what an entry may look like at the destination. A mended copy may also be there as it was before:
// somebody else may have brought it, or the server may have changed its mind about what it refused.
func (r *run) forms(e archive.Entry) ([]mail.Sum, error) {
	sum, err := r.sumOf(e)
	if err != nil {
		return nil, err
	}
	c, mended := r.mending.copyOf(e.ID)
	if !mended {
		return []mail.Sum{sum}, nil
	}
	f, err := r.Archive.OpenMessage(c.of)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	asItIs, err := mail.SumOf(f)
	return []mail.Sum{sum, asItIs}, err
}

// alike compares the forms of a message with one that is shown.
func alike(forms []mail.Sum, shown mail.Sum) (by likeness) {
	for _, form := range forms {
		by = max(by, compare(form, shown))
	}
	return by
}

// foundAs notes in which of its forms a message was found.
func (r *run) foundAs(e archive.Entry, forms []mail.Sum, shown mail.Sum) {
	if len(forms) > 1 && compare(forms[1], shown) > compare(forms[0], shown) {
		r.mending.forget(e.ID)
	}
}

// remark returns the outcomes with what they say of mended copies. What came of a mended copy that is not there is that
// its message was refused; it is tried again by a run that is asked to.
func (r *run) remark(outcomes []archive.Outcome) []archive.Outcome {
	outcomes = slices.Clone(outcomes)
	for i := range outcomes {
		o := &outcomes[i]
		c, mended := r.mending.copyOf(o.Entry)
		if !mended {
			continue
		}
		delete(r.mending.brought, o.Entry)
		switch o.Mended = c.what; {
		case o.State == archive.Pending && c.reason == "":
			o.Mended = ""
		case o.State == archive.Pending:
			o.State, o.Reason, o.Mended = archive.Refused, c.reason, ""
		case o.State == archive.Refused && c.reason != "":
			o.Reason = c.reason + "; of a mended copy: " + o.Reason
		case o.State != archive.Refused:
			r.mending.brought[o.Entry] = Mended{Ref: c.Ref, MessageID: c.Header.MessageID, What: c.what}
		}
	}
	return outcomes
}

// intentOf adds to an intent what is mended of what is about to be sent.
func (r *run) intentOf(in archive.Intent) archive.Intent {
	if c, mended := r.mending.copyOf(in.Entry); mended {
		in.Mended = c.what
	}
	return in
}

// anyToBring reports whether there is anything for the run to send.
func (r *run) anyToBring() (bool, error) {
	some, _, err := r.Archive.ToBring(r.Account, r.wanted())
	if err != nil || some > 0 || !r.Repair {
		return some > 0, err
	}
	return r.Archive.AnyRefusals(r.Account, r.wanted())
}

// mended returns what this run has brought as mended copies, in the order of the entries.
func (r *run) mended() (all []Mended) {
	for _, id := range slices.Sorted(maps.Keys(r.mending.brought)) {
		all = append(all, r.mending.brought[id])
	}
	return all
}

// Looking for something mendable among the refused ends after so many, or so many octets: it is for a hint.
const (
	maxHintMessages = 64
	maxHintOctets   = 64 << 20
)

// anyMendable reports whether another run could bring some of what was refused, if it were asked to.
func (r *run) anyMendable() (bool, error) {
	if some, err := r.Archive.AnyRefusals(r.Account, r.wanted()); err != nil || !some || r.Repair {
		return false, err
	}
	mailboxes, err := r.Archive.Mailboxes()
	left, octets := maxHintMessages, int64(maxHintOctets)
	for i := 0; i < len(mailboxes) && err == nil && left > 0; i++ {
		var page []archive.Refusal
		page, err = r.Archive.Refusals(r.Account, r.wanted(), mailboxes[i].Name, 0, left)
		left -= len(page)
		for _, refused := range page {
			if octets -= refused.Octets; octets < 0 {
				return false, err
			}
			if _, mendable, err := r.mend(refused.Entry, ""); err != nil || mendable {
				return mendable, err
			}
		}
	}
	return false, err
}
