package dial

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Logins come one at a time, a second apart, however many want in and however long each takes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pace{Every: time.Second}
		began := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		inside := 0
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				done, err := p.Turn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if inside++; inside > 1 {
					t.Error("two log in at the same time")
				}
				at = append(at, time.Since(began))
				mu.Unlock()
				time.Sleep(time.Duration(i) * 700 * time.Millisecond)
				mu.Lock()
				inside--
				mu.Unlock()
				done(nil)
			})
		}
		all.Wait()
		for i := 1; i < len(at); i++ {
			if at[i]-at[i-1] < time.Second {
				t.Errorf("logins at %v", at)
			}
		}
		if len(at) != 4 || at[0] != 0 {
			t.Errorf("logins at %v, want the first of four at once", at)
		}
	})
}

// A few may come at once, and then they are a second apart again; what was not used is not saved up.
func TestPaceBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pace{Every: time.Second, Burst: 2}
		began := time.Now()
		var at []time.Duration
		for i := range 6 {
			if i == 4 {
				time.Sleep(time.Minute)
			}
			done, err := p.Turn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Since(began).Round(time.Second))
			done(nil)
		}
		want := []time.Duration{0, 0, time.Second, 2 * time.Second, 62 * time.Second, 62 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("logins at %v, want %v", at, want)
		}
	})
}

// After a refusal nobody is let in, those who waited neither.
func TestPaceRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pace{Every: time.Second}
		done, _ := p.Turn(t.Context())
		wrong := errors.New("wrong password")
		var waiting sync.WaitGroup
		for range 3 {
			waiting.Go(func() {
				if _, err := p.Turn(t.Context()); err != wrong {
					t.Errorf("who waited got %v", err)
				}
			})
		}
		synctest.Wait()
		done(wrong)
		waiting.Wait()
		if _, err := p.Turn(t.Context()); err != wrong {
			t.Errorf("who comes later got %v", err)
		}
	})
}

func TestPaceCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pace{Every: time.Hour}
		done, _ := p.Turn(t.Context())
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("stop")
		go cancel(why)
		if _, err := p.Turn(ctx); err != why {
			t.Errorf("at the door: %v", err)
		}
		done(nil)
		if _, err := p.Turn(ctx); err != why {
			t.Errorf("in the wait: %v", err)
		}
		var none *Pace
		if done, err := none.Turn(ctx); err != nil {
			t.Error(err)
		} else {
			done(nil)
		}
	})
}
