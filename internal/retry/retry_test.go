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
