package backup

import (
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// accept gives the entries their new Refs: one that goes on gets the item's in the place of its own, any other stays
// where it is and gets a second one beside it, linked. It returns the items whose entries turned out to be damaged.
func (rc *recogniser) accept() (rest []mail.Item, err error) {
	var moves []archive.Move
	var moved []mail.Item
	var links []pair
	for _, p := range rc.pairs {
		if rc.taken[p.entry.ID] && rc.goesOn(p.entry, p.item) {
			delete(rc.taken, p.entry.ID) // the next pair with it is a second one
			moves = append(moves, archive.Move{Entry: p.entry.ID, Ref: p.item.Ref, Mailbox: rc.mb})
			moved = append(moved, p.item)
		} else {
			links = append(links, p)
		}
	}
	if rest, err = rc.rekeyed(moves, moved); err != nil {
		return nil, err
	}
	if err := rc.cameBack(moves); err != nil {
		return nil, err
	}
	for some := range slices.Chunk(links, linkTogether) {
		left, err := rc.link(some)
		if err == nil {
			err = rc.stopped()
		}
		if err != nil {
			return nil, err
		}
		rest = append(rest, left...)
	}
	return rest, nil
}

// link archives items as second ones of their entries.
func (rc *recogniser) link(pairs []pair) (rest []mail.Item, err error) {
	batch := rc.Archive.NewBatch()
	defer batch.Abort()
	for _, p := range pairs {
		e, err := rc.Archive.Entry(p.entry.ID) // which has another Path if it was moved meanwhile
		if err == nil {
			_, err = batch.Link(p.item, rc.mb, e)
		}
		if passDamage(err) != nil {
			return nil, err
		}
		if err != nil {
			rest = append(rest, p.item)
		}
	}
	entries, err := batch.Commit()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		rc.tally[e.Ref] = linked
	}
	rc.retry.Progress()
	if rc.Committed != nil {
		rc.Committed()
	}
	return rest, nil
}

// cameBack notes that what goes on under another Ref is at the source.
func (rc *recogniser) cameBack(moves []archive.Move) error {
	if len(moves) == 0 {
		return nil
	}
	ids := make([]int64, len(moves))
	for i, m := range moves {
		ids[i] = m.Entry
	}
	return rc.Archive.CameBack(ids)
}

// rekeyed gives entries new Refs and returns the items that none of them has: an entry that turned out to be damaged
// has stayed what it was.
func (r *run) rekeyed(moves []archive.Move, items []mail.Item) (rest []mail.Item, err error) {
	if len(moves) > 0 {
		if err := r.Archive.Rekey(moves); err != nil {
			return nil, err
		}
		r.retry.Progress()
	}
	for _, it := range items {
		if r.Archive.Has(it.Ref) {
			r.tally[it.Ref] = known
		} else {
			rest = append(rest, it)
		}
	}
	return rest, nil
}
