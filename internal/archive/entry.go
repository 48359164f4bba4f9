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
	err := a.ledger.each(`select m.name, m.delim, m.role, m.no_select, m.subscribed, coalesce(m.ran, 0), count(e.id), coalesce(sum(e.octets), 0),
		coalesce(sum(e.state <> 0), 0) from mailbox m left join entry e on e.mailbox = m.id
		group by m.id having not m.guessed or count(e.id) > 0 order by m.name <> ?, m.name`,
		func(scan func(...any) error) error {
			var mb Mailbox
			var ran int64
			err := scan(&mb.Name, &mb.Delim, &mb.Role, &mb.NoSelect, &mb.Subscribed, &ran, &mb.Messages, &mb.Octets, &mb.Damaged)
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
