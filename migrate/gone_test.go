package migrate_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/migrate"
)

// TestGone guards that what the source shows no more is brought only if it is asked for, that the sums hold, and that
// an intent from before is settled all the same.
func TestGone(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	dir := inMemory(t)
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	fillFromIMAP(t, a, 5, 2)
	intent := archive.Intent{Entry: 1, Mailbox: mail.Inbox, Validity: 99, Next: 1} // it never left
	if err := a.Intend(there, []archive.Intent{intent}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		include bool
		want    migrate.Report
	}{
		{false, migrate.Report{Archived: 5, Appended: 3, Gone: 2}},
		{false, migrate.Report{Archived: 5, Known: 3, Gone: 2}},
		{true, migrate.Report{Archived: 5, Known: 3, Appended: 2}},
		{true, migrate.Report{Archived: 5, Known: 5}},
	} {
		dst := client(srv)
		rep, err := migrate.Job{Archive: a, Destination: dst, Account: there, Pause: noWait, IncludeGone: tc.include}.Run(t.Context())
		dst.Close()
		got := migrate.Report{Archived: rep.Archived, Known: rep.Known, Appended: rep.Appended, Gone: rep.Gone, Failed: rep.Failed}
		if err != nil || len(rep.Failures) > 0 || !sameCounts(got, tc.want) {
			t.Errorf("IncludeGone %v: %+v, %v; want %+v", tc.include, rep, err, tc.want)
		}
	}
	if n := len(acct.Messages(mail.Inbox)); n != 5 {
		t.Errorf("%d messages at the destination", n)
	}
}

func sameCounts(x, y migrate.Report) bool {
	return x.Archived == y.Archived && x.Known == y.Known && x.Appended == y.Appended && x.Gone == y.Gone && x.Failed == y.Failed
}

// fillFromIMAP archives n messages, of which the source shows all but the first few any more.
func fillFromIMAP(t *testing.T, a *archive.Archive, n, gone int) {
	t.Helper()
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "old.example", User: user}, false); err != nil {
		t.Fatal(err)
	}
	b := a.NewBatch()
	look := archive.Look{Complete: true}
	look.Status = mail.Status{Validity: 7, Next: uint32(n + 1), Messages: uint32(n - gone)}
	for i := range n {
		it := mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: strconv.Itoa(i + 1)}}
		body := strings.NewReader("Subject: " + it.Ref.UID + "\r\n\r\nthe message\r\n")
		if _, err := b.Put(it, mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox}, body); err != nil {
			t.Fatal(err)
		}
		if i >= gone {
			look.New = append(look.New, it)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Looked(mail.Inbox, look); err != nil {
		t.Fatal(err)
	}
}
