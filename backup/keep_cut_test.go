package backup_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestKeepCutAnywhere cuts the line of a run that finds much changed, in both directions, on real sockets: what the
// client says after every 7th octet, what the server says after every 98th. By FIN it is a server that vouches for
// messages, by RST one of which headers are asked.
func TestKeepCutAnywhere(t *testing.T) {
	for way, to := range trial.Ways {
		for end, how := range trial.Ends {
			t.Run(to+" by "+how, func(t *testing.T) {
				t.Parallel()
				s := newSaga(t, map[postoffice.End]postoffice.Trouble{postoffice.FIN: modern, postoffice.RST: plain}[end])
				octets, stride := s.lastTraffic(way), int64(trial.Every)
				if way == postoffice.ToClient {
					stride *= 2 * trial.Every
				}
				s.dial = overPort(t, s.srv)
				var total trial.Verdict
				schedules := 0
				for at := stride; at < octets+stride && !t.Failed(); at += stride {
					s.cut(postoffice.Cut{Way: way, At: at, How: end})
					total.Add(s.check(fmt.Sprintf("cut after %d octets", at)))
					schedules++
				}
				t.Logf("%d octets, schedules run: %d: %v", octets, schedules, total)
			})
		}
	}
}

// TestKeepSilentAnywhere has the line fall silent; the clock is the bubble's.
func TestKeepSilentAnywhere(t *testing.T) {
	for way, to := range trial.Ways {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			schedules, octets := 0, int64(100)
			for at := int64(1); at < octets && !t.Failed(); at += octets / 25 {
				synctest.Test(t, func(t *testing.T) {
					s := newSaga(t, modern)
					octets = s.lastTraffic(way)
					began := time.Now()
					s.cut(postoffice.Cut{Way: way, At: at, How: postoffice.Silence})
					if waited := time.Since(began); waited > 5*time.Minute {
						t.Errorf("silence after %d octets: hung for %v", at, waited)
					}
					s.check(fmt.Sprintf("silence after %d octets", at))
				})
				schedules++
			}
			t.Logf("%d octets, schedules run: %d", octets, schedules)
		})
	}
}

// cut runs with the archive as it was before, and the first connection cut.
func (s *saga) cut(c postoffice.Cut) {
	s.t.Helper()
	s.restart()
	next := len(s.srv.Traffic()) + 1
	trouble := s.trouble
	trouble.On, trouble.Cut = postoffice.Only(next), c
	s.srv.SetTrouble(trouble)
	rep, err := s.run()
	s.srv.SetTrouble(s.trouble)
	if err != nil || rep.Failed > 0 {
		s.t.Errorf("cut after %d octets %s: %+v, %v", c.At, trial.Ways[c.Way], rep, err)
	}
}

// lastTraffic returns how many octets the last connection had in that direction.
func (s *scene) lastTraffic(way postoffice.Way) int64 {
	all := s.srv.Traffic()
	last := all[len(all)-1]
	if way == postoffice.ToClient {
		return last.ToClient
	}
	return last.FromClient
}

// overPort returns how to reach the server on a real socket.
func overPort(t *testing.T, srv *postoffice.Server) func() *imap.Source {
	t.Helper()
	addr, err := srv.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return func() *imap.Source { return imap.NewSource(dial.Server{Host: host, Port: n, Plain: true}, login) }
}
