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
