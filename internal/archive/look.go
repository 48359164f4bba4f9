package archive

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Look is what a look at a mailbox of the source has shown.
type Look struct {
	Since        mail.Status // what the Changes were asked with: how it stood before; zero: all of it was listed
	mail.Changes             // what came out of it
	Complete     bool        // everything that was shown is archived
}

// Looked notes what a look at a mailbox has shown, and returns how many entries are gone since, and how many have
// other flags. Where the source has changed a message's flags since it last showed them, the entry's are changed the
// same way; what a mail program has changed here stays otherwise. An entry that is not shown any more is marked
// gone, unless the look was Partial; one that is shown again is not gone. What is known of it by its name alone, since
// the ledger was lost, gets its UID back. If the look was Complete and not Partial, State returns its Status from
// now on, and all entries of an earlier UIDVALIDITY are gone.
//
// It is one transaction, after the files have got their new names.
func (a *Archive) Looked(mailbox string, l Look) (gone, flagged int, err error) {
	if a.lock == nil {
		return 0, 0, errReadOnly
	}
	if l.Status.Validity == 0 {
		return 0, 0, errors.New("a look without a UIDVALIDITY")
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	if err := a.settleMoves(); err != nil {
		return 0, 0, err
	}
	k := &looking{a: a, look: l, folder: a.folders.of(mail.Mailbox{Name: mailbox}), byID: a.folders.byID()}
	if err := a.makeFolders([]*folder{k.folder}); err != nil {
		return 0, 0, err
	}
	if err := k.compare(); err != nil {
		return 0, 0, err
	}
	if err := k.rename(); err != nil {
		return 0, 0, err
	}
	if err := k.write(); err != nil {
		a.stranded = true
		return 0, 0, err
	}
	return k.gone, k.flagged, nil
}

// looking is one Looked under way.
type looking struct {
	a             *Archive
	look          Look
	folder        *folder
	byID          map[int64]*folder
	shown         map[int64]bool // entries that the look showed one by one
	changes       []*change
	gone, flagged int
}

// A change is what is to be changed of an entry that was shown.
type change struct {
	row
	item     mail.Item
	seen     string // the flags as the source last showed them
	keywords string
	added    mail.Flags // by the source, since it last showed them
	removed  mail.Flags
	renamed  bool
}

// compare finds the entries of what was shown that are not as the ledger has them.
func (k *looking) compare() error {
	k.shown = make(map[int64]bool, len(k.look.Flags)+len(k.look.New))
	for _, it := range slices.Concat(k.look.Flags, k.look.New) {
		c := &change{item: it}
		var identity string
		var known, gone, found bool
		key := keyOf(k.a.original, it.Ref)
		err := k.a.ledger.each(`select id, nth, received, stored, octets, info, sub, state, place, keywords, seen, identity,
			uid is not null, gone from entry where key = ? and state <> 3`,
			func(scan func(...any) error) error {
				var place int64
				err := scan(&c.id, &c.name.nth, &c.name.received, &c.name.stored, &c.name.octets, &c.name.info, &c.sub, &c.state,
					&place, &c.keywords, &c.seen, &identity, &known, &gone)
				c.name.key, c.place, found = key, k.byID[place], true
				return err
			}, key[:])
		if err != nil {
			return err
		}
		if !found {
			continue // not archived
		}
		k.shown[c.id] = true
		if join(it.Flags) == c.seen && known && !gone && (it.Identity == "" || it.Identity == identity) {
			continue
		}
		c.item.Identity = cmp.Or(it.Identity, identity)
		c.added, c.removed = difference(it.Flags, c.seen)
		k.changes = append(k.changes, c)
	}
	return nil
}

// difference returns what is set now and was not, and the other way round.
func difference(now mail.Flags, before string) (added, removed mail.Flags) {
	was := allFlags("", before)
	added = slices.DeleteFunc(slices.Clone(now), was.Has)
	removed = slices.DeleteFunc(was, now.Has)
	return added, removed
}

// rename gives the files their new flags, durably.
func (k *looking) rename() error {
	byPlace := map[*folder][]*change{}
	for _, c := range k.changes {
		if c.state == sound && len(c.added)+len(c.removed) > 0 {
			byPlace[c.place] = append(byPlace[c.place], c)
		}
	}
	for f, changes := range byPlace {
		if err := k.renameIn(f, changes); err != nil {
			return err
		}
	}
	return nil
}

func (k *looking) renameIn(f *folder, changes []*change) error {
	var fresh mail.Flags
	for _, c := range changes {
		fresh = append(fresh, c.added...)
	}
	l, err := k.a.lettersFor(f, fresh)
	if err != nil {
		return err
	}
	w := &whereabouts{a: k.a, folder: f}
	return k.a.inFolders([]*folder{f}, func() error {
		for _, c := range changes {
			if err := k.reflag(c, w, l); err != nil {
				return err
			}
		}
		return nil
	})
}

// reflag gives one file its new flags. It may have got others from another program, and another name with them.
func (k *looking) reflag(c *change, w *whereabouts, l *letters) error {
	var local, flags mail.Flags
	is, err := w.move(c.row, func(is found) found {
		local = allFlags(is.name.info, keywordsNow(c.keywords, l, c.name.info, l, is.name.info))
		flags = union(slices.DeleteFunc(slices.Clone(local), c.removed.Has), c.added)
		to := l.info(flags, l.strange(is.name.info))
		if infoLetters(to) != infoLetters(is.name.info) {
			is.sub, is.name.info = 0, to
		}
		return is
	})
	if err != nil {
		return err
	}
	if is == nil {
		c.state = missing
		return k.a.lose(c.id)
	}
	if !flags.Equal(local) {
		k.flagged++
	}
	c.name, c.sub, c.keywords, c.renamed = is.name, is.sub, keywordsOf(flags), true
	return nil
}

// write tells the ledger.
func (k *looking) write() error {
	changed := k.a.folders.changes()
	err := k.a.write("looked", func() error {
		if err := k.a.enterFolders(changed); err != nil {
			return err
		}
		for _, c := range k.changes {
			if err := k.enter(c); err != nil {
				return err
			}
		}
		if err := k.markGone(); err != nil {
			return err
		}
		if k.complete() {
			return k.a.setState(k.folder.id, k.look.Status)
		}
		return nil
	})
	if err != nil {
		k.a.folders.keep(changed)
	}
	return err
}

func (k *looking) complete() bool { return k.look.Complete && k.look.Partial == "" }

func (k *looking) enter(c *change) error {
	if c.state == sound { // else nothing could be changed, and is to be the next time
		c.seen = join(c.item.Flags)
	}
	_, err := k.a.ledger.exec("update entry set validity = ?, uid = ?, seen = ?, identity = ?, gone = 0, mailbox = ? where id = ?",
		c.item.Ref.Validity, []byte(c.item.Ref.UID), c.seen, c.item.Identity, k.folder.id, c.id)
	if err != nil || !c.renamed {
		return err
	}
	_, err = k.a.ledger.exec("update entry set sub = ?, info = ?, keywords = ? where id = ?", c.sub, c.name.info, c.keywords, c.id)
	return err
}

// markGone marks the entries that the look did not show, and takes the mark from those that it did.
func (k *looking) markGone() error {
	if k.look.Partial != "" {
		return nil
	}
	ids, back, err := k.notShown()
	if err != nil {
		return err
	}
	for mark, list := range map[int][]int64{1: ids, 0: back} {
		for _, id := range list {
			if _, err := k.a.ledger.exec("update entry set gone = ? where id = ?", mark, id); err != nil {
				return err
			}
		}
	}
	k.gone += len(ids)
	if !k.complete() {
		return nil
	}
	return k.markEarlier()
}

// notShown compares the entries of the epoch with the look.
func (k *looking) notShown() (ids, back []int64, err error) {
	s := newSight(k.look)
	err = k.a.ledger.rows("select id, uid, gone from entry where mailbox = ? and validity = ? and state <> 3",
		func(scan func(...any) error) error {
			var id int64
			var text string
			var gone bool
			err := scan(&id, &text, &gone)
			uid, is := uidOf(text)
			if !is || k.shown[id] {
				return err
			}
			switch s.of(uid) {
			case unseen:
				if !gone {
					ids = append(ids, id)
				}
			case seen:
				if gone {
					back = append(back, id)
				}
			}
			return err
		}, k.folder.id, k.look.Status.Validity)
	return ids, back, err
}

// markEarlier marks what was archived in earlier epochs: all that is there is archived in this one by now. What has no
// epoch is not of the source's (0), or its UID was not found again by a listing of all.
func (k *looking) markEarlier() error {
	r, err := k.a.ledger.exec(`update entry set gone = 1 where mailbox = ? and not gone
		and (validity <> ? and validity <> 0 or validity is null and ?)`,
		k.folder.id, k.look.Status.Validity, k.look.Since.Validity != k.look.Status.Validity)
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	k.gone += int(n)
	return err
}

// A sight says which UIDs a look has shown.
type sight struct {
	from uint32 // those from here on are shown if they are new; 0: all
	left []uint32
	new  map[uint32]bool
}

type sighting int

const (
	unsaid sighting = iota // as before
	seen
	unseen
)

func newSight(l Look) sight {
	s := sight{left: l.Left, new: make(map[uint32]bool, len(l.New))}
	if l.Since.Validity == l.Status.Validity {
		s.from = l.Since.Next
	}
	for _, it := range l.New {
		uid, _ := uidOf(it.Ref.UID)
		s.new[uid] = true
	}
	return s
}

func (s sight) of(uid uint32) sighting {
	found := s.new[uid]
	if uid < s.from {
		if s.left == nil {
			return unsaid
		}
		_, found = slices.BinarySearch(s.left, uid)
	}
	if found {
		return seen
	}
	return unseen
}

// lose notes that the file of an entry is missing.
func (a *Archive) lose(id int64) error {
	e, err := a.Entry(id)
	if err != nil {
		return err
	}
	err = a.damage(e, missing, "the file is missing")
	if errors.As(err, new(*DamagedError)) {
		return nil
	}
	return fmt.Errorf("entry %d: %w", id, err)
}
