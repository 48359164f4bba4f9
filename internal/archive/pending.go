package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// Wanted says which of the entries without an outcome are to be brought to a destination.
type Wanted struct {
	Gone bool // also those that the source shows no more
}

// and returns the condition for it on the entry e.
func (w Wanted) and() string {
	if w.Gone {
		return ""
	}
	return " and not e.gone"
}

// Pending returns up to limit entries of a mailbox that have neither an outcome nor an intent at the destination,
// those with IDs greater than after, in the order of their IDs. Damaged ones are among them: what becomes of them
// is to be said too.
func (a *Archive) Pending(dest mail.Account, w Wanted, mailbox string, after int64, limit int) ([]Entry, error) {
	return a.entries(`where e.mailbox = (select id from mailbox where name = ?) and e.id > ?`+w.and()+`
		and not exists (select 1 from outcome o where o.entry = e.id and o.`+toDestination+`)
		order by e.id limit ?`, append([]any{[]byte(mailbox), after}, destArgs(dest, limit)...)...)
}

// ToBring returns how many entries are to be brought to the destination, those with an open intent among them, and
// their octets in canonical form: what a run there is about to do.
func (a *Archive) ToBring(dest mail.Account, w Wanted) (messages int, octets int64, err error) {
	err = a.ledger.each(`select count(*), coalesce(sum(e.octets), 0) from entry e
		where not exists (select 1 from outcome o where o.entry = e.id and o.`+toDestination+" and o.state <> ?)"+w.and(),
		func(scan func(...any) error) error { return scan(&messages, &octets) }, destArgs(dest, Intended)...)
	return messages, octets, err
}
