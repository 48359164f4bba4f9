package migrate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// proofMessages is of how many messages at most what was found is lost when a verification is killed.
const proofMessages = 64

// maxHead bounds how much of a header is compared line by line.
const maxHead = 1 << 20

// A proofBox is a mailbox at the destination that is looked through.
type proofBox struct {
	*proving
	box     *box
	verdict *FolderVerdict
	ids     map[uint32]uint64 // by UID: the hash of the Message-ID
}

// A sighted is an entry and the message that is there for it.
type sighted struct {
	expected
	entry  archive.Entry
	uid    uint32
	strict bool // it is to be read whatever was asked for: what the listing shows of it is another message
}

func (b *proofBox) nothing(all []expected) error {
	for _, x := range all {
		e, err := b.Archive.Entry(x.Entry)
		if err == nil {
			err = b.miss(x, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look lists the mailbox and finds each entry there: by its UID, or else as a run that brings mail finds it.
func (b *proofBox) look(ctx context.Context, all []expected) error {
	b.box.claimed = nil
	if err := b.box.selectBox(ctx); err != nil {
		return err
	}
	b.box.shelf, b.box.claimed = newShelf(), map[uint32]bool{}
	var items []mail.Item
	if err := b.box.listFrom(ctx, 1, func(it mail.Item) { items = append(items, it) }); err != nil {
		return err
	}
	b.ids = make(map[uint32]uint64, len(items))
	for _, it := range items {
		b.ids[uidOf(it)], _ = hashes(it.Header)
	}
	b.Watch.Tell(progress.Listed{Half: progress.Destination, Mailbox: b.box.name, Messages: len(all)})
	seen, left, err := b.byUID(all, items)
	if err != nil {
		return err
	}
	found, err := b.byKeys(ctx, left)
	if err != nil {
		return err
	}
	seen = append(seen, found...)
	ours := map[uint32]bool{}
	for _, s := range seen {
		ours[s.uid] = true
	}
	b.verdict.Extra = len(items) - len(ours)
	return b.judgeAll(ctx, seen)
}

// byUID finds the entries whose UID is known.
func (b *proofBox) byUID(all []expected, items []mail.Item) (seen, left []sighted, err error) {
	byUID := make(map[uint32]mail.Item, len(items))
	for _, it := range items {
		byUID[uidOf(it)] = it
	}
	for _, x := range all {
		e, err := b.entry(x)
		if err != nil {
			return nil, nil, err
		}
		s := sighted{expected: x, entry: e}
		it, there := byUID[x.UID]
		if !there || x.Validity != b.box.status.Validity || x.UID == 0 {
			left = append(left, s)
			continue
		}
		id, fields := hashes(e.Header)
		isID, isFields := hashes(it.Header)
		s.uid, s.strict = x.UID, id != isID && fields != isFields || it.Size == 0 && e.Octets > 0
		b.box.claimed[x.UID] = true
		seen = append(seen, s)
	}
	return seen, left, nil
}

// entry returns the entry in the form it was brought in.
func (b *proofBox) entry(x expected) (archive.Entry, error) {
	e, err := b.Archive.Entry(x.Entry)
	if err != nil || x.Mended == "" {
		return e, err
	}
	c, mendable, err := b.run.mend(e, "")
	if err != nil || !mendable {
		return e, err
	}
	b.run.mending.keep(c)
	return c.Entry, nil
}

// byKeys finds the others by the keys of their headers, one to one, and judges by their octets. Of one whose keys are
// there with other octets, the nearest in size is taken for it.
func (b *proofBox) byKeys(ctx context.Context, left []sighted) (found []sighted, err error) {
	for part := range slices.Chunk(left, proofMessages) {
		entries := make([]archive.Entry, len(part))
		var uids []uint32
		for i, s := range part {
			entries[i] = s.entry
			uids = append(uids, b.box.candidates(s.entry, s.State == archive.Merged)...)
		}
		pairs, err := b.box.pair(ctx, entries, uids)
		if err != nil {
			return nil, err
		}
		for i, uid := range pairs {
			if uid != 0 {
				part[i].uid, b.box.claimed[uid] = uid, true
				found = append(found, part[i])
			}
		}
		for i, uid := range pairs {
			if uid != 0 {
				continue
			}
			if near := b.nearest(part[i]); near != 0 {
				part[i].uid, part[i].strict, b.box.claimed[near] = near, true, true
				found = append(found, part[i])
			} else if err := b.miss(part[i].expected, part[i].entry); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// nearest returns the message that has the keys of an entry, and another body; 0: none. Another Message-ID makes it
// another message, whatever else is the same.
func (b *proofBox) nearest(s sighted) uint32 {
	id, _ := hashes(s.entry.Header)
	for _, uid := range b.box.candidates(s.entry, s.State == archive.Merged) {
		if is := b.ids[uid]; id == is || id == 0 || is == 0 {
			return uid
		}
	}
	return 0
}

// miss notes that an entry is not there.
func (b *proofBox) miss(x expected, e archive.Entry) error {
	b.verdict.Missing++
	b.find(FoundMissing, e, x.Mailbox, x.why)
	b.Watch.Tell(progress.Moved{Half: progress.Destination})
	return b.Archive.Prove(b.Account, []archive.Proof{{Entry: x.Entry, Verdict: archive.ProvedMissing, At: time.Now(),
		Mailbox: x.Mailbox, Validity: b.box.status.Validity, Why: x.why}})
}

// byID reports whether the person wanted one message of a Message-ID: another counts for this one, whatever it holds.
func (s sighted) byID() bool { return s.State == archive.Merged && s.Reason == ByID }

// judgeAll proves what was seen, in batches, each of them written down.
func (b *proofBox) judgeAll(ctx context.Context, seen []sighted) error {
	for len(seen) > 0 {
		var octets int64
		n := 0
		for n < len(seen) && n < proofMessages && (n == 0 || octets+seen[n].entry.Octets <= batchOctets) {
			octets += seen[n].entry.Octets
			n++
		}
		n, err := b.judgeSome(ctx, seen[:n])
		if err != nil {
			return err
		}
		seen = seen[n:]
		select {
		case <-b.Stop:
			return retry.ErrStopped
		default:
		}
	}
	return nil
}

// judgeSome proves as many of what was seen as may be read now, and returns how many.
func (b *proofBox) judgeSome(ctx context.Context, seen []sighted) (int, error) {
	before := make([]archive.Proof, len(seen))
	toRead := make([]int64, len(seen)) // octets; 0: it need not be read
	for i, s := range seen {
		was, is, err := b.Archive.Proved(b.Account, s.Entry)
		if err != nil {
			return 0, err
		}
		if is && b.Deep && !was.Read.IsZero() && !was.Read.Before(b.began) && was.UID == s.uid && was.Validity == b.box.status.Validity && was.Mailbox == b.box.name {
			before[i] = was
		} else if (b.Deep && (b.sampled == nil || b.sampled[s.Entry]) || s.strict) && !s.byID() {
			toRead[i] = max(s.entry.Octets, 1)
		}
	}
	n, done, err := b.run.ask(ctx, b.AllowBack, toRead)
	if err != nil {
		return 0, err
	}
	defer done()
	return n, b.judgeThese(ctx, seen[:n], before, toRead)
}

// judgeThese proves what was seen, with what was proved before and which of it is to be read.
func (b *proofBox) judgeThese(ctx context.Context, seen []sighted, before []archive.Proof, toRead []int64) error {
	var uids []uint32
	for i, s := range seen {
		if toRead[i] > 0 {
			uids = append(uids, s.uid)
		}
	}
	slices.Sort(uids)
	uids = slices.Compact(uids) // several were merged into one
	shown, err := b.readBack(ctx, uids)
	if err != nil {
		return err
	}
	var proofs []archive.Proof
	for i, s := range seen {
		p := before[i]
		if p.Entry != 0 {
			b.learnt.again(p)
		} else if p, err = b.judge(s, shown, uids); err != nil {
			return err
		}
		b.count(s, p)
		if before[i].Entry == 0 {
			proofs = append(proofs, p)
		}
		b.Watch.Tell(progress.Moved{Half: progress.Destination})
	}
	return b.Archive.Prove(b.Account, proofs)
}

// count adds a proof to the folder's verdict.
func (b *proofBox) count(s sighted, p archive.Proof) {
	switch p.Verdict {
	case archive.ProvedPresent:
		b.verdict.Present++
	case archive.ProvedAltered:
		b.verdict.Altered++
		b.find(FoundAltered, s.entry, b.box.name, p.Why)
	case archive.ProvedMissing:
		b.verdict.Missing++
		b.find(FoundMissing, s.entry, b.box.name, p.Why)
	}
	if !p.Read.IsZero() && p.Verdict != archive.ProvedMissing {
		b.verdict.Read++
	}
}

// judge compares an entry with what is there for it.
func (b *proofBox) judge(s sighted, shown map[uint32]reading, read []uint32) (archive.Proof, error) {
	p := archive.Proof{Entry: s.Entry, Verdict: archive.ProvedPresent, At: time.Now(), Mailbox: b.box.name,
		Validity: b.box.status.Validity, UID: s.uid}
	if s.byID() {
		p.Why = "merged with another message of the same Message-ID"
		return p, nil
	}
	if _, asked := slices.BinarySearch(read, s.uid); !asked {
		return p, nil
	}
	is, had := shown[s.uid]
	if !had {
		p.Verdict, p.Why = archive.ProvedMissing, "the server lists it, and does not hand it over"
		return p, nil
	}
	p.Read = p.At
	if is.Digest == s.entry.Digest {
		b.learnt.intact(b.box.name, is.head)
		return p, nil
	}
	kinds, altered, err := b.differences(s, is)
	if err != nil {
		return p, err
	}
	if p.Why = altered; altered != "" {
		p.Verdict = archive.ProvedAltered
		return p, nil
	}
	p.Why = b.learnt.doubt(p, kinds)
	return p, nil
}

// differences says how what is there differs: in ways that the server may treat all mail in, or for certain.
func (b *proofBox) differences(s sighted, is reading) (kinds []string, altered string, err error) {
	f, err := b.run.open(s.entry)
	if err == nil {
		defer f.Close()
		var ours reading
		if ours, err = readSum(f); err == nil {
			return compareForms(ours, is)
		}
	}
	var bad *archive.DamagedError
	if errors.As(err, &bad) { // it cannot be compared with what we have not got; the digest of it we have
		return nil, "it has not the octets that were archived, and the archive's own copy is damaged", nil
	}
	return nil, "", err
}

// A reading is a message as it was read.
type reading struct {
	mail.Sum
	head []byte // the first of it, its header within
}

// readSum reads a message to its end.
func readSum(r io.Reader) (reading, error) {
	var head bytes.Buffer
	sum, err := mail.SumOf(io.TeeReader(r, &limited{&head, maxHead}))
	return reading{sum, cutHead(head.Bytes())}, err
}

// A limited keeps what comes first.
type limited struct {
	*bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.Buffer.Write(p[:n])
	l.left -= n
	return len(p), nil
}

// readBack reads messages of the mailbox.
func (b *proofBox) readBack(ctx context.Context, uids []uint32) (map[uint32]reading, error) {
	shown := make(map[uint32]reading, len(uids))
	err := b.box.fetch(ctx, uids, func(uid uint32, body io.Reader) error {
		is, err := readSum(b.Watch.Reader(progress.Destination, body))
		if err == nil {
			shown[uid] = is
		}
		return err
	})
	return shown, err
}
