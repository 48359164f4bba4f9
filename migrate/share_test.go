package migrate_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/migrate"
)

// A copy is one message in one folder of the source.
type copyIn struct {
	mailbox  mail.Mailbox
	n        int    // tells messages apart
	identity string // the source vouches for
}

func archiveCopies(t testing.TB, a *archive.Archive, copies ...copyIn) {
	t.Helper()
	b := a.NewBatch()
	for i, c := range copies {
		octets := fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: %d\r\n\r\ntext %d\r\n", c.n, c.n, c.n)
		item := mail.Item{Identity: c.identity, Received: time.Unix(1e9, 0),
			Ref: mail.Ref{Mailbox: c.mailbox.Name, Validity: 1, UID: fmt.Sprint(100*c.n + i)}}
		if _, err := b.Put(item, c.mailbox, strings.NewReader(octets)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

var (
	inbox   = mail.Mailbox{Name: mail.Inbox, Delim: '/', Role: mail.RoleInbox}
	label   = mail.Mailbox{Name: "Label", Delim: '/'}
	starred = mail.Mailbox{Name: "[Gmail]/Starred", Delim: '/', Role: mail.RoleFlagged}
	allMail = mail.Mailbox{Name: "[Gmail]/All Mail", Delim: '/', Role: mail.RoleAll}
)

// What is in All Mail and in no other folder goes to the folder for archived mail, once; what is elsewhere does not.
func TestOnlyInAllMail(t *testing.T) {
	a := shelved(t)
	archiveCopies(t, a,
		copyIn{inbox, 1, ""}, copyIn{allMail, 1, ""},
		copyIn{label, 2, "id2"}, copyIn{allMail, 2, "id2"},
		copyIn{allMail, 3, ""}, copyIn{starred, 3, ""}, // a view is no other folder
		copyIn{label, 4, "id4"}, copyIn{allMail, 4, "id5"}, // the source vouches for two
		copyIn{allMail, 6, ""})
	acct, srv := office(t, postoffice.Trouble{})
	acct.CreateMailbox("Archiv", `\Archive`)
	c := client(srv)
	defer c.Close()
	job := migrate.Job{Archive: a, Destination: c, Account: there}
	rep, err := job.Run(t.Context())
	if err != nil || rep.Appended != 6 || rep.LeftOut != 3 || rep.Failed != 0 || !sums(rep) {
		t.Errorf("%+v, %v", rep, err)
	}
	if got := subjects(acct, "Archiv"); !slices.Equal(got, []string{"3", "4", "6"}) {
		t.Errorf("in the folder for archived mail are %q", got)
	}
	if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 0 || rep.Known != 6 || rep.LeftOut != 3 {
		t.Errorf("again: %+v, %v", rep, err)
	}
	archiveCopies(t, a, copyIn{label, 6, ""}) // it got a label meanwhile
	if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 1 || len(acct.Messages("Archiv")) != 3 {
		t.Errorf("after a move: %+v, %v", rep, err)
	}
}

// As long as the source was not gone through to its end, nobody knows what is only in All Mail.
func TestOnlyInAllMailWaits(t *testing.T) {
	a := shelved(t)
	archiveCopies(t, a, copyIn{allMail, 1, ""}, copyIn{inbox, 2, ""})
	_, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	whole := false
	job := migrate.Job{Archive: a, Destination: c, Account: there, Whole: func() bool { return whole }}
	rep, err := job.Run(t.Context())
	if err != nil || rep.Appended != 1 || rep.Failed != 1 || rep.LeftOut != 0 || !sums(rep) {
		t.Errorf("%+v, %v", rep, err)
	}
	whole = true
	if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 1 || rep.Failed != 0 {
		t.Errorf("then: %+v, %v", rep, err)
	}

	// The archive knows of a mailbox that no run has been through while others were.
	if err := a.AddMailboxes([]mail.Mailbox{inbox, allMail, label}); err != nil {
		t.Fatal(err)
	}
	if err := a.Ran(mail.Inbox, allMail.Name); err != nil {
		t.Fatal(err)
	}
	archiveCopies(t, a, copyIn{allMail, 3, ""})
	job.Whole = nil
	if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 0 || rep.Failed != 1 {
		t.Errorf("with a folder that was not looked at: %+v, %v", rep, err)
	}
	if err := a.Ran(label.Name); err != nil {
		t.Fatal(err)
	}
	if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 1 || rep.Failed != 0 {
		t.Errorf("when it was: %+v, %v", rep, err)
	}
}

func subjects(acct *postoffice.Account, mailbox string) (all []string) {
	for _, m := range acct.Messages(mailbox) {
		all = append(all, mail.ParseHeader(m.Octets).Subject)
	}
	slices.Sort(all)
	return all
}

// A message of a POP3 account: what it says of itself, and how old it is.
type letter struct {
	head string
	age  time.Duration
}

// fromPOP3 archives messages as they come over POP3: in one INBOX, without flags.
func fromPOP3(t testing.TB, a *archive.Archive, letters ...letter) {
	t.Helper()
	b := a.NewBatch()
	for _, l := range letters {
		id := fmt.Sprint("uidl", len(l.head), l.head, l.age)
		item := mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UID: id}, Received: time.Now().Add(-l.age)}
		if _, err := b.Put(item, inbox, strings.NewReader(l.head+"\r\n\r\ntext\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func popArchive(t testing.TB) *archive.Archive {
	t.Helper()
	a, err := archive.Open(inMemory(t), archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Bind(mail.Account{Protocol: "pop3", Host: "pop.example", User: user}, false); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSeen(t *testing.T) {
	const day = 24 * time.Hour
	first := []letter{
		{"Subject: old", 400 * day}, {"Subject: young", day},
		{"Subject: read\r\nStatus: RO\r\nX-Status: AF", day}, {"Subject: unread\r\nStatus: O", 400 * day},
	}
	for _, tt := range []struct {
		seen  string
		want  string // flags of the first run's, by subject
		later string // flags of a message that comes after it
	}{
		{"", `old:\Seen read:\Answered,\Flagged,\Seen unread: young:\Seen`, ""},
		{"all", `old:\Seen read:\Answered,\Flagged,\Seen unread: young:\Seen`, `\Seen`},
		{"none", `old: read:\Answered,\Flagged,\Seen unread: young:`, ""},
		{"older-than 1y", `old:\Seen read:\Answered,\Flagged,\Seen unread: young:`, ""},
		{"older-than 3w", `old:\Seen read:\Answered,\Flagged,\Seen unread: young:`, `\Seen`},
	} {
		t.Run(tt.seen, func(t *testing.T) {
			a := popArchive(t)
			fromPOP3(t, a, first...)
			acct, srv := office(t, postoffice.Trouble{})
			c := client(srv)
			defer c.Close()
			seen, err := migrate.ParseSeen(tt.seen)
			if err != nil {
				t.Fatal(err)
			}
			job := migrate.Job{Archive: a, Destination: c, Account: there, Seen: seen}
			if rep, err := job.Run(t.Context()); err != nil || rep.Appended != 4 {
				t.Fatalf("%+v, %v", rep, err)
			}
			var got []string
			for _, m := range acct.Messages(mail.Inbox) {
				got = append(got, mail.ParseHeader(m.Octets).Subject+":"+strings.Join(m.Flags, ","))
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("the first run brought\n%s, want\n%s", s, tt.want)
			}
			fromPOP3(t, a, letter{"Subject: new", 100 * day})
			if _, err := job.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := acct.Messages(mail.Inbox)
			if s := strings.Join(all[len(all)-1].Flags, ","); s != tt.later {
				t.Errorf("a later run brought %q, want %q", s, tt.later)
			}
		})
	}
}

// A first run that was cut short is still the first when it goes on.
func TestSeenAfterACut(t *testing.T) {
	a := popArchive(t)
	fromPOP3(t, a, letter{"Subject: one", time.Hour}, letter{"Subject: two", time.Hour})
	acct, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	if _, err := (migrate.Job{Archive: a, Destination: halting{c, io.ErrUnexpectedEOF}, Account: there}).Run(t.Context()); err == nil {
		t.Fatal("it was not cut")
	}
	if _, err := (migrate.Job{Archive: a, Destination: c, Account: there}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range acct.Messages(mail.Inbox) {
		if !slices.Contains(m.Flags, `\Seen`) {
			t.Errorf("brought with %v", m.Flags)
		}
	}
}

// What a mail program has marked in the archive is brought as it is marked; of an IMAP source Seen says nothing.
func TestSeenIsForMailWithoutFlags(t *testing.T) {
	a := shelved(t, named(mail.Inbox, 2))
	acct, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	all, _ := migrate.ParseSeen("all")
	if _, err := (migrate.Job{Archive: a, Destination: c, Account: there, Seen: all}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range acct.Messages(mail.Inbox) {
		if len(m.Flags) > 0 {
			t.Errorf("brought with %v", m.Flags)
		}
	}
}

func TestParseSeen(t *testing.T) {
	for _, s := range []string{"some", "older-than", "older-than x", "older-than 3", "older-than -3d", "older-than 3h", "older-than d", "3d"} {
		if _, err := migrate.ParseSeen(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"older-than=2w", "older-than:1y", "older-than 30d"} {
		if _, err := migrate.ParseSeen(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// What the owner has sent goes to the folder for sent mail, everything else stays where it belongs.
func TestSentFrom(t *testing.T) {
	a := popArchive(t)
	fromPOP3(t, a,
		letter{"Subject: 1\r\nFrom: Me <me@x.example>", time.Hour},
		letter{"Subject: 2\r\nFrom: ME@X.EXAMPLE", time.Hour},
		letter{"Subject: 3\r\nFrom: you@x.example\r\nTo: me@x.example", time.Hour},
		letter{"Subject: 4\r\nFrom: \"me@x.example\" <you@x.example>", time.Hour},
		letter{"Subject: 5\r\nFrom: \"unfinished <me@x.example>", time.Hour},
		letter{"Subject: 6", time.Hour})
	for _, rules := range []migrate.Rules{
		{SentFrom: []string{"me@x.example"}},
		{SentFrom: []string{"me@x.example"}, Map: []migrate.Rule{mustRule(t, "INBOX=Old/Mail")}},
	} {
		acct, srv := office(t, postoffice.Trouble{})
		c := client(srv)
		defer c.Close()
		to := mail.Account{Protocol: "imap", Host: "imap.example", User: fmt.Sprint(len(rules.Map))}
		job := migrate.Job{Archive: a, Destination: c, Account: to, Rules: rules}
		p, err := job.Preview(t.Context())
		if err != nil || len(p.Folders) != 2 || p.Folders[0].Waiting.Messages != 3 || p.Folders[1].Waiting.Messages != 3 {
			t.Errorf("the preview says %+v, %v", p.Folders, err)
		}
		rep, err := job.Run(t.Context())
		if err != nil || rep.Appended != 6 || !sums(rep) {
			t.Errorf("%+v, %v", rep, err)
		}
		other := mail.Inbox
		if len(rules.Map) > 0 {
			other = "Old/Mail"
		}
		if got := subjects(acct, "Sent"); !slices.Equal(got, []string{"1", "2", "5"}) {
			t.Errorf("Sent has %q", got)
		}
		if got := subjects(acct, other); !slices.Equal(got, []string{"3", "4", "6"}) {
			t.Errorf("%s has %q", other, got)
		}
		if rep, err = job.Run(t.Context()); err != nil || rep.Appended != 0 || rep.Known != 6 {
			t.Errorf("again: %+v, %v", rep, err)
		}
	}
}

// A plan cannot take folders apart; it says so and leaves it to the flag.
func TestPlanOfParts(t *testing.T) {
	source := migrate.Tree{Mailboxes: []mail.Mailbox{inbox, allMail}}
	steps, err := migrate.Map(source, migrate.Tree{Mailboxes: []mail.Mailbox{inbox}}, migrate.Rules{SentFrom: []string{"me@x"}})
	if err != nil || len(steps) != 3 {
		t.Fatalf("%v, %v", steps, err)
	}
	text := migrate.WritePlan("x", steps, func(migrate.Step) string { return "1 message" })
	if n := bytes.Count(text, []byte("\n[[folder]]")); n != 1 || bytes.Count(text, []byte("A part of")) != 2 {
		t.Errorf("%d folders in\n%s", n, text)
	}
}
