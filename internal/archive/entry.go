package archive

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An Entry is one message of the archive.
type Entry struct {
	ID       int64    // rises in the order of archiving; 0: not archived yet
	Ref      mail.Ref // Validity and UID are zero when the ledger was made again from the Maildir
	Mailbox  string   // the source's
	Octets   int64    // of the canonical form
	Digest   mail.Digest
	Match    mail.Digest // of the levelled form
	Header   mail.Header
	Received time.Time // to the second, with the zone the source gave it
	Flags    mail.Flags
	Path     string // below the archive's directory, with slashes
}

// The states of an entry's file.
const (
	sound   = iota
	missing // it is not there
	damaged // its octets are not those that were archived
	lost    // missing or damaged, and the source has another message in its place now
)

// A Mailbox is one of the source's mailboxes.
type Mailbox struct {
	mail.Mailbox
	Messages int
	Octets   int64 // of the canonical forms
	Damaged  int   // of the messages: their files are missing or damaged
	Ran      time.Time
}

// Mailboxes returns the mailboxes of the archive, the INBOX first and the others by name.
func (a *Archive) Mailboxes() ([]Mailbox, error) {
	var all []Mailbox
	err := a.ledger.each(`select m.name, m.delim, m.role, coalesce(m.ran, 0), count(e.id), coalesce(sum(e.octets), 0),
		coalesce(sum(e.state <> 0), 0) from mailbox m left join entry e on e.mailbox = m.id
		group by m.id having not m.guessed or count(e.id) > 0 order by m.name <> ?, m.name`,
		func(scan func(...any) error) error {
			var mb Mailbox
			var ran int64
			err := scan(&mb.Name, &mb.Delim, &mb.Role, &ran, &mb.Messages, &mb.Octets, &mb.Damaged)
			mb.Ran = timeOf(ran)
			all = append(all, mb)
			return err
		}, []byte(mail.Inbox))
	return all, err
}

// Ran notes that the source's mailboxes have been gone through to the end, now.
func (a *Archive) Ran(mailboxes ...string) error {
	return a.write("ran", func() error {
		for _, name := range mailboxes {
			if _, err := a.ledger.exec("update mailbox set ran = ? where name = ?", time.Now().Unix(), []byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

const selectEntries = `select e.id, m.name, coalesce(e.validity, 0), e.uid, p.dir, e.sub, e.received, e.zone, e.key, e.nth,
	e.stored, e.octets, e.info, e.keywords, e.digest, coalesce(e.match, e.digest), e.message_id, e.date, e.sender,
	e.recipient, e.subject
	from entry e join mailbox m on m.id = e.mailbox join mailbox p on p.id = e.place `

func scanEntry(scan func(...any) error) (Entry, error) {
	var e Entry
	var n fileName
	var dir, keywords string
	var sub, zone int
	var uid, k, digest, match sql.RawBytes
	err := scan(&e.ID, &e.Mailbox, &e.Ref.Validity, &uid, &dir, &sub, &n.received, &zone, &k, &n.nth, &n.stored, &n.octets,
		&n.info, &keywords, &digest, &match, &e.Header.MessageID, &e.Header.Date, &e.Header.From, &e.Header.To, &e.Header.Subject)
	if err != nil {
		return e, err
	}
	copy(n.key[:], k)
	copy(e.Digest[:], digest)
	copy(e.Match[:], match)
	e.Ref.Mailbox, e.Ref.UID = e.Mailbox, string(uid)
	e.Octets = n.octets
	e.Received = time.Unix(n.received, 0).In(time.FixedZone("", zone))
	e.Flags = allFlags(n.info, keywords)
	e.Path = (&folder{dir: dir}).path(subdirs[sub&1], n.String())
	return e, nil
}

// allFlags joins the flags of a file's name with the keywords, which have no place there.
func allFlags(info, keywords string) mail.Flags {
	names := strings.Fields(keywords)
	for _, f := range flagsIn(info) {
		names = append(names, string(f))
	}
	return mail.MakeFlags(names...)
}

func keywordsOf(f mail.Flags) string {
	var names []string
	for _, k := range f.Keywords() {
		names = append(names, string(k))
	}
	return strings.Join(names, " ")
}

// Entry returns the entry with that ID.
func (a *Archive) Entry(id int64) (Entry, error) {
	entries, err := a.entries("where e.id = ?", id)
	if err != nil {
		return Entry{}, err
	}
	if len(entries) == 0 {
		return Entry{}, errors.New("there is no such entry")
	}
	return entries[0], nil
}

// Pending returns up to limit entries of a mailbox that have neither an outcome nor an intent at the destination,
// those with IDs greater than after, in the order of their IDs. Damaged ones are among them: what becomes of them
// is to be said too.
func (a *Archive) Pending(dest mail.Account, mailbox string, after int64, limit int) ([]Entry, error) {
	return a.entries(`where e.mailbox = (select id from mailbox where name = ?) and e.id > ?
		and not exists (select 1 from outcome o where o.entry = e.id and o.`+toDestination+`)
		order by e.id limit ?`, append([]any{[]byte(mailbox), after}, destArgs(dest, limit)...)...)
}

func (a *Archive) entries(where string, args ...any) ([]Entry, error) {
	var all []Entry
	err := a.ledger.each(selectEntries+where, func(scan func(...any) error) error {
		e, err := scanEntry(scan)
		all = append(all, e)
		return err
	}, args...)
	return all, err
}

// An arrival is a message whose file is in its place, or soon will be, and that the ledger is to be told of.
type arrival struct {
	entry  Entry
	folder *folder // where the file lies
	sub    int     // of subdirs
	name   fileName
	known  bool // entry.Ref is known
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
		_, err = l.exec("update entry set validity = ?, uid = ?, keywords = ? where id = ?",
			e.Ref.Validity, []byte(e.Ref.UID), keywordsOf(e.Flags), old.id)
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
	if a.known {
		validity, uid = e.Ref.Validity, []byte(e.Ref.UID)
	}
	box := a.folder.id
	r, err := l.exec(`insert into entry (key, mailbox, place, sub, validity, uid, received, zone, nth, stored, octets, info,
		keywords, digest, match, message_id, date, sender, recipient, subject, state)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.key[:], box, box, a.sub, validity, uid, n.received, zone, n.nth, n.stored, n.octets, n.info,
		keywordsOf(e.Flags), e.Digest[:], matchOf(e), e.Header.MessageID, e.Header.Date, e.Header.From, e.Header.To,
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
