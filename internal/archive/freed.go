package archive

import (
	"fmt"
	"os"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Removal is how far a message of the archive was taken out of an account.
type Removal int

// The stages. Their numbers stand in the ledger.
const (
	RemovalIntended Removal = iota + 1 // it was to be removed, and what came of it is not known
	Removed                            // it is not there any more
	Stayed                             // it is there
)

// A Freed is a message that was taken out of the source because it is safe here, or was about to be. Its entry stays, and is
// not taken for one that the owner has deleted.
type Freed struct {
	Entry  int64
	Ref    mail.Ref // what it was there
	Octets int64    // as the source counts
	State  Removal
	// Everywhere: it goes from all mailboxes at once, which are labels, and so are its entries there, those with its Identity,
	// not taken for ones that the owner has deleted either.
	Everywhere bool
	At         time.Time // of the last change of State, to the second
}

var freedTable = &addition{"freed", `
create table if not exists freed (
	entry integer primary key references entry,
	witness integer not null references witness,
	mailbox blob not null,
	validity integer not null,
	uid blob not null,
	octets integer not null,
	state integer not null,
	at integer not null, -- Unix seconds
	siblings integer not null -- entries up to this one that have its identity go with it; 0: none does
);
create index if not exists freed_open on freed (witness) where state = 1`}

// IntendFree notes that messages are about to be taken out of the account. When it returns, that is on disk; after an error
// none of it is. Where mail was put back into this account from here, what is known of them there as a destination is forgotten:
// they can be put back again.
func (a *Archive) IntendFree(account mail.Account, all []Freed) error {
	return a.write("free", func() error {
		id, err := a.witness(account)
		if err == nil {
			err = a.ledger.add(freedTable)
		}
		for i := 0; i < len(all) && err == nil; i++ {
			f := all[i]
			if err = a.forgetThere(account, f); err != nil {
				break
			}
			_, err = a.ledger.exec(`insert or replace into freed (entry, witness, mailbox, validity, uid, octets, state, at, siblings)
				values (?, ?, ?, ?, ?, ?, ?, ?, case when ? then (select max(id) from entry) else 0 end)`, f.Entry, id, []byte(f.Ref.Mailbox), f.Ref.Validity, []byte(f.Ref.UID), f.Octets,
				RemovalIntended, time.Now().Unix(), f.Everywhere)
		}
		return err
	})
}

// forgetThere forgets the outcomes of an entry, and of those that go with it, at the account it goes from.
func (a *Archive) forgetThere(account mail.Account, f Freed) error {
	_, err := a.ledger.exec(`delete from outcome where `+toDestination+` and state <> ? and (entry = ? or ? and entry in (select o.id
		from entry x join entry o on o.identity = x.identity where x.id = ? and x.identity <> '' and o.identity <> ''))`,
		destArgs(account, Intended, f.Entry, f.Everywhere, f.Entry)...)
	return err
}

// SettleFree notes what became of messages that were intended, in one transaction.
func (a *Archive) SettleFree(states map[int64]Removal) error {
	if len(states) == 0 {
		return nil
	}
	return a.write("freed", func() error {
		for entry, state := range states {
			if _, err := a.ledger.exec("update freed set state = ?, at = ? where entry = ?", state, time.Now().Unix(), entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// CameBack notes of entries that the source shows them again, under whatever Refs, if they had been taken out of it.
func (a *Archive) CameBack(entries []int64) error {
	some, err := a.ledger.hasNow(freedTable)
	if err != nil || !some {
		return err
	}
	return a.write("freed", func() error {
		for _, id := range entries {
			// What went with another has no row of its own yet, and is known by one from now on.
			_, err := a.ledger.exec(`insert or ignore into freed (entry, witness, mailbox, validity, uid, octets, state, at, siblings)
				select o.id, f.witness, '', 0, '', 0, 3, 0, 0 `+fromSiblings+" and o.id = ? limit 1", id)
			if err == nil {
				_, err = a.ledger.exec("update freed set state = 3, at = ? where entry = ?", time.Now().Unix(), id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// fromSiblings goes through the entries o that go with another, of which there is the row f, because their mailboxes are labels.
const fromSiblings = `from entry o join entry x on x.identity = o.identity join freed f on f.entry = x.id
	where o.identity <> '' and x.identity <> '' and o.id <= f.siblings`

// FreeIntents returns what was to be taken out of the account, and nobody knows of yet what came of it.
func (a *Archive) FreeIntents(account mail.Account) ([]Freed, error) {
	var all []Freed
	err := a.ledger.eachOf(freedTable, `select entry, mailbox, validity, uid, octets, state, at from freed indexed by freed_open
		where state = 1 and witness = (select id from witness where`+ofAccount+`) order by entry`,
		func(scan func(...any) error) error {
			var f Freed
			var at int64
			err := scan(&f.Entry, &f.Ref.Mailbox, &f.Ref.Validity, &f.Ref.UID, &f.Octets, &f.State, &at)
			f.At = timeOf(at)
			all = append(all, f)
			return err
		}, destArgs(account)...)
	return all, err
}

// WasFreed reports whether the entry was taken out of the source, and has not come back.
func (a *Archive) WasFreed(entry int64) (was bool, err error) {
	err = a.ledger.eachOf(freedTable, "select 1 where "+wasFreed("?1", "f.state = 2"), func(func(...any) error) error {
		was = true
		return nil
	}, entry)
	return was, err
}

// FreedRefs returns the sound entries of a mailbox that were taken out of the source and have not come back, by the Refs they had
// there: the source is not expected to show any of them.
func (a *Archive) FreedRefs(mailbox string) (map[mail.Ref]int64, error) {
	all := map[mail.Ref]int64{}
	err := a.ledger.eachOf(freedTable, `select e.id, e.validity, e.uid from freed f join entry e on e.id = f.entry
		where f.state = 2 and e.state = 0 and e.uid is not null and e.mailbox = (select id from mailbox where name = ?)`,
		func(scan func(...any) error) error {
			ref := mail.Ref{Mailbox: mailbox}
			var id int64
			err := scan(&id, &ref.Validity, &ref.UID)
			all[ref] = id
			return err
		}, []byte(mailbox))
	return all, err
}

// Retire has entries give up their Refs, which the source has given to other messages: Has does not know those any more.
func (a *Archive) Retire(entries []int64) error {
	moves := make([]Move, 0, len(entries))
	for _, id := range entries {
		e, err := a.Entry(id)
		if err != nil {
			return err
		}
		f := a.folders.named(e.Mailbox)
		if f == nil {
			return fmt.Errorf("there is no mailbox %q", e.Mailbox)
		}
		moves = append(moves, Move{Entry: id, Ref: retired(e), Mailbox: f.Mailbox})
	}
	if len(moves) == 0 {
		return nil
	}
	return a.Rekey(moves)
}

// Unread reports whether nobody knows that the octets of the entry were downloaded for itself: it is linked; or its file has
// several names, and the ledger that knew which of them are linked was lost.
func (a *Archive) Unread(e Entry) (bool, error) {
	if e.Linked {
		return true, nil
	}
	twins, err := a.entries("where e.octets = ? and e.received = ? and e.digest = ? and e.id <> ? and e.state = 0 limit ?",
		e.Octets, e.Received.Unix(), e.Digest[:], e.ID, maxSimilar)
	if err != nil || len(twins) == 0 {
		return false, err
	}
	is, err := a.fileInfo(e)
	if err != nil {
		return false, err
	}
	shared := false
	for _, twin := range twins {
		info, err := a.fileInfo(twin)
		if notDamage(err) != nil {
			return false, err
		}
		if err != nil || !os.SameFile(is, info) {
			continue
		}
		if twin.Linked {
			return false, nil
		}
		shared = true
	}
	return shared, nil
}

func (a *Archive) fileInfo(e Entry) (os.FileInfo, error) {
	f, err := a.openEntry(&e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	return info, diskError("open", e.Path, err)
}

// A FreedAmount is what was taken out of one account.
type FreedAmount struct {
	mail.Account
	Amount           // as the source counted
	Last   time.Time // when the last of it went
	Open   int       // messages of which nobody knows yet what came of it
}

// FreedAmounts returns what was taken out of each account.
func (a *Archive) FreedAmounts() ([]FreedAmount, error) {
	var all []FreedAmount
	err := a.ledger.eachOf(freedTable, `select w.protocol, w.host, w.user, sum(f.state = 2), sum(case when f.state = 2 then f.octets else 0 end),
		max(case when f.state = 2 then f.at else 0 end), sum(f.state = 1) from freed f join witness w on w.id = f.witness group by w.id order by w.id`,
		func(scan func(...any) error) error {
			var f FreedAmount
			var last int64
			err := scan(&f.Protocol, &f.Host, &f.User, &f.Messages, &f.Octets, &last, &f.Open)
			f.Last = timeOf(last)
			if f.Messages+f.Open > 0 {
				all = append(all, f)
			}
			return err
		})
	return all, err
}

// freed returns the expression for whether the entry with that id, which has to be qualified, was, or may have been, taken out of
// the source by us; the caller holds mu.
func (l *ledger) freed(id string) (string, error) {
	some, err := l.has(freedTable)
	if err != nil || !some {
		return "0", err
	}
	return wasFreed(id, "f.state <> 3"), nil
}

// wasFreed returns the expression for whether the entry with that id has a row of that state, or none and went with one that has.
func wasFreed(id, state string) string {
	own := "exists (select 1 from freed f where f.entry = " + id + " and " + state + ")"
	return "(" + own + " or (select max(siblings) > 0 from freed) and not exists (select 1 from freed f where f.entry = " + id + ")" +
		" and exists (select 1 " + fromSiblings + " and " + state + " and o.id = " + id + "))"
}

// freedNow is freed for a caller that does not hold mu.
func (l *ledger) freedNow(id string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := l.freed(id)
	return text, diskError("read", ledgerFile, err)
}

// Hurt returns the entry of a message that is known, and whose file here is missing or damaged; 0: it is none.
func (a *Archive) Hurt(ref mail.Ref) (entry int64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.unsound[keyOf(a.original, ref)].id
}
