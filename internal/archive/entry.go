package archive

import (
	"database/sql"
	"errors"
	"slices"
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
	Identity string // as mail.Item's
	Linked   bool   // taken for another entry's message by what the source said: its own octets were never downloaded
	Gone     bool   // the source shows it no more
	Path     string // below the archive's directory, with slashes; "": not archived yet
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
	Imported int   // of the messages: they came from files
	Gone     bool  // the source has no such mailbox, or has none any more
	Ran      time.Time
}

// Mailboxes returns the mailboxes of the archive, the INBOX first and the others by name. One that the source shows
// no more is among them as long as it holds a message.
func (a *Archive) Mailboxes() ([]Mailbox, error) {
	var all []Mailbox
	err := a.ledger.each(`select m.name, m.delim, m.role, m.no_select, m.subscribed, m.gone, coalesce(m.ran, 0), count(e.id), coalesce(sum(e.octets), 0),
		coalesce(sum(e.state <> 0), 0), coalesce(sum(`+isImported+`), 0) from mailbox m left join entry e on e.mailbox = m.id
		group by m.id having not (m.guessed or m.gone) or count(e.id) > 0 order by m.name <> ?, m.name`,
		func(scan func(...any) error) error {
			var mb Mailbox
			var ran int64
			err := scan(&mb.Name, &mb.Delim, &mb.Role, &mb.NoSelect, &mb.Subscribed, &mb.Gone, &ran, &mb.Messages, &mb.Octets, &mb.Damaged, &mb.Imported)
			mb.Ran = timeOf(ran)
			all = append(all, mb)
			return err
		}, []byte(mail.Inbox))
	return all, err
}

// Names returns the names of the mailboxes that Mailboxes returns, without counting what they hold.
func (a *Archive) Names() (all map[string]bool, err error) {
	all = map[string]bool{}
	err = a.ledger.each("select name from mailbox m where not (guessed or gone) or exists (select 1 from entry where mailbox = m.id)",
		func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			all[name] = true
			return err
		})
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
	e.stored, e.octets, e.info, e.keywords, e.identity, e.linked, e.gone, e.digest, coalesce(e.match, e.digest),
	e.message_id, e.date, e.sender, e.recipient, e.subject
	from entry e join mailbox m on m.id = e.mailbox join mailbox p on p.id = e.place `

func scanEntry(scan func(...any) error) (Entry, error) {
	var e Entry
	var n fileName
	var dir, keywords string
	var sub, zone int
	var uid, k, digest, match sql.RawBytes
	err := scan(&e.ID, &e.Mailbox, &e.Ref.Validity, &uid, &dir, &sub, &n.received, &zone, &k, &n.nth, &n.stored, &n.octets,
		&n.info, &keywords, &e.Identity, &e.Linked, &e.Gone, &digest, &match, &e.Header.MessageID, &e.Header.Date, &e.Header.From, &e.Header.To, &e.Header.Subject)
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

// keywordsOf returns what the ledger keeps of flags besides the letters for the system's.
func keywordsOf(f mail.Flags) string {
	return join(slices.DeleteFunc(slices.Clone(f), func(k mail.Flag) bool { return isSystem(k) }))
}

// isSystem reports whether every program that reads a Maildir knows the letter for f. Dovecot does not know P.
func isSystem(f mail.Flag) bool { return f.System() && mail.Flags{f}.Maildir() != "" }

// join writes flags as the ledger keeps them.
func join(f mail.Flags) string {
	names := make([]string, len(f))
	for i, k := range f {
		names[i] = string(k)
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

func (a *Archive) entries(where string, args ...any) ([]Entry, error) {
	var all []Entry
	err := a.ledger.each(selectEntries+where, func(scan func(...any) error) error {
		e, err := scanEntry(scan)
		all = append(all, e)
		return err
	}, args...)
	return all, err
}
