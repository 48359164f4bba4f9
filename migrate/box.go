package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxCandidates bounds how many messages at the destination are read to judge one of ours. They are ordered by
// how near their size is, so that only somebody with more equal keys than that can make us bring one twice.
const maxCandidates = 256

// A box is one mailbox at the destination as this run knows it.
type box struct {
	run      *run
	at       *hand // whose session the box is worked in
	name     string
	status   mail.Status
	selected bool // in the session at hand
	listed   bool // the shelf holds what was there when the box was first opened
	// next is a UID that no message has that arrives from now on with a smaller one.
	next     uint32
	first    uint32 // next, before this run's first APPEND; 0: none yet
	shelf    *shelf
	gaps     bool                // the server leaves out UIDs
	unshown  map[uint32]bool     // UIDs of messages that the server does not let us read
	claimed  map[uint32]bool     // UIDs that belong to an entry of ours
	stranded stranded            // entries of which the UIDs are not known any more
	sent     map[uint32]sentMail // by the UIDs this run's APPENDs got
	joined   map[uint32][]int64  // such UIDs → entries that were merged into them for their Message-ID
	after    map[string]int64    // by key of the share: entries up to this one have been dealt with in this run
	took     time.Duration       // by the last batch
	unread   unread
	hashed   map[int64]hashed // of the batch at hand, by entry
	pace     int              // how much larger batches are than they need be
}

// box returns the mailbox as it is known, to be worked in h's session.
func (r *run) box(h *hand, name string) *box {
	b := r.boxes[name]
	if b == nil {
		b = &box{run: r, name: name, shelf: newShelf(), unshown: map[uint32]bool{}, sent: map[uint32]sentMail{}, joined: map[uint32][]int64{}, after: map[string]int64{}}
		r.boxes[name] = b
	}
	if b.at != h {
		b.at, b.selected = h, false
	}
	return b
}

// open makes sure that the mailbox is there and selected, and, once, that what it holds is known.
func (b *box) open(ctx context.Context, mb mail.Mailbox) error {
	if b.selected {
		return nil
	}
	if !b.run.layout.there[b.name] {
		if err := b.at.Create(ctx, mb); err != nil {
			return err
		}
		b.run.layout.there[b.name] = true
	}
	if err := b.settleIntents(ctx); err != nil {
		return err
	}
	if err := b.selectBox(ctx); err != nil {
		return err
	}
	if b.listed {
		return nil
	}
	if err := b.learn(ctx); err != nil {
		return err
	}
	b.listed = true
	return b.keep()
}

// learn learns what the mailbox holds. Of what earlier runs have seen there the last message is listed once more: if it
// is another one now, the UIDs mean something else, whatever the UIDVALIDITY says.
func (b *box) learn(ctx context.Context) error {
	if b.status.Messages == 0 {
		b.forget()
		b.shelf.list(1, nil, b.status.Next)
		return nil
	}
	last, any := b.shelf.last()
	from := b.shelf.next
	if any {
		from = min(from, last.UID)
	}
	another := false
	err := b.listFrom(ctx, from, func(it mail.Item) { another = another || any && isAnother(last, it) })
	if err != nil || !another {
		return err
	}
	b.forget()
	return b.listFrom(ctx, 1, nil)
}

// forget forgets what earlier runs know of the mailbox: none of it is there any more.
func (b *box) forget() {
	b.shelf = newShelf()
	maps.DeleteFunc(b.claimed, func(uid uint32, _ bool) bool {
		_, ours := b.sent[uid]
		return !ours
	})
}

// isAnother reports whether the message with that UID is not the one that was seen before. Servers rewrite single fields.
func isAnother(m archive.Shown, it mail.Item) bool {
	if uidOf(it) != m.UID {
		return false
	}
	id, fields := hashes(it.Header)
	return id != m.ID && fields != m.Fields
}

// listFrom lists the mailbox from a UID on, and puts what is shown on the shelf. take, if it is not nil, sees each message,
// without the floor. No more of them than what the shelf has is kept.
func (b *box) listFrom(ctx context.Context, from uint32, take func(mail.Item)) error {
	var all []archive.Shown
	err := b.at.List(ctx, b.name, from, func(items []mail.Item) {
		for _, it := range items {
			if take != nil {
				take(it)
			}
			if uidOf(it) != 0 {
				all = append(all, shownOf(it))
			}
		}
	})
	if err == nil {
		slices.SortFunc(all, func(x, y archive.Shown) int { return cmp.Compare(x.UID, y.UID) })
		b.shelf.list(from, all, b.status.Next)
	}
	return err
}

// keep notes in the ledger what the mailbox was seen to hold.
func (b *box) keep() error {
	seen := b.seen()
	if len(seen) == 0 {
		return nil
	}
	if err := b.run.Archive.Shelve(b.run.Account, seen[0]); err != nil {
		return err
	}
	b.shelf.kept()
	return nil
}

// seen returns what the ledger does not know yet of what the mailbox holds, nothing if it knows all.
func (b *box) seen() []archive.Shelf {
	s := b.shelf
	if s.saved == s.next {
		return nil
	}
	return []archive.Shelf{{Mailbox: b.name, Validity: b.status.Validity, From: s.saved, Next: s.next, Messages: s.unsaved}}
}

