package backup_test

import (
	"errors"
	"fmt"
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
			s.deliver("A", 40, 41) // which has its turn
			s.acct.SetFlags("Work", uids[3], `\Seen`, "$Label1")
			s.want("at first", fates{fetched: 31, bodies: 31})
			for n, uid := range uids[:10] {
				s.acct.SetFlags("Work", uid, `\Flagged`, fmt.Sprintf("word%d", n))
			}
			s.want("with flags changed", fates{known: 31})
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

// TestEmptied guards that the mail of a folder that is a name in the tree only by now is gone, and comes back with it.
func TestEmptied(t *testing.T) {
	s := newScene(t, modern)
	s.deliver("Work", 0, 5)
	s.deliver("Work/2019", 10, 15)
	s.want("at first", fates{fetched: 10, bodies: 10})
	noSelect := modern
	noSelect.Rewrite = postoffice.Replace("LIST", `^\* LIST \(([^)]*)\) "/" "?Work"?$`, `* LIST ($1 \Noselect) "/" Work`)
	s.srv.SetTrouble(noSelect)
	s.want("without mail", fates{known: 5})
	s.wantLive("without mail", "Work", 0, 5)
	s.srv.SetTrouble(modern)
	s.want("with mail again", fates{known: 10})
	s.wantLive("with mail again", "Work", 5, 0)
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
