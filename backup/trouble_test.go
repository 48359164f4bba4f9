package backup_test

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

func checkSums(t *testing.T, what string, rep backup.Report) {
	t.Helper()
	if rep.Listed != rep.Known+rep.Fetched+rep.Linked+rep.Vanished+rep.Failed {
		t.Errorf("%s: the sum does not hold: %+v", what, rep)
	}
}

// TestPullTroubles guards P6: whatever the server does, every message has one fate, and all but those it keeps back
// are archived.
func TestPullTroubles(t *testing.T) {
	fault := func(f postoffice.Fault) postoffice.Trouble { return postoffice.Trouble{Faults: []postoffice.Fault{f}} }
	twelve := len(trial.Mail())
	for _, tc := range []struct {
		why      string
		trouble  postoffice.Trouble
		archived int
		failed   int
	}{
		{"none", postoffice.Trouble{}, twelve, 0},
		{"no PIPELINING", postoffice.Trouble{Without: []string{"PIPELINING"}}, twelve, 0},
		{"no CAPA", postoffice.Trouble{Without: []string{"CAPA"}}, twelve, 0},
		{"a refusal", fault(postoffice.Fault{Verb: "RETR", At: 5, Times: 1, Say: "-ERR cannot read that one"}), twelve - 1, 1},
		{"refusals of every other", fault(postoffice.Fault{Verb: "RETR", Match: shared, Say: "-ERR [SYS/PERM] no"}), twelve - 2, 2},
		{"a blank status line", fault(postoffice.Fault{Verb: "RETR", At: 5, Times: 1, Say: " "}), twelve, 0},
		{"one message that breaks every session", fault(postoffice.Fault{Verb: "RETR", Match: dots, End: postoffice.FIN}), twelve - 1, 1},
		{"a break", fault(postoffice.Fault{Verb: "RETR", At: 7, Times: 1, End: postoffice.RST}), twelve, 0},
		{"silence", fault(postoffice.Fault{Verb: "RETR", At: 7, Times: 1, End: postoffice.Silence}), twelve, 0},
		{"a window of five", postoffice.Trouble{Window: 5}, twelve, 0},
		{"a window of one", postoffice.Trouble{Window: 1}, twelve, 0},
		{"no UIDL", postoffice.Trouble{Without: []string{"UIDL"}}, twelve, 0},
		{"an empty UIDL", postoffice.Trouble{Rewrite: postoffice.Replace("UIDL", "^3 .*", "3 ")}, twelve, 0},
		{"the same UIDL twice", postoffice.Trouble{Rewrite: postoffice.Replace("UIDL", "^(3|4) .*", "$1 same")}, twelve, 0},
		{"in use at first", fault(postoffice.Fault{Verb: "PASS", At: 1, Times: 1, Say: "-ERR [IN-USE] locked"}), twelve, 0},
		{"the goodbye gets lost", fault(postoffice.Fault{Verb: "QUIT", End: postoffice.FIN}), twelve, 0},
		{"slowly", postoffice.Trouble{Trickle: postoffice.Trickle{ToClient: 500}}, twelve, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := office(t, tc.trouble)
			dir := inMemory(t)
			rep, err := pull(t.Context(), dir, nil, source(srv), nil)
			checkSums(t, tc.why, rep)
			if err != nil || rep.Fetched != tc.archived || rep.Failed != tc.failed || len(rep.Failures) != tc.failed {
				t.Errorf("%s: %+v, %v", tc.why, rep, err)
			}
			if v := trial.Judge(trial.Mail(), held(t, dir)); v != (trial.Verdict{Lost: tc.failed}) {
				t.Errorf("%s: %v", tc.why, v)
			}
			srv.SetTrouble(postoffice.Trouble{Without: tc.trouble.Without, Rewrite: tc.trouble.Rewrite})
			retrieved := srv.Count("RETR")
			rep, err = pull(t.Context(), dir, nil, source(srv), nil)
			if err != nil || rep.Fetched != tc.failed || srv.Count("RETR")-retrieved != tc.failed {
				t.Errorf("%s, again: %+v, %v, %d RETRs", tc.why, rep, err, srv.Count("RETR")-retrieved)
			}
		})
	}
}

func dots(m postoffice.Message) bool   { return bytes.Contains(m.Octets, []byte("<dots@")) }
func shared(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("<shared@")) }

// TestPullIsNotFooled guards that a listing that does not add up is never taken for the whole.
func TestPullIsNotFooled(t *testing.T) {
	for _, tc := range []struct {
		why     string
		rewrite postoffice.Rewrite
	}{
		{"a line missing in UIDL", postoffice.Drop("UIDL", "^4 ")},
		{"a line missing in LIST", postoffice.Drop("LIST", "^4 ")},
		{"STAT counts more", postoffice.Replace("STAT", `^\+OK 12`, "+OK 13")},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := office(t, postoffice.Trouble{Rewrite: tc.rewrite})
			if rep, err := pull(t.Context(), inMemory(t), nil, source(srv), nil); err == nil {
				t.Errorf("%s: %+v and no error", tc.why, rep)
			}
			if srv.Count("DELE") > 0 || srv.Count("QUIT") > 0 && tc.why == "a line missing in UIDL" {
				t.Errorf("%s: the session was ended with QUIT", tc.why)
			}
		})
	}
}

// TestNoQUITBeforeItIsSafe guards P1 towards servers that forget at QUIT what they handed over, as Gmail does.
func TestNoQUITBeforeItIsSafe(t *testing.T) {
	for n := 1; ; n++ {
		_, srv := office(t, postoffice.Trouble{Window: 100})
		dir := inMemory(t)
		w := &world{stopAt: n}
		pull(t.Context(), dir, w.step, source(srv), noWait)
		if w.stopped == "" {
			return
		}
		_, err := pull(t.Context(), dir, nil, source(srv), noWait)
		if v := trial.Judge(trial.Mail(), held(t, dir)); err != nil || v != (trial.Verdict{}) {
			t.Errorf("stopped at step %d (%s), and the server has forgotten what was popped: %v, %v", n, w.stopped, v, err)
		}
	}
}
