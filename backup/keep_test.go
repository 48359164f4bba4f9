package backup_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// TestKeep guards that a run brings what is new, and no body that is there.
func TestKeep(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.fill(mail.Inbox)
			s.deliver("Work", 0, 30)
			s.acct.CreateMailbox("Empty", "")
			s.acct.CreateMailbox("Work/2019", "")
			s.want("at first", fates{fetched: 42, bodies: 42})
			s.judge("at first", mail.Inbox, "Work")
			s.want("again", fates{known: 42})

			s.deliver("Work/2019", 100, 105)
			s.deliver("Work", 200, 203)
			s.want("with new mail", fates{known: 42, fetched: 8, bodies: 8})
			s.judge("with new mail", mail.Inbox, "Work", "Work/2019")
			s.want("again", fates{known: 50})
			for _, dir := range []string{".Empty", ".Work", ".Work.2019"} {
				if _, err := os.Stat(filepath.Join(s.dir, dir, "cur")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestUnchangedCostsNothing guards that mailboxes in which nothing has changed are not opened, but for one.
func TestUnchangedCostsNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		server postoffice.Trouble
		want   int // commands beside the login
	}{
		"LIST-STATUS": {modern, 1 + 3},
		"STATUS":      {postoffice.Trouble{With: modern.With, Without: []string{"LIST-STATUS"}}, 1 + 41 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, tc.server)
			for n := range 40 {
				s.deliver(fmt.Sprintf("Folder %d", n), 10*n, 10*n+10)
			}
			s.want("at first", fates{fetched: 400, bodies: 400})
			opened := map[string]bool{}
			for run := range 40 {
				s.want("again", fates{known: 400})
				if said := s.said(); len(said) != tc.want {
					t.Fatalf("run %d said %d commands, want %d:\n%s", run, len(said), tc.want, strings.Join(said, "\n"))
				}
				for _, c := range s.said() {
					if mailbox, ok := strings.CutPrefix(c, "EXAMINE "); ok {
						opened[mailbox] = true
					}
				}
			}
			if len(opened) != 40 {
				t.Errorf("in 40 runs %d folders had their turn", len(opened))
			}
		})
	}
}

// TestFlagsFollow guards that flags follow the source, with CONDSTORE and without, and that no body comes for it.
func TestFlagsFollow(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			uids := s.deliver("Work", 0, 30)
			s.acct.SetFlags("Work", uids[3], `\Seen`, "$Label1")
			s.want("at first", fates{fetched: 30, bodies: 30})
			for n, uid := range uids[:10] {
				s.acct.SetFlags("Work", uid, `\Flagged`, fmt.Sprintf("word%d", n))
			}
			s.want("with flags changed", fates{known: 30})
			want := map[string]mail.Flags{}
			for _, m := range s.acct.Messages("Work") {
				want[fmt.Sprint(m.UID)] = mail.MakeFlags(m.Flags...)
			}
			s.view(func(a *archive.Archive) {
				entries, err := a.EntriesOf("Work", s.acct.Validity("Work"), 0, 100)
				if err != nil || len(entries) != 30 {
					t.Fatal(len(entries), err)
				}
				for _, e := range entries {
					if !e.Flags.Equal(want[e.Ref.UID]) {
						t.Errorf("%v has the flags %v, want %v", e.Ref, e.Flags, want[e.Ref.UID])
					}
				}
			})
		})
	}
}

// TestGone guards that what the source shows no more stays, marked, and is no more so when it is shown again.
func TestGone(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			uids := s.deliver("Work", 0, 20)
			s.deliver("Old", 20, 25)
			s.want("at first", fates{fetched: 25, bodies: 25})
			for _, uid := range uids[5:9] {
				s.acct.Expunge("Work", uid)
			}
			s.acct.DeleteMailbox("Old")
			s.want("with less", fates{known: 16})
			s.wantLive("with less", "Work", 16, 4)
			s.wantLive("with less", "Old", 0, 5)
			if n := len(s.held("Work")) + len(s.held("Old")); n != 25 {
				t.Errorf("%d files are left of 25", n)
			}

			// Four come back as new messages, and the folder does.
			s.deliver("Work", 5, 9)
			s.deliver("Old", 20, 25)
			vouched := slices.Contains(server.With, "OBJECTID")
			sampled := 2
			if vouched {
				sampled = 0
			}
			rep, err := s.run()
			if err != nil || rep.Known+rep.Linked != 25 || rep.Fetched > 0 || s.bodies() != sampled {
				t.Errorf("with all back: %+v, %v, %d bodies", rep, err, s.bodies())
			}
			s.wantLive("with all back", "Work", 20, 0)
			s.wantLive("with all back", "Old", 5, 0)
			s.judge("with all back", "Work", "Old")
		})
	}
}

