package backup

import (
	"context"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A candidate is a message that may go if its file is sound.
type candidate struct {
	Leaving
	received int64  // Unix seconds
	read     bool   // a verification has read it at the source
	doubt    string // why it may be another message than the archived one; "": nothing speaks for that
}

// A freeBox is one mailbox that is looked at.
type freeBox struct {
	*freeing
	mail.Mailbox
	wanted bool // mail may go from it; else it is looked at to know what is there too
	days   archive.Arrivals

	entries map[string]freeEntry // by UID
	twins   map[string]bool      // UIDLs that several messages have or had
	sizes   bool                 // the server tells sizes as they are
	read    map[int64]bool       // entries whose octets were read at the source by a verification
	proved  []map[int64]bool     // entries that are at a destination, for each
}

// freeEntry is what is needed of an entry; a mailbox has many.
type freeEntry struct {
	id, octets, received int64
	linked               bool
}

// look lists the mailbox, says of all that may not go why, and returns the others.
func (b *freeBox) look(ctx context.Context) (may []candidate, err error) {
	items, err := b.list(ctx)
	if mailboxOnly(err) {
		b.freed.Unable = append(b.freed.Unable, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	labels := b.freed.Ways[b.Name] == mail.RemovalEverywhere
	if !labels && !b.wanted {
		return nil, nil
	}
	b.freed.boxes[b.Name] = archive.Amount{Messages: len(items), Octets: octets(items)}
	if err := b.learn(items); err != nil {
		return nil, err
	}
	for _, it := range items {
		switch v := b.judge(it); {
		case labels && it.Identity != "":
			b.label(v)
		case b.wanted:
			may = append(may, b.count(v)...)
		}
	}
	return may, nil
}

// count counts a message, and returns it if it may go.
func (r *freeing) count(v verdict) []candidate {
	r.freed.Listed.Messages++
	r.freed.Listed.Octets += v.Item.Size
	switch {
	case v.stay == "":
		return []candidate{v.candidate}
	case v.why != "":
		r.freed.doubt(v.stay, v.Leaving, v.why)
	default:
		r.freed.stays(v.stay, v.Item)
	}
	return nil
}

// list returns what the mailbox shows, after what is open from an earlier run is settled by it.
func (b *freeBox) list(ctx context.Context) (items []mail.Item, err error) {
	err = b.persist(ctx, func() error {
		how, err := b.From.Able(ctx, b.Name)
		if err == nil {
			b.freed.Ways[b.Name] = how
			items, err = b.From.List(ctx, b.Name)
		}
		return err
	})
	b.tellNotes()
	if err != nil {
		return nil, err
	}
	return items, b.settle(ctx, b.Name, items)
}

func (r *freeing) tellNotes() {
	if s, ok := r.From.(interface{ Notes() []string }); ok {
		for _, text := range s.Notes() {
			r.Watch.Tell(progress.Note{Half: progress.Source, Text: text})
		}
	}
}

// learn reads from the ledger what it knows of the mailbox that shows these items.
func (b *freeBox) learn(items []mail.Item) error {
	b.entries, b.twins = make(map[string]freeEntry, len(items)), map[string]bool{}
	if len(items) == 0 {
		return nil
	}
	for e, err := range entriesOf(b.Archive, b.Name, items[0].Ref.Validity) {
		if err != nil {
			return err
		}
		b.noteTwin(e.Ref.UID)
		b.entries[e.Ref.UID] = freeEntry{e.ID, e.Octets, e.Received.Unix(), e.Linked}
	}
	for _, it := range items {
		b.noteTwin(it.Ref.UID)
	}
	b.sizes = b.tellsSizes(items)
	return b.learnProofs()
}

// noteTwin notes a UIDL that is one of several: when the first of them goes, the second will be called like it.
func (b *freeBox) noteTwin(uid string) {
	if first, _, is := strings.Cut(uid, "\x00"); is {
		b.twins[first] = true
	}
}

func (b *freeBox) isTwin(uid string) bool {
	first, _, _ := strings.Cut(uid, "\x00")
	return b.twins[first]
}

// tellsSizes reports whether the sizes that the server tells are those of what was archived, for nearly all messages. Those of
// others are estimates.
func (b *freeBox) tellsSizes(items []mail.Item) bool {
	known, same := 0, 0
	for _, it := range items {
		if e, is := b.entries[it.Ref.UID]; is {
			known++
			if sameSize(e.octets, it.Size) {
				same++
			}
		}
	}
	return 10*same >= 9*known
}

// sameSize: over POP3 the last line gets an end if it has none, and servers count it or not.
func sameSize(octets, size int64) bool { return octets == size || octets == size+2 || octets == size-2 }

// A verdict is what is to become of a message: it may go, or why it stays.
type verdict struct {
	candidate
	stay Stay   // "": it may go
	why  string // of a doubt
}

func (b *freeBox) judge(it mail.Item) verdict {
	if e, archived := b.entries[it.Ref.UID]; archived {
		return verdict{candidate: candidate{Leaving{e.id, it}, e.received, b.read[e.id] || b.isRead(it), b.doubtOf(it, e)}, stay: b.reason(it, e)}
	}
	if id := b.Archive.Hurt(it.Ref); id != 0 {
		return verdict{candidate{Leaving: Leaving{id, it}}, StayDamaged, "its file is missing or damaged; backup fetches it again"}
	}
	return verdict{candidate{Leaving: Leaving{Item: it}}, StayNew, ""}
}

func (b *freeBox) reason(it mail.Item, e freeEntry) Stay {
	switch {
	case it.Flags.Has(mail.Deleted):
		return StayMarked
	case !b.days.Before(e.id, b.Now, b.KeepDays):
		return StayYoung
	case it.Size <= b.LargerThan:
		return StaySmall
	case e.linked && !b.read[e.id] && !b.isRead(it):
		return StayUnread
	}
	for _, proved := range b.proved {
		if !proved[e.id] {
			return StayUndelivered
		}
	}
	return ""
}

// doubtOf says what speaks against that the message is the archived one.
func (b *freeBox) doubtOf(it mail.Item, e freeEntry) string {
	sec := it.Received.Unix()
	switch {
	case b.isTwin(it.Ref.UID):
		return "the server gives, or gave, its UIDL to another message as well"
	case b.sizes && !sameSize(e.octets, it.Size):
		return "the server tells another size than was archived"
	case !it.Received.IsZero() && sec > 0 && sec < 1<<32 && sec != e.received:
		return "the server tells another time than was archived"
	}
	return ""
}
