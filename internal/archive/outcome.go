package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A State is what became of an entry at a destination.
type State int

// The states. Their numbers stand in the ledger.
const (
	Pending  State = iota + 1 // nothing yet; as an outcome: the intent is taken back
	Intended                  // it was to be appended, and what came of it is not known
	Done                      // appended
	Present                   // it was there already
	Merged                    // the server took it for one that it has, or the person wants one of a Message-ID
	Refused                   // the server's definite no
	Gone                      // nothing, and the source shows it no more; never in the ledger
)

// An Intent is noted before an entry is appended.
type Intent struct {
	Entry          int64
	Mailbox        string // the destination's
	Validity, Next uint32 // its UIDVALIDITY and UIDNEXT: the message will have no smaller UID
	// Mended says what is mended of the copy that is sent, in words for a person, because the entry was Refused as it
	// is; "": it is sent as it is.
	Mended string
	Reason string // of a mended one: the server's words when it refused the entry; Intend does not take it
}

// An Outcome is what became of an entry.
type Outcome struct {
	Entry         int64
	State         State
	Mailbox       string     // the destination's
	Validity, UID uint32     // of the message there; UID 0: unknown
	Reason        string     // the server's words, if it refused
	Lacks         mail.Flags // of a message that is Done: the flags it is there without
	Mended        string     // what is mended of the copy that this is about; "": it is about the entry as it is
}

// ErrOutcome says that an entry is not to be appended, for it has an outcome or an intent already.
var ErrOutcome = errors.New("has an outcome already")

const maxReason = 1000 // octets of a server's words that are kept

// Intend notes that the entries are about to be appended to dest. When it returns, that is on disk; after an error
// none of it is. An entry that has an outcome or an open intent there is refused with ErrOutcome; a mended one must have
// been Refused as it is.
func (a *Archive) Intend(dest mail.Account, is []Intent) error {
	return a.write("intent", func() error {
		id, err := a.destination(dest)
		for i := 0; i < len(is) && err == nil; i++ {
			err = a.intend(id, is[i])
		}
		return err
	})
}

func (a *Archive) intend(dest int64, i Intent) error {
	if i.Mended != "" {
		return a.intendMended(dest, i)
	}
	r, err := a.ledger.exec(`insert into outcome (dest, entry, state, mailbox, validity, next, uid, reason)
		values (?, ?, ?, ?, ?, ?, 0, '') on conflict do nothing`,
		dest, i.Entry, Intended, []byte(i.Mailbox), i.Validity, i.Next)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return fmt.Errorf("entry %d %w", i.Entry, ErrOutcome)
}

// Settle notes outcomes, in one transaction, with or without an intent before. A later outcome of an entry takes
// the place of an earlier one. What mailboxes were seen to hold meanwhile is noted with them, as by Shelve.
func (a *Archive) Settle(dest mail.Account, os []Outcome, seen ...Shelf) error {
	return a.write("outcome", func() error {
		id, err := a.destination(dest)
		for i := 0; i < len(os) && err == nil; i++ {
			err = a.settle(id, os[i])
		}
		for i := 0; i < len(seen) && err == nil; i++ {
			err = a.shelve(id, seen[i])
		}
		return err
	})
}

func (a *Archive) settle(dest int64, o Outcome) error {
	if err := a.noteMended(dest, o.Entry, o.Mended); err != nil {
		return err
	}
	if o.State == Pending {
		if err := a.unprove(dest, o.Entry); err != nil {
			return err
		}
		_, err := a.ledger.exec("delete from outcome where dest = ? and entry = ?", dest, o.Entry)
		return err
	}
	if o.State < Done || o.State > Refused {
		return fmt.Errorf("%d is no outcome", o.State)
	}
	reason := o.Reason[:min(len(o.Reason), maxReason)]
	if o.State == Done {
		reason = join(o.Lacks)
	}
	_, err := a.ledger.exec(`insert into outcome (dest, entry, state, mailbox, validity, next, uid, reason)
		values (?, ?, ?, ?, ?, 0, ?, ?) on conflict do update set
		state = excluded.state, mailbox = excluded.mailbox, validity = excluded.validity, next = 0,
		uid = excluded.uid, reason = excluded.reason`,
		dest, o.Entry, o.State, []byte(o.Mailbox), o.Validity, o.UID, reason)
	return err
}

