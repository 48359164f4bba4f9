package backup

import (
	"context"
	"math/rand/v2"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// trustSample is how many UIDs of a mailbox are checked in each run, beside the first and the last.
const trustSample = 16

// nextInTurn returns which of the mailboxes in which nothing has changed is looked into all the same: servers that
// give UIDs to other messages (Proton's bridge did) do not say so either.
func (k *keeper) nextInTurn(boxes []mail.Mailbox) (string, error) {
	var quiet []string
	for _, mb := range boxes {
		if st := k.states[mb.Name]; !mb.NoSelect && st.Messages > 0 && unchanged(st, k.now[mb.Name]) {
			quiet = append(quiet, mb.Name)
		}
	}
	return k.Archive.Turn(quiet)
}

// reused reports whether messages are others now than those that are archived under their UIDs. Of a mailbox that was
// listed from the beginning all are checked, else some.
func (k *keeper) reused(ctx context.Context, mb mail.Mailbox, since mail.Status, ch mail.Changes) (bool, error) {
	var suspects []pair
	var err error
	if since.Validity == ch.Status.Validity {
		suspects, err = k.suspectsAmongSome(ctx, mb, ch)
	} else {
		suspects, err = k.suspectsAmongAll(mb, ch)
	}
	if err != nil || len(suspects) == 0 {
		return false, err
	}
	return k.convict(ctx, suspects)
}

func (k *keeper) suspectsAmongSome(ctx context.Context, mb mail.Mailbox, ch mail.Changes) ([]pair, error) {
	entries, err := k.Archive.Sample(mb.Name, ch.Status.Validity, trustSample)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	var uids []uint32
	for _, e := range entries {
		uids = append(uids, uidOf(mail.Item{Ref: e.Ref}))
	}
	items, err := k.src.Items(ctx, mb.Name, uids)
	if err != nil {
		return nil, err
	}
	return k.suspects(byRef(items), entries...), nil
}

func (k *keeper) suspectsAmongAll(mb mail.Mailbox, ch mail.Changes) (all []pair, err error) {
	shown := byRef(ch.New)
	for e, err := range entriesOf(k.Archive, mb.Name, ch.Status.Validity) {
		if err != nil {
			return all, err
		}
		all = append(all, k.suspects(shown, e)...)
	}
	return all, nil
}

func byRef(items []mail.Item) map[mail.Ref]mail.Item {
	shown := make(map[mail.Ref]mail.Item, len(items))
	for _, it := range items {
		shown[it.Ref] = it
	}
	return shown
}

// suspects returns the entries whose UIDs show a message of another size or time.
func (k *keeper) suspects(shown map[mail.Ref]mail.Item, entries ...archive.Entry) (some []pair) {
	for _, e := range entries {
		it, there := shown[e.Ref]
		if there && k.shy[it.Ref] < 2 && !looksLike(e, it) {
			some = append(some, pair{item: it, entry: e})
		}
	}
	return some
}

// looksLike reports whether a message has the size and time of an entry. A time that is none says nothing.
func looksLike(e archive.Entry, it mail.Item) bool {
	sec := it.Received.Unix()
	return e.Octets == it.Size && (it.Received.IsZero() || sec <= 0 || sec >= 1<<32 || sec == e.Received.Unix())
}

// convict reports whether the header of a suspect is another one than that of its entry. Servers are not always right
// about sizes, and some change times.
func (k *keeper) convict(ctx context.Context, suspects []pair) (bool, error) {
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	suspects = suspects[:min(len(suspects), trustSample)]
	var items []mail.Item
	for _, s := range suspects {
		items = append(items, s.item)
	}
	heads, err := k.heads(ctx, items)
	if err != nil {
		return false, err
	}
	for _, s := range suspects {
		head, had := heads[s.item.Ref]
		if !had {
			continue
		}
		if digest, err := k.Archive.HeadDigest(s.entry); passDamage(err) != nil {
			return false, err
		} else if err == nil && digest != head {
			return true, nil
		}
	}
	return false, nil
}
