package migrate_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/migrate"
)

// crew is a job with so many sessions beside the first.
func crew(t testing.TB, a *archive.Archive, srv *postoffice.Server, others int) migrate.Job {
	t.Helper()
	job := migrate.Job{Archive: a, Account: there, Pause: noWait}
	for i := range others + 1 {
		c := client(srv)
		t.Cleanup(func() { c.Close() })
		if i == 0 {
			job.Destination = c
		} else {
			job.Others = append(job.Others, c)
		}
	}
	return job
}

// Several sessions bring different folders at the same time: really so, and each message once.
func TestSessionsForFolders(t *testing.T) {
	var shelves []shelf
	for i := range 12 {
		shelves = append(shelves, named(fmt.Sprintf("F%02d", i), 5+10*i))
	}
	a := shelved(t, shelves...)
	acct, srv := office(t, postoffice.Trouble{OnCommand: together("APPEND", 3)})
	rep, err := crew(t, a, srv, 2).Run(t.Context())
	if err != nil || rep.Appended != 720 || !sums(rep) {
		t.Errorf("%+v, %v", rep, err)
	}
	for i, s := range shelves {
		if got := len(acct.Messages(s.mb.Name)); got != 5+10*i {
			t.Errorf("%d in %s", got, s.mb.Name)
		}
	}
	if n := srv.Count("LOGIN"); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
}

// Who has not logged in yet when all is brought is not waited for.
func TestSessionsThatComeLate(t *testing.T) {
	var shelves []shelf
	for i := range 6 {
		shelves = append(shelves, named(fmt.Sprintf("F%d", i), 2))
	}
	a := shelved(t, shelves...)
	_, srv := office(t, postoffice.Trouble{})
	pace := &dial.Pace{Every: time.Hour}
	job := migrate.Job{Archive: a, Account: there, Pause: noWait}
	for range 3 {
		c := imap.New(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: srv.Dial, Pace: pace}, login)
		t.Cleanup(func() { c.Close() })
		job.Others = append(job.Others, c)
	}
	job.Destination, job.Others = job.Others[0], job.Others[1:]
	rep, err := job.Run(t.Context())
	if err != nil || rep.Appended != 12 || srv.Count("LOGIN") != 1 {
		t.Errorf("%+v, %v, %d logins", rep, err, srv.Count("LOGIN"))
	}
}

// together has the first n connections that give a command wait for each other there.
func together(verb string, n int) func(int, string) {
	var mu sync.Mutex
	seen, all := map[int]bool{}, make(chan struct{})
	return func(conn int, command string) {
		if !strings.HasPrefix(command, verb) {
			return
		}
		mu.Lock()
		first := !seen[conn]
		if seen[conn] = true; first && len(seen) == n {
			close(all)
		}
		mu.Unlock()
		if first {
			<-all
		}
	}
}

// A server that takes one message after the other gets parts of one folder by several sessions.
func TestSessionsForOneFolder(t *testing.T) {
	for _, without := range [][]string{{"LITERAL+", "LITERAL-"}, {"LITERAL+", "UIDPLUS"}} {
		a := shelved(t, named(mail.Inbox, 150))
		acct, srv := office(t, postoffice.Trouble{Without: without, OnCommand: together("APPEND", 4)})
		rep, err := crew(t, a, srv, 3).Run(t.Context())
		if err != nil || rep.Appended != 150 || !sums(rep) || len(acct.Messages(mail.Inbox)) != 150 {
			t.Errorf("without %v: %+v, %v", without, rep, err)
		}
	}
	a := shelved(t, named(mail.Inbox, 150))
	_, srv := office(t, postoffice.Trouble{})
	if rep, err := crew(t, a, srv, 3).Run(t.Context()); err != nil || rep.Appended != 150 || srv.Count("LOGIN") != 1 {
		t.Errorf("with LITERAL+: %+v, %v, %d sessions", rep, err, srv.Count("LOGIN"))
	}
}