// TestRenamedFolder guards that a folder under another name is the same folder.
func TestRenamedFolder(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			uids := s.deliver("Work", 0, 20)
			s.fill(mail.Inbox)
			s.want("at first", fates{fetched: 32, bodies: 32})
			s.acct.Rename("Work", "Projects")
			s.acct.Expunge("Projects", uids[4])
			s.acct.SetFlags("Projects", uids[7], `\Seen`)
			s.deliver("Projects", 50, 53)
			s.want("with a folder renamed", fates{known: 31, fetched: 3, bodies: 3})
			if !contains(s.notes, "Work is called Projects now") {
				t.Errorf("it says %q", s.notes)
			}
			s.wantLive("with a folder renamed", "Projects", 22, 1)
			s.wantLive("with a folder renamed", "Work", 0, 0)
			s.want("again", fates{known: 34})

			// Two change their names, and a new one takes an old name.
			s.deliver("Other", 60, 70)
			s.want("with one more", fates{known: 34, fetched: 10, bodies: 10})
			s.acct.Rename("Other", "between")
			s.acct.Rename("Projects", "Other")
			s.acct.Rename("between", "Projects")
			s.deliver("Work", 80, 82)
			s.want("with names exchanged", fates{known: 44, fetched: 2, bodies: 2})
			s.judge("with names exchanged", "Projects", "Work", mail.Inbox)
			s.wantLive("with names exchanged", "Other", 22, 1)
			s.want("again", fates{known: 46})
		})
	}
}

// TestRenumberedFolder guards that a new UIDVALIDITY costs the sample, and loses and doubles nothing.
func TestRenumberedFolder(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			uids := s.deliver("Work", 0, 250)
			s.fill(mail.Inbox)
			s.want("at first", fates{fetched: 262, bodies: 262})
			s.acct.Expunge("Work", uids[17])
			s.acct.Renumber("Work", 4711)
			s.acct.Renumber(mail.Inbox, 4712)
			sampled := 3 + 1 // one of a hundred
			if slices.Contains(server.With, "OBJECTID") {
				sampled = 0
			}
			s.want("numbered anew", fates{known: 261, bodies: sampled})
			s.judge("numbered anew", mail.Inbox)
			s.wantLive("numbered anew", "Work", 249, 1)
			s.wantLive("numbered anew", mail.Inbox, 12, 0)
			s.want("again", fates{known: 261})
		})
	}
}

// TestCopies guards that what is in another folder already is not fetched again, and two contents are never taken for
// one.
func TestCopies(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.fill(mail.Inbox)
			s.deliver("Work", 0, 20)
			s.want("at first", fates{fetched: 32, bodies: 32})
			s.fill("Copy")
			s.deliver("Copy", 0, 20)
			sampled := 1
			if slices.Contains(server.With, "OBJECTID") {
				sampled = 0
			}
			s.want("with copies", fates{known: 32, linked: 32, bodies: sampled})
			s.judge("with copies", mail.Inbox, "Work", "Copy")
			s.want("again", fates{known: 64})
		})
	}
	for name, server := range servers {
		t.Run(name+", two contents", func(t *testing.T) {
			s := newScene(t, server)
			one, two := letter(1), letter(1)
			two.Octets = slices.Clone(one.Octets)
			two.Octets[len(two.Octets)-3] = 'y'
			s.acct.Deliver("Work", one)
			s.acct.Deliver("Work", two)
			s.want("at first", fates{fetched: 2, bodies: 2})
			s.acct.Deliver("Copy", one)
			s.acct.Deliver("Copy", two)
			s.acct.Deliver("Copy", one)
			if slices.Contains(server.With, "OBJECTID") {
				s.want("with copies", fates{known: 2, linked: 3})
			} else {
				s.want("with copies", fates{known: 2, fetched: 3, bodies: 3})
			}
			s.judge("with copies", "Work", "Copy")
		})
	}
}

// TestLooksLikeACopy guards that a message with the size, time and header of an archived one, and another body, is
// found out by the sample.
func TestLooksLikeACopy(t *testing.T) {
	s := newScene(t, plain)
	s.acct.Deliver("Work", letter(1))
	s.want("at first", fates{fetched: 1, bodies: 1})
	other := letter(1)
	other.Octets[len(other.Octets)-3] = 'y'
	s.acct.Deliver("Copy", other)
	s.want("with a false copy", fates{known: 1, fetched: 1, bodies: 2})
	s.judge("with a false copy", "Work", "Copy")
	if !contains(s.notes, "are others") {
		t.Errorf("it says %q", s.notes)
	}
}

