package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

// A shelf is a folder to be archived and how many messages it gets.
type shelf struct {
	mb mail.Mailbox
	n  int
}

func named(name string, n int) shelf {
	return shelf{mail.Mailbox{Name: name, Delim: '/'}, n}
}

// put archives messages, those of different folders in turn, so that the IDs of none lie apart from the others'.
func put(t testing.TB, a *archive.Archive, from int, shelves ...shelf) {
	t.Helper()
	for i := range 200 {
		b := a.NewBatch()
		some := false
		for _, s := range shelves {
			if i >= s.n {
				continue
			}
			octets := fmt.Appendf(nil, "Message-ID: <%d.%x@x>\r\nFrom: a@b\r\nSubject: %d\r\n\r\n%s\r\n", from+i, s.mb.Name, i, strings.Repeat("x", 10*i))
			item := mail.Item{Ref: mail.Ref{Mailbox: s.mb.Name, Validity: 1, UID: fmt.Sprint(from + i)}}
			if _, err := b.Put(item, s.mb, bytes.NewReader(octets)); err != nil {
				t.Fatal(err)
			}
			some = true
		}
		if _, err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		if !some {
			return
		}
	}
}

func shelved(t testing.TB, shelves ...shelf) *archive.Archive {
	t.Helper()
	a, err := archive.Open(inMemory(t), archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "old.example", User: user}, false); err != nil {
		t.Fatal(err)
	}
	put(t, a, 1, shelves...)
	return a
}

// notes collects what a run says.
type notes []string

func (n *notes) watch(e progress.Event) {
	if e, ok := e.(progress.Note); ok {
		*n = append(*n, e.Text)
	}
}

