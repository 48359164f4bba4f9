package main

import (
	"context"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// bookEvery is how often what went over the wire is noted in the ledger. A crash loses so much of the count.
const bookEvery = 3 * time.Second

// clock tells the time of the day that limits go by; a test comes back tomorrow.
var clock = time.Now

// A traffic is what goes over the wire between us and one account: counted, noted in the archive's ledger, and held to
// what may go in a day and in a second.
type traffic struct {
	archive *archive.Archive
	account mail.Account
	limit   [2]int64 // octets a day by archive.Way; 0: any number
	pace    pace
	stop    <-chan struct{} // closed: wait no longer
	meter   dial.Meter

	mu       sync.Mutex
	noted    [2]int64 // of the meter, in the ledger
	underway [2]int64 // allowed, and not done
	hours    []archive.Hour
	halted   [2]bool
	failed   error // the ledger did

	over, ended chan struct{}
}

// count has all that goes to and from the party counted and limited, until close.
func (o *limitOptions) count(a *archive.Archive, p *party, i *interrupt) (*traffic, error) {
	rate, width := o.over(p.limits)
	c := &traffic{archive: a, account: p.account.Key(), limit: o.of(p), pace: pace{every: rate.every}, stop: i.stop,
		over: make(chan struct{}), ended: make(chan struct{})}
	if c.note(); c.failed != nil {
		return nil, c.failed
	}
	p.meter, p.throttle = &c.meter, width.throttle
	go c.keepNoting()
	return c, nil
}

func (c *traffic) keepNoting() {
	defer close(c.ended)
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.mu.Lock()
			c.note()
			c.mu.Unlock()
		case <-c.over:
			return
		}
	}
}

// note notes what went since the last time, and learns what counts now. An error of it is that of whatever is asked
// next. The caller holds mu.
func (c *traffic) note() {
	if c.failed != nil {
		return
	}
	now := c.metered()
	if more := [2]int64{now[0] - c.noted[0], now[1] - c.noted[1]}; more != [2]int64{} {
		if c.failed = c.archive.AddTraffic(c.account, clock(), more); c.failed != nil {
			return
		}
		c.noted = now
	}
	c.hours, c.failed = c.archive.Traffic(c.account, clock())
}

func (c *traffic) metered() [2]int64 {
	return [2]int64{archive.Down: c.meter.Read(), archive.Up: c.meter.Written()}
}

// close notes the rest. A halt by a limit that does not hold any more is taken back. Closing twice does nothing.
func (c *traffic) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.over:
		return nil
	default:
		close(c.over)
	}
	c.note()
	if c.failed != nil {
		return c.failed
	}
	halts, err := c.archive.Halts(c.account, clock())
	for _, h := range halts {
		if err == nil && h.Allowance != c.limit[h.Way] {
			err = c.archive.Halt(c.account, archive.Halt{Way: h.Way})
		}
	}
	return err
}

// carry allows messages to go, at the pace there is.
func (c *traffic) carry(way archive.Way) func(context.Context, []int64) (int, func(), error) {
	return func(ctx context.Context, octets []int64) (int, func(), error) {
		n, done, err := c.allow(way, octets[:min(len(octets), c.pace.together())])
		if err != nil || n == 0 {
			return n, done, err
		}
		wait := retry.Policy{Stop: c.stop}
		if err := wait.Sleep(ctx, c.pace.take(n)); err != nil {
			done()
			return 0, nil, err
		}
		return n, done, nil
	}
}

// look allows messages to be looked at, which are not carried; nil where any number may.
func (c *traffic) look(way archive.Way) func(context.Context, []int64) (int, func(), error) {
	if c.limit[way] == 0 {
		return nil
	}
	return func(_ context.Context, octets []int64) (int, func(), error) { return c.allow(way, octets) }
}

// allow returns how many of the messages may go; see retry.Allow. When none may, that is noted, so that the next run
// needs no login to know it.
func (c *traffic) allow(way archive.Way, octets []int64) (int, func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limit[way] == 0 {
		return len(octets), func() {}, c.failed
	}
	if len(octets) == 0 {
		return 0, func() {}, c.mayBegin(way)
	}
	n := c.today(way).fits(octets)
	if n == 0 {
		c.note()
		today := c.today(way)
		if n = today.fits(octets); n == 0 && c.failed == nil {
			return 0, nil, c.halt(archive.Halt{Way: way, Allowance: c.limit[way], Until: today.when(octets[0])})
		}
	}
	if c.failed != nil {
		return 0, nil, c.failed
	}
	var granted int64
	for _, size := range octets[:n] {
		granted += onTheWire(size)
	}
	c.underway[way] += granted
	return n, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.underway[way] -= granted
	}, nil
}

// today is what went until now.
func (c *traffic) today(way archive.Way) day {
	unnoted := c.metered()[way] - c.noted[way]
	return day{way: way, limit: c.limit[way], hours: c.hours, now: clock(), underway: c.underway[way] + unnoted}
}

// mayBegin says whether an earlier run has found that nothing more may go, and it is too early still.
func (c *traffic) mayBegin(way archive.Way) error {
	halts, err := c.archive.Halts(c.account, clock())
	for _, h := range halts {
		if h.Way == way && h.Allowance == c.limit[way] {
			return limitReached{h, c.account}.asError(clock())
		}
	}
	return err
}

func (c *traffic) halt(h archive.Halt) error {
	if !c.halted[h.Way] {
		c.halted[h.Way] = true
		if c.failed = c.archive.Halt(c.account, h); c.failed != nil {
			return c.failed
		}
	}
	return limitReached{h, c.account}.asError(clock())
}

// days returns how many days it takes to carry so much more, and how much may go in one; 0 where there is no limit.
func (c *traffic) days(way archive.Way, more int64) (n, limit int64) {
	if c == nil {
		return 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limit[way] == 0 {
		return 0, 0
	}
	return c.today(way).days(more), c.limit[way]
}

// A pace spreads messages over time. Its zero value lets them go at once.
type pace struct {
	every time.Duration // between two messages

	mu   sync.Mutex
	next time.Time // when the next may go
}

// together returns how many messages may go at once: those of a second, so that they can share what they share.
func (p *pace) together() int {
	if p.every == 0 {
		return 1 << 30
	}
	return int(max(time.Second/p.every, 1))
}

// take takes the place of n messages, and returns how long to wait for it.
func (p *pace) take(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	pause := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(n) * p.every)
	return pause
}
