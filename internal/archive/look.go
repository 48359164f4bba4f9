package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Look is what a look at a mailbox of the source has shown.
type Look struct {
	Since        mail.Status // what the Changes were asked with: how it stood before; zero: all of it was listed
	mail.Changes             // what came out of it
	Complete     bool        // everything that was shown is archived
}

// Looked notes what a look at a mailbox has shown, and returns how many entries are gone since, and of how many the
// flags have changed here. What is kept is this:
//
//   - Where the source has changed a message's flags since it last showed them, the entry's are changed the same way;
//     what a mail program has changed in the archive stays otherwise.
//   - An entry that is not shown any more is gone, unless the look was Partial. One that is shown again is not.
//   - An entry that is known by its file's name alone, because the ledger was lost, gets its UID back.
//   - After a look that was Complete and not Partial, State returns its Status, and the entries of earlier
//     UIDVALIDITYs are gone: all that is there is archived under the one it has now.
//
// It is one transaction, after the files have got their new names; if there is nothing to be changed, it is none.
func (a *Archive) Looked(mailbox string, l Look) (gone, flagged int, err error) {
	if a.lock == nil {
		return 0, 0, errReadOnly
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	f := a.folders.named(mailbox)
	if f == nil || f.id == 0 || l.Status.Validity == 0 {
		return 0, 0, fmt.Errorf("a look at a mailbox that is not there (%q, %d)", mailbox, l.Status.Validity)
	}
	if err := a.settleMoves(); err != nil {
		return 0, 0, err
	}
	k := &looking{a: a, look: l, folder: f}
	if err := k.compare(); err != nil || k.nothing() {
		return 0, 0, err
	}
	if err := a.ledger.begin(); err != nil {
		return 0, 0, err
	}
	if err := k.rename(); err != nil {
		return 0, 0, err
	}
	if err := k.write(); err != nil {
		a.stranded = true
		return 0, 0, err
	}
	return len(k.leave), k.flagged, nil
}

// looking is one Looked under way.
type looking struct {
	a       *Archive
	look    Look
	folder  *folder
	byID    map[int64]*folder
	changes []*change
	leave   []int64 // entries that are gone now
	back    []int64 // entries that are not gone any more
	fresh   bool    // the Status is to be kept, and is another one
	flagged int
}

// A change is what is to be changed of an entry that was shown.
type change struct {
	row
	item     mail.Item
	seen     string // the flags as the source last showed them
	keywords string
	identity string
	added    mail.Flags // by the source, since it last showed them
	removed  mail.Flags
	renamed  bool
}

// complete reports whether all that is there was shown, and is archived.
func (k *looking) complete() bool { return k.look.Complete && k.look.Partial == "" }

// ofAll reports whether the look began from nothing: all that is there was listed.
func (k *looking) ofAll() bool { return k.look.Since.Validity != k.look.Status.Validity }

func (k *looking) nothing() bool {
	return len(k.changes)+len(k.leave)+len(k.back) == 0 && !k.fresh
}

// compare finds out in what the ledger differs from what was shown.
func (k *looking) compare() error {
	if err := k.compareAll(); err != nil {
		return err
	}
	if len(k.changes) > 0 {
		k.byID = k.a.folders.byID()
	}
	for _, c := range k.changes {
		if err := k.read(c); err != nil {
			return err
		}
	}
	if !k.complete() {
		return nil
	}
	state, err := k.a.State(k.folder.Name)
	k.fresh = state != k.look.Status
	return err
}

// read takes in the rest of an entry that differs from the message that was shown, and in which flags.
func (k *looking) read(c *change) error {
	err := k.a.ledger.each(`select key, nth, received, stored, octets, info, sub, state, place, keywords, seen, identity
		from entry where id = ?`, func(scan func(...any) error) error {
		var key []byte
		var place int64
		err := scan(&key, &c.name.nth, &c.name.received, &c.name.stored, &c.name.octets, &c.name.info, &c.sub, &c.state,
			&place, &c.keywords, &c.seen, &c.identity)
		copy(c.name.key[:], key)
		c.place = k.byID[place]
		return err
	}, c.id)
	c.identity = cmp.Or(c.item.Identity, c.identity)
	if c.state == sound { // else nothing can be changed, and is to be when it can
		was := allFlags("", c.seen)
		c.seen = join(c.item.Flags)
		c.added, c.removed = c.item.Flags.Without(was), was.Without(c.item.Flags)
	}
	return err
}

// rename gives the files their new flags, durably.
func (k *looking) rename() error {
	byPlace := map[*folder][]*change{}
	for _, c := range k.changes {
		if len(c.added)+len(c.removed) > 0 {
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
	var added mail.Flags
	for _, c := range changes {
		added = append(added, c.added...)
	}
	l, err := k.a.lettersFor(f, added)
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
	var before, after mail.Flags
	is, err := w.move(c.row, func(is found) found {
		before = allFlags(is.name.info, keywordsNow(c.keywords, l, c.name.info, l, is.name.info))
		after = union(before.Without(c.removed), c.added)
		info := l.info(after, l.strange(is.name.info))
		if infoLetters(info) != infoLetters(is.name.info) {
			is.sub, is.name.info = 0, info
		}
		return is
	})
	if err == nil && is == nil {
		err = k.a.lose(c.id)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if is == nil { // nothing was changed; it is to be when it can
		c.seen = join(union(c.item.Flags.Without(c.added), c.removed))
		return nil
	}
	if !after.Equal(before) {
		k.flagged++
	}
	c.name, c.sub, c.keywords, c.renamed = is.name, is.sub, keywordsOf(after), true
	return nil
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
	return err
}

// write tells the ledger.
func (k *looking) write() error {
	return k.a.write("looked", func() error {
		for _, c := range k.changes {
			if err := k.enter(c); err != nil {
				return err
			}
		}
		if err := k.enterGone(); err != nil {
			return err
		}
		if k.fresh {
			return k.a.setState(k.folder.id, k.look.Status)
		}
		return nil
	})
}

func (k *looking) enter(c *change) error {
	k.a.looks.add(lookOfIdentity(c.identity))
	_, err := k.a.ledger.exec("update entry set mailbox = ?, validity = ?, uid = ?, seen = ?, identity = ?, gone = 0 where id = ?",
		k.folder.id, c.item.Ref.Validity, []byte(c.item.Ref.UID), c.seen, c.identity, c.id)
	if err != nil || !c.renamed {
		return err
	}
	_, err = k.a.ledger.exec("update entry set sub = ?, info = ?, keywords = ? where id = ?", c.sub, c.name.info, c.keywords, c.id)
	return err
}
