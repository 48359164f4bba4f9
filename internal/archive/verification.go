package archive

import (
	"database/sql"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Verification is how the archive was last held against an account.
type Verification struct {
	mail.Account
	Began, Ended time.Time // Ended zero: it was broken off
	Deep         bool      // contents were read
	Sample       int       // of so many; 0: of all
	// Messages that belong there, and those that are there and are not ours.
	Present, Missing, Altered, Extra int
	Read                             int // of the present and altered ones
}

var verificationTable = &addition{"verification", `
create table if not exists verification (
	witness integer primary key references witness,
	began integer not null,
	ended integer not null, -- 0: it was broken off
	deep integer not null,
	sample integer not null,
	present integer not null,
	missing integer not null,
	altered integer not null,
	extra integer not null,
	read integer not null
)`}

// BeginVerification notes that one begins now, and returns when it began: earlier, if it goes on with one of the same
// kind that was broken off. What was read since then need not be read again.
func (a *Archive) BeginVerification(v Verification) (began time.Time, err error) {
	err = a.write("verification", func() error {
		id, err := a.witness(v.Account)
		if err == nil {
			err = a.ledger.add(verificationTable)
		}
		if err != nil {
			return err
		}
		_, err = a.ledger.exec(`insert into verification (witness, began, ended, deep, sample, present, missing, altered, extra, read)
			values (?, ?, 0, ?, ?, 0, 0, 0, 0, 0) on conflict do update set
			began = case when ended = 0 and deep = excluded.deep and sample = excluded.sample then began else excluded.began end,
			ended = 0, deep = excluded.deep, sample = excluded.sample`, id, secondsOf(v.Began), v.Deep, v.Sample)
		if err != nil {
			return err
		}
		return a.ledger.rows("select began from verification where witness = ?", func(scan func(...any) error) error {
			var at int64
			err := scan(&at)
			began = timeOf(at)
			return err
		}, id)
	})
	return began, err
}

// EndVerification notes the result of the one that was begun.
func (a *Archive) EndVerification(v Verification) error {
	return a.write("verification", func() error {
		id, err := a.witness(v.Account)
		if err != nil {
			return err
		}
		_, err = a.ledger.exec(`update verification set ended = ?, present = ?, missing = ?, altered = ?, extra = ?, read = ?
			where witness = ?`, secondsOf(v.Ended), v.Present, v.Missing, v.Altered, v.Extra, v.Read, id)
		return err
	})
}

// Verifications returns the last of every account.
func (a *Archive) Verifications() (all []Verification, err error) {
	err = a.ledger.eachOf(verificationTable, `select w.protocol, w.host, w.user, v.began, v.ended, v.deep, v.sample, v.present, v.missing, v.altered,
		v.extra, v.read from verification v join witness w on w.id = v.witness order by w.id`,
		func(scan func(...any) error) error {
			var v Verification
			var began, ended int64
			err := scan(&v.Protocol, &v.Host, &v.User, &began, &ended, &v.Deep, &v.Sample, &v.Present, &v.Missing, &v.Altered,
				&v.Extra, &v.Read)
			v.Began, v.Ended = timeOf(began), timeOf(ended)
			all = append(all, v)
			return err
		})
	return all, err
}

// Fates returns, for each entry of one of the archive's mailboxes, what is known of it at the destination: its outcome, or
// one that is Pending; those that the source shows no more, and that are not wanted, are Gone.
func (a *Archive) Fates(dest mail.Account, w Wanted, mailbox string) (all []Outcome, err error) {
	mended, err := a.ledger.hasNow(mendedTable)
	if err != nil {
		return nil, err
	}
	what := "''"
	if mended {
		what = "coalesce((select n.what from mended n where n.dest = o.dest and n.entry = o.entry), '')"
	}
	err = a.ledger.each(`select e.id, e.gone, o.state, coalesce(o.mailbox, ''), coalesce(o.validity, 0), coalesce(o.uid, 0),
		coalesce(o.reason, ''), `+what+` from entry e left join outcome o on o.entry = e.id and o.`+toDestination+`
		where e.mailbox = (select id from mailbox where name = ?) order by e.id`,
		func(scan func(...any) error) error {
			o := Outcome{State: Pending}
			var gone bool
			var state sql.NullInt64
			err := scan(&o.Entry, &gone, &state, &o.Mailbox, &o.Validity, &o.UID, &o.Reason, &o.Mended)
			switch {
			case state.Valid:
				o.State = State(state.Int64)
			case gone && !w.Gone:
				o.State = Gone
			}
			all = append(all, o)
			return err
		}, destArgs(dest, []byte(mailbox))...)
	return all, err
}
