package backup_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// gmail has mailboxes that are labels.
var gmail = postoffice.Trouble{Labels: true, With: []string{"X-GM-EXT-1", "MOVE", "CONDSTORE"}}

const allMail, bin = "[Gmail]/All Mail", "[Gmail]/Bin"

// newLabels has ten messages in All Mail, of which 0 to 5 are in the INBOX and 4 to 7 are labelled Work.
func newLabels(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, gmail)
	s.acct.CreateMailbox("Work", "")
	s.acct.CreateMailbox(allMail, `\All`)
	s.acct.CreateMailbox(bin, `\Trash`)
	s.deliver(allMail, 0, 10)
	s.deliver(mail.Inbox, 0, 6)
	s.deliver("Work", 4, 8)
	s.mustBackUp()
	return s
}

func (s *scene) mustBackUp() (rep backup.Report) {
	s.t.Helper()
	rep, err := s.run()
	if err != nil || rep.Failed > 0 {
		s.t.Fatalf("%+v, %v", rep, err)
	}
	return rep
}

// freeLabels runs free once, and returns what stays by reason, as text.
func (s *scene) freeLabels(job backup.Freeing) (gone int, stays string) {
	s.t.Helper()
	a, err := archive.Open(s.dir, archive.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Close()
	r := imap.NewRemover(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: s.srv.Dial}, login)
	defer r.Close()
	job.From, job.Archive, job.Account, job.Pause = r, a, imapAccount, noWait
	if job.Max == (backup.Ceiling{}) {
		job.Max = backup.Ceiling{N: 100, Percent: true}
	}
	plan, err := job.Plan(context.Background())
	if err == nil {
		err = job.Carry(context.Background(), plan)
	}
	sum := plan.Gone.Messages
	var all []string
	for _, stay := range slices.Sorted(maps.Keys(plan.Stays)) {
		sum += plan.Stays[stay].Messages
		all = append(all, fmt.Sprintf("%s %d", stay, plan.Stays[stay].Messages))
	}
	if err != nil || sum != plan.Listed.Messages {
		s.t.Errorf("%v; %d listed, %d have a fate: %+v", err, plan.Listed.Messages, sum, plan)
	}
	return plan.Gone.Messages, strings.Join(all, ", ")
}

// letters is which of the letters a mailbox holds.
func (s *scene) letters(mailbox string) string {
	var all []string
	for _, m := range s.acct.Messages(mailbox) {
		_, rest, _ := strings.Cut(string(m.Octets), "Subject: letter ")
		n, _, _ := strings.Cut(rest, "\r\n")
		all = append(all, n)
	}
	return strings.Join(all, " ")
}

// wouldBring returns how many messages a restore would bring, by mailbox.
func (s *scene) wouldBring() string {
	var all []string
	s.view(func(a *archive.Archive) {
		for _, mailbox := range []string{mail.Inbox, "Work", allMail} {
			entries, err := a.Pending(mail.Account{}, archive.Wanted{}, mailbox, 0, 100)
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, fmt.Sprint(len(entries)))
		}
	})
	return strings.Join(all, " ")
}

// A message with several labels counts once and goes from all of them; none of its entries is taken for deleted by the owner.
func TestFreeLabels(t *testing.T) {
	s := newLabels(t)
	if gone, stays := s.freeLabels(backup.Freeing{}); gone != 10 || stays != "" {
		t.Errorf("%d are gone; %s", gone, stays)
	}
	if s.letters(mail.Inbox)+s.letters("Work")+s.letters(allMail) != "" || len(strings.Fields(s.letters(bin))) != 10 {
		t.Errorf("left: INBOX %s, Work %s, All Mail %s, in the trash %s", s.letters(mail.Inbox), s.letters("Work"), s.letters(allMail), s.letters(bin))
	}
	for range 2 {
		s.mustBackUp()
		if got := s.wouldBring(); got != "6 4 10" {
			t.Errorf("a restore would bring %s messages, want 6 4 10", got)
		}
	}
	// What its owner takes out of the trash again, and deletes then, is deleted.
	uid := s.acct.Deliver("Work", letter(4))
	s.mustBackUp()
	if got := s.wouldBring(); got != "6 4 10" {
		t.Errorf("with one of them back, a restore would bring %s messages, want 6 4 10", got)
	}
	s.acct.Expunge("Work", uid)
	s.mustBackUp()
	if got := s.wouldBring(); got != "6 3 10" {
		t.Errorf("a restore would bring %s messages, want one less in Work", got)
	}
}

// What was labelled since the last backup stays in all of them, so that the label is not lost; and what has none of the labels
// that mail is to go from stays as well.
func TestFreeLabelsStay(t *testing.T) {
	s := newLabels(t)
	s.deliver("Work", 0, 1)
	work := func(mb mail.Mailbox) bool { return mb.Name == "Work" }
	if gone, stays := s.freeLabels(backup.Freeing{Wanted: work, Max: backup.Ceiling{N: 3}}); gone != 3 || stays != "ceiling 1, not_archived 1" {
		t.Errorf("%d are gone; %s", gone, stays)
	}
	if got := s.letters(mail.Inbox) + " | " + s.letters("Work") + " | " + s.letters(allMail); got != "0 1 2 3 | 7 0 | 0 1 2 3 7 8 9" {
		t.Errorf("left: %s", got)
	}
}
