package backup_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// newTightRoom has the mail of the trials archived, one of them damaged since, and one that came later: two that must stay.
func newTightRoom(t *testing.T, overIMAP bool) *room {
	t.Helper()
	m := newRoom(t, overIMAP, trial.Mail()...)
	path := m.fileOf("Subject: plain\n")
	octets, err := os.ReadFile(path)
	octets[len(octets)-3] ^= 1
	if err = errors.Join(err, os.WriteFile(path, octets, 0o600)); err != nil {
		t.Fatal(err)
	}
	m.deliver(letter(0).Octets)
	return m
}

// finish runs to the end, and judges: all that is safe is gone, the others are there, and the ledger knows.
func (m *room) finish(what string) (wrong int) {
	m.t.Helper()
	if n := m.wrongly(); n > 0 {
		m.t.Errorf("%s: %d went wrongly", what, n)
		wrong += n
	}
	m.recorded(what, false)
	got, err := m.free(m.t.Context(), nil)
	if n := m.wrongly(); err != nil || n > 0 || len(m.gone()) != len(m.first)-1 {
		m.t.Errorf("%s: finished: %v, %+v; %d are gone, %d wrongly", what, err, got, len(m.gone()), n)
		wrong += n
	}
	m.recorded(what+": finished", true)
	return wrong
}

// TestFreeStoppedAnywhere stops the run at every step of the disk and the ledger.
func TestFreeStoppedAnywhere(t *testing.T) {
	for name, overIMAP := range protocols {
		t.Run(name, func(t *testing.T) {
			m := newTightRoom(t, overIMAP)
			kinds, wrong, n := map[string]int{}, 0, 1
			for ; ; n++ {
				m.restart()
				w := &world{stopAt: n}
				_, err := m.free(t.Context(), w.step)
				if w.stopped == "" {
					if err != nil {
						t.Fatalf("an undisturbed run: %v", err)
					}
					break
				}
				kinds[w.stopped]++
				if err != nil && !errors.Is(err, errStopped) {
					t.Errorf("stopped at step %d (%s): %v", n, w.stopped, err)
				}
				wrong += m.finish(fmt.Sprintf("stopped at step %d (%s)", n, w.stopped))
			}
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				t.Logf("%4d × stopped at %s", kinds[kind], kind)
			}
			t.Logf("steps run: %d, wrongly removed %d", n-1, wrong)
		})
	}
}

// TestFreeCutAnywhere cuts each of the lines of a run after every 7th octet that the client says and every 98th that the server
// says, by FIN and by RST, on real sockets. Whatever the connection is lost at, the run finds out what came of it.
func TestFreeCutAnywhere(t *testing.T) {
	for name, overIMAP := range protocols {
		for way, to := range trial.Ways {
			for end, how := range trial.Ends {
				t.Run(name+" "+to+" by "+how, func(t *testing.T) {
					t.Parallel()
					m := newTightRoom(t, overIMAP)
					m.tcp = true
					wrong, schedules := 0, 0
					for conn, octets := range m.lines(way) {
						stride := int64(trial.Every)
						if way == postoffice.ToClient {
							stride *= 2 * trial.Every
						}
						for at := stride; at < octets+stride && !t.Failed(); at += stride {
							wrong += m.cut(conn, postoffice.Cut{Way: way, At: at, How: end})
							schedules++
						}
					}
					t.Logf("schedules run: %d, wrongly removed %d", schedules, wrong)
				})
			}
		}
	}
}

// TestFreeSilentAnywhere has the line fall silent; the clock is the bubble's.
func TestFreeSilentAnywhere(t *testing.T) {
	for name, overIMAP := range protocols {
		for way, to := range trial.Ways {
			t.Run(name+" "+to, func(t *testing.T) {
				t.Parallel()
				wrong, schedules := 0, 0
				lines := newTightRoom(t, overIMAP).lines(way)
				for conn, octets := range lines {
					for at := int64(1); at < octets && !t.Failed(); at += octets/12 + 1 {
						synctest.Test(t, func(t *testing.T) {
							wrong += newTightRoom(t, overIMAP).cut(conn, postoffice.Cut{Way: way, At: at, How: postoffice.Silence})
						})
						schedules++
					}
				}
				t.Logf("schedules run: %d, wrongly removed %d", schedules, wrong)
			})
		}
	}
}

// lines returns how many octets the connections of an undisturbed run have in that direction.
func (m *room) lines(way postoffice.Way) (octets []int64) {
	m.t.Helper()
	m.restart()
	if _, err := m.free(m.t.Context(), nil); err != nil {
		m.t.Fatal(err)
	}
	for _, line := range m.srv.Traffic() {
		if way == postoffice.ToClient {
			octets = append(octets, line.ToClient)
		} else {
			octets = append(octets, line.FromClient)
		}
	}
	return octets
}

// cut runs with one of its connections cut, counted from 0, and judges, before it runs to the end.
func (m *room) cut(conn int, c postoffice.Cut) (wrong int) {
	m.t.Helper()
	m.restart()
	what := fmt.Sprintf("connection %d cut after %d octets %s", conn, c.At, trial.Ways[c.Way])
	m.srv.SetTrouble(postoffice.Trouble{On: postoffice.Only(conn + 1), Cut: c})
	_, err := m.free(m.t.Context(), nil)
	m.srv.SetTrouble(postoffice.Trouble{})
	if err != nil && !errors.As(err, new(*mail.Error)) {
		m.t.Errorf("%s: %v", what, err)
	}
	return m.finish(what)
}
