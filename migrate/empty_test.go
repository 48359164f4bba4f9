package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/migrate"
)

// TestFolderTree guards that a restore gives back the folders that the source shows, empty ones too, each subscribed to
// as it was there; that it does so once, and does not undo what a person does there afterwards.
func TestFolderTree(t *testing.T) {
	seen := func(name string) mail.Mailbox { return mail.Mailbox{Name: name, Delim: '/', Subscribed: true} }
	unseen := func(name string) mail.Mailbox { return mail.Mailbox{Name: name, Delim: '/'} }
	tree := []shelf{{seen("Full"), 2}, {unseen("Quiet"), 1}, {seen("Empty"), 0}, {unseen("Empty/too"), 0}, {seen("Was there"), 0},
		{seen("Gone"), 1}, {seen("Gone empty"), 0}, {mail.Mailbox{Name: "Top", Delim: '/', NoSelect: true}, 0}}
	for _, tc := range []struct {
		why   string
		tells bool // which folders are subscribed to
		gone  bool // are brought too
		want  []string
	}{
		{"as it was", true, false, []string{"Empty true", "Empty/too false", "Full true", "INBOX true", "Quiet false", "Was there true"}},
		{"with what is gone", true, true, []string{"Empty true", "Empty/too false", "Full true", "Gone true", "INBOX true", "Quiet false", "Was there true"}},
		{"without a word of subscriptions", false, false, []string{"Empty true", "Empty/too true", "Full true", "INBOX true", "Quiet true", "Was there false"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			shelves := slices.Clone(tree)
			for i := range shelves {
				shelves[i].mb.Subscribed = shelves[i].mb.Subscribed && tc.tells
			}
			a := shelved(t, shelves...)
			var all, left []mail.Mailbox
			for _, s := range shelves {
				all = append(all, s.mb)
				if !strings.HasPrefix(s.mb.Name, "Gone") {
					left = append(left, s.mb)
				}
			}
			if err := a.AddMailboxes(all); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Shown(left); err != nil {
				t.Fatal(err)
			}
			acct, srv := office(t, postoffice.Trouble{})
			acct.CreateMailbox("Was there", "")
			acct.Subscribe("Was there", false)
			restore := func() string {
				c := client(srv)
				defer c.Close()
				rep, err := migrate.Job{Archive: a, Destination: c, Account: there, IncludeGone: tc.gone}.Run(t.Context())
				if err != nil || rep.Failed > 0 || !sums(rep) {
					t.Errorf("%+v, %v", rep, err)
				}
				return fmt.Sprint(subscriptions(t, srv))
			}
			if got := restore(); got != fmt.Sprint(tc.want) {
				t.Errorf("there are %s, want %s", got, tc.want)
			}
			acct.Subscribe("Full", false)
			acct.Subscribe("Was there", false)
			acct.DeleteMailbox("Quiet")
			made := srv.Count("CREATE")
			changed := fmt.Sprint(subscriptions(t, srv))
			if got := restore(); got != changed || srv.Count("CREATE") > made+3 {
				t.Errorf("after another restore there are %s, want %s; %d CREATEs more", got, changed, srv.Count("CREATE")-made)
			}
		})
	}
}

// subscriptions returns the names of the account's mailboxes, and whether they are subscribed to.
func subscriptions(t *testing.T, srv *postoffice.Server) (all []string) {
	t.Helper()
	s := imap.NewSource(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: srv.Dial}, login)
	defer s.Close()
	boxes, err := s.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, mb := range boxes {
		all = append(all, fmt.Sprint(mb.Name, " ", mb.Subscribed))
	}
	slices.Sort(all)
	return all
}
