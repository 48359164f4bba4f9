package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// TestOddServers guards that what servers say wrongly of messages that have not changed does not cost a body, nor the
// trust in what is archived.
func TestOddServers(t *testing.T) {
	for name, server := range map[string]postoffice.Trouble{
		"wrong sizes":       {Rewrite: postoffice.Replace("UID FETCH", `RFC822.SIZE ([1-9]\d*)`, "RFC822.SIZE ${1}9")},
		"no sizes":          {Rewrite: postoffice.Replace("UID FETCH", `RFC822.SIZE \d+`, "RFC822.SIZE 0")},
		"no dates":          {Rewrite: postoffice.Replace("UID FETCH", `INTERNALDATE "[^"]*"`, `INTERNALDATE "00-Jan-0000 00:00:00 +0000"`)},
		"no UIDNEXT":        {Rewrite: postoffice.NoUIDNEXT, With: []string{"CONDSTORE"}},
		"body first":        {BodyFirst: true},
		"unasked":           {Unasked: true, With: []string{"CONDSTORE"}},
		"three at once":     {AtOnce: 3},
		"three by the book": {With: []string{"MESSAGELIMIT=3"}},
		"XLIST":             {With: []string{"XLIST"}, Without: []string{"LIST-EXTENDED", "SPECIAL-USE"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.fill(mail.Inbox)
			s.deliver("Work", 0, 30)
			rep, err := s.run()
			if err != nil || rep.Fetched != 42 || rep.Failed > 0 {
				t.Errorf("at first: %+v, %v", rep, err)
			}
			s.judge("at first", mail.Inbox, "Work")
			for range 3 {
				s.want("again", fates{known: 42})
				if contains(s.notes, "UIDs") {
					t.Errorf("it says %q", s.notes)
				}
			}
			// Other times, as after a move to other software; the headers are what they were.
			late := server
			shift := postoffice.Replace("UID FETCH", `INTERNALDATE " ?(\d+)-Mar-2024`, `INTERNALDATE "$1-Apr-2025`)
			if late.Rewrite = shift; server.Rewrite != nil {
				late.Rewrite = server.Rewrite.Then(shift)
			}
			s.srv.SetTrouble(late)
			s.want("with other times", fates{known: 42})
			if contains(s.notes, "UIDs") {
				t.Errorf("it says %q", s.notes)
			}
		})
	}
}

// TestMessageThatBreaks guards that a message that breaks every session is named, and the others come.
func TestMessageThatBreaks(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			server.Faults = []postoffice.Fault{{Verb: "UID FETCH", Match: func(m postoffice.Message) bool { return hasText(m, "<letter-17@") }, End: postoffice.FIN}}
			s := newScene(t, server)
			s.deliver("Work", 0, 40)
			s.deliver("Zoo", 50, 55)
			rep, err := s.run()
			if err != nil || rep.Fetched != 44 || rep.Failed != 1 || len(rep.Failures) != 1 || rep.Failures[0].Ref.UID != "18" {
				t.Errorf("%+v, %v", rep, err)
			}
			server.Faults = nil
			s.srv.SetTrouble(server)
			s.want("when it does not break any more", fates{known: 44, fetched: 1, bodies: 1})
			s.judge("in the end", "Work", "Zoo")
		})
	}
}

// TestHeaderThatBreaks guards that a message whose header breaks every session does not keep the others from being
// recognised, and is fetched itself.
func TestHeaderThatBreaks(t *testing.T) {
	breaks := func(m postoffice.Message) bool { return hasText(m, "<letter-17@") }
	for _, times := range []int{1, 2, 3, 0} {
		server := plain
		s := newScene(t, server)
		s.deliver("Work", 0, 40)
		s.want("at first", fates{fetched: 40, bodies: 40})
		s.deliver("Copies", 0, 40)
		server.Faults = []postoffice.Fault{{Verb: "UID FETCH", Match: breaks, Times: times, End: postoffice.FIN}}
		s.srv.SetTrouble(server)
		rep, err := s.run()
		want := map[int][3]int{1: {40, 0, 0}, 2: {39, 1, 0}, 3: {39, 1, 0}, 0: {39, 0, 1}}[times]
		if err != nil || rep.Linked != want[0] || rep.Fetched != want[1] || rep.Failed != want[2] {
			t.Errorf("broken %d times: %+v, %v", times, rep, err)
		}
	}
}

// TestPartial guards that a mailbox that is shown in part is named, and nothing in it counts as gone.
func TestPartial(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.deliver("Work", 0, 20)
			s.want("at first", fates{fetched: 20, bodies: 20})
			s.deliver("Work", 20, 25)
			server.Hide = func(m postoffice.Message) bool { return hasText(m, "<letter-3@") || hasText(m, "<letter-22@") }
			s.srv.SetTrouble(server)
			rep, err := s.run()
			if err != nil || rep.Known != 20 || rep.Fetched != 4 || len(rep.Partial) != 1 || rep.Partial[0].Mailbox != "Work" {
				t.Errorf("%+v, %v", rep, err)
			}
			s.wantLive("shown in part", "Work", 24, 0)
			server.Hide = nil
			s.srv.SetTrouble(server)
			s.want("shown whole", fates{known: 24, fetched: 1, bodies: 1})
			s.judge("shown whole", "Work")
		})
	}
}

