package backup_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestNewUIDLs guards that a POP3 server that gives all messages new UIDLs, as after a move to other software, does not
// make us fetch them again, nor forget which are two.
func TestNewUIDLs(t *testing.T) {
	for _, tc := range []struct {
		why     string
		change  func(*postoffice.Account)
		want    int // messages at the server
		fetched int
		bodies  int
	}{
		{"all new", func(*postoffice.Account) {}, 112, 0, 2},
		{"all new, and two more", func(a *postoffice.Account) { deliverLetters(a, 900, 902) }, 114, 2, 4},
		{"all new, and some are gone", func(a *postoffice.Account) { expungeSome(a, 30) }, 82, 0, 1},
		{"all are others", func(a *postoffice.Account) { expungeSome(a, 112); deliverLetters(a, 500, 550) }, 50, 50, 50},
	} {
		t.Run(tc.why, func(t *testing.T) {
			o := postoffice.New()
			acct := o.Account(user, password)
			for _, m := range trial.Mail() {
				acct.Deliver(mail.Inbox, postoffice.Message{Octets: m})
			}
			deliverLetters(acct, 0, 100)
			srv := o.POP3(postoffice.Trouble{})
			t.Cleanup(func() { srv.Close() })
			dir := filepath.Join(inMemory(t), "mail")
			if rep, err := pull(t.Context(), dir, nil, source(srv), noWait); err != nil || rep.Fetched != 112 {
				t.Fatalf("%+v, %v", rep, err)
			}
			tc.change(acct)
			srv.SetTrouble(postoffice.Trouble{Rewrite: postoffice.Replace("UIDL", `^(\d+) (\S+)`, "$1 new-$2")})
			retrs := srv.Count("RETR")
			rep, err := pull(t.Context(), dir, nil, source(srv), noWait)
			retrs = srv.Count("RETR") - retrs
			if err != nil || rep.Listed != tc.want || rep.Fetched != tc.fetched || rep.Known != tc.want-tc.fetched || retrs != tc.bodies {
				t.Errorf("%+v, %v, %d RETRs, want %d fetched, %d RETRs", rep, err, retrs, tc.fetched, tc.bodies)
			}
			var there [][]byte
			for _, m := range acct.Messages(mail.Inbox) {
				there = append(there, m.Octets)
			}
			kept := held(t, dir)
			if v := trial.Judge(there, kept); v.Lost > 0 || v.Doubled > 0 || len(kept) != 112+tc.fetched {
				t.Errorf("%v, and %d files", v, len(kept))
			}
			rep, err = pull(t.Context(), dir, nil, source(srv), noWait)
			if err != nil || rep.Known != tc.want {
				t.Errorf("again: %+v, %v", rep, err)
			}
		})
	}
}

func deliverLetters(a *postoffice.Account, from, to int) {
	for n := from; n < to; n++ {
		a.Deliver(mail.Inbox, letter(n))
	}
}

func expungeSome(a *postoffice.Account, n int) {
	for _, m := range a.Messages(mail.Inbox)[:n] {
		a.Expunge(mail.Inbox, m.UID)
	}
}

// TestEqualMailAgain guards that a message that is equal to one that is archived, and is at the server no more, is one
// more, and not that one under a new UIDL.
func TestEqualMailAgain(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	dir := filepath.Join(inMemory(t), "mail")
	pull(t.Context(), dir, nil, source(srv), noWait)
	first := acct.Messages(mail.Inbox)[0]
	acct.Expunge(mail.Inbox, first.UID)
	first.UIDL = ""
	acct.Deliver(mail.Inbox, first)
	if rep, err := pull(t.Context(), dir, nil, source(srv), noWait); err != nil || rep.Fetched != 1 || len(held(t, dir)) != 13 {
		t.Errorf("%+v, %v, %d files", rep, err, len(held(t, dir)))
	}
}

// TestNewUIDLsStoppedAnywhere stops the run that recognises at every step.
func TestNewUIDLsStoppedAnywhere(t *testing.T) {
	root := inMemory(t)
	renamed := postoffice.Trouble{Rewrite: postoffice.Replace("UIDL", `^(\d+) (\S+)`, "$1 new-$2")}
	for n := 1; ; n++ {
		dir := filepath.Join(root, fmt.Sprint(n))
		_, srv := office(t, postoffice.Trouble{})
		if _, err := pull(t.Context(), dir, nil, source(srv), noWait); err != nil {
			t.Fatal(err)
		}
		srv.SetTrouble(renamed)
		w := &world{stopAt: n}
		pull(t.Context(), dir, w.step, source(srv), noWait)
		rep, err := pull(t.Context(), dir, nil, source(srv), noWait)
		if v := trial.Judge(trial.Mail(), held(t, dir)); err != nil || rep.Known != 12 || v != (trial.Verdict{}) {
			t.Errorf("stopped at step %d (%s): %+v, %v, %v", n, w.stopped, rep, err, v)
		}
		if retrs := srv.Count("RETR"); retrs > 12+2 {
			t.Errorf("stopped at step %d (%s): %d RETRs", n, w.stopped, retrs)
		}
		if w.stopped == "" {
			t.Logf("steps run: %d", n-1)
			return
		}
	}
}

// TestNewUIDLsKeepOutcomes guards that what was brought to a destination is not brought there again.
func TestNewUIDLsKeepOutcomes(t *testing.T) {
	_, srv := office(t, postoffice.Trouble{})
	dir := filepath.Join(inMemory(t), "mail")
	there := mail.Account{Protocol: "imap", Host: "there.example", User: "me"}
	settled := func(want int, settle bool) {
		t.Helper()
		a, err := archive.Open(dir, archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		var done []archive.Outcome
		pending, err := a.Pending(there, archive.Wanted{}, mail.Inbox, 0, 100)
		for _, e := range pending {
			done = append(done, archive.Outcome{Entry: e.ID, State: archive.Done, Mailbox: mail.Inbox, Validity: 1, UID: uint32(e.ID)})
		}
		if settle && err == nil {
			err = a.Settle(there, done)
		}
		if err != nil || len(pending) != want {
			t.Errorf("%d are to be brought, want %d; %v", len(pending), want, err)
		}
	}
	pull(t.Context(), dir, nil, source(srv), noWait)
	settled(12, true)
	srv.SetTrouble(postoffice.Trouble{Rewrite: postoffice.Replace("UIDL", `^(\d+) (\S+)`, "$1 new-$2")})
	pull(t.Context(), dir, nil, source(srv), noWait)
	settled(0, false)
	if commands := srv.Commands(); !slices.Contains(commands, "TOP 1 0") {
		t.Errorf("it said %q", commands)
	}
}
