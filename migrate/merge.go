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

// A Merge is one message of the archive that is not at the destination beside another, but counts as that one.
type Merge struct {
	Ref       mail.Ref
	MessageID string
	Mailbox   string // the destination's
	UID       uint32 // of what is kept there
	By        string
}

// By whom a message was merged.
const (
	ByServer = "server"     // it keeps one of what it takes for the same
	ByID     = "message-id" // Job.MergeByID
)

// maxKept bounds how many messages an earlier run has seen are read to find one with the same Message-ID that is
// still there.
const maxKept = 16

// merge makes a message at the destination count for an entry too.
func (b *box) merge(e archive.Entry, uid uint32, by string) archive.Outcome {
	return archive.Outcome{Entry: e.ID, State: archive.Merged, Mailbox: b.name, Validity: b.status.Validity, UID: uid, Reason: by}
}

// mergeByID merges the entries whose Message-ID is in the mailbox already. Of those that share one the first is to be
// sent; the others come when it is known what became of it.
func (b *box) mergeByID(ctx context.Context, entries []archive.Entry) (first, others []archive.Entry, err error) {
	kept, err := b.keptFor(ctx, entries)
	if err != nil {
		return nil, nil, err
	}
	var merged []archive.Outcome
	seen := map[uint64]bool{0: false}
	for _, e := range entries {
		id, _ := hashes(e.Header)
		switch {
		case id == 0:
			first = append(first, e)
		case kept[id] != 0:
			b.run.mending.forget(e.ID) // no copy of it is brought
			merged = append(merged, b.merge(e, kept[id], ByID))
			b.joined[kept[id]] = append(b.joined[kept[id]], e.ID)
		case seen[id]:
			others = append(others, e)
		default:
			seen[id] = true
			first = append(first, e)
		}
	}
	return first, others, b.settle(merged)
}

// keptFor returns by Message-ID, as hashes has it, which message there has it. What only earlier runs have seen is read
// back first: it may be gone, and then nothing may be merged into it.
func (b *box) keptFor(ctx context.Context, entries []archive.Entry) (map[uint64]uint32, error) {
	kept := make(map[uint64]uint32)
	var old []uint32
	for _, e := range entries {
		id, _ := hashes(e.Header)
		if id == 0 || kept[id] != 0 {
			continue
		}
		n := 0
		for m := range b.shelf.with(id) {
			if m.UID >= b.shelf.fresh {
				kept[id] = m.UID
			} else if n++; n <= maxKept && kept[id] == 0 {
				old = append(old, m.UID)
			}
		}
	}
	slices.Sort(old)
	old = slices.Compact(old)
	sums, err := b.read(ctx, old)
	if err != nil {
		return nil, err
	}
	for _, uid := range old {
		sum, had := sums[uid]
		id, _ := hashes(sum.Header)
		if had && id != 0 && kept[id] == 0 {
			kept[id] = uid
		}
	}
	return kept, nil
}

// rejoin has the entries that were merged into a message by their Message-ID count as another, because the server has
// not kept it; without another the next run brings one of them.
func (b *box) rejoin(uid, other uint32) (outcomes []archive.Outcome, err error) {
	for _, id := range b.joined[uid] {
		e, err := b.run.Archive.Entry(id)
		if err != nil {
			return nil, err
		}
		if other != 0 {
			outcomes = append(outcomes, b.merge(e, other, ByID))
			continue
		}
		b.run.skip(e, "the server did not keep the message that it was merged with")
		outcomes = append(outcomes, archive.Outcome{Entry: id, State: archive.Pending, Mailbox: b.name})
	}
	if other != 0 {
		b.joined[other] = append(b.joined[other], b.joined[uid]...)
	}
	delete(b.joined, uid)
	return outcomes, nil
}

// merged returns what was merged in this run, in the order of the archive.
func (r *run) merged() (all []Merge, err error) {
	for _, id := range slices.SortedFunc(maps.Keys(r.merges), cmp.Compare) {
		o := r.merges[id]
		e, err := r.Archive.Entry(id)
		if err != nil {
			return nil, err
		}
		all = append(all, Merge{Ref: e.Ref, MessageID: e.Header.MessageID, Mailbox: o.Mailbox, UID: o.UID, By: o.Reason})
	}
	return all, nil
}

// twins says of each mailbox at the destination how many messages would be merged because several of the archive have one
// Message-ID. How many are there already nobody knows before the mailbox is opened.
func (j Job) twins(folders []Prospect) (said []string, err error) {
	from := make(map[string][]string)
	to := make(map[string]mail.Mailbox)
	for _, f := range folders {
		if !f.LeftOut && !f.Rest {
			from[f.To.Name], to[f.To.Name] = append(from[f.To.Name], f.From.Name), f.To
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		n, err := j.Archive.Twins(j.Account, j.wanted(), from[name]...)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			said = append(said, fmt.Sprintf("%d of the messages to %s have the Message-ID of another, and would be merged", n, textOf(to[name])))
		}
	}
	return said, nil
}
