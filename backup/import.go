package backup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A Found is a message that was found in a file. It is good until the function it was given to returns.
type Found struct {
	Mailboxes []Wherein // one at least: the message is in each of them
	Flags     mail.Flags
	Received  time.Time // zero: only its own header tells
	Sum       mail.Sum
	Identity  mail.Digest // what it is known by when it is found again: its Sum's Match, or that of what does not change
	Where     string      // for a person
	Taken     int64       // octets of the file
	// Err says why it cannot be had; then there is no Sum.
	Err  error
	Open func() (Body, error) // its octets, any number of times
}

// A Wherein is a mailbox as a file has it: its levels as people read them, and what it is for.
type Wherein struct {
	Levels []string
	Role   mail.Role
}

// A Pile is mail that lies in files, not in an account. Nobody numbers it, and it is read once, from its beginning to
// its end.
type Pile interface {
	// Each calls fn with every message. An error of fn ends it.
	Each(ctx context.Context, fn func(Found) error) error
}

// An Import brings what is new of a Pile into Archive. A message is known by what it is: a second one brings nothing, though
// the file has grown, was compacted or moved. What the archive has of its account in the same mailbox already, by its
// octets, or by Message-ID and body, is not brought beside it; two that are equal in the file are two in the archive.
type Import struct {
	Pile    Pile
	Archive *archive.Archive
	Watch   progress.Watch
	Stop    <-chan struct{} // as of a Job
}

// Run works until all of the pile was gone through, and returns what became of each message; Listed are those that were
// come upon. A message in several mailboxes counts in each of them: it is fetched once, and linked.
func (i Import) Run(ctx context.Context) (Report, error) {
	m := &importing{
		run:    &run{Job: Job{Archive: i.Archive, Watch: i.Watch, Stop: i.Stop}},
		commit: committer{archive: i.Archive},
		holds:  map[string]*holdings{},
		nth:    map[nthKey]uint32{},
		links:  map[mail.Ref][]link{},

		underway: map[mail.Ref]bool{},
	}
	if err := m.learn(); err != nil {
		return m.report, err
	}
	err := i.Pile.Each(ctx, m.take)
	err = cmp.Or(m.finish(), err)
	// What neither failed by itself nor came was not reached.
	m.report.Failed = m.report.Listed - m.report.Known - m.report.Fetched - m.report.Linked
	if err != nil {
		return m.report, err
	}
	return m.report, m.noteRan()
}

// importing is one Import under way.
type importing struct {
	*run
	commit committer
	places places
	holds  map[string]*holdings
	nth    map[nthKey]uint32 // how many of one content were come upon
	links  map[mail.Ref][]link

	underway map[mail.Ref]bool // what is put and not archived yet
}

// An nthKey is a content in a mailbox, in little room: there may be millions. Two that have one by chance are only
// counted together.
type nthKey uint64

func nthKeyOf(ref mail.Ref) nthKey {
	sum := sha256.Sum256([]byte(ref.Mailbox + "\x00" + ref.UID))
	return nthKey(binary.BigEndian.Uint64(sum[:]))
}

// A link is a further mailbox of a message that is about to be archived.
type link struct {
	item mail.Item
	mb   mail.Mailbox
}

func (m *importing) learn() error {
	boxes, err := m.Archive.Mailboxes()
	m.places = newPlaces(boxes)
	return err
}

// take brings a message into each of its mailboxes.
func (m *importing) take(f Found) error {
	defer func() { m.Watch.Tell(progress.Moved{Half: progress.Source, Octets: f.Taken}) }()
	if f.Err != nil {
		m.report.Listed++
		m.lost(f, f.Err)
		return m.stopped()
	}
	var home mail.Ref
	var in []string
	for _, w := range f.Mailboxes {
		if !m.places.room(w) {
			m.report.Listed++
			m.lost(Found{Where: f.Where}, fmt.Errorf("more than %d folders are not made", maxPlaces))
			continue
		}
		mb := m.places.of(w)
		if slices.Contains(in, mb.Name) {
			continue // two of its folders are one here
		}
		in = append(in, mb.Name)
		ref := m.refOf(mb, f)
		m.report.Listed++
		known, err := m.known(mb, ref, f)
		if err != nil {
			return err
		}
		switch {
		case known:
			m.report.Known++
		case home != mail.Ref{}:
			err = m.also(home, link{m.item(ref, f), mb})
		default:
			err = m.put(ref, mb, f)
		}
		if err != nil {
			return err
		}
		if home == (mail.Ref{}) && (m.underway[ref] || m.Archive.Has(ref)) {
			home = ref
		}
	}
	return m.full()
}

