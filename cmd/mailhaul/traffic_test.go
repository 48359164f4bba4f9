package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// TestPace lets messages go at 4 a second and at 10 a minute: so many and not one more, in whatever parts.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		rate string
		most int // at once
		in   time.Duration
	}{{"4/s", 4, 25 * time.Second}, {"10/min", 1, 594 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			var rate messageRate
			if err := rate.Set(tt.rate); err != nil {
				t.Fatal(err)
			}
			c := &traffic{pace: pace{every: rate.every}}
			carry, began := c.carry(archive.Up), time.Now()
			for left := make([]int64, 100); len(left) > 0; {
				n, done, err := carry(t.Context(), left)
				if err != nil || n < 1 || n > tt.most {
					t.Fatalf("%d may go: %v", n, err)
				}
				done()
				left = left[n:]
			}
			if took := time.Since(began); took > tt.in || took < tt.in-time.Second {
				t.Errorf("100 messages at %s took %v, want %v", tt.rate, took, tt.in)
			}
		})
	}
}

// TestPaceEnds: whoever waits for his turn can be stopped.
func TestPaceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		c := &traffic{pace: pace{every: time.Hour}, stop: stop}
		c.pace.take(1)
		began := time.Now()
		time.AfterFunc(time.Second, func() { close(stop) })
		if _, _, err := c.carry(archive.Up)(t.Context(), []int64{1}); err != retry.ErrStopped {
			t.Errorf("carry = %v, want ErrStopped", err)
		}
		c.stop = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.carry(archive.Up)(ctx, []int64{1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("carry = %v, want the end of the context", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("both took %v, want 2s", took)
		}
	})
}

