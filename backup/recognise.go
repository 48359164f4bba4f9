package backup

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// sampleEvery is of how many messages that are recognised by their headers the octets of one are compared.
	sampleEvery = 100
	// linkTogether is how many links share a commit.
	linkTogether = 1000
)

// A recogniser finds among the messages that are new by their Refs those that are archived under another one: their
// folder was numbered anew, or they were copied or moved from another one.
type recogniser struct {
	*run
	mb mail.Mailbox
	// like returns the entries that an item may be, and whether the source vouches for that.
	like func(mail.Item) (entries []archive.Entry, vouched bool, err error)
	// goesOn reports whether an entry has no other Ref any more than the item's; else the item is a second one of it.
	goesOn func(archive.Entry, mail.Item) bool
	links  bool // there can be second ones

	pairs   []pair
	taken   map[int64]bool        // entries that go on under the Ref of an item
	digests map[int64]mail.Digest // of entries' headers
}

// A pair is an item and the entry it turned out to be.
type pair struct {
	item    mail.Item
	entry   archive.Entry
	vouched bool
}

// recognise archives without fetching what is new by its Ref only, and returns what is left to be fetched.
func (k *keeper) recognise(ctx context.Context, mb mail.Mailbox, ch mail.Changes, items []mail.Item) ([]mail.Item, error) {
	items, err := k.renamed(mb, ch.Status, items)
	if err != nil {
		return nil, err
	}
	rc := &recogniser{run: k.run, mb: mb, like: k.like, links: true, goesOn: func(e archive.Entry, it mail.Item) bool {
		return e.Ref.Mailbox == it.Ref.Mailbox && (e.Gone || e.Ref.Validity != it.Ref.Validity)
	}}
	return rc.recognise(ctx, items)
}

// like returns the entries of the message that the source vouches for to be this one, and of this size; or those of
// this size and INTERNALDATE.
func (k *keeper) like(it mail.Item) ([]archive.Entry, bool, error) {
	if it.Identity != "" {
		same, err := k.Archive.Identical(it.Identity)
		same = slices.DeleteFunc(same, func(e archive.Entry) bool { return e.Octets != it.Size })
		if err != nil || len(same) > 0 {
			return same, true, err
		}
	}
	if it.Received.IsZero() {
		return nil, false, nil
	}
	similar, err := k.Archive.Similar(it.Size, it.Received)
	return similar, false, err
}

func (rc *recogniser) recognise(ctx context.Context, items []mail.Item) ([]mail.Item, error) {
	if len(items) == 0 || rc.deceived {
		return items, nil
	}
	rc.taken, rc.digests = map[int64]bool{}, map[int64]mail.Digest{}
	rest, err := rc.pair(ctx, items)
	if err != nil || len(rc.pairs) == 0 {
		return rest, err
	}
	sound, err := rc.sample(ctx)
	if err != nil {
		return nil, err
	}
	if !sound {
		rc.deceived = true
		rc.note(mail.Printable(rc.mb.Name) + ": messages that look like archived ones are others; all that are new are fetched")
		return items, nil
	}
	left, err := rc.accept()
	return append(rest, left...), err
}

