package backup_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

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

// TestSameUIDVALIDITY guards that folders are not taken for one because a server gives many the same UIDVALIDITY.
func TestSameUIDVALIDITY(t *testing.T) {
	s := newScene(t, plain)
	s.deliver("One", 0, 5)
	s.acct.Renumber("One", 77)
	s.deliver("Old", 10, 15)
	s.acct.Renumber("Old", 77)
	s.want("at first", fates{fetched: 10, bodies: 10})
	s.deliver("Same as One", 0, 5)
	s.acct.Renumber("Same as One", 77)
	s.acct.DeleteMailbox("Old")
	uids := s.deliver("No message of Old", 20, 28)
	for _, uid := range uids[:5] {
		s.acct.Expunge("No message of Old", uid)
	}
	s.acct.SetValidity("No message of Old", 77)
	s.want("with others", fates{known: 5, linked: 5, fetched: 3, bodies: 4})
	s.wantLive("with others", "One", 5, 0)
	s.wantLive("with others", "Same as One", 5, 0)
	s.wantLive("with others", "Old", 0, 5)
	s.wantLive("with others", "No message of Old", 3, 0)
}

// TestRenumberedWithoutDates guards that a server without INTERNALDATEs may number a folder anew.
func TestRenumberedWithoutDates(t *testing.T) {
	s := newScene(t, postoffice.Trouble{Rewrite: postoffice.Replace("UID FETCH", `INTERNALDATE "[^"]*"`, `INTERNALDATE "00-Jan-0000 00:00:00 +0000"`)})
	s.deliver("Work", 0, 50)
	s.want("at first", fates{fetched: 50, bodies: 50})
	s.acct.Renumber("Work", 4711)
	s.want("numbered anew", fates{known: 50, bodies: 1})
	s.deliver("Copies", 0, 10)
	s.want("with copies", fates{known: 50, fetched: 10, bodies: 10})
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

// TestFalselyVouched guards that a server that gives many messages one EMAILID does not make one of them.
func TestFalselyVouched(t *testing.T) {
	server := modern
	server.Rewrite = postoffice.Replace("UID FETCH", `EMAILID \([^)]*\)`, "EMAILID (M1)")
	for _, n := range []int{1, 20} {
		s := newScene(t, server)
		s.deliver("Work", 0, n)
		s.want("at first", fates{fetched: n, bodies: n})
		s.deliver("Other", 100, 120)
		s.want("with others", fates{known: n, fetched: 20, bodies: 20})
		s.judge("with others", "Work", "Other")
	}
}

// TestCopyOfDamaged guards that a copy of what turns out to be damaged in the archive is fetched.
func TestCopyOfDamaged(t *testing.T) {
	for _, name := range []string{"modern", "plain"} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, servers[name])
			s.deliver("Work", 0, 10)
			s.want("at first", fates{fetched: 10, bodies: 10})
			files := slices.Sorted(maps.Keys(whole(t, s.dir)))
			if err := os.Truncate(files[4], 7); err != nil { // which no directory tells of
				t.Fatal(err)
			}
			s.deliver("Copies", 0, 10)
			rep, err := s.run()
			if err != nil || rep.Linked != 9 || rep.Fetched < 1 || rep.Fetched > 2 {
				t.Errorf("%+v, %v", rep, err)
			}
			s.run() // which fetches the damaged one again; its file stays beside the new one
			s.judge("in the end", "Copies")
			s.wantLive("in the end", "Work", 10, 0)
			s.want("again", fates{known: 20})
		})
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