// TestThrottleIsForAll: both accounts of a migration keep to one rate, in all their sessions.
func TestThrottleIsForAll(t *testing.T) {
	var o migrateOptions
	o.addFlags(pflag.NewFlagSet("migrate", pflag.ContinueOnError))
	a, err := archive.Open(t.TempDir(), archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o.restore.limits.bandwidth.Set("1M:2M")
	for _, p := range []*party{&o.source, &o.restore.destination} {
		p.account, _ = account.Parse("imaps://me@imap.gmail.com", false)
		c, err := o.restore.limits.count(a, p, &interrupt{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		s := p.server()
		if s.Throttle == nil || s.Throttle != o.restore.limits.bandwidth.throttle || s.Throttle.Up != 1e6 || s.Meter != &c.meter {
			t.Errorf("%s: the server has throttle %v and meter %p", p.role, s.Throttle, s.Meter)
		}
		if want := (map[string][2]int64{"source": {2500e6, 0}, "destination": {2500e6, 500e6}})[p.role]; c.limit != want {
			t.Errorf("%s: limits %v, want %v", p.role, c.limit, want)
		}
	}
}

// onWire returns what passed, within TLS, on a server's connections so far, by archive.Way.
func onWire(srv *postoffice.Server) (sum [2]int64) {
	for _, w := range srv.Traffic() {
		sum[archive.Down] += w.ToClient
		sum[archive.Up] += w.FromClient
	}
	return sum
}

// noted returns what the ledger has of the account at a host.
func noted(t *testing.T, dir, host string) (sum [2]int64) {
	t.Helper()
	a, err := archive.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	accounts, err := a.Carried(clock())
	for _, acct := range accounts {
		if acct.Host != host {
			continue
		}
		hours, err := a.Traffic(acct, clock())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hours {
			sum[archive.Down] += h.Octets[archive.Down]
			sum[archive.Up] += h.Octets[archive.Up]
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestDayAfterDay migrates more than a day allows, in either direction, until it is done: no day has more than its limit,
// what is noted is what was on the wire, a further run on the same day carries nothing, and every message arrives once.
func TestDayAfterDay(t *testing.T) {
	defer func() { clock = time.Now }()
	t.Setenv("MAILHAUL_PASSWORD", rigPassword)
	for _, tt := range []struct {
		name   string
		rig    func(testing.TB, [][]byte) *rig
		limits []string
		up     int64
		down   int64
	}{
		{"upload", newRig, []string{"--daily-upload", "60k"}, 60_000, 1 << 40},
		{"download", newRig, []string{"--daily-download", "80k"}, 1 << 40, 80_000},
		{"both", newRig, []string{"--daily-upload", "50k", "--daily-download", "80k"}, 50_000, 80_000},
		{"folders", newFolderRig, []string{"--daily-upload", "70k", "--daily-download", "90k"}, 70_000, 90_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock = time.Now
			r := tt.rig(t, killMail())
			r.source = strings.Replace(r.source, "127.0.0.1", "localhost", 1) // an account of its own
			days := 0
			for status := exitQuota; status == exitQuota; days++ {
				if days == 30 {
					t.Fatal("it takes 30 days")
				}
				clock = func() time.Time { return time.Now().Add(time.Duration(days) * (24*time.Hour + time.Minute)) }
				before := [2][2]int64{onWire(r.src), onWire(r.dst)}
				var out, said bytes.Buffer
				status = run(r.migrate(tt.limits...), nil, &out, &said)
				if status != exitQuota && status != exitDone {
					t.Fatalf("day %d ended with %d:\n%s%s", days, status, &out, &said)
				}
				down := onWire(r.src)[archive.Down] - before[0][archive.Down]
				up := onWire(r.dst)[archive.Up] - before[1][archive.Up]
				source, destination := noted(t, r.archive, "localhost"), noted(t, r.archive, "127.0.0.1")
				t.Logf("day %d: exit %d; %d octets down, %d up, and with TLS, as noted, %d and %d",
					days, status, down, up, source[archive.Down], destination[archive.Up])
				if source[archive.Down] > tt.down+aside || destination[archive.Up] > tt.up+aside {
					t.Errorf("day %d: allowed are %d and %d", days, tt.down, tt.up)
				}
				checkNoted(t, source[archive.Down], down)
				checkNoted(t, destination[archive.Up], up)
				if status == exitQuota {
					checkHalts(t, r, tt.limits)
				}
			}
			v, err := r.judge()
			if err != nil || v != (trial.Verdict{}) || days < 3 {
				t.Errorf("after %d days: %v, %v", days, v, err)
			}
		})
	}
}

// aside is what may be said of messages after the last was allowed: logins of further sessions, a look at what went.
const aside = 8000

// checkNoted compares what is noted with what the server has seen. It sees neither TLS, with some 4 kB for a handshake
// and 22 octets for each record, nor is it noted what passes last: QUIT and LOGOUT.
func checkNoted(t *testing.T, noted, passed int64) {
	t.Helper()
	if noted < passed-100 || noted > passed+passed/8+16_000 {
		t.Errorf("%d octets are noted, and %d passed", noted, passed)
	}
}

// checkHalts runs once more on the same day: a half that is at its limit does not even log in.
func checkHalts(t *testing.T, r *rig, limits []string) {
	t.Helper()
	appends, fetches := r.dst.Count("APPEND"), r.fetches()
	var out, said bytes.Buffer
	if status := run(r.migrate(limits...), nil, &out, &said); status != exitQuota {
		t.Errorf("the same day it ended with %d:\n%s%s", status, &out, &said)
	}
	if r.dst.Count("APPEND") != appends || r.fetches() != fetches {
		t.Errorf("the same day %d were appended and %d fetched", r.dst.Count("APPEND")-appends, r.fetches()-fetches)
	}
}

// TestKilledAtLimits kills runs with limits, each of which may carry a little more than the one before, in the middle of
// an APPEND or a RETR: nothing is lost or doubled, and the count goes on.
func TestKilledAtLimits(t *testing.T) {
	bin := program(t)
	r := newRig(t, killMail())
	r.source = strings.Replace(r.source, "127.0.0.1", "localhost", 1)
	kills, runs, status := 0, 0, exitQuota
	for ; status != exitDone; runs++ {
		if runs == 60 {
			t.Fatal("it takes 60 runs")
		}
		limit := strconv.Itoa(30*(runs+1)) + "k"
		p := newProcess(bin, r.migrate("--daily-upload", limit, "--daily-download", strconv.Itoa(60*(runs+1))+"k")...)
		killing := func(verb string) postoffice.Trouble {
			return postoffice.Trouble{OnCommand: killAt(p, verb, 5)}
		}
		r.src.SetTrouble(postoffice.Trouble{})
		r.dst.SetTrouble(postoffice.Trouble{})
		switch runs % 3 {
		case 0:
			r.dst.SetTrouble(killing("APPEND"))
		case 1:
			r.src.SetTrouble(killing("RETR"))
		}
		var err error
		if status, err = p.finish(); err != nil || status != -1 && status != exitQuota && status != exitDone {
			t.Fatalf("run %d ended with %d, %v:\n%s%s", runs, status, err, &p.out, &p.err)
		}
		if status < 0 {
			kills++
		}
	}
	v, err := r.judge()
	t.Logf("%d runs, %d of them killed: lost %d, doubled %d, altered %d; noted %v of %v octets to the destination",
		runs, kills, v.Lost, v.Doubled, v.Altered, noted(t, r.archive, "127.0.0.1"), onWire(r.dst))
	if err != nil || v != (trial.Verdict{}) || kills < 3 {
		t.Errorf("%d kills: %v, %v", kills, v, err)
	}
}

// killAt kills p when the nth of a command comes.
func killAt(p *process, verb string, n int) func(int, string) {
	return func(_ int, command string) {
		if len(command) >= len(verb) && command[:len(verb)] == verb {
			if n--; n == 0 {
				p.kill()
			}
		}
	}
}
