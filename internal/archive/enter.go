package archive

import (
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An arrival is a message whose file is in its place, or soon will be, and that the ledger is to be told of.
type arrival struct {
	entry  Entry
	folder *folder // where the file lies
	sub    int     // of subdirs
	name   fileName
	known  bool // entry.Ref is known, and what else the source says
	state  int  // sound, or damaged
}

// insertTogether is how many rows one statement inserts.
const insertTogether = 16

// insert tells the ledger of arrivals and returns their IDs. They are inserted many at a time: half of what a single
// row costs is the way to it.
func (l *ledger) insert(arrivals []arrival, old func(key) unsound) ([]int64, error) {
	ids := make([]int64, len(arrivals))
	var fresh []int // indexes of arrivals
	for i, a := range arrivals {
		id, err := l.goOn(a, old(a.name.key))
		if err != nil {
			return nil, err
		}
		if ids[i] = id; id == 0 {
			fresh = append(fresh, i)
		}
	}
	for len(fresh) > 0 {
		some := fresh[:1]
		if len(fresh) >= insertTogether {
			some = fresh[:insertTogether]
		}
		last, err := l.insertNew(arrivals, some)
		if err != nil {
			return nil, err
		}
		for i, n := range some { // IDs rise by one within a statement
			ids[n] = last - int64(len(some)-1-i)
		}
		fresh = fresh[len(some):]
	}
	return ids, nil
}

// goOn looks whether the key of an arrival is known, and the message was missing or damaged: then its row goes on with
// the new file, provided that the content is the same, and its ID is returned; else the old row is lost.
func (l *ledger) goOn(a arrival, old unsound) (id int64, err error) {
	if old.id == 0 {
		return 0, nil
	}
	e, n := a.entry, a.name
	if old.digest != e.Digest && old.digest != (mail.Digest{}) {
		_, err := l.exec("update entry set state = ? where id = ?", lost, old.id)
		return 0, err
	}
	_, zone := e.Received.Zone()
	_, err = l.exec(`update entry set place = ?, sub = ?, received = ?, zone = ?, nth = ?, stored = ?, octets = ?,
		info = ?, digest = ?, match = ?, message_id = ?, date = ?, sender = ?, recipient = ?, subject = ?, state = ?
		where id = ?`, a.folder.id, a.sub, n.received, zone, n.nth, n.stored, n.octets, n.info, e.Digest[:], matchOf(e),
		e.Header.MessageID, e.Header.Date, e.Header.From, e.Header.To, e.Header.Subject, sound, old.id)
	if err != nil || !a.known {
		return old.id, err
	}
	_, err = l.exec(`update entry set validity = ?, uid = ?, keywords = ?, seen = ?, identity = ?, linked = ?, gone = 0
		where id = ?`, e.Ref.Validity, []byte(e.Ref.UID), keywordsOf(e.Flags), join(e.Flags), e.Identity, e.Linked, old.id)
	return old.id, err
}

const (
	insertEntries = `insert into entry (key, mailbox, place, sub, validity, uid, received, zone, nth, stored, octets, info,
		keywords, seen, identity, linked, gone, digest, match, message_id, date, sender, recipient, subject, state) values `
	entryValues = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)"
)

var (
	insertOne  = insertEntries + entryValues
	insertMany = insertOne + strings.Repeat(", "+entryValues, insertTogether-1)
)