func mustRule(t testing.TB, s string) migrate.Rule {
	t.Helper()
	r, err := migrate.ParseRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sums(r migrate.Report) bool {
	return r.Archived == r.Known+r.Appended+r.Present+r.Merged+r.Refused+r.Failed+r.LeftOut+r.Gone
}

// Two folders that the user puts together arrive whole, whatever the order of their messages in the archive.
func TestFoldersPutTogether(t *testing.T) {
	a := shelved(t, named("One", 150), named("Two", 100), named(mail.Inbox, 1))
	acct, srv := office(t, postoffice.Trouble{})
	rules := migrate.Rules{Map: []migrate.Rule{mustRule(t, "One=Both"), mustRule(t, "Two=Both")}}
	c := client(srv)
	defer c.Close()
	rep, err := migrate.Job{Archive: a, Destination: c, Account: there, Rules: rules}.Run(t.Context())
	if err != nil || rep.Appended != 251 || !sums(rep) || len(acct.Messages("Both")) != 250 {
		t.Errorf("%+v, %v, %d in Both", rep, err, len(acct.Messages("Both")))
	}
}

// What is left out is neither brought nor failed, also when the run ends early, and is brought when it is wanted.
func TestLeftOutIsCounted(t *testing.T) {
	all := shelf{mail.Mailbox{Name: "All", Delim: '/', Role: mail.RoleAll}, 4}
	a := shelved(t, named("Keep", 3), named("Drop", 2), all)
	acct, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	job := migrate.Job{Archive: a, Destination: c, Account: there, Rules: migrate.Rules{Exclude: []migrate.Glob{migrate.ParseGlob("D*")}}}
	rep, err := job.Run(t.Context())
	if err != nil || rep.Appended != 7 || rep.LeftOut != 2 || rep.Failed != 0 || !sums(rep) {
		t.Errorf("%+v, %v", rep, err)
	}
	put(t, a, 1000, named("Drop", 1), named("Keep", 2))
	if err := job.Recount(&rep); err != nil || rep.LeftOut != 3 || rep.Failed != 2 || rep.Archived != 12 {
		t.Errorf("counted again: %+v, %v", rep, err)
	}
	job.Rules.Exclude = nil
	rep, err = job.Run(t.Context())
	if err != nil || rep.Known != 7 || rep.Appended != 5 || rep.LeftOut != 0 || !sums(rep) || len(acct.Messages("Drop")) != 3 {
		t.Errorf("wanted again: %+v, %v", rep, err)
	}
}

// A run that finds no place for a folder sends nothing at all.
func TestClashEndsTheRun(t *testing.T) {
	a := shelved(t, named("a.b", 1), named("a_b", 1), named(mail.Inbox, 1))
	acct, srv := office(t, postoffice.Trouble{})
	acct.SetNamespace("INBOX.", '.')
	c := client(srv)
	defer c.Close()
	rep, err := migrate.Job{Archive: a, Destination: c, Account: there}.Run(t.Context())
	var e *mail.Error
	if !errors.As(err, &e) || e.Cause != mail.CauseUsage || e.Scope != mail.ScopeAccount || !strings.Contains(e.Hint, "--map 'a_b=") {
		t.Errorf("%v, %+v", err, e)
	}
	if srv.Count("APPEND")+srv.Count("CREATE")+srv.Count("SELECT") > 0 || rep.Failed != 3 || !sums(rep) {
		t.Errorf("%+v, and the server heard %v", rep, srv.Commands())
	}
}

// Folders that come while the run is at work find their places; what was said of the others holds.
func TestFoldersThatComeLater(t *testing.T) {
	a := shelved(t, named(mail.Inbox, 1), named("INBOX/Sent", 2))
	acct, srv := office(t, postoffice.Trouble{})
	more := make(chan struct{})
	c := client(srv)
	defer c.Close()
	plan, err := migrate.ReadPlan("p.toml", []byte("[[folder]]\nfrom = \"Later\"\nto = \"Now\"\n[[folder]]\nfrom = \"Never\"\nleave_out = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	var rep migrate.Report
	done := make(chan struct{})
	go func() {
		defer close(done)
		rep, err = migrate.Job{Archive: a, Destination: c, Account: there, Rules: migrate.Rules{Plan: plan}, More: more}.Run(t.Context())
	}()
	more <- struct{}{}
	more <- struct{}{} // the first round is over
	put(t, a, 1, named("Later", 3))
	more <- struct{}{}
	put(t, a, 500, named("INBOX/Sent", 1))
	close(more)
	<-done
	if err == nil || !strings.Contains(err.Error(), `p.toml, line 4: the source has no folder "Never"`) {
		t.Errorf("the plan names what never came: %v", err)
	}
	if rep.Appended != 7 || len(acct.Messages("Sent")) != 3 || len(acct.Messages("Now")) != 3 || len(acct.Messages("INBOX/Sent")) != 0 {
		t.Errorf("%+v, in %v", rep, acct.Mailboxes())
	}
}

// What the server takes none of is named before the first message leaves, and so is a quota that is too small.
func TestPreflight(t *testing.T) {
	a := shelved(t, named("Big", 4), named(mail.Inbox, 1))
	_, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	for _, tc := range []struct {
		why  string
		room mail.Room
		want []string
	}{
		{"nothing said", mail.Unlimited(), nil},
		{"room enough", mail.Room{Octets: 1000, Messages: 5, Largest: 1000}, nil},
		{"too little room", mail.Room{Octets: 100, Messages: -1, Largest: -1}, []string{"the quota there leaves 100 B, and 329 B are to come"}},
		{"too few messages", mail.Room{Octets: -1, Messages: 4, Largest: -1}, []string{"the quota there leaves 4 messages, and 5 are to come"}},
		{"too large, one by one", mail.Room{Octets: -1, Messages: -1, Largest: 70}, []string{
			"too large: 83 B in Big, and the server takes 70 B: no date, a@b, 3",
			"too large: 73 B in Big, and the server takes 70 B: no date, a@b, 2"}},
		{"too large for one folder", mail.Room{Octets: -1, Messages: -1, Largest: -1, LargestIn: map[string]int64{"Big": 80}}, []string{
			"too large: 83 B in Big, and the server takes 80 B: no date, a@b, 3"}},
	} {
		p, err := migrate.Job{Archive: a, Destination: roomy{c, tc.room}, Account: there}.Preview(t.Context())
		if err != nil || fmt.Sprint(p.Warnings) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %q, %v, want %q", tc.why, p.Warnings, err, tc.want)
		}
	}
	var said notes
	stopped := errors.New("the first message leaves")
	dst := roomy{halting{c, stopped}, mail.Room{Octets: 10, Messages: -1, Largest: -1}}
	_, err := migrate.Job{Archive: a, Destination: dst, Account: there, Watch: said.watch}.Run(t.Context())
	if !errors.Is(err, stopped) || len(said) != 1 || !strings.HasPrefix(said[0], "the quota there leaves") {
		t.Errorf("%v, and it said %q before", err, said)
	}
}

// While a source is still being read, more comes than there was when the run began.
func TestRoomIsWatched(t *testing.T) {
	a := shelved(t, named(mail.Inbox, 1))
	_, srv := office(t, postoffice.Trouble{})
	c := client(srv)
	defer c.Close()
	more, first, done := make(chan struct{}), make(chan struct{}, 10), make(chan error)
	var said notes
	watch := func(e progress.Event) {
		said.watch(e)
		if _, ok := e.(progress.Confirmed); ok {
			first <- struct{}{}
		}
	}
	go func() {
		_, err := migrate.Job{Archive: a, Destination: roomy{c, mail.Room{Octets: 500, Messages: -1, Largest: -1}}, Account: there,
			Watch: watch, More: more}.Run(t.Context())
		done <- err
	}()
	<-first // the first round has its folders by now
	put(t, a, 10, named("Later", 10))
	close(more)
	if err := <-done; err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "the quota there leaves 4") {
		t.Errorf("%v, and it said %q", err, said)
	}
}

// roomy is a destination with that much room.
type roomy struct {
	migrate.Destination
	room mail.Room
}

func (r roomy) Room(context.Context) (mail.Room, error) { return r.room, nil }

// halting is a destination that stops the run at the first APPEND.
type halting struct {
	migrate.Destination
	err error
}

func (h halting) Append(context.Context, string, []mail.Outgoing, func(int, mail.Stored, error)) error {
	return h.err
}

// A folder that the server does not make keeps the others from nothing, and the person is told what can be done.
func TestFolderThatIsNotMade(t *testing.T) {
	a := shelved(t, named("good", 2), named("bad", 2))
	no := postoffice.Fault{Verb: "CREATE", Say: "NO [CANNOT] Character not allowed in mailbox name"}
	acct, srv := office(t, postoffice.Trouble{Faults: []postoffice.Fault{no}})
	acct.CreateMailbox("good", "")
	c := client(srv)
	defer c.Close()
	rep, err := migrate.Job{Archive: a, Destination: c, Account: there, Pause: noWait}.Run(t.Context())
	var e *mail.Error
	if !errors.As(err, &e) || e.Hint != "give it another name with --map 'bad=ANOTHER NAME', or leave it out with --exclude 'bad'" {
		t.Errorf("%v, %+v", err, e)
	}
	if rep.Appended != 2 || rep.Failed != 2 || !sums(rep) {
		t.Errorf("%+v", rep)
	}
}
