package archive

import (
	"strconv"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Wanted says which of the entries without an outcome are to be brought to a destination.
type Wanted struct {
	Gone   bool // also those that the source shows no more
	Chosen bool // only those that were given to Choose
}

// and returns the condition for it on the entry e.
func (w Wanted) and() string {
	condition := ""
	if !w.Gone {
		condition = " and not e.gone"
	}
	if w.Chosen {
		condition += " and e.id in (select id from temp.chosen)"
	}
	return condition
}

// Choose says which entries are Chosen until the archive is closed. Nothing of it is written down.
func (a *Archive) Choose(ids []int64) error {
	done := func(func(...any) error) error { return nil }
	for _, q := range []string{"create temp table if not exists chosen (id integer primary key)", "delete from temp.chosen"} {
		if err := a.ledger.once(q, done); err != nil {
			return err
		}
	}
	return a.ledger.once("insert or ignore into temp.chosen select value from json_each(?)", done, list(ids))
}

// NotChosen returns for each mailbox how many of its entries have neither an outcome nor an intent at the destination and
// are not brought there only because they are not Chosen.
func (a *Archive) NotChosen(dest mail.Account, w Wanted) (map[string]int, error) {
	all := make(map[string]int)
	if !w.Chosen {
		return all, nil
	}
	w.Chosen = false
	err := a.ledger.each("select m.name, count(*) from entry e join mailbox m on m.id = e.mailbox where e.id not in (select id from temp.chosen)"+
		w.and()+noOutcome+" group by m.id",
		func(scan func(...any) error) error {
			var name string
			var n int
			err := scan(&name, &n)
			all[name] = n
			return err
		}, destArgs(dest)...)
	return all, err
}

// Pending returns up to limit entries of a mailbox that have neither an outcome nor an intent at the destination,
// those with IDs greater than after, in the order of their IDs. Damaged ones are among them: what becomes of them
// is to be said too.
func (a *Archive) Pending(dest mail.Account, w Wanted, mailbox string, after int64, limit int) ([]Entry, error) {
	return a.entries(`where e.mailbox = (select id from mailbox where name = ?) and e.id > ?`+w.and()+noOutcome+`
		order by e.id limit ?`, append([]any{[]byte(mailbox), after}, destArgs(dest, limit)...)...)
}

// toBring selects, of the entries e, those that are to be brought to a destination; it goes with destArgs. Those with an
// open intent are among them, wanted or not.
func (w Wanted) toBring() string {
	return " left join outcome o on o.entry = e.id and o." + toDestination + " where (o.state = " + strconv.Itoa(int(Intended)) + " or o.state is null" + w.and() + ")"
}

// ToBring returns how many entries are to be brought to the destination, and their octets in canonical form: what a
// run there is about to do.
func (a *Archive) ToBring(dest mail.Account, w Wanted) (messages int, octets int64, err error) {
	err = a.ledger.each("select count(*), coalesce(sum(e.octets), 0) from entry e"+w.toBring(),
		func(scan func(...any) error) error { return scan(&messages, &octets) }, destArgs(dest)...)
	return messages, octets, err
}

// An Amount is how much mail something is.
type Amount struct {
	Messages int
	Octets   int64 // of the canonical forms
}

// Waiting returns for each mailbox what of it is to be brought to the destination; the sum is that of ToBring.
func (a *Archive) Waiting(dest mail.Account, w Wanted) (map[string]Amount, error) {
	all := make(map[string]Amount)
	err := a.ledger.each("select m.name, count(*), sum(e.octets) from entry e join mailbox m on m.id = e.mailbox"+w.toBring()+" group by m.id",
		func(scan func(...any) error) error {
			var name string
			var n Amount
			err := scan(&name, &n.Messages, &n.Octets)
			all[name] = n
			return err
		}, destArgs(dest)...)
	return all, err
}

// Larger returns up to limit of the entries of a mailbox that are to be brought and have more octets than that, the
// largest first.
func (a *Archive) Larger(dest mail.Account, w Wanted, mailbox string, than int64, limit int) ([]Entry, error) {
	return a.entries(`where e.mailbox = (select id from mailbox where name = ?) and e.octets > ?`+w.and()+noOutcome+`
		order by e.octets desc limit ?`, append([]any{[]byte(mailbox), than}, destArgs(dest, limit)...)...)
}

// Twins returns how many of the entries of these mailboxes that are to be brought have the Message-ID of another.
func (a *Archive) Twins(dest mail.Account, w Wanted, mailboxes ...string) (n int, err error) {
	args := make([]any, len(mailboxes))
	for i, name := range mailboxes {
		args[i] = []byte(name)
	}
	err = a.ledger.each("select count(*) - count(distinct e.message_id) from entry e where e.message_id <> ''"+w.and()+
		" and e.mailbox in (select id from mailbox where name in ("+placeholders(len(mailboxes))+"))"+noOutcome,
		func(scan func(...any) error) error { return scan(&n) }, append(args, destArgs(dest)...)...)
	return n, err
}
