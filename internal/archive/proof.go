package archive

import (
	"io"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Verdict is what was found of an entry in an account.
type Verdict int

// The verdicts. Their numbers stand in the ledger.
const (
	ProvedPresent Verdict = iota + 1 // it is there
	ProvedMissing                    // it is not there
	ProvedAltered                    // what is there in its place has other octets
)

// A Proof is what verify found of an entry in an account, be it a destination or the source.
type Proof struct {
	Entry   int64
	Verdict Verdict
	At      time.Time // when it was last looked for, to the second
	// Read is when what is there was last read and compared, octet by octet; zero: it was only listed.
	Read          time.Time
	Mailbox       string // the account's
	Validity, UID uint32 // of the message there; UID 0: unknown
	Why           string // what is missing or altered about it, or what of it the server has rewritten
}

// proofTables hold Proofs. The accounts are not those of destination, for the source can be one, and nothing was brought
// there.
var proofTables = &addition{"proof", `
create table if not exists witness (
	id integer primary key,
	protocol text not null,
	host text not null,
	user text not null,
	unique (protocol, host, user)
);
create table if not exists proof (
	witness integer not null references witness,
	entry integer not null references entry,
	verdict integer not null,
	at integer not null,   -- Unix seconds
	read integer not null, -- the same; 0: never
	mailbox blob not null,
	validity integer not null,
	uid integer not null,  -- 0: unknown
	why text not null,
	primary key (witness, entry)
) without rowid;
`}

// Check reads the entry's file from disk to its end and compares its octets with those that were archived. If they are
// not the same, or the file is not there, it is a *DamagedError, and an archive that is open for writing notes it.
func (a *Archive) Check(e Entry) error {
	r, err := a.OpenMessage(e)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// Prove notes what was found in an account, in one transaction. A later proof of an entry takes the place of an
// earlier one; but that it was read stays known as long as the message is found under the same UID, where a server
// must not show another (RFC 9051 §2.3.1.1).
func (a *Archive) Prove(account mail.Account, proofs []Proof) error {
	return a.write("proof", func() error {
		id, err := a.witness(account)
		for i := 0; i < len(proofs) && err == nil; i++ {
			err = a.prove(id, proofs[i])
		}
		return err
	})
}

func (a *Archive) prove(witness int64, p Proof) error {
	_, err := a.ledger.exec(`insert into proof (witness, entry, verdict, at, read, mailbox, validity, uid, why)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set
		read = case when excluded.read = 0 and excluded.verdict = verdict and excluded.uid = uid and uid > 0
			and excluded.validity = validity and excluded.mailbox = mailbox then read else excluded.read end,
		verdict = excluded.verdict, at = excluded.at, mailbox = excluded.mailbox, validity = excluded.validity,
		uid = excluded.uid, why = excluded.why`,
		witness, p.Entry, p.Verdict, secondsOf(p.At), secondsOf(p.Read), []byte(p.Mailbox), p.Validity, p.UID, p.Why[:min(len(p.Why), maxReason)])
	return err
}

// witness returns the account's id, inside a transaction; it is made if there is none.
func (a *Archive) witness(account mail.Account) (id int64, err error) {
	if err := a.ledger.add(proofTables); err != nil {
		return 0, err
	}
	return a.ledger.accountID("witness", account)
}

// Proved returns the proof of an entry in an account; false: none was made, or what was brought there has been taken
// back since. Whoever relies on it decides how old it may be.
func (a *Archive) Proved(account mail.Account, entry int64) (Proof, bool, error) {
	all, err := a.proofs(account, "p.entry = ?", entry)
	p, is := all[entry]
	return p, is, err
}

// Proofs returns the proofs of the entries of one of the archive's mailboxes, by entry.
func (a *Archive) Proofs(account mail.Account, mailbox string) (map[int64]Proof, error) {
	return a.proofs(account, "p.entry in (select id from entry where mailbox = (select id from mailbox where name = ?))", []byte(mailbox))
}

func (a *Archive) proofs(account mail.Account, where string, args ...any) (map[int64]Proof, error) {
	all := map[int64]Proof{}
	err := a.ledger.eachOf(proofTables, `select p.entry, p.verdict, p.at, p.read, p.mailbox, p.validity, p.uid, p.why
		from proof p where p.witness = (select id from witness where`+ofAccount+`) and `+where,
		func(scan func(...any) error) error {
			var p Proof
			var at, read int64
			err := scan(&p.Entry, &p.Verdict, &at, &read, &p.Mailbox, &p.Validity, &p.UID, &p.Why)
			p.At, p.Read = timeOf(at), timeOf(read)
			all[p.Entry] = p
			return err
		}, destArgs(account, args...)...)
	return all, err
}

// unprove forgets, inside a transaction, what was proved of an entry at a destination: it is about to be brought again.
func (a *Archive) unprove(dest, entry int64) error {
	some, err := a.ledger.has(proofTables)
	if err != nil || !some {
		return err
	}
	_, err = a.ledger.exec(`delete from proof where entry = ? and witness in (select w.id from witness w
		join destination d on d.protocol = w.protocol and d.host = w.host and d.user = w.user where d.id = ?)`, entry, dest)
	return err
}

// secondsOf returns the Unix seconds of a time, 0 of none.
func secondsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
