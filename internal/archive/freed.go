package archive

import (
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
	At     time.Time // of the last change of State, to the second
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
	at integer not null -- Unix seconds
);
create index if not exists freed_open on freed (witness) where state = 1`}

// IntendFree notes that messages are about to be taken out of the account. When it returns, that is on disk; after an error
// none of it is.
func (a *Archive) IntendFree(account mail.Account, all []Freed) error {
	return a.write("free", func() error {
		id, err := a.witness(account)
		if err == nil {
			err = a.ledger.add(freedTable)
		}
		for i := 0; i < len(all) && err == nil; i++ {
			f := all[i]
			_, err = a.ledger.exec(`insert or replace into freed (entry, witness, mailbox, validity, uid, octets, state, at)
				values (?, ?, ?, ?, ?, ?, ?, ?)`, f.Entry, id, []byte(f.Ref.Mailbox), f.Ref.Validity, []byte(f.Ref.UID), f.Octets,
				RemovalIntended, time.Now().Unix())
		}
		return err
	})
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
	states := make(map[int64]Removal, len(entries))
	for _, id := range entries {
		states[id] = Stayed
	}
	return a.SettleFree(states)
}

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
	err = a.ledger.eachOf(freedTable, "select 1 from freed where entry = ? and state = ?", func(func(...any) error) error {
		was = true
		return nil
	}, entry, Removed)
	return was, err
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

// freed returns the expression for whether the entry with that id was, or may have been, taken out of the source by us;
// the caller holds mu.
func (l *ledger) freed(id string) (string, error) {
	some, err := l.has(freedTable)
	if err != nil || !some {
		return "0", err
	}
	return "exists (select 1 from freed f where f.entry = " + id + " and f.state <> 3)", nil
}

// freedNow is freed for a caller that does not hold mu.
func (l *ledger) freedNow(id string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := l.freed(id)
	return text, diskError("read", ledgerFile, err)
}

// Hurt reports whether the message is known, and its file here is missing or damaged.
func (a *Archive) Hurt(ref mail.Ref) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.unsound[keyOf(a.original, ref)].id != 0
}
