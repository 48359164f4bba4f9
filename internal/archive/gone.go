package archive

import (
	"database/sql"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// compareAll goes through the entries of the mailbox, once, and finds those that are not as they were shown, those that
// were not shown any more, and those that are again. What has the UIDVALIDITY 0 is not from a source that could show
// it.
func (k *looking) compareAll() error {
	shown, sight := k.shown(), newSight(k.look)
	freed, err := k.a.ledger.freedNow("entry.id")
	if err != nil {
		return err
	}
	err = k.a.ledger.each(`select id, key, coalesce(validity, 0), uid, gone, seen, identity, `+freed+` from entry
		where mailbox = ? and state <> 3 and coalesce(validity, 1) <> 0`,
		func(scan func(...any) error) error {
			var e glance
			if err := e.read(scan); err != nil {
				return err
			}
			it, is := shown[e.key]
			delete(shown, e.key)
			if !is {
				k.mark(e, sight)
			} else if e.differs(it) {
				k.changes = append(k.changes, &change{row: row{id: e.id}, item: *it})
			}
			return nil
		}, k.folder.id)
	if err != nil {
		return err
	}
	return k.elsewhere(shown)
}

// shown returns what the look showed one by one.
func (k *looking) shown() map[key]*mail.Item {
	all := make(map[key]*mail.Item, len(k.look.Flags)+len(k.look.New))
	for _, items := range [][]mail.Item{k.look.Flags, k.look.New} {
		for i := range items {
			if it := &items[i]; it.Ref.Mailbox == k.folder.Name {
				all[keyOf(k.a.original, it.Ref)] = it
			}
		}
	}
	return all
}

// elsewhere finds the entries that the ledger has in another mailbox, which can be only if it was lost.
func (k *looking) elsewhere(shown map[key]*mail.Item) error {
	for key, it := range shown {
		known, err := k.a.knows(key)
		if err != nil {
			return err
		}
		if !known {
			continue // not archived
		}
		err = k.a.ledger.each("select id from entry where key = ? and state <> 3", func(scan func(...any) error) error {
			c := &change{item: *it}
			k.changes = append(k.changes, c)
			return scan(&c.id)
		}, key[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// A glance is what is looked at of an entry.
type glance struct {
	id       int64
	key      key
	validity uint32
	gone     bool
	freed    bool // we have taken it out of the source, or may have
	// Good until the next is read.
	uid, seen, identity sql.RawBytes
}

func (e *glance) read(scan func(...any) error) error {
	var k sql.RawBytes
	err := scan(&e.id, &k, &e.validity, &e.uid, &e.gone, &e.seen, &e.identity, &e.freed)
	copy(e.key[:], k)
	return err
}

// differs reports whether the entry is not as the message that was shown.
func (e *glance) differs(it *mail.Item) bool {
	return e.gone || e.uid == nil || string(e.seen) != join(it.Flags) || it.Identity != "" && it.Identity != string(e.identity)
}

// mark finds out whether an entry that was not shown by itself is gone: deleted or moved by its owner, and not by us.
func (k *looking) mark(e glance, s sight) {
	is := unsaid
	switch {
	case k.look.Partial != "":
	case e.validity == k.look.Status.Validity:
		is = s.of(string(e.uid))
	case k.isOver(e.validity):
		is = missed
	}
	if is == missed && !e.gone && !e.freed {
		k.leave = append(k.leave, e.id)
	} else if is == sighted && e.gone {
		k.back = append(k.back, e.id)
	}
}

// isOver reports whether nothing can be there any more of another epoch; 0: of one that is not known, because the
// ledger was lost, for only a listing of all finds the UIDs again.
func (k *looking) isOver(validity uint32) bool {
	return k.complete() && (validity != 0 || k.ofAll())
}

// enterGone is for inside a transaction.
func (k *looking) enterGone() error {
	for _, id := range k.leave {
		if _, err := k.a.ledger.exec("update entry set gone = 1 where id = ?", id); err != nil {
			return err
		}
	}
	for _, id := range k.back {
		if _, err := k.a.ledger.exec("update entry set gone = 0 where id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// A sight says which UIDs of its epoch a look has shown.
type sight struct {
	from uint32          // those from here on are there if they are among the new; 0: all
	left []uint32        // of those below; nil: all that were there are
	new  map[uint32]bool // as New
}

type sighting int

const (
	unsaid  sighting = iota // it is as it was
	sighted                 // it is there
	missed                  // it is not
)

func newSight(l Look) sight {
	s := sight{left: l.Left, new: make(map[uint32]bool, len(l.New))}
	if l.Since.Validity == l.Status.Validity {
		s.from = l.Since.Next
	}
	if !slices.IsSorted(s.left) {
		s.left = slices.Sorted(slices.Values(s.left))
	}
	for _, it := range l.New {
		if uid, is := uidOf(it.Ref.UID); is {
			s.new[uid] = true
		}
	}
	return s
}

func (s sight) of(text string) sighting {
	uid, is := uidOf(text)
	if !is || uid < s.from && s.left == nil {
		return unsaid
	}
	there := s.new[uid]
	if uid < s.from {
		_, there = slices.BinarySearch(s.left, uid)
	}
	if there {
		return sighted
	}
	return missed
}
