package backup

import (
	"fmt"
	"iter"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// pageOfEntries is how many entries are taken from the ledger at a time.
const pageOfEntries = 1000

// renamed recognises a folder by what it holds: one that is archived under a name that the source does not show any
// more, or shows for another folder, with the same UIDVALIDITY, and under the same UIDs messages of the same sizes and
// times. What is left is new in it.
func (k *keeper) renamed(mb mail.Mailbox, now mail.Status, items []mail.Item) ([]mail.Item, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if k.states[mb.Name].Validity == now.Validity {
		return items, nil
	}
	for name, st := range k.states {
		if st.Validity != now.Validity || st.ID != now.ID && st.ID != "" && now.ID != "" || k.isThere(name, st) {
			continue
		}
		moves, err := k.overlap(name, mb, items)
		if err != nil {
			return nil, err
		}
		if len(moves) > 0 {
			k.note(fmt.Sprintf("%s is called %s now", mail.Printable(name), mail.Printable(mb.Name)))
			return k.rekeyed(moves, items)
		}
	}
	return items, nil
}

// isThere reports whether the source shows the folder that stood like this, or may do so for all it told.
func (k *keeper) isThere(name string, st mail.Status) bool {
	validity := k.now[name].Validity
	return k.listed[name] && (validity == 0 || validity == st.Validity)
}

// overlap pairs the items with the entries of the mailbox of that name, by UID, and has those that are not shown any
// more follow them. One that has the UID and differs says that it is another folder.
func (k *keeper) overlap(name string, mb mail.Mailbox, items []mail.Item) (moves []archive.Move, err error) {
	byUID := make(map[string]mail.Item, len(items))
	for _, it := range items {
		byUID[it.Ref.UID] = it
	}
	same := 0
	for e, err := range entriesOf(k.Archive, name, items[0].Ref.Validity) {
		if err != nil {
			return nil, err
		}
		it, there := byUID[e.Ref.UID]
		if there && !looksLike(e, it) {
			return nil, nil
		}
		if there {
			same++
		}
		ref := e.Ref
		ref.Mailbox = mb.Name
		moves = append(moves, archive.Move{Entry: e.ID, Ref: ref, Mailbox: mb})
	}
	if same == 0 {
		return nil, nil
	}
	return moves, nil
}

// entriesOf goes through the sound entries of a mailbox and a UIDVALIDITY, gone or not, in the order of their IDs. It ends
// with an error of the archive's.
func entriesOf(a *archive.Archive, mailbox string, validity uint32) iter.Seq2[archive.Entry, error] {
	return func(yield func(archive.Entry, error) bool) {
		for after := int64(0); ; {
			page, err := a.EntriesOf(mailbox, validity, after, pageOfEntries)
			if err != nil {
				yield(archive.Entry{}, err)
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			after = page[len(page)-1].ID
		}
	}
}