// Whatever a server says to a further session, the first does the work, and nobody asks twice.
func TestSessionsThatAreRefused(t *testing.T) {
	for _, no := range []string{"NO [AUTHENTICATIONFAILED] no", "NO [LIMIT] Too many connections", "BYE Maximum number of connections reached", ""} {
		f := postoffice.Fault{Verb: "LOGIN", At: 2, Say: no}
		if strings.HasPrefix(no, "BYE") {
			f.Say, f.End = "* "+no, postoffice.FIN
		} else if no == "" {
			f.End = postoffice.FIN
		}
		a := shelved(t, named("A", 90), named("B", 90), named("C", 90))
		acct, srv := office(t, postoffice.Trouble{Faults: []postoffice.Fault{f}})
		var said notes
		job := crew(t, a, srv, 3)
		job.Watch = said.watch
		rep, err := job.Run(t.Context())
		if err != nil || rep.Appended != 270 || len(acct.Messages("C")) != 90 {
			t.Errorf("%q: %+v, %v", no, rep, err)
		}
		if n := srv.Count("LOGIN"); n > 3 || !strings.Contains(fmt.Sprint(said), "going on with fewer sessions (1)") {
			t.Errorf("%q: %d logins, and was told %q", no, n, said)
		}
	}
}

// A full account ends all sessions at once: what is in flight is all that is refused.
func TestSessionsEndAtAQuota(t *testing.T) {
	a := shelved(t, named("A", 200), named("B", 200), named("C", 200))
	acct, srv := office(t, postoffice.Trouble{Faults: []postoffice.Fault{
		{Verb: "APPEND", At: 20, Say: "NO [OVERQUOTA] full"},
	}})
	job := crew(t, a, srv, 2)
	rep, err := job.Run(t.Context())
	var e *mail.Error
	if !errors.As(err, &e) || e.Cause != mail.CauseQuota || !sums(rep) {
		t.Errorf("%+v, %v", rep, err)
	}
	stored := len(acct.Messages("A")) + len(acct.Messages("B")) + len(acct.Messages("C"))
	if refused := srv.Count("APPEND") - stored; stored != 19 || refused > 3*128 {
		t.Errorf("%d stored, %d sent in vain", stored, refused)
	}
	srv.SetTrouble(postoffice.Trouble{})
	if rep, err = job.Run(t.Context()); err != nil || rep.Known != stored || rep.Known+rep.Appended != 600 {
		t.Errorf("then: %+v, %v", rep, err)
	}
}

// Lines that break under several sessions lose and double nothing, wherever they break. The one that breaks has less
// to say than the others: of what it sends no UID is named.
func TestSessionsCutAnywhere(t *testing.T) {
	for name, without := range map[string][]string{"UIDPLUS": {"LITERAL+"}, "no UIDPLUS": {"LITERAL+", "UIDPLUS"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var total trial.Verdict
			n := 0
			for conn := 1; conn <= 3; conn++ {
				for _, way := range []postoffice.Way{postoffice.FromClient, postoffice.ToClient} {
					for at := int64(1 + 13*conn); at < 4500; at += 149 {
						total.Add(cutOne(t, without, conn, postoffice.Cut{Way: way, At: at, How: postoffice.FIN}))
						n++
					}
				}
			}
			t.Logf("%d cuts under 3 sessions: %v", n, total)
		})
	}
}

func cutOne(t *testing.T, without []string, conn int, cut postoffice.Cut) trial.Verdict {
	dir := filled(t, trial.Mail()...)
	defer os.RemoveAll(dir)
	acct, srv := office(t, postoffice.Trouble{On: postoffice.Only(conn), Cut: cut, Without: without})
	defer srv.Close()
	var rep migrate.Report
	var err error
	for range 4 {
		a, oerr := archive.Open(dir, archive.Options{})
		if oerr != nil {
			t.Fatal(oerr)
		}
		job := crew(t, a, srv, 2)
		rep, err = job.Run(t.Context())
		a.Close()
		if err == nil {
			break
		}
	}
	return checkOnce(t, fmt.Sprintf("connection %d cut after %d octets", conn, cut.At), acct, rep, err)
}