// TestMoved guards that 5,000 messages in another folder cost no body where the server vouches for them, and few
// elsewhere.
func TestMoved(t *testing.T) {
	const messages = 5000
	for name, tc := range map[string]struct {
		server postoffice.Trouble
		bodies int
	}{
		"EMAILID":    {modern, 0},
		"X-GM-MSGID": {postoffice.Trouble{With: []string{"X-GM-EXT-1"}}, 0},
		"by headers": {counted, messages / 100},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, tc.server)
			uids := s.deliver("From", 0, messages)
			s.want("at first", fates{fetched: messages, bodies: messages})
			for i, uid := range uids {
				s.acct.Deliver("To", letter(i))
				s.acct.Expunge("From", uid)
			}
			s.want("moved", fates{linked: messages, bodies: tc.bodies})
			s.wantLive("moved", "From", 0, messages)
			s.wantLive("moved", "To", messages, 0)
			s.judge("moved", "To")
			t.Logf("%d messages moved: %d bodies, %d commands", messages, s.bodies(), len(s.said()))
		})
	}
}

// TestAllMailFirst guards that the mailbox with all mail is fetched, and labels are linked to it.
func TestAllMailFirst(t *testing.T) {
	s := newScene(t, postoffice.Trouble{With: []string{"CONDSTORE", "X-GM-EXT-1"}})
	s.deliver(mail.Inbox, 0, 10)
	s.deliver("Label", 5, 15)
	s.acct.CreateMailbox("[Gmail]/All Mail", `\All`)
	s.deliver("[Gmail]/All Mail", 0, 20)
	s.want("at first", fates{fetched: 20, linked: 20, bodies: 20})
	s.judge("at first", mail.Inbox, "Label", "[Gmail]/All Mail")
	if opened := slices.IndexFunc(s.said(), func(c string) bool { return strings.HasPrefix(c, "EXAMINE") }); !strings.Contains(s.said()[opened], "All Mail") {
		t.Errorf("it opens %q first", s.said()[opened])
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
			if err != nil || rep.Fetched != 4 || len(rep.Partial) != 1 || rep.Partial[0].Mailbox != "Work" {
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

// TestPhantom guards that a message the server lists for ever and never hands over is a failure, and not gone.
func TestPhantom(t *testing.T) {
	s := newScene(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UID FETCH", Match: func(m postoffice.Message) bool { return hasText(m, "<letter-7@") }, Say: "OK done"}}})
	s.deliver("Work", 0, 20)
	rep, err := s.run()
	if err != nil || rep.Fetched != 19 || rep.Failed != 1 || rep.Vanished != 0 || !strings.Contains(rep.Failures[0].Reason, "lists the message") {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestAskedToStop guards that a run that is asked to stop ends with what it has, and the next one goes on.
func TestAskedToStop(t *testing.T) {
	s := newScene(t, modern)
	for n := range 10 {
		s.deliver(fmt.Sprintf("Folder %d", n), 100*n, 100*n+10)
	}
	s.stop = make(chan struct{})
	archived := 0
	s.watch = func(e progress.Event) {
		if e, ok := e.(progress.Archived); ok {
			if archived += e.Messages; archived == 40 {
				close(s.stop)
			}
		}
	}
	rep, err := s.run()
	if !errors.Is(err, retry.ErrStopped) || rep.Fetched != 40 {
		t.Errorf("%+v, %v", rep, err)
	}
	s.stop = nil
	s.want("afterwards", fates{known: 40, fetched: 60, bodies: 60})
}

// TestWanted guards that folders that are not wanted are not opened, and what is archived of them is not gone.
func TestWanted(t *testing.T) {
	s := newScene(t, plain)
	s.deliver("Work", 0, 5)
	s.deliver("Spam", 10, 15)
	s.deliver("Trash", 20, 25)
	s.wanted = func(mb mail.Mailbox) bool { return mb.Name != "Trash" }
	s.want("without Trash", fates{fetched: 10, bodies: 10})
	s.wanted = func(mb mail.Mailbox) bool { return mb.Name == "Work" }
	s.want("Work only", fates{known: 5})
	s.wantLive("Work only", "Spam", 5, 0)
	if _, err := os.Stat(filepath.Join(s.dir, ".Trash")); err == nil {
		t.Error("there is a directory for a folder that was never wanted")
	}
}
