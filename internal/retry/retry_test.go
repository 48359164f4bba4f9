package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

func session(later time.Duration) error {
	return &mail.Error{Op: "fetch", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: later, Err: errors.New("cut")}
}

func TestAgainGivesUpAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited []time.Duration
		p := Policy{Watch: func(e progress.Event) { waited = append(waited, e.(progress.Waiting).For) }}
		p.Again(t.Context(), session(0))
		p.Progress()
		again := 0
		for p.Again(t.Context(), session(0)) == nil {
			again++
		}
		if again != tries-1 || len(waited) != tries {
			t.Errorf("tried again %d times in a row, want %d; waits %v", again, tries-1, waited)
		}
	})
}

func TestAgainGivesUpSoonerAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Policy
		if p.Again(t.Context(), session(0)) != nil {
			t.Error("the first failure was the last")
		}
		if p.Again(t.Context(), session(0)) == nil {
			t.Error("tried a third time although nothing had ever got through")
		}
	})
}

func TestAgainObeysTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var p Policy
		if err := p.Again(t.Context(), session(90*time.Second)); err != nil || time.Since(start).Round(time.Second) != 90*time.Second {
			t.Errorf("Again = %v after %v, want nil after 90s", err, time.Since(start))
		}
		if p.Again(t.Context(), session(time.Hour)) == nil {
			t.Error("waited an hour in a run")
		}
	})
}

// Each pause is between half and whole of a step that is four times the last, and never less than the server asked for.
func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		asked       time.Duration
		n           int
		least, most time.Duration
	}{
		{0, 1, time.Second / 2, time.Second}, {0, 2, 2 * time.Second, 4 * time.Second}, {0, 3, 8 * time.Second, 16 * time.Second},
		{time.Second, 1, time.Second, time.Second}, {10 * time.Second, 1, 10 * time.Second, 10 * time.Second},
		{time.Minute, 2, 2 * time.Minute, 4 * time.Minute}, {299961 * time.Millisecond, 1, 299961 * time.Millisecond, 299961 * time.Millisecond},
		{5 * time.Minute, 3, patience / 2, patience}, {14 * time.Minute, 3, 14 * time.Minute, patience},
	} {
		seen := map[time.Duration]bool{}
		for range 200 {
			got := backoff(tt.asked, tt.n)
			seen[got] = true
			if got < tt.least || got > tt.most+time.Second/4 {
				t.Fatalf("backoff(%v, %d) = %v, want %v to %v", tt.asked, tt.n, got, tt.least, tt.most)
			}
		}
		if len(seen) < 100 {
			t.Errorf("backoff(%v, %d) is only ever %d different pauses", tt.asked, tt.n, len(seen))
		}
	}
}

// Whoever has to wait longer than a run does is told until when.
func TestAgainSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight, UTC
		var p Policy
		for later, want := range map[time.Duration]string{
			time.Hour:      time.Now().Add(time.Hour).Format("15:04"),
			30 * time.Hour: time.Now().Add(30 * time.Hour).Format("15:04 on 2 January"),
		} {
			var e *mail.Error
			if errors.As(p.Again(t.Context(), session(later)), &e); e == nil || e.Hint != "run the same command again after "+want {
				t.Errorf("after %v: %#v", later, e)
			}
			full := &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Later: later, Hint: "so much a day", Err: errors.New("x")}
			if errors.As(p.Again(t.Context(), full), &e); e.Hint != "run the same command again after "+want+": so much a day" {
				t.Errorf("after %v: %#v", later, e)
			}
		}
	})
}

func TestAgainOnlyForSessions(t *testing.T) {
	var p Policy
	for _, err := range []error{
		errors.New("x"),
		&mail.Error{Scope: mail.ScopeAccount, Err: errors.New("login")},
		&mail.Error{Scope: mail.ScopeMailbox, Err: errors.New("full")},
	} {
		if got := p.Again(t.Context(), err); got != err {
			t.Errorf("Again(%v) = %v", err, got)
		}
	}
}

func TestStopEndsTheWait(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	p := Policy{Stop: stop}
	if err := p.Again(context.Background(), session(time.Minute)); err != ErrStopped {
		t.Errorf("Again = %v, want ErrStopped", err)
	}
}
