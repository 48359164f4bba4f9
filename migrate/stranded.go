package migrate

import (
	"context"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// stranded are the entries that were brought to a mailbox before the server numbered it anew. What is theirs there the
// ledger cannot say any more, and who is brought now must not take it for its own.
type stranded struct {
	byKey map[uint64][]int64 // by key of their header; nil: not asked for yet
	tried map[int64]bool     // what is theirs is claimed, as far as it is there
}

// with returns those of them that have the key, each once in a run.
func (s *stranded) with(key uint64) (ids []int64) {
	for _, id := range s.byKey[key] {
		if !s.tried[id] {
			s.tried[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// learnStranded asks the ledger for them.
func (b *box) learnStranded() error {
	s := &b.stranded
	if s.byKey != nil {
		return nil
	}
	s.byKey, s.tried = map[uint64][]int64{}, map[int64]bool{}
	return b.run.Archive.EachStranded(b.run.Account, b.name, b.status.Validity, func(e archive.Entry) {
		for _, key := range keysOf(hashes(e.Header)) {
			s.byKey[key] = append(s.byKey[key], e.ID)
		}
	})
}

// claimStranded claims what is there of those stranded that could be taken for one of the entries. Where there is one
// message for two of them, the stranded one has it, and the other is brought.
func (b *box) claimStranded(ctx context.Context, entries []archive.Entry) error {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e archive.Entry) bool { return len(b.candidates(e, false)) == 0 })
	if len(entries) == 0 {
		return nil
	}
	if err := b.learnStranded(); err != nil {
		return err
	}
	all, forget, err := b.strandedLike(entries)
	defer forget()
	n := len(all)
	if err != nil || n == 0 {
		return err
	}
	all = append(all, entries...)
	var uids []uint32
	for _, e := range all {
		uids = append(uids, b.candidates(e, false)...)
	}
	m, err := b.match(ctx, all, uids)
	if err != nil {
		return err
	}
	for _, uid := range m.uids[:n] {
		if uid != 0 {
			b.claimed[uid] = true
		}
	}
	return nil
}

// strandedLike returns those stranded that share a key with one of the entries, where mended copies are made as such:
// they may have been brought so. forget has to be called when they have been looked for.
func (b *box) strandedLike(entries []archive.Entry) (all []archive.Entry, forget func(), err error) {
	forget = func() {
		for _, e := range all {
			b.run.mending.forget(e.ID)
		}
	}
	var ids []int64
	for _, e := range entries {
		if c, mended := b.run.mending.copyOf(e.ID); mended {
			e = c.of
		}
		for _, key := range keysOf(hashes(e.Header)) {
			ids = append(ids, b.stranded.with(key)...)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		e, err := b.run.Archive.Entry(id)
		if err != nil {
			return all, forget, err
		}
		if b.run.Repair {
			c, mendable, err := b.run.mend(e, "")
			if err != nil {
				return all, forget, err
			}
			if mendable {
				b.run.mending.keep(c)
				e = c.Entry
			}
		}
		all = append(all, e)
	}
	return all, forget, nil
}
