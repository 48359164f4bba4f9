package archive

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// ErrKnown says that a message is archived already, or on its way: it is not to be put a second time.
var ErrKnown = errors.New("is archived already, or about to be")

// A Batch collects messages that are archived together, so that they share their fsyncs and one transaction. One
// goroutine uses it at a time; several batches can be filled and committed side by side.
type Batch struct {
	a       *Archive
	waiting []delivery
	octets  int64
	syncs   sync.WaitGroup
	buf     []byte // of the spool
	chunk   []byte
}

// A delivery is a message that lies in tmp/ and is to be renamed.
type delivery struct {
	arrival
	tmp  string   // its name in tmp/; "" when it is there no more
	file *syncing // nil: a link to what is archived already
}

// NewBatch returns an empty batch. It is ended by Commit or Abort.
func (a *Archive) NewBatch() *Batch { return &Batch{a: a} }

// Len returns how many messages were put into the batch.
func (b *Batch) Len() int { return len(b.waiting) }

// Octets returns how long they are in their canonical forms.
func (b *Batch) Octets() int64 { return b.octets }

// Put reads body to its end and keeps it for Commit; until then nothing is archived. An error of body is returned
// as it is, and nothing of the message stays. The entry has neither an ID nor a Path yet.
func (b *Batch) Put(item mail.Item, mb mail.Mailbox, body io.Reader) (Entry, error) {
	return b.put(item.Ref, func() (delivery, error) { return b.spool(item, mb, body) })
}

// put keeps the place for a message that spool brings into tmp/.
func (b *Batch) put(ref mail.Ref, spool func() (delivery, error)) (Entry, error) {
	k, old, err := b.a.reserve(ref)
	if err != nil {
		return Entry{}, err
	}
	d, err := spool()
	if err != nil {
		b.a.release(k)
		return Entry{}, err
	}
	d.name.key = k
	if old.id != 0 {
		d.name.nth = old.nth + 1
	}
	b.waiting = append(b.waiting, d)
	b.octets += d.entry.Octets
	return d.entry, nil
}

// spool writes the message into tmp/.
func (b *Batch) spool(item mail.Item, mb mail.Mailbox, body io.Reader) (delivery, error) {
	if b.buf == nil {
		b.buf, b.chunk = make([]byte, 0, spoolBuffer), make([]byte, spoolPart)
	}
	s, err := b.a.newSpool(b.buf)
	if err != nil {
		return delivery{}, err
	}
	sum, err := b.copy(s, body)
	if err != nil {
		s.discard()
		return delivery{}, err
	}
	received := receivedOf(item, sum.Header)
	err = b.a.act("times", "tmp/"+s.name, func() error { return b.a.tmp.Chtimes(s.name, time.Time{}, received) })
	if err != nil {
		s.discard()
		return delivery{}, err
	}
	f := b.a.folders.of(mb)
	return delivery{tmp: s.name, file: b.startSync(s), arrival: arrival{
		folder: f, known: true,
		entry: Entry{Ref: item.Ref, Mailbox: f.Name, Octets: sum.Octets, Digest: sum.Digest, Match: sum.Match,
			Header: sum.Header, Received: received, Flags: item.Flags, Identity: item.Identity},
		name: fileName{received: received.Unix(), stored: s.n, octets: sum.Octets},
	}}, nil
}

// copy sums the message up on its way to the disk.
func (b *Batch) copy(s *spool, body io.Reader) (mail.Sum, error) {
	summer := mail.NewSummer()
	for {
		n, err := body.Read(b.chunk)
		summer.Write(b.chunk[:n])
		if werr := s.write(b.chunk[:n]); werr != nil {
			return mail.Sum{}, werr
		}
		if err == io.EOF {
			return summer.Sum(), s.finish()
		}
		if err != nil {
			return mail.Sum{}, err
		}
	}
}

// receivedOf returns when the message came in: as the source says, else as the header does, else now. A time that
// files and INTERNALDATE cannot all say counts as none.
func receivedOf(item mail.Item, h mail.Header) time.Time {
	t := item.Received
	if t.Unix() <= 0 || t.Unix() >= 1<<32 {
		t = h.Arrived()
	}
	if t.IsZero() {
		t = time.Now()
	}
	return t.Truncate(time.Second)
}

// reserve keeps the place for a message. What is known of an earlier one with the key, that is not sound, comes
// with it.
func (a *Archive) reserve(ref mail.Ref) (key, unsound, error) {
	if err := a.learnKeys(); err != nil {
		return key{}, unsound{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.original == (mail.Account{}) && !ref.Imported() {
		return key{}, unsound{}, errors.New("the archive is not bound to an account")
	}
	k := keyOf(a.original, ref)
	if a.keys[k] || a.underway[k] {
		return key{}, unsound{}, ErrKnown
	}
	a.underway[k] = true
	return k, a.unsound[k], nil
}

func (a *Archive) release(k key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.underway, k)
}

// Abort forgets the batch: nothing of it stays. After a failed Commit it has nothing left to do.
func (b *Batch) Abort() {
	b.syncs.Wait()
	for _, d := range b.waiting {
		b.drop(d)
	}
	b.waiting, b.octets = nil, 0
}

// drop removes a message that is still in tmp/. One that has been renamed stays for the next Open to adopt, and its
// place reserved.
func (b *Batch) drop(d delivery) {
	if d.tmp == "" {
		return
	}
	_ = b.a.act("remove", "tmp/"+d.tmp, func() error { return b.a.tmp.Remove(d.tmp) })
	b.a.release(d.name.key)
}