// selectBox selects the mailbox and sees that its UIDs still mean what they meant.
func (b *box) selectBox(ctx context.Context) error {
	if b.selected {
		return nil
	}
	st, err := b.at.Select(ctx, b.name)
	if err != nil {
		return err
	}
	if b.status.Validity != 0 && b.status.Validity != st.Validity {
		return &mail.Error{Op: "select", Mailbox: b.name, Scope: mail.ScopeMailbox, Cause: mail.CauseNetwork,
			Hint: "run again: what is there will be recognised by its content",
			Err:  fmt.Errorf("the server numbered the folder anew (UIDVALIDITY %d became %d) while mail was brought", b.status.Validity, st.Validity)}
	}
	if b.claimed == nil {
		if b.claimed, err = b.run.Archive.Claimed(b.run.Account, b.name, st.Validity); err != nil {
			return err
		}
		known, err := b.run.Archive.Shelf(b.run.Account, b.name, st.Validity)
		if err != nil {
			return err
		}
		b.shelf = shelfFrom(known, st)
	}
	if b.status.Validity == 0 {
		b.next = st.Next
	}
	b.status, b.selected = st, true
	return nil
}

func uidOf(it mail.Item) uint32 {
	n, err := strconv.ParseUint(it.Ref.UID, 10, 32)
	if err != nil {
		return 0 // no destination shows such a one
	}
	return uint32(n)
}

// candidates returns the UIDs at the destination that share a key with e, claimed ones only if asked for, the
// nearest in size first.
func (b *box) candidates(e archive.Entry, claimedToo bool) []uint32 {
	var all []archive.Shown
	for _, key := range keysOf(b.hashesOf(e)) {
		for m := range b.shelf.with(key) {
			if claimedToo || !b.claimed[m.UID] {
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(x, y archive.Shown) int {
		return cmp.Or(cmp.Compare(distance(x.Size, e.Octets), distance(y.Size, e.Octets)), cmp.Compare(x.UID, y.UID))
	})
	all = slices.Compact(all)
	uids := make([]uint32, 0, min(len(all), maxCandidates))
	for _, m := range all[:min(len(all), maxCandidates)] {
		uids = append(uids, m.UID)
	}
	return uids
}

// hashed are the keys of a header.
type hashed struct {
	header     mail.Header
	id, fields uint64
}

// hashesOf returns the keys of an entry; of those of the batch at hand they are made once. A mended copy has a header of
// its own.
func (b *box) hashesOf(e archive.Entry) (id, fields uint64) {
	h, had := b.hashed[e.ID]
	if !had || h.header != e.Header {
		h.id, h.fields = hashes(e.Header)
		h.header = e.Header
		if b.hashed != nil {
			b.hashed[e.ID] = h
		}
	}
	return h.id, h.fields
}

// shownAs returns an entry as it is at the destination.
func (b *box) shownAs(e archive.Entry, uid uint32) archive.Shown {
	id, fields := b.hashesOf(e)
	return archive.Shown{UID: uid, Size: e.Octets, ID: id, Fields: fields}
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// read reads messages at the destination back and sums them up. One that cannot be had is left out.
func (b *box) read(ctx context.Context, uids []uint32) (map[uint32]mail.Sum, error) {
	sums := make(map[uint32]mail.Sum, len(uids))
	err := b.fetch(ctx, uids, func(uid uint32, body io.Reader) error {
		sum, err := mail.SumOf(body)
		if err == nil {
			sums[uid] = sum
		}
		return err
	})
	return sums, err
}

// fetch has take read messages at the destination. One that cannot be had is passed over.
func (b *box) fetch(ctx context.Context, uids []uint32, take func(uid uint32, body io.Reader) error) error {
	if len(uids) == 0 {
		return nil
	}
	items := make([]mail.Item, len(uids))
	for i, uid := range uids {
		items[i].Ref = mail.Ref{Mailbox: b.name, Validity: b.status.Validity, UID: strconv.FormatUint(uint64(uid), 10)}
	}
	return b.at.Fetch(ctx, items, func(it mail.Item, body io.Reader) error {
		err := take(uidOf(it), body)
		var e *mail.Error
		if errors.As(err, &e) && e.Scope == mail.ScopeMessage {
			b.unshown[uidOf(it)] = e.Cause == mail.CauseRefused
			return nil
		}
		return err
	})
}

// sumOf sums up an entry in the form it is brought in, header and body apart.
func (r *run) sumOf(e archive.Entry) (mail.Sum, error) {
	f, err := r.open(e)
	if err != nil {
		return mail.Sum{}, err
	}
	defer f.Close()
	return mail.SumOf(f)
}

// formsOf does the same for many, in all forms they may have at the destination; one that is damaged has none.
func (r *run) formsOf(entries []archive.Entry) ([][]mail.Sum, error) {
	all := make([][]mail.Sum, len(entries))
	for i, e := range entries {
		var err error
		if all[i], err = r.forms(e); err != nil && !errors.As(err, new(*archive.DamagedError)) {
			return nil, err
		}
	}
	return all, nil
}

// claim notes that a message at the destination is the entry's.
func (b *box) claim(e archive.Entry, state archive.State, uid uint32) archive.Outcome {
	if uid != 0 {
		b.claimed[uid] = true
	}
	return archive.Outcome{Entry: e.ID, State: state, Mailbox: b.name, Validity: b.status.Validity, UID: uid}
}
