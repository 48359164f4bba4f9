package archive

import (
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// isImported is the condition that an entry e came from a file.
const isImported = "(e.validity is 0 and substr(e.uid, 1, 7) = x'696d706f727400')"

// HoldsImports reports whether a message of the archive came from a file, when that was first asked.
func (a *Archive) HoldsImports() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked {
		a.asked, a.imports = true, !noneImported(a.keys)
	}
	return a.imports
}

func noneImported(keys map[key]bool) bool {
	for k := range keys {
		if k.imported() {
			return false
		}
	}
	return true
}

// ByRef returns the sound entry of a message; false: there is none.
func (a *Archive) ByRef(ref mail.Ref) (Entry, bool, error) {
	k := keyOf(a.original, ref)
	found, err := a.entries("where e.key = ? and e.state = 0", k[:])
	if err != nil || len(found) == 0 {
		return Entry{}, false, err
	}
	return found[0], true, nil
}

// A Holding is what can be told of a message without reading it.
type Holding struct {
	Entry     int64
	Match     mail.Digest
	MessageID string
}

// EachOfAccount calls fn with the sound messages of a mailbox that its account brought and shows still, in the order of
// their archiving. fn must not use the archive.
func (a *Archive) EachOfAccount(mailbox string, fn func(Holding)) error {
	var match []byte
	return a.ledger.each(`select e.id, coalesce(e.match, e.digest), e.message_id from entry e
		where e.mailbox = (select id from mailbox where name = ?) and e.state = 0 and not e.gone and not `+isImported+" order by e.id",
		func(scan func(...any) error) error {
			var h Holding
			err := scan(&h.Entry, &match, &h.MessageID)
			copy(h.Match[:], match)
			if err == nil {
				fn(h)
			}
			return err
		}, []byte(mailbox))
}

// Page returns up to limit messages of a mailbox whose IDs are greater than after, in the order of their IDs, be their
// files sound or not: reading tells.
func (a *Archive) Page(mailbox string, after int64, limit int) ([]Entry, error) {
	return a.entries("where e.mailbox = (select id from mailbox where name = ?) and e.id > ? and e.state <> ? order by e.id limit ?",
		[]byte(mailbox), after, lost, limit)
}

// An Import is mail of a file or a directory that was brought in.
type Import struct {
	From  string // as the person named it, made absolute
	Kind  string // what it was taken for
	Ended time.Time
	Added int // messages of the last time that were new
	Known int
}

var importTable = &addition{"import", `
create table if not exists import (
	origin text primary key,
	kind text not null,
	ended integer not null,
	added integer not null,
	known integer not null
) without rowid`}

// NoteImport notes one that has come to its end, in the place of an earlier one from there.
func (a *Archive) NoteImport(i Import) error {
	return a.write("import", func() error {
		if err := a.ledger.add(importTable); err != nil {
			return err
		}
		_, err := a.ledger.exec("insert or replace into import (origin, kind, ended, added, known) values (?, ?, ?, ?, ?)",
			i.From, i.Kind, secondsOf(i.Ended), i.Added, i.Known)
		return err
	})
}

// Imports returns them, the latest last.
func (a *Archive) Imports() (all []Import, err error) {
	err = a.ledger.eachOf(importTable, "select origin, kind, ended, added, known from import order by ended, origin",
		func(scan func(...any) error) error {
			var i Import
			var ended int64
			err := scan(&i.From, &i.Kind, &ended, &i.Added, &i.Known)
			i.Ended = timeOf(ended)
			all = append(all, i)
			return err
		})
	return all, err
}