func (m *importing) item(ref mail.Ref, f Found) mail.Item {
	return mail.Item{Ref: ref, Size: f.Sum.Octets, Flags: f.Flags, Received: f.Received}
}

// refOf counts how many of this content there were in the mailbox.
func (m *importing) refOf(mb mail.Mailbox, f Found) mail.Ref {
	first := mail.ImportRef(mb.Name, f.Identity, 1)
	key := nthKeyOf(first)
	m.nth[key]++
	return mail.ImportRef(mb.Name, f.Identity, int(m.nth[key]))
}

// lost notes a message that cannot be had.
func (m *importing) lost(f Found, why error) {
	m.report.Failed++
	name := ""
	if len(f.Mailboxes) > 0 {
		name = m.places.of(f.Mailboxes[0]).Name
	}
	fail := Failure{Ref: mail.Ref{Mailbox: name, UID: f.Where}, State: string(failed), Reason: why.Error()}
	m.report.Failures = append(m.report.Failures, fail)
	m.Watch.Tell(progress.Failed{Half: progress.Source, Ref: fail.Ref, State: fail.State, Reason: fail.Reason})
}

// known reports whether the archive has the message in that mailbox, be it from an earlier import or from the account.
func (m *importing) known(mb mail.Mailbox, ref mail.Ref, f Found) (bool, error) {
	if m.Archive.Has(ref) {
		return true, nil
	}
	h, err := m.holdingsOf(mb.Name)
	if err != nil {
		return false, err
	}
	return h.claim(m.Archive, f)
}

// put archives the message. One whose file cannot be read a second time does not keep the others from being had.
func (m *importing) put(ref mail.Ref, mb mail.Mailbox, f Found) error {
	body, err := f.Open()
	if err == nil {
		defer body.Close()
		_, err = m.commit.batch().Put(m.item(ref, f), mb, body)
	}
	if err == nil {
		m.underway[ref] = true
		return nil
	}
	if errors.As(err, new(*archive.DiskError)) {
		return err
	}
	m.lost(f, err)
	return nil
}

// also links a message to the one it is the same as, now or when that is archived.
func (m *importing) also(home mail.Ref, l link) error {
	if !m.Archive.Has(home) {
		m.links[home] = append(m.links[home], l)
		return nil
	}
	e, found, err := m.Archive.ByRef(home)
	if err != nil || !found {
		return cmp.Or(err, fmt.Errorf("%s is archived and is not there", home))
	}
	return m.link(l, e)
}

func (m *importing) link(l link, of archive.Entry) error {
	_, err := m.commit.batch().Link(l.item, l.mb, of)
	return err
}

// full hands the batch over when it is full.
func (m *importing) full() error {
	if m.commit.filling != nil && m.commit.full() {
		done, err := m.commit.next()
		if err != nil {
			return err
		}
		if err := m.archived(done); err != nil {
			return err
		}
	}
	return m.stopped()
}

// archived counts what a commit has made safe, and links what waited for it.
func (m *importing) archived(done []archive.Entry) error {
	var sum int64
	for _, e := range done {
		delete(m.underway, e.Ref)
		if e.Linked {
			m.report.Linked++
		} else {
			m.report.Fetched++
			sum += e.Octets
		}
		waiting := m.links[e.Ref]
		delete(m.links, e.Ref)
		for _, l := range waiting {
			if err := m.link(l, e); err != nil {
				return err
			}
		}
	}
	m.report.Octets += sum
	if len(done) > 0 {
		m.Watch.Tell(progress.Archived{Mailbox: done[0].Mailbox, Messages: len(done), Octets: sum})
	}
	return nil
}

// finish commits what came whole, and then what waited for it.
func (m *importing) finish() error {
	for {
		done, err := m.commit.finish()
		if err == nil {
			err = m.archived(done)
		}
		if err != nil {
			return err
		}
		if m.commit.filling == nil {
			return nil
		}
	}
}

// noteRan notes the mailboxes that there were none of before, so that nobody takes them for some of the account that no run
// has come to.
func (m *importing) noteRan() error { return m.Archive.Ran(m.places.made()...) }
