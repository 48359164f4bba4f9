package trial

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// Every is how many octets lie between two cuts.
const Every = 7

// The ways and ends of a cut, and what they are called.
var (
	Ways = map[postoffice.Way]string{postoffice.ToClient: "to the client", postoffice.FromClient: "from the client"}
	Ends = map[postoffice.End]string{postoffice.FIN: "FIN", postoffice.RST: "RST"}
)

// longestSilence is how long a run may take, by its own clock, that falls silent once.
const longestSilence = 10 * time.Minute

// CutAnywhere has run run over real sockets, cut after every 7th of the octets that an uncut session has, in both
// directions, by FIN and by RST. run goes on until the work is done, fails the test if anything is wrong, and
// returns the verdict; what was tried is printed.
func CutAnywhere(t *testing.T, session func(postoffice.Way) int64, run func(*testing.T, postoffice.Cut) Verdict) {
	for way, to := range Ways {
		octets := session(way)
		for end, how := range Ends {
			t.Run(to+" by "+how, func(t *testing.T) {
				t.Parallel()
				each(t, octets, Every, func(at int64) Verdict {
					return run(t, postoffice.Cut{Way: way, At: at, How: end})
				})
			})
		}
	}
}

// SilentAnywhere does the same with a line that falls silent after every 70th octet. run is called in a bubble of
// synctest, whose clock it waits by, and so over a line in memory.
func SilentAnywhere(t *testing.T, session func(postoffice.Way) int64, run func(*testing.T, postoffice.Cut) Verdict) {
	for way, to := range Ways {
		octets := session(way)
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			each(t, octets, 10*Every, func(at int64) (v Verdict) {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					v = run(t, postoffice.Cut{Way: way, At: at, How: postoffice.Silence})
					if waited := time.Since(began); waited > longestSilence {
						t.Errorf("silence after %d octets: hung for %v", at, waited)
					}
				})
				return v
			})
		})
	}
}

// each tries every stride-th of the octets and prints what came of it.
func each(t *testing.T, octets, stride int64, try func(at int64) Verdict) {
	var total Verdict
	schedules := 0
	for at := stride; at < octets+stride; at += stride {
		total.Add(try(at))
		schedules++
	}
	t.Logf("%d octets, schedules run: %d: %v", octets, schedules, total)
}
