package archive

import (
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Way is the direction in which octets go over the wire.
type Way int

// The ways. Their numbers stand in the ledger.
const (
	Down Way = iota // from the account
	Up              // to it
)

// An Hour is what went over the wire from and to an account within one hour of the clock.
type Hour struct {
	Last   time.Time // when the last of it went
	Octets [2]int64  // by Way
}

const (
	aDay = 24 * time.Hour
	// ahead is how far in the future an hour may lie: one from a clock that was wrong must not count for ever.
	ahead = time.Hour
)

// trafficTables hold what went, and Halts.
var trafficTables = &addition{"halt", `
create table if not exists traffic (
	protocol text not null,
	host text not null,
	user text not null,
	hour integer not null, -- of Unix time
	last integer not null, -- Unix seconds
	down integer not null,
	up integer not null,
	primary key (protocol, host, user, hour)
) without rowid;
create table if not exists halt (
	protocol text not null,
	host text not null,
	user text not null,
	way integer not null,
	allowance integer not null,
	until integer not null, -- Unix seconds
	primary key (protocol, host, user, way)
) without rowid;
`}

// AddTraffic notes that so many octets, by Way, went from and to the account until now. What is older than a day is
// forgotten.
func (a *Archive) AddTraffic(acct mail.Account, now time.Time, octets [2]int64) error {
	return a.writeTraffic(func() error {
		_, err := a.ledger.exec("delete from traffic where last <= ? or last > ?", now.Add(-aDay).Unix(), now.Add(ahead).Unix())
		if err != nil {
			return err
		}
		_, err = a.ledger.exec(`insert into traffic (protocol, host, user, hour, last, down, up) values (?, ?, ?, ?, ?, ?, ?)
			on conflict do update set last = max(last, excluded.last), down = down + excluded.down, up = up + excluded.up`,
			destArgs(acct, now.Unix()/3600, now.Unix(), octets[Down], octets[Up])...)
		return err
	})
}

func (a *Archive) writeTraffic(fn func() error) error {
	return a.write("traffic", func() error {
		if err := a.ledger.add(trafficTables); err != nil {
			return err
		}
		return fn()
	})
}

// Traffic returns what went from and to the account in the 24 hours up to now, hour by hour, the oldest first. An hour
// counts whole until a day after the last of it went.
func (a *Archive) Traffic(acct mail.Account, now time.Time) ([]Hour, error) {
	var hours []Hour
	err := a.ledger.eachOf(trafficTables, "select last, down, up from traffic where"+ofAccount+"and last > ? and last <= ? order by last",
		func(scan func(...any) error) error {
			var h Hour
			var last int64
			err := scan(&last, &h.Octets[Down], &h.Octets[Up])
			h.Last = time.Unix(last, 0)
			hours = append(hours, h)
			return err
		}, destArgs(acct, now.Add(-aDay).Unix(), now.Add(ahead).Unix())...)
	return hours, err
}

// Carried returns the accounts there was traffic with in the 24 hours up to now.
func (a *Archive) Carried(now time.Time) ([]mail.Account, error) {
	var all []mail.Account
	err := a.ledger.eachOf(trafficTables, "select distinct protocol, host, user from traffic where last > ? and last <= ? order by 1, 2, 3",
		func(scan func(...any) error) error {
			var acct mail.Account
			err := scan(&acct.Protocol, &acct.Host, &acct.User)
			all = append(all, acct)
			return err
		}, now.Add(-aDay).Unix(), now.Add(ahead).Unix())
	return all, err
}

// A Halt is that nothing more goes one way, until then, because so many octets are all that may go in a day.
type Halt struct {
	Way       Way
	Allowance int64 // octets
	Until     time.Time
}

// Halt notes a halt of the account; it takes the place of an earlier one of the same Way. One that is over says
// nothing, so that it is taken back by an Until of zero.
func (a *Archive) Halt(acct mail.Account, h Halt) error {
	return a.writeTraffic(func() error {
		_, err := a.ledger.exec("insert or replace into halt (protocol, host, user, way, allowance, until) values (?, ?, ?, ?, ?, ?)",
			destArgs(acct, h.Way, h.Allowance, max(h.Until.Unix(), 0))...)
		return err
	})
}

// Halts returns the halts of the account that are not over now. None lasts longer than a day.
func (a *Archive) Halts(acct mail.Account, now time.Time) ([]Halt, error) {
	var halts []Halt
	err := a.ledger.eachOf(trafficTables, "select way, allowance, until from halt where"+ofAccount+"and until > ? and until <= ? order by way",
		func(scan func(...any) error) error {
			var h Halt
			var until int64
			err := scan(&h.Way, &h.Allowance, &until)
			h.Until = time.Unix(until, 0)
			halts = append(halts, h)
			return err
		}, destArgs(acct, now.Unix(), now.Add(aDay+ahead).Unix())...)
	return halts, err
}