// destination returns the account's id, inside a transaction; it is made if there is none.
func (a *Archive) destination(dest mail.Account) (id int64, err error) {
	return a.ledger.accountID("destination", dest)
}

// accountID returns the id of an account in the table, where it is entered if it is not there; the caller is inside write.
func (l *ledger) accountID(table string, account mail.Account) (id int64, err error) {
	_, err = l.exec("insert into "+table+" (protocol, host, user) values (?, ?, ?) on conflict do nothing", destArgs(account)...)
	if err != nil {
		return 0, err
	}
	err = l.rows("select id from "+table+" where"+ofAccount,
		func(scan func(...any) error) error { return scan(&id) }, destArgs(account)...)
	return id, err
}

const (
	// ofAccount selects the rows of an account; it goes with destArgs.
	ofAccount = " protocol = ? and host = ? and user = ? "
	// toDestination selects the outcomes of one; it goes with destArgs.
	toDestination = "dest = (select id from destination where" + ofAccount + ")"
	// noOutcome selects the entries e that have neither an outcome nor an intent there; it goes with destArgs.
	noOutcome = " and not exists (select 1 from outcome o where o.entry = e.id and o." + toDestination + ")"
)

// openOutcomes are those in the states that few are in, which have an index. It goes with openIs.
const openOutcomes = "outcome o indexed by outcome_open"

// openIs selects, of openOutcomes, those in one of the states. SQLite can use the index only where its condition stands in the
// query word for word, and the state is no parameter.
func openIs(s State) string {
	return fmt.Sprintf("(o.state = %d and o.state in (%d, %d))", s, Intended, Refused)
}

func destArgs(dest mail.Account, more ...any) []any {
	return append([]any{dest.Protocol, dest.Host, dest.User}, more...)
}

// Intents returns the intents that have no outcome yet, in the order of their entries.
func (a *Archive) Intents(dest mail.Account) ([]Intent, error) {
	var all []Intent
	err := a.ledger.each("select o.entry, o.mailbox, o.validity, o.next, o.reason from "+openOutcomes+" where o."+toDestination+" and "+openIs(Intended)+" order by o.entry",
		func(scan func(...any) error) error {
			var i Intent
			err := scan(&i.Entry, &i.Mailbox, &i.Validity, &i.Next, &i.Reason)
			all = append(all, i)
			return err
		}, destArgs(dest)...)
	if err == nil && len(all) > 0 {
		err = a.mendedIntents(dest, all)
	}
	return all, err
}

// Claimed returns the UIDs in a mailbox at the destination that belong to an entry. One that others were merged into does
// not belong to them.
func (a *Archive) Claimed(dest mail.Account, mailbox string, validity uint32) (map[uint32]bool, error) {
	uids := map[uint32]bool{}
	err := a.ledger.each("select uid from outcome where "+toDestination+" and mailbox = ? and validity = ? and uid > 0 and state <> ?",
		func(scan func(...any) error) error {
			var uid uint32
			err := scan(&uid)
			uids[uid] = true
			return err
		}, destArgs(dest, []byte(mailbox), validity, Merged)...)
	return uids, err
}

// EachStranded calls fn with the entries that were confirmed under a UID in a mailbox at the destination that had another
// UIDVALIDITY, in the order of their IDs: their UIDs say nothing any more. fn must not use the archive.
func (a *Archive) EachStranded(dest mail.Account, mailbox string, validity uint32, fn func(Entry)) error {
	// By itself SQLite would rather go through all that was ever brought to the destination.
	return a.ledger.each(selectEntries+"join outcome o indexed by outcome_claimed on o.entry = e.id where o."+toDestination+
		" and o.mailbox = ? and o.validity <> ? and o.uid > 0 and o.state in (?, ?) order by e.id",
		func(scan func(...any) error) error {
			e, err := scanEntry(scan)
			if err == nil {
				fn(e)
			}
			return err
		}, destArgs(dest, []byte(mailbox), validity, Done, Present)...)
}