// insertNew inserts those of the arrivals, one or insertTogether, and returns the ID of the last.
func (l *ledger) insertNew(arrivals []arrival, which []int) (last int64, err error) {
	query := insertMany
	if len(which) == 1 {
		query = insertOne
	}
	args := make([]any, 0, len(which)*strings.Count(entryValues, "?"))
	for _, i := range which {
		args = arrivals[i].appendTo(args)
	}
	r, err := l.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// appendTo appends what stands for the values of the arrival's row.
func (a arrival) appendTo(args []any) []any {
	e, n := a.entry, a.name
	var validity, uid any
	seen := ""
	if a.known {
		validity, uid, seen = e.Ref.Validity, []byte(e.Ref.UID), join(e.Flags)
	} else if n.key.imported() { // no look at the source will ever tell
		validity, uid = 0, []byte(mail.LostImportRef("").UID)
	}
	_, zone := e.Received.Zone()
	return append(args, n.key[:], a.folder.id, a.folder.id, a.sub, validity, uid, n.received, zone, n.nth, n.stored, n.octets, n.info,
		keywordsOf(e.Flags), seen, e.Identity, e.Linked, e.Digest[:], matchOf(e), e.Header.MessageID, e.Header.Date, e.Header.From,
		e.Header.To, e.Header.Subject, a.state)
}

// matchOf returns what the ledger keeps of the second digest: nothing if it is the first, as it nearly always is.
func matchOf(e Entry) any {
	if e.Match == e.Digest {
		return nil
	}
	return e.Match[:]
}

// enter tells the ledger of messages that lie durably in their places, in one transaction.
func (a *Archive) enter(arrivals []arrival) ([]Entry, error) {
	entries := make([]Entry, len(arrivals))
	today := dayOf(time.Now())
	if len(arrivals) > 0 {
		if err := a.learnKeys(); err != nil {
			return nil, err
		}
	}
	err := a.writeWithFolders("commit", func() error {
		if len(arrivals) > 0 {
			if err := a.noteDay(today); err != nil {
				return err
			}
		}
		ids, err := a.ledger.insert(arrivals, a.notSound)
		for i, id := range ids {
			entries[i] = arrivals[i].entry
			entries[i].ID = id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(arrivals) > 0 {
		a.day.Store(today)
	}
	for _, r := range arrivals {
		octets := r.name.octets
		a.looks.add(lookOf(octets, time.Time{}), lookOf(octets, time.Unix(r.name.received, 0)), lookOfIdentity(r.entry.Identity))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, r := range arrivals {
		delete(a.underway, r.name.key)
		if r.state == sound {
			a.keys[r.name.key] = true
			delete(a.unsound, r.name.key)
		} else {
			a.unsound[r.name.key] = unsound{id: entries[i].ID, nth: r.name.nth}
		}
	}
	return entries, nil
}

// writeWithFolders does fn in one transaction, after what the ledger does not know of the folders yet.
func (a *Archive) writeWithFolders(op string, fn func() error) error {
	changed := a.folders.changes()
	err := a.write(op, func() error {
		if err := a.enterFolders(changed); err != nil {
			return err
		}
		return fn()
	})
	if err != nil {
		a.folders.keep(changed)
	}
	return err
}

func (a *Archive) notSound(k key) unsound {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.unsound[k]
}

// enterFolders tells the ledger of mailboxes that it does not know yet, or knows otherwise.
func (a *Archive) enterFolders(changed map[*folder]folder) error {
	for f := range changed { // two may have exchanged their names
		if _, err := a.ledger.exec("update mailbox set name = ? where dir = ?", []byte(f.dir+"\x00"), f.dir); err != nil {
			return err
		}
	}
	for f, now := range changed {
		_, err := a.ledger.exec(`insert into mailbox (name, delim, role, no_select, subscribed, dir, guessed, gone)
			values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (dir) do update set name = excluded.name, delim = excluded.delim,
			role = excluded.role, no_select = excluded.no_select, subscribed = excluded.subscribed,
			guessed = excluded.guessed, gone = excluded.gone`,
			[]byte(now.Name), now.Delim, string(now.Role), now.NoSelect, now.Subscribed, now.dir, now.guessed, now.gone)
		if err != nil {
			return err
		}
		err = a.ledger.rows("select id from mailbox where dir = ?",
			func(scan func(...any) error) error { return scan(&f.id) }, f.dir)
		if err != nil {
			return err
		}
	}
	return nil
}

// AddMailboxes takes mailboxes in, whether or not a message ever comes to lie in them. It saves work to name all
// of an account's at once, before the first message.
func (a *Archive) AddMailboxes(boxes []mail.Mailbox) error {
	if a.lock == nil {
		return errReadOnly
	}
	folders := make([]*folder, len(boxes))
	for i, mb := range boxes {
		folders[i] = a.folders.of(mb)
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	if !a.folders.waiting() {
		return nil
	}
	if err := a.makeFolders(folders); err != nil {
		return err
	}
	_, err := a.enter(nil)
	return err
}
