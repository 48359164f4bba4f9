package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// An arrival is a message whose file is in its place, or soon will be, and that the ledger is to be told of.
type arrival struct {
	entry  Entry
	folder *folder // where the file lies
	sub    int     // of subdirs
	name   fileName
	known  bool // entry.Ref is known, and what else the source says
	state  int  // sound, or damaged
}

// insert tells the ledger of an arrival and returns its ID. If the key is known, and the message was missing or
// damaged, its row goes on with the new file, provided that the content is the same; else the old row is lost.
func (l *ledger) insert(a arrival, old unsound) (id int64, err error) {
	e, n := a.entry, a.name
	_, zone := e.Received.Zone()
	if old.id != 0 && (old.digest == e.Digest || old.digest == mail.Digest{}) {
		_, err := l.exec(`update entry set place = ?, sub = ?, received = ?, zone = ?, nth = ?, stored = ?, octets = ?,
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
	if old.id != 0 {
		if _, err := l.exec("update entry set state = ? where id = ?", lost, old.id); err != nil {
			return 0, err
		}
	}
	return l.insertNew(a, zone)
}

func (l *ledger) insertNew(a arrival, zone int) (int64, error) {
	e, n := a.entry, a.name
	var validity, uid any
	seen := ""
	if a.known {
		validity, uid, seen = e.Ref.Validity, []byte(e.Ref.UID), join(e.Flags)
	}
	box := a.folder.id
	r, err := l.exec(`insert into entry (key, mailbox, place, sub, validity, uid, received, zone, nth, stored, octets, info,
		keywords, seen, identity, linked, gone, digest, match, message_id, date, sender, recipient, subject, state)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.key[:], box, box, a.sub, validity, uid, n.received, zone, n.nth, n.stored, n.octets, n.info,
		keywordsOf(e.Flags), seen, e.Identity, e.Linked, e.Digest[:], matchOf(e), e.Header.MessageID, e.Header.Date, e.Header.From, e.Header.To,
		e.Header.Subject, a.state)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
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
	err := a.writeWithFolders("commit", func() error {
		for i, r := range arrivals {
			id, err := a.ledger.insert(r, a.notSound(r.name.key))
			if err != nil {
				return err
			}
			entries[i] = r.entry
			entries[i].ID = id
		}
		return nil
	})
	if err != nil {
		return nil, err
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
