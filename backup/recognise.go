package backup

import (
	"context"
	"slices"
	"time"

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
	return (&recogniser{run: k.run, mb: mb, like: k.like, links: true, goesOn: k.goesOn}).recognise(ctx, items)
}

// goesOn: an entry of the mailbox from before it was numbered anew, or one that was gone, or that free has taken out, has no
// other Ref any more.
func (k *keeper) goesOn(e archive.Entry, it mail.Item) bool {
	if e.Ref.Mailbox != it.Ref.Mailbox {
		return false
	}
	if e.Gone || e.Ref.Validity != it.Ref.Validity {
		return true
	}
	freed, err := k.Archive.WasFreed(e.ID)
	return err == nil && freed // a ledger that cannot be read says so when it is written to
}

// like returns the entries of the message that the source vouches for to be this one, if they are of one content and of
// this size; or else those of this size and INTERNALDATE. Where there is none, it is not looked for in other mailboxes.
func (k *keeper) like(it mail.Item) ([]archive.Entry, bool, error) {
	if it.Identity != "" {
		same, err := k.Archive.Identical(it.Identity)
		strange := func(e archive.Entry) bool { return e.Octets != it.Size || e.Digest != same[0].Digest }
		if err != nil || len(same) > 0 && !slices.ContainsFunc(same, strange) {
			return same, true, err
		}
	}
	similar, err := k.Archive.Similar(it.Size, it.Received)
	if it.Received.IsZero() {
		similar = slices.DeleteFunc(similar, func(e archive.Entry) bool { return !k.goesOn(e, it) })
	}
	if err != nil || it.Received.IsZero() || !k.Archive.HoldsImports() {
		return similar, false, err
	}
	imported, err := k.likeImported(it)
	return append(similar, imported...), false, err
}

// likeImported returns the entries of this size that were imported into the item's mailbox. What a file says of the time
// of arrival is seldom what the server says.
func (k *keeper) likeImported(it mail.Item) ([]archive.Entry, error) {
	similar, err := k.Archive.Similar(it.Size, time.Time{})
	return slices.DeleteFunc(similar, func(e archive.Entry) bool {
		return !e.Ref.Imported() || e.Mailbox != it.Ref.Mailbox || e.Received.Equal(it.Received)
	}), err
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
	rest = those(items, func(it mail.Item) bool {
		if err != nil {
			return false
		}
		found, vouched, lerr := rc.like(it)
		switch {
		case lerr != nil:
			err = lerr
		case len(found) == 0 || rc.shy[it.Ref] > 1:
			return true
		case vouched && rc.match(it, found, true):
		default:
			like[it.Ref] = found
			maybe = append(maybe, it)
		}
		return false
	})
	if err != nil {
		return nil, err
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