// pair looks for each item among the entries and returns those that it finds none for. What the source does not vouch
// for must have the same header, and all entries that have it one content.
func (rc *recogniser) pair(ctx context.Context, items []mail.Item) (rest []mail.Item, err error) {
	like := map[mail.Ref][]archive.Entry{}
	var maybe []mail.Item
	for _, it := range items {
		found, vouched, err := rc.like(it)
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0 || rc.shy[it.Ref] > 1:
			rest = append(rest, it)
		case vouched && rc.match(it, found, true):
		default:
			like[it.Ref] = found
			maybe = append(maybe, it)
		}
	}
	heads, err := rc.heads(ctx, maybe)
	if err != nil {
		return nil, err
	}
	for _, it := range maybe {
		found, err := rc.sameHeader(like[it.Ref], heads, it)
		if err != nil {
			return nil, err
		}
		if !rc.match(it, found, false) {
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// match takes the item for one of the entries, which are of one content: rather for one that goes on.
func (rc *recogniser) match(it mail.Item, found []archive.Entry, vouched bool) bool {
	for _, e := range found {
		if rc.goesOn(e, it) && !rc.taken[e.ID] {
			rc.taken[e.ID] = true
			rc.pairs = append(rc.pairs, pair{it, e, vouched})
			return true
		}
	}
	if len(found) > 0 && rc.links {
		rc.pairs = append(rc.pairs, pair{it, found[0], vouched})
		return true
	}
	return false
}

// heads returns the digests of the items' headers; one that cannot be had has none.
func (r *run) heads(ctx context.Context, items []mail.Item) (map[mail.Ref]mail.Digest, error) {
	src, ok := r.Source.(Headed)
	if !ok || len(items) == 0 {
		return nil, nil
	}
	digests := make(map[mail.Ref]mail.Digest, len(items))
	taken := 0
	err := src.Heads(ctx, items, func(it mail.Item, head io.Reader) error {
		sum, err := mail.SumOf(head)
		if err == nil {
			digests[it.Ref] = sum.HeadDigest
		}
		return r.counted(&taken, err)
	})
	if mailboxOnly(err) && !isVanished(err) {
		err = nil // whatever is the matter with headers, whole messages may be had
	}
	return digests, r.brokeReading(items, taken, err)
}

// counted counts a message that was handed over, if only by a word of why it cannot be had, and checks for a stop.
func (r *run) counted(taken *int, err error) error {
	if err != nil && !messageOnly(err) {
		return err
	}
	*taken++
	return r.stopped()
}

// brokeReading notes at which message the session broke. One at which it did so twice is not to be asked for in this
// way again: it is fetched like any that is new.
func (r *run) brokeReading(items []mail.Item, taken int, err error) error {
	if taken < len(items) && isAccountTrouble(err) {
		r.shy[items[taken].Ref]++
		if r.shy[items[taken].Ref] > 1 {
			r.retry.Progress()
		}
	}
	return err
}

// sameHeader returns the entries with the item's header, none if they are of several contents.
func (rc *recogniser) sameHeader(like []archive.Entry, heads map[mail.Ref]mail.Digest, it mail.Item) (same []archive.Entry, err error) {
	head, had := heads[it.Ref]
	if !had {
		return nil, nil
	}
	for _, e := range like {
		digest, err := rc.headOf(e)
		if err != nil {
			return nil, err
		}
		if digest != head {
			continue
		}
		if len(same) > 0 && same[0].Digest != e.Digest {
			return nil, nil
		}
		same = append(same, e)
	}
	return same, nil
}

// headOf returns the digest of an entry's header, zero if its file is damaged.
func (rc *recogniser) headOf(e archive.Entry) (mail.Digest, error) {
	digest, known := rc.digests[e.ID]
	if known {
		return digest, nil
	}
	digest, err := rc.Archive.HeadDigest(e)
	rc.digests[e.ID] = digest
	return digest, passDamage(err)
}

// passDamage passes over an entry whose file is missing or damaged: the archive has noted it.
func passDamage(err error) error {
	if errors.As(err, new(*archive.DamagedError)) {
		return nil
	}
	return err
}

// sample reads the octets of some of the messages that nobody vouches for, and reports whether they are those of the
// entries.
func (rc *recogniser) sample(ctx context.Context) (sound bool, err error) {
	var guessed []pair
	for _, p := range rc.pairs {
		if !p.vouched {
			guessed = append(guessed, p)
		}
	}
	var items []mail.Item
	want := map[mail.Ref]mail.Digest{}
	for some := range slices.Chunk(guessed, sampleEvery) {
		p := some[rand.IntN(len(some))]
		items = append(items, p.item)
		want[p.item.Ref] = p.entry.Match
	}
	if len(items) == 0 {
		return true, nil
	}
	sound = true
	taken := 0
	err = rc.Source.Fetch(ctx, items, func(it mail.Item, body io.Reader) error {
		sum, err := mail.SumOf(body)
		sound = sound && (err != nil || sum.Match == want[it.Ref])
		return rc.counted(&taken, err)
	})
	return sound, rc.brokeReading(items, taken, err)
}

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
