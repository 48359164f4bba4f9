package migrate

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A batch shares one transaction for its intents and one for its outcomes. It is small, so that Ctrl-C ends soon
// and little is to be looked for after a cut; where the line is fast, it is larger.
const (
	batchMessages = 256
	batchOctets   = 24 << 20
	fastest       = 4           // times as large
	soon          = time.Second // for a batch to be over
)

// push brings what is pending of one share.
func (r *run) push(ctx context.Context, h *hand, p share) error {
	to := p.To
	b := r.box(h, to.Name)
	for {
		if b.listed && !b.selected { // the line broke: what was on its way is settled first, and may be pending again
			if err := b.open(ctx, to); err != nil {
				return err
			}
		}
		batch, err := b.batch(p)
		if err != nil || len(batch) == 0 {
			return err
		}
		if !b.selected {
			if err := b.open(ctx, to); err != nil {
				return err
			}
			continue
		}
		n, err := b.bringAllowed(ctx, batch)
		if err != nil {
			return err
		}
		b.after[p.key()] = batch[n-1].ID
		if r.stopping() {
			return cmp.Or(b.readBack(ctx), retry.ErrStopped)
		}
		if r.halted != nil {
			return errHalted
		}
	}
}

// batch returns the next entries to bring.
func (b *box) batch(p share) ([]archive.Entry, error) {
	mailbox := p.From.Name
	b.quicken()
	for {
		page, err := b.run.Archive.Pending(b.run.Account, b.run.wanted(), mailbox, b.after[p.key()], batchMessages*b.pace*b.width())
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return b.refusals(p)
		}
		last := page[len(page)-1].ID
		page = slices.DeleteFunc(page, func(e archive.Entry) bool {
			_, skipped := b.run.skipped[e.ID]
			return skipped || p.takes != nil && !p.takes(e)
		})
		if len(page) > 0 {
			return firstOctets(page, int64(batchOctets*b.pace*b.width())), nil
		}
		b.after[p.key()] = last
	}
}

// quicken makes the next batch twice as large as the last one, if that was over soon.
func (b *box) quicken() {
	if b.took > 0 && b.took <= soon {
		b.pace = min(2*b.pace, fastest)
	} else {
		b.pace = 1
	}
}

// firstOctets returns as many of the entries as have so many octets together, at least one.
func firstOctets(entries []archive.Entry, limit int64) []archive.Entry {
	var octets int64
	for i, e := range entries {
		octets += e.Octets
		if octets > limit && i > 0 {
			return entries[:i]
		}
	}
	return entries
}

// bring brings one batch: what is there already is recognised, the rest appended, and every outcome recorded.
func (b *box) bring(ctx context.Context, batch []archive.Entry) error {
	for len(batch) > 0 {
		rest, present, err := b.recognise(ctx, batch)
		if err != nil {
			return err
		}
		if err := b.settle(present); err != nil {
			return err
		}
		if rest, err = b.recogniseMended(ctx, rest); err != nil {
			return err
		}
		batch = nil
		if b.run.MergeByID {
			if rest, batch, err = b.mergeByID(ctx, rest); err != nil {
				return err
			}
		}
		if err := b.sendAllowed(ctx, rest); err != nil {
			return err
		}
	}
	return nil
}

// recognise finds the entries that are at the destination already, one to one: by key found, by content judged.
func (b *box) recognise(ctx context.Context, batch []archive.Entry) (rest []archive.Entry, present []archive.Outcome, err error) {
	if err := b.claimStranded(ctx, batch); err != nil {
		return nil, nil, err
	}
	b.hashed = make(map[int64]hashed, len(batch))
	var maybe []archive.Entry
	var uids []uint32
	for _, e := range batch {
		found := b.candidates(e, false)
		if len(found) == 0 {
			rest = append(rest, e)
			continue
		}
		maybe = append(maybe, e)
		uids = append(uids, found...)
	}
	pairs, err := b.pair(ctx, maybe, uids)
	if err != nil {
		return nil, nil, err
	}
	for i, e := range maybe {
		if pairs[i] == 0 {
			rest = append(rest, e)
		} else {
			present = append(present, b.claim(e, archive.Present, pairs[i]))
		}
	}
	slices.SortFunc(rest, func(x, y archive.Entry) int { return int(x.ID - y.ID) })
	return rest, present, nil
}

