package archive

import (
	"fmt"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// mendedTable says which outcomes and open intents are about a mended copy, and not about the entry as it is.
var mendedTable = &addition{"mended", `
create table if not exists mended (
	dest integer not null references destination,
	entry integer not null references entry,
	what text not null, -- in words for a person
	primary key (dest, entry)
) without rowid`}

// intendMended is intend for an entry that the destination has refused. The server's words stay, for when the intent is
// taken back.
func (a *Archive) intendMended(dest int64, i Intent) error {
	r, err := a.ledger.exec(`update outcome set state = ?, mailbox = ?, validity = ?, next = ?, uid = 0
		where dest = ? and entry = ? and state = ?`, Intended, []byte(i.Mailbox), i.Validity, i.Next, dest, i.Entry, Refused)
	if err != nil {
		return err
	}
	switch n, err := r.RowsAffected(); {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("entry %d %w", i.Entry, ErrOutcome)
	}
	return a.noteMended(dest, i.Entry, i.Mended)
}

// noteMended notes what an outcome is about, inside a transaction; "" is the entry as it is.
func (a *Archive) noteMended(dest, entry int64, what string) error {
	if what != "" {
		if err := a.ledger.add(mendedTable); err != nil {
			return err
		}
		_, err := a.ledger.exec("insert into mended (dest, entry, what) values (?, ?, ?) on conflict do update set what = excluded.what",
			dest, entry, what[:min(len(what), maxReason)])
		return err
	}
	some, err := a.ledger.has(mendedTable)
	if err == nil && some {
		_, err = a.ledger.exec("delete from mended where dest = ? and entry = ?", dest, entry)
	}
	return err
}

// reopenMended forgets, inside a transaction, which mended copies were refused.
func (a *Archive) reopenMended(dest mail.Account) error {
	some, err := a.ledger.has(mendedTable)
	if err == nil && some {
		_, err = a.ledger.exec("delete from mended where "+toDestination+" and exists"+
			" (select 1 from outcome o where o.dest = mended.dest and o.entry = mended.entry and o.state = ?)", destArgs(dest, Refused)...)
	}
	return err
}

// mendedIntents adds to the intents what is mended of the copies that were on their way.
func (a *Archive) mendedIntents(dest mail.Account, intents []Intent) error {
	what := map[int64]string{}
	err := a.ledger.eachOf(mendedTable, "select n.entry, n.what from mended n join "+openOutcomes+" on o.dest = n.dest and o.entry = n.entry where o."+
		toDestination+" and "+openIs(Intended), func(scan func(...any) error) error {
		var id int64
		var text string
		err := scan(&id, &text)
		what[id] = text
		return err
	}, destArgs(dest)...)
	for i := range intents {
		intents[i].Mended = what[intents[i].Entry]
	}
	return err
}

// MendedCounts returns how many messages of each of the archive's mailboxes are at the destination as mended copies.
func (a *Archive) MendedCounts(dest mail.Account) (map[string]int, error) {
	counts := map[string]int{}
	err := a.ledger.eachOf(mendedTable, "select m.name, count(*) from mended n join outcome o on o.dest = n.dest and o.entry = n.entry"+
		" join entry e on e.id = n.entry join mailbox m on m.id = e.mailbox where o."+toDestination+
		" and o.state not in (?, ?) group by m.id",
		func(scan func(...any) error) error {
			var name string
			var n int
			err := scan(&name, &n)
			counts[name] = n
			return err
		}, destArgs(dest, Intended, Refused)...)
	return counts, err
}

// A Refusal is an entry that the destination refused as it is.
type Refusal struct {
	Entry
	To     string // the mailbox there
	Reason string // the server's words
}

// Refusals returns up to limit entries of a mailbox that are wanted at the destination and were refused there, those with
// IDs greater than after, in the order of their IDs. Those are not among them whose mended copy was refused too.
func (a *Archive) Refusals(dest mail.Account, w Wanted, mailbox string, after int64, limit int) ([]Refusal, error) {
	untried, err := a.untried()
	if err != nil {
		return nil, err
	}
	var all []Refusal
	err = a.ledger.each("select e.id, o.mailbox, o.reason from entry e join outcome o on o.entry = e.id where o."+toDestination+
		" and o.state = ?"+untried+w.and()+" and e.mailbox = (select id from mailbox where name = ?) and e.id > ? order by e.id limit ?",
		func(scan func(...any) error) error {
			var r Refusal
			err := scan(&r.ID, &r.To, &r.Reason)
			all = append(all, r)
			return err
		}, destArgs(dest, Refused, []byte(mailbox), after, limit)...)
	for i := 0; i < len(all) && err == nil; i++ {
		all[i].Entry, err = a.Entry(all[i].ID)
	}
	return all, err
}

// AnyRefusals reports whether there are Refusals in any mailbox.
func (a *Archive) AnyRefusals(dest mail.Account, w Wanted) (some bool, err error) {
	untried, err := a.untried()
	if err != nil {
		return false, err
	}
	err = a.ledger.each("select 1 from "+openOutcomes+" join entry e on e.id = o.entry where o."+toDestination+" and "+openIs(Refused)+untried+w.and()+" limit 1",
		func(func(...any) error) error {
			some = true
			return nil
		}, destArgs(dest)...)
	return some, err
}

// untried returns the condition that no outcome o is about a mended copy.
func (a *Archive) untried() (string, error) {
	some, err := a.ledger.hasNow(mendedTable)
	if err != nil || !some {
		return "", err
	}
	return " and not exists (select 1 from mended n where n.dest = o.dest and n.entry = o.entry)", nil
}