// TestVanishesMeanwhile guards that a mailbox that goes while the run is on its way, or a message, is no failure.
func TestVanishesMeanwhile(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.deliver("A", 0, 5)
			s.deliver("B", 10, 15)
			s.deliver("C", 20, 25)
			s.want("at first", fates{fetched: 15, bodies: 15})
			for _, f := range []string{"A", "B", "C"} {
				s.deliver(f, 30, 31)
			}
			renamed := false
			server.OnCommand = func(_ int, command string) {
				if strings.HasPrefix(command, "EXAMINE") && !renamed {
					renamed = true
					s.acct.Rename("B", "D")
				}
			}
			s.srv.SetTrouble(server)
			rep, err := s.run()
			if err != nil || rep.Failed > 0 || !contains(s.notes, "B is not there any more") {
				t.Errorf("%+v, %v, %q", rep, err, s.notes)
			}
			s.wantLive("meanwhile", "B", 5, 0)
			server.OnCommand = nil
			s.srv.SetTrouble(server)
			rep, err = s.run()
			if err != nil || rep.Known != 17 || rep.Fetched+rep.Linked != 1 {
				t.Errorf("afterwards: %+v, %v", rep, err)
			}
			s.wantLive("afterwards", "D", 6, 0)
			s.judge("afterwards", "A", "C", "D")
		})
	}
}

// TestUnsoundIsFetchedAgain guards that what has gone missing or was damaged in the archive is fetched from the source.
func TestUnsoundIsFetchedAgain(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.deliver("Work", 0, 20)
			s.deliver("Quiet", 30, 40)
			s.want("at first", fates{fetched: 30, bodies: 30})
			files := slices.Sorted(maps.Keys(whole(t, filepath.Join(s.dir, ".Work"))))
			if err := errors.Join(os.Remove(files[2]), os.Truncate(files[5], 7)); err != nil {
				t.Fatal(err)
			}
			s.want("with one missing and one damaged", fates{known: 28, fetched: 2, bodies: 2})
			s.want("again", fates{known: 30})
			if v, _ := s.live("Work"); v != 20 {
				t.Errorf("%d entries", v)
			}
			if err := os.RemoveAll(filepath.Join(s.dir, "mailhaul", "ledger.db")); err != nil {
				t.Fatal(err)
			}
			s.want("without a ledger", fates{known: 30})
			s.want("again", fates{known: 30})
		})
	}
}

// TestUIDsReused guards that a server that gives UIDs to other messages under the same UIDVALIDITY is found out, and
// nothing is lost by it.
func TestUIDsReused(t *testing.T) {
	for name, server := range servers {
		for _, quiet := range []bool{true, false} {
			t.Run(fmt.Sprint(name, quiet), func(t *testing.T) {
				s := newScene(t, server)
				uids := s.deliver("Work", 0, 30)
				validity := s.acct.Validity("Work")
				s.want("at first", fates{fetched: 30, bodies: 30})
				s.acct.Expunge("Work", uids[0])
				s.acct.Renumber("Work", validity) // each has the UID of the one before
				s.deliver("Work", 30, 31)
				if !quiet {
					s.deliver("Work", 31, 33)
				}
				rep, err := s.run()
				if err != nil || rep.Failed > 0 {
					t.Errorf("%+v, %v", rep, err)
				}
				if !contains(s.notes, "has given UIDs that are archived to other messages") {
					t.Errorf("it says %q", s.notes)
				}
				live := 30
				if !quiet {
					live = 32
				}
				s.wantLive("with UIDs reused", "Work", live, 1)
				if rep.Fetched != live-29 || s.bodies() > live-29+1 {
					t.Errorf("%+v, %d bodies", rep, s.bodies())
				}
				s.want("again", fates{known: live})
			})
		}
	}
}

// TestUIDsReusedAlike guards that it is enough if those others differ in size or in time only.
func TestUIDsReusedAlike(t *testing.T) {
	for name, change := range map[string]func(*postoffice.Message){
		"in time": func(m *postoffice.Message) {
			m.Octets = append(m.Octets[:len(m.Octets)-2:len(m.Octets)-2], bytes.Repeat([]byte("y"), 500-len(m.Octets))...)
		},
		"in size": func(m *postoffice.Message) { m.Received = noon },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, plain)
			for n := range 20 {
				m := letter(n)
				change(&m)
				s.acct.Deliver("Work", m)
			}
			validity := s.acct.Validity("Work")
			rep, err := s.run()
			if err != nil || rep.Fetched != 20 {
				t.Fatalf("%+v, %v", rep, err)
			}
			s.acct.Expunge("Work", 1)
			s.acct.Renumber("Work", validity)
			if _, err := s.run(); err != nil || !contains(s.notes, "UIDs") {
				t.Errorf("it says %q, %v", s.notes, err)
			}
			s.wantLive("with UIDs reused", "Work", 19, 1)
		})
	}
}

// TestPhantom guards that a message the server lists for ever and never hands over is a failure, and not gone.
func TestPhantom(t *testing.T) {
	s := newScene(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: func(m postoffice.Message) bool { return hasText(m, "<letter-7@") }, Say: "OK done"}}})
	s.deliver("Work", 0, 20)
	rep, err := s.run()
	if err != nil || rep.Fetched != 19 || rep.Failed != 1 || rep.Vanished != 0 || !strings.Contains(rep.Failures[0].Reason, "lists the message") {
		t.Errorf("%+v, %v", rep, err)
	}
}