// pair reads the messages at the destination with these UIDs and says which of them each entry is, 0 for none. It is
// noted in which form each was found.
func (b *box) pair(ctx context.Context, entries []archive.Entry, uids []uint32) ([]uint32, error) {
	m, err := b.match(ctx, entries, uids)
	for i, uid := range m.uids {
		if uid != 0 {
			b.run.foundAs(entries[i], m.forms[i], m.shown[uid])
		}
	}
	return m.uids, err
}

// A matched says which messages entries are.
type matched struct {
	uids  []uint32            // of each, 0 for none
	forms [][]mail.Sum        // of each
	shown map[uint32]mail.Sum // what was read, by UID
}

// match is pair, and notes nothing.
func (b *box) match(ctx context.Context, entries []archive.Entry, uids []uint32) (m matched, err error) {
	m.uids = make([]uint32, len(entries))
	slices.Sort(uids)
	uids = slices.Compact(uids)
	if m.shown, err = b.read(ctx, uids); err != nil || len(m.shown) == 0 {
		return m, err
	}
	if m.forms, err = b.run.formsOf(entries); err != nil {
		return m, err
	}
	for i, j := range assign(len(entries), len(uids), func(i, j int) likeness {
		sum, had := m.shown[uids[j]]
		if !had {
			return unlike
		}
		return alike(m.forms[i], sum)
	}) {
		if j >= 0 {
			m.uids[i] = uids[j]
		}
	}
	return m, nil
}

// settle records outcomes, and then tells of them.
func (b *box) settle(outcomes []archive.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	outcomes = b.run.remark(outcomes)
	if err := b.run.Archive.Settle(b.run.Account, outcomes, b.seen()...); err != nil {
		return err
	}
	b.shelf.kept()
	told := progress.Confirmed{Mailbox: b.name}
	for _, o := range outcomes {
		delete(b.run.merges, o.Entry)
		if o.State == archive.Merged {
			b.run.merges[o.Entry] = o
		}
		switch o.State {
		case archive.Done:
			told.Appended++
			b.run.drop(o.Lacks)
		case archive.Present, archive.Merged:
			told.Present++
		case archive.Refused:
			if err := b.tellRefused(o); err != nil {
				return err
			}
		}
	}
	b.run.Watch.Tell(told)
	return nil
}

func (b *box) tellRefused(o archive.Outcome) error {
	e, err := b.run.Archive.Entry(o.Entry)
	if err != nil {
		return err
	}
	b.run.Watch.Tell(progress.Failed{Half: progress.Destination, Ref: e.Ref, State: StateRefused, Reason: o.Reason})
	return nil
}

// A sending is one batch on its way: each entry ends in exactly one of the lists.
type sending struct {
	from     uint32               // what has come since has no smaller UID
	took     time.Duration        // by the APPENDs
	outcomes []archive.Outcome    // known
	unnamed  []archive.Entry      // the server said OK, and no UID
	unsure   []archive.Entry      // the server may have it or not
	lacks    map[int64]mail.Flags // by entry: what is there without these flags
}

// send appends the entries. Their intents are on disk before the first octet leaves. When the line breaks, what
// has no outcome keeps its intent, and is looked for before anything is sent again.
func (b *box) send(ctx context.Context, batch []archive.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	if b.first == 0 {
		b.first = b.next
	}
	if err := b.intend(batch); err != nil {
		return err
	}
	s, began := &sending{from: b.next}, time.Now()
	err := b.append(ctx, batch, s)
	s.took = time.Since(began)
	b.took = s.took
	if sameSession(err) {
		err = cmp.Or(err, b.lookAfter(ctx, s))
	}
	b.holdBack(s)
	if serr := b.settle(s.outcomes); serr != nil {
		return serr
	}
	if err != nil {
		return err
	}
	return b.check(ctx, s.outcomes)
}

