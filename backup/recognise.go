package backup

import (
	"cmp"
	"context"
	"io"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// sampleEvery is how many messages are recognised by their headers until the octets of one are compared.
const sampleEvery = 100

// A pair is a message the source shows and the entry it turned out to be.
type pair struct {
	item  mail.Item
	entry archive.Entry
}

// recognise archives without fetching what is new by its Ref only, and returns what is left to be fetched. The
// folder may have been renamed or numbered anew, a message copied or moved from another folder.
func (k *keeper) recognise(ctx context.Context, mb mail.Mailbox, items []mail.Item) ([]mail.Item, error) {
	items, err := k.renamed(mb, items)
	if err != nil || len(items) == 0 {
		return items, err
	}
	pairs, rest, err := k.pair(ctx, items)
	if err != nil || len(pairs) == 0 {
		return rest, err
	}
	sound, err := k.sample(ctx, pairs)
	if err != nil {
		return nil, err
	}
	if !sound {
		k.note(mb.Name + ": messages that look like archived ones are others; all of the new ones are fetched")
		return items, nil
	}
	return rest, k.accept(mb, pairs)
}

// pair looks for each item among what is archived. What the server vouches for counts at once; else size and
// INTERNALDATE find candidates, and the header must be the same, of one content only.
func (k *keeper) pair(ctx context.Context, items []mail.Item) (pairs []pair, rest []mail.Item, err error) {
	like := map[mail.Ref][]archive.Entry{}
	var maybe []mail.Item
	for _, it := range items {
		if e, ok, err := k.vouched(it); err != nil {
			return nil, nil, err
		} else if ok {
			pairs = append(pairs, pair{it, e})
			continue
		}
		found, err := k.Archive.Similar(it.Size, it.Received)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 || it.Received.IsZero() {
			rest = append(rest, it)
			continue
		}
		like[it.Ref] = found
		maybe = append(maybe, it)
	}
	heads, err := k.heads(ctx, maybe)
	if err != nil {
		return nil, nil, err
	}
	for _, it := range maybe {
		e, ok, err := k.choose(it, like[it.Ref], heads)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			pairs = append(pairs, pair{it, e})
		} else {
			rest = append(rest, it)
		}
	}
	return pairs, rest, nil
}

func (k *keeper) vouched(it mail.Item) (archive.Entry, bool, error) {
	if it.Identity == "" {
		return archive.Entry{}, false, nil
	}
	return k.Archive.ByIdentity(it.Identity)
}

// heads returns the digests of the items' headers; one that cannot be had has none.
func (k *keeper) heads(ctx context.Context, items []mail.Item) (map[mail.Ref]mail.Digest, error) {
	src, ok := k.Source.(Headed)
	if !ok || len(items) == 0 {
		return nil, nil
	}
	digests := make(map[mail.Ref]mail.Digest, len(items))
	err := src.Heads(ctx, items, func(it mail.Item, head io.Reader) error {
		sum, err := mail.SumOf(head)
		if err == nil {
			digests[it.Ref] = sum.HeadDigest
		}
		if messageOnly(err) {
			return nil
		}
		return err
	})
	return digests, err
}

// choose returns the entry that an item is: one that nothing else was taken for yet if it is of the same folder
// before it was numbered anew; and only if all that have its header have one content.
func (k *keeper) choose(it mail.Item, like []archive.Entry, heads map[mail.Ref]mail.Digest) (archive.Entry, bool, error) {
	head, had := heads[it.Ref]
	if !had {
		return archive.Entry{}, false, nil
	}
	var best archive.Entry
	for _, e := range like {
		digest, err := k.Archive.HeadDigest(e)
		if err != nil {
			return archive.Entry{}, false, err
		}
		switch {
		case digest != head:
		case best.ID == 0:
			best = e
		case best.Digest != e.Digest:
			return archive.Entry{}, false, nil
		case k.sameFolder(e, it) && !k.sameFolder(best, it):
			best = e
		}
	}
	return best, best.ID != 0, nil
}

