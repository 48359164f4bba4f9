package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// ToBring returns how many entries have no outcome at the destination, and their octets in canonical form: what a
// run there is about to bring.
func (a *Archive) ToBring(dest mail.Account) (messages int, octets int64, err error) {
	err = a.ledger.each(`select count(*), coalesce(sum(e.octets), 0) from entry e
		where not exists (select 1 from outcome o where o.entry = e.id and o.`+toDestination+" and o.state <> ?)",
		func(scan func(...any) error) error { return scan(&messages, &octets) }, destArgs(dest, Intended)...)
	return messages, octets, err
}
