package main

import (
	"fmt"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A day is what went one way between us and an account in the last 24 hours, and how much may.
type day struct {
	way   archive.Way
	limit int64 // octets; 0: any number
	hours []archive.Hour
	now   time.Time
	// underway is what went or may go already, and is not in the hours yet.
	underway int64
}

const (
	// freshPart is what part of the limit a fresh day has less than used: listings, and what is left of yesterday.
	freshPart = 4
	// grantPart is what part of the limit may go at most before it is counted again, for sizes are what servers say.
	grantPart = 8
)

// onTheWire is what a message of so many octets takes, with what is said about it and with TLS, and rather too much.
// What is to be compared with no message takes nothing.
func onTheWire(octets int64) int64 {
	if octets <= 0 {
		return 0
	}
	return octets + octets/64 + 256
}

func (d day) used() (sum int64) {
	for _, h := range d.hours {
		sum += h.Octets[d.way]
	}
	return sum + d.underway
}

// fits returns how many of the messages may go now. On a fresh day the first may whatever its size, or one larger
// than a day's allowance would never.
func (d day) fits(octets []int64) int {
	if d.limit == 0 {
		return len(octets)
	}
	used, granted := d.used(), int64(0)
	for i, n := range octets {
		if n <= 0 {
			continue
		}
		granted += onTheWire(n)
		alone := i == 0 && used <= d.limit/freshPart
		if !alone && used+granted > d.limit || i > 0 && granted > d.limit/grantPart {
			return i
		}
	}
	return len(octets)
}

// when returns when a message that does not fit now will: when enough hours are a day old.
func (d day) when(octets int64) time.Time {
	until := d.now
	for d.fits([]int64{octets}) == 0 && len(d.hours) > 0 {
		until = d.hours[0].Last.Add(24 * time.Hour)
		d.hours, d.underway = d.hours[1:], 0
	}
	return until.Truncate(time.Minute).Add(time.Minute) // as it is said
}

// days returns how many days it takes until so much more has gone, today included.
func (d day) days(more int64) int64 {
	if d.limit == 0 {
		return 1
	}
	return daysFor(more-max(d.limit-d.used(), 0), d.limit) + 1
}

func daysFor(octets, limit int64) int64 { return (max(octets, 0) + limit - 1) / limit }

// A limitReached says that nothing more may go one way today.
type limitReached struct {
	archive.Halt
	account mail.Account
}

func (e limitReached) Error() string {
	if e.Way == archive.Up {
		return fmt.Sprintf("the %s a day that may go to %s are used up", size(e.Allowance), e.account.Host)
	}
	return fmt.Sprintf("the %s a day that may come from %s are used up", size(e.Allowance), e.account.Host)
}

// asError makes it what a job can end with.
func (e limitReached) asError(now time.Time) error {
	flag := map[archive.Way]string{archive.Up: "--daily-upload", archive.Down: "--daily-download"}[e.Way]
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Err: e,
		Hint: fmt.Sprintf("run again after %s: it goes on where it stopped; %s sets another limit, or none", clockText(e.Until, now), flag)}
}

// clockText writes a time of the next day or so.
func clockText(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch t.Format(time.DateOnly) {
	case now.Format(time.DateOnly):
		return t.Format("15:04 today")
	case now.AddDate(0, 0, 1).Format(time.DateOnly):
		return t.Format("15:04 tomorrow")
	}
	return t.Format("15:04 on 2 January 2006")
}