// sameFolder reports whether the entry is what was in the item's folder before it was numbered anew, and is free.
func (k *keeper) sameFolder(e archive.Entry, it mail.Item) bool {
	return e.Ref.Mailbox == it.Ref.Mailbox && e.Ref.Validity != it.Ref.Validity && !k.moved[e.ID]
}

// sample reads the octets of some of the messages and reports whether they are those of the entries.
func (k *keeper) sample(ctx context.Context, pairs []pair) (sound bool, err error) {
	var items []mail.Item
	want := map[mail.Ref]mail.Digest{}
	for i := 0; i < len(pairs); i += sampleEvery {
		items = append(items, pairs[i].item)
		want[pairs[i].item.Ref] = pairs[i].entry.Match
	}
	sound = true
	err = k.Source.Fetch(ctx, items, func(it mail.Item, body io.Reader) error {
		sum, err := mail.SumOf(body)
		if messageOnly(err) {
			return nil
		}
		sound = sound && sum.Match == want[it.Ref]
		return err
	})
	return sound, err
}

// accept gives the entries their new Refs: an entry of a folder that was numbered anew goes on under its new number,
// any other stays where it is and gets a second one beside it, linked.
func (k *keeper) accept(mb mail.Mailbox, pairs []pair) error {
	var moves []archive.Move
	batch := k.Archive.NewBatch()
	defer batch.Abort()
	for _, p := range pairs {
		if k.sameFolder(p.entry, p.item) {
			k.moved[p.entry.ID] = true
			moves = append(moves, archive.Move{Entry: p.entry.ID, Ref: p.item.Ref, Mailbox: mb})
			k.tally[p.item.Ref] = known
			continue
		}
		if _, err := batch.Link(p.item, mb, p.entry); err != nil {
			return err
		}
	}
	if err := k.rekey(moves); err != nil {
		return err
	}
	entries, err := batch.Commit()
	for _, e := range entries {
		k.tally[e.Ref] = linked
	}
	return err
}

func (k *keeper) rekey(moves []archive.Move) error {
	if len(moves) == 0 {
		return nil
	}
	return k.Archive.Rekey(moves)
}

// renamed recognises a folder by what it holds: an archived one that the source does not show any more, with the
// same UIDVALIDITY, and under the same UIDs messages of the same sizes and times.
func (k *keeper) renamed(mb mail.Mailbox, items []mail.Item) ([]mail.Item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	states, err := k.Archive.States()
	if err != nil {
		return nil, err
	}
	if states[mb.Name].Validity != 0 {
		return items, nil // it was there under this name
	}
	for name, st := range states {
		if k.listed[name] || st.Validity != items[0].Ref.Validity {
			continue
		}
		moves, left, err := k.overlap(name, mb, items)
		if err != nil || len(moves) > 0 {
			k.note(name + " is called " + mb.Name + " now")
			return left, cmp.Or(err, k.rekey(moves))
		}
	}
	return items, nil
}

// overlap pairs the items with the entries of the mailbox of that name, by UID. One that has the UID and differs
// says that it is another folder.
func (k *keeper) overlap(name string, mb mail.Mailbox, items []mail.Item) (moves []archive.Move, left []mail.Item, err error) {
	byUID := map[string]archive.Entry{}
	for after := int64(0); ; {
		page, err := k.Archive.EntriesOf(name, items[0].Ref.Validity, after, 1000)
		if err != nil {
			return nil, nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			byUID[e.Ref.UID] = e
		}
		after = page[len(page)-1].ID
	}
	for _, it := range items {
		e, there := byUID[it.Ref.UID]
		switch {
		case !there:
			left = append(left, it)
		case e.Octets != it.Size || !e.Received.Equal(it.Received):
			return nil, items, nil
		default:
			moves = append(moves, archive.Move{Entry: e.ID, Ref: it.Ref, Mailbox: mb})
			k.tally[it.Ref] = known
		}
	}
	return moves, left, nil
}
