package dial

import (
	"context"
	"sync"
	"time"
)

// A Pace is shared by all who log in to one account, so that they do not storm it: one at a time, and each so long
// after the one before. A refusal is the end of it: who tries again soon locks the account. A nil Pace lets everybody
// in at once.
type Pace struct {
	// Every is the time from one login to the next.
	Every time.Duration
	// Burst is how many may come at once after a while without any; 0 is 1. A second session that follows the first, to
	// see whether there is more, is no storm.
	Burst int

	once    sync.Once
	door    chan struct{} // holds a token while somebody logs in
	due     time.Time     // when the next would come if all came in their time
	refused error
}

// Turn waits until it is one's turn to log in. It returns why nobody may any more, or the cause of ctx. Otherwise done
// must be called when the login is over, with the refusal, if it was one that the next would get too.
func (p *Pace) Turn(ctx context.Context) (done func(refused error), err error) {
	if p == nil {
		return func(error) {}, nil
	}
	p.once.Do(func() { p.door = make(chan struct{}, 1) })
	select {
	case p.door <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	leave := func() { <-p.door }
	if p.refused != nil {
		defer leave()
		return nil, p.refused
	}
	if err := p.wait(ctx); err != nil {
		leave()
		return nil, err
	}
	return func(refused error) {
		p.refused = refused
		leave()
	}, nil
}

// wait is called by who is at the door.
func (p *Pace) wait(ctx context.Context) error {
	early := time.Duration(max(p.Burst, 1)-1) * p.Every
	if !sleep(time.Until(p.due.Add(-early)), ctx.Done()) {
		return context.Cause(ctx)
	}
	if now := time.Now(); p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.Every)
	return nil
}