// lookAfter finds what was stored without a UID, marks what was stored without flags, and sees what came in between.
func (b *box) lookAfter(ctx context.Context, s *sending) error {
	if len(s.unnamed) > 0 {
		if err := b.look(ctx, s); err != nil {
			return err
		}
	}
	if err := b.mark(ctx, s); err != nil {
		return err
	}
	return b.lookBetween(ctx)
}

func (b *box) intend(batch []archive.Entry) error {
	intents := make([]archive.Intent, len(batch))
	for i, e := range batch {
		intents[i] = b.run.intentOf(archive.Intent{Entry: e.ID, Mailbox: b.name, Validity: b.status.Validity, Next: b.next})
	}
	return b.run.Archive.Intend(b.run.Account, intents)
}

// append sends the batch and sorts the entries by what the server said.
func (b *box) append(ctx context.Context, batch []archive.Entry, s *sending) error {
	outgoing := make([]mail.Outgoing, len(batch))
	for i, e := range batch {
		batch[i].Flags = b.run.flagsOf(e)
		outgoing[i] = mail.Outgoing{Flags: batch[i].Flags, Received: e.Received, Octets: e.Octets,
			Open: func() (io.ReadCloser, error) { return b.run.openWatched(e) }}
	}
	told := make([]bool, len(batch))
	err := b.sendAll(ctx, outgoing, func(i int, got mail.Stored, err error) {
		told[i] = true
		b.answered(batch[i], got, err, s)
	})
	for i, e := range batch {
		if !told[i] { // never sent
			s.outcomes = append(s.outcomes, archive.Outcome{Entry: e.ID, State: archive.Pending, Mailbox: b.name})
		}
	}
	return err
}

// openWatched opens a message to be sent, and tells of it while it goes.
func (r *run) openWatched(e archive.Entry) (io.ReadCloser, error) {
	if r.halting.Load() || r.stopping() {
		return nil, errHalted
	}
	f, err := r.open(e)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{r.Watch.Reader(progress.Destination, f), f}, nil
}

// stopping reports whether the run is to end: what is under way then is brought, and nothing more.
func (r *run) stopping() bool {
	select {
	case <-r.Stop:
		return true
	default:
		return false
	}
}

// answered sorts one entry by the server's answer.
func (b *box) answered(e archive.Entry, got mail.Stored, err error, s *sending) {
	var me *mail.Error
	switch {
	case err == nil:
		b.at.retry.Progress()
		b.run.octets += e.Octets
		b.run.Watch.Tell(progress.Moved{Half: progress.Destination, Octets: e.Octets})
		s.lack(e, got.Lacks)
		if _, again := b.sent[got.UID]; again || got.UID == 0 {
			s.unnamed = append(s.unnamed, e)
			return
		}
		s.outcomes = append(s.outcomes, b.done(e, got.UID))
	case errors.As(err, &me) && me.Unsure:
		b.run.unsure[e.ID]++
		s.unsure = append(s.unsure, e)
	case errors.As(err, &me) && me.Scope == mail.ScopeMessage && me.Later == 0:
		s.outcomes = append(s.outcomes, archive.Outcome{Entry: e.ID, State: archive.Refused, Mailbox: b.name, Reason: me.Err.Error()})
	case errors.Is(err, errHalted):
		s.outcomes = append(s.outcomes, archive.Outcome{Entry: e.ID, State: archive.Pending, Mailbox: b.name})
	default: // local trouble with this message, a no for now, or a no to the whole mailbox
		b.run.skip(e, err.Error())
		s.outcomes = append(s.outcomes, archive.Outcome{Entry: e.ID, State: archive.Pending, Mailbox: b.name})
	}
}

// done claims a UID that is ours because an APPEND of ours got it.
func (b *box) done(e archive.Entry, uid uint32) archive.Outcome {
	b.next = max(b.next, uid+1)
	if b.first > 0 { // a folder that was made again gives lower ones than were expected
		b.first = min(b.first, uid)
	}
	b.sent[uid] = sentMail{e.ID, b.run.flagging(e.Flags, nil)}
	b.shelf.sent(b.shownAs(e, uid))
	return b.claim(e, archive.Done, uid)
}
