package backup

import (
	"context"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// renumbered recognises the messages of a source that has given new keys to all it has, as a POP3 server does that has
// become another one: fresh are those of the listed ones that are not archived by their keys. An entry whose key is
// not listed any more goes on under the new key of the message with its size and header. What this run has seen has its
// key by now: a source that shows windows shows others every time.
func (r *run) renumbered(ctx context.Context, mb mail.Mailbox, listed, fresh []mail.Item) ([]mail.Item, error) {
	_, headed := r.Source.(Headed)
	if !headed || len(fresh) == 0 || 5*(len(listed)-len(fresh)) >= len(listed) {
		return fresh, nil
	}
	rc := &recogniser{run: r, mb: mb, goesOn: func(archive.Entry, mail.Item) bool { return true }}
	rc.like = func(it mail.Item) ([]archive.Entry, bool, error) {
		found, err := r.Archive.Similar(it.Size, it.Received)
		return slices.DeleteFunc(found, func(e archive.Entry) bool {
			_, seen := r.tally[e.Ref]
			return seen || e.Ref.Mailbox != mb.Name || e.Ref.Validity != 0
		}), false, err
	}
	if known, err := rc.sizesKnown(fresh); err != nil || !known {
		return fresh, err
	}
	before := len(fresh)
	rest, err := rc.recognise(ctx, fresh)
	if err == nil && len(rest) < before {
		r.note("the server has given its messages new UIDLs; those that are archived were recognised by size and header")
	}
	return rest, err
}

// sizesKnown reports whether nearly all items have the sizes of entries. Of mail that is new, many have not.
func (rc *recogniser) sizesKnown(items []mail.Item) (bool, error) {
	n := 0
	for _, it := range items {
		found, _, err := rc.like(it)
		if err != nil {
			return false, err
		}
		if len(found) > 0 {
			n++
		}
	}
	return 5*n >= 4*len(items), nil
}