// Refused returns what the destination refused, in the order of the entries.
func (a *Archive) Refused(dest mail.Account) ([]Outcome, error) {
	var all []Outcome
	err := a.ledger.each("select o.entry, o.mailbox, o.validity, o.reason from "+openOutcomes+" where o."+toDestination+" and "+openIs(Refused)+" order by o.entry",
		func(scan func(...any) error) error {
			o := Outcome{State: Refused}
			err := scan(&o.Entry, &o.Mailbox, &o.Validity, &o.Reason)
			all = append(all, o)
			return err
		}, destArgs(dest)...)
	return all, err
}

// Lacking returns how many messages are Done at the destination without which flags.
func (a *Archive) Lacking(dest mail.Account) (map[mail.Flag]int, error) {
	counts := map[mail.Flag]int{}
	err := a.ledger.each("select reason, count(*) from outcome where "+toDestination+" and state = ? and reason <> '' group by reason",
		func(scan func(...any) error) error {
			var flags string
			var n int
			err := scan(&flags, &n)
			for _, f := range strings.Fields(flags) {
				counts[mail.Flag(f)] += n
			}
			return err
		}, destArgs(dest, Done)...)
	return counts, err
}

// Reopen makes what the destination refused pending again, mended or not.
func (a *Archive) Reopen(dest mail.Account) error {
	return a.write("reopen", func() error {
		if err := a.reopenMended(dest); err != nil {
			return err
		}
		_, err := a.ledger.exec("delete from outcome as o indexed by outcome_open where o."+toDestination+" and "+openIs(Refused), destArgs(dest)...)
		return err
	})
}

// Counts returns how many entries are in which state at the destination; together they are all there are.
func (a *Archive) Counts(dest mail.Account) (map[State]int, error) {
	counts := map[State]int{}
	err := a.ledger.each("select ?, count(*) from entry union all select state, count(*) from outcome where "+
		toDestination+" group by state union all select ?, count(*) from entry e where e.gone = 1"+noOutcome,
		func(scan func(...any) error) error {
			var state State
			var n int
			err := scan(&state, &n)
			counts[state] += n
			if state != Pending {
				counts[Pending] -= n
			}
			return err
		}, slices.Concat([]any{Pending}, destArgs(dest), []any{Gone}, destArgs(dest))...)
	if counts[Gone] == 0 {
		delete(counts, Gone)
	}
	return counts, err
}

// MailboxCounts returns the same for each of the archive's mailboxes that holds an entry.
func (a *Archive) MailboxCounts(dest mail.Account) (map[string]map[State]int, error) {
	all := map[string]map[State]int{}
	err := a.ledger.each("select m.name, coalesce(o.state, case when e.gone then ? else ? end), count(*)"+
		" from entry e join mailbox m on m.id = e.mailbox"+
		" left join outcome o on o.entry = e.id and o."+toDestination+" group by 1, 2",
		func(scan func(...any) error) error {
			var name string
			var state State
			var n int
			if err := scan(&name, &state, &n); err != nil {
				return err
			}
			if all[name] == nil {
				all[name] = map[State]int{}
			}
			all[name][state] = n
			return nil
		}, append([]any{Gone, Pending}, destArgs(dest)...)...)
	return all, err
}

// A Destination is an account that entries were brought to.
type Destination struct {
	mail.Account
	Ran time.Time // when a run last ended well; zero: never
}

// Destinations returns the accounts there are outcomes for.
func (a *Archive) Destinations() ([]Destination, error) {
	var all []Destination
	err := a.ledger.each("select protocol, host, user, coalesce(ran, 0) from destination order by id",
		func(scan func(...any) error) error {
			var d Destination
			var ran int64
			err := scan(&d.Protocol, &d.Host, &d.User, &ran)
			d.Ran = timeOf(ran)
			all = append(all, d)
			return err
		})
	return all, err
}

// RanTo notes that a run to the destination has ended well, now.
func (a *Archive) RanTo(dest mail.Account) error {
	return a.write("ran", func() error {
		id, err := a.destination(dest)
		if err != nil {
			return err
		}
		_, err = a.ledger.exec("update destination set ran = ? where id = ?", time.Now().Unix(), id)
		return err
	})
}

// timeOf returns the time of Unix seconds, zero of 0.
func timeOf(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0)
}
