// Package retry decides whether trouble with an account is worth another try, and waits until then; and it is where what
// may go over the wire is asked.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

const (
	// patience is the longest a run waits because a server asked it to; a longer wait is for the next run. Microsoft asks
	// for five minutes.
	patience = 15 * time.Minute
	// tries is how often in a row something may fail without anything having got through in between.
	tries = 4
	// firstTries is the same before anything has got through at all: then it is rather a wrong name than a bad line.
	firstTries = 2
)

// ErrStopped is what a job returns that was asked to stop and has finished what it was at.
var ErrStopped = errors.New("stopped")

// A Pause waits for d, or less when ctx ends. Tests that cannot fake the clock bring their own.
type Pause func(ctx context.Context, d time.Duration) error

// A Policy counts the failures of one half of a job. Its zero value has seen none.
type Policy struct {
	Half     progress.Half
	Watch    progress.Watch
	Stop     <-chan struct{} // closed: wait no longer; nil: never
	Pause    Pause           // how to wait; nil: by the clock
	failures int
	started  bool // something has got through
}

// Progress says that something got through: the next failure is the first again.
func (p *Policy) Progress() { p.failures, p.started = 0, true }

// Again returns nil after a pause if it is worth trying again after err with a new connection. Otherwise it
// returns err, with a hint when to run again if the server wants more time than a run has, or ErrStopped, or the
// reason why ctx ended.
func (p *Policy) Again(ctx context.Context, err error) error {
	pause, worth := p.pause(err)
	if !worth || ctx.Err() != nil {
		return notBefore(err)
	}
	p.Watch.Tell(progress.Waiting{Half: p.Half, For: pause, Why: err.Error()})
	return p.Sleep(ctx, pause)
}

func (p *Policy) pause(err error) (pause time.Duration, worth bool) {
	var e *mail.Error
	if !errors.As(err, &e) || e.Scope != mail.ScopeSession {
		return 0, false
	}
	p.failures++
	limit := firstTries
	if p.started {
		limit = tries
	}
	if p.failures >= limit || e.Later > patience {
		return 0, false
	}
	return backoff(e.Later, p.failures), true
}

// backoff returns the pause after the n-th failure in a row: between half and whole of a step that is four times as
// long each time, so that programs that lost the same server at the same moment do not come back together, and never
// less than asked.
func backoff(asked time.Duration, n int) time.Duration {
	step := min(max(asked, time.Second)<<(2*(n-1)), patience)
	return max(asked, step/2+rand.N(step/2)) + rand.N(time.Second/4)
}

// notBefore adds to an error when it is worth running again, if that is not soon.
func notBefore(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) || e.Later <= patience {
		return err
	}
	at := time.Now().Add(e.Later).Round(time.Minute)
	form := "15:04"
	if at.YearDay() != time.Now().YearDay() {
		form = "15:04 on 2 January"
	}
	hinted := *e
	hinted.Hint = "run the same command again after " + at.Format(form)
	if e.Hint != "" {
		hinted.Hint += ": " + e.Hint
	}
	return &hinted
}

// Sleep waits for d. It returns ErrStopped when Stop is closed first, and the reason why ctx ended when that comes first.
func (p *Policy) Sleep(ctx context.Context, d time.Duration) error {
	if p.Pause != nil {
		return p.Pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.Stop:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
