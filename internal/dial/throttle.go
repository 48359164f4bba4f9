package dial

import (
	"sync"
	"time"
)

// slice is how long what goes at once over a throttled line takes at its rate: little, so that the line is even, and
// several connections take turns.
const slice = 100 * time.Millisecond

// LeastRate is the least rate, in octets a second, that servers can be expected to wait for.
const LeastRate = 1000

// A Throttle holds all the connections that share it to so many octets a second in each direction, those of TLS among
// them. Its zero value holds nothing back. It is not changed once a Server has it.
type Throttle struct {
	Up, Down int64 // octets a second; 0: as fast as it goes

	up, down bucket
}

// A bucket keeps when the octets of one direction that went so far would have been through at the rate.
type bucket struct {
	mu      sync.Mutex
	through time.Time
}

// take takes n octets and returns for how long whoever did is to wait before it goes on. Those who come later wait
// for those who came before. What was not used for a while is not saved up but for a slice.
func (b *bucket) take(n int, rate int64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if full := now.Add(-slice); b.through.Before(full) {
		b.through = full
	}
	b.through = b.through.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return b.through.Sub(now)
}

// atOnce is how many octets may go at once at the rate.
func atOnce(rate int64) int { return int(min(max(rate*int64(slice)/int64(time.Second), 1), maxWrite)) }

// sent waits for as long as n octets more that were sent take, received the same for n that came. Over ends the wait.
func (t *Throttle) sent(n int, over <-chan struct{})     { t.wait(&t.up, n, t.Up, over) }
func (t *Throttle) received(n int, over <-chan struct{}) { t.wait(&t.down, n, t.Down, over) }

func (t *Throttle) wait(b *bucket, n int, rate int64, over <-chan struct{}) {
	if rate <= 0 || n <= 0 {
		return
	}
	sleep(b.take(n, rate), over)
}

// sleep waits for d, or until over is closed, and reports whether it has waited to the end.
func sleep(d time.Duration, over <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
		return false
	}
}

// mayWrite and mayRead return how many of n octets may go at once.
func (t *Throttle) mayWrite(n int) int { return may(n, t.Up) }
func (t *Throttle) mayRead(n int) int  { return may(n, t.Down) }

func may(n int, rate int64) int {
	if rate <= 0 {
		return n
	}
	return min(n, atOnce(rate))
}
