package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// numbered returns messages of these numbers, each told from the others by every field.
func numbered(from, to int) (all [][]byte) {
	for i := from; i < to; i++ {
		all = append(all, withID(fmt.Sprintf("%d@numbered.example", i), fmt.Sprintf("the message %d", i)))
	}
	return all
}

func deliver(acct *postoffice.Account, messages ...[]byte) {
	for _, m := range messages {
		acct.Deliver(mail.Inbox, postoffice.Message{Octets: m, Received: time.Unix(1e9, 0)})
	}
}

// heard returns what a run has said to the server.
func heard(t *testing.T, srv *postoffice.Server, run func()) (commands []string, octets int64) {
	t.Helper()
	said, lines := len(srv.Commands()), len(srv.Traffic())
	run()
	for _, line := range srv.Traffic()[lines:] {
		octets += line.ToClient
	}
	return srv.Commands()[said:], octets
}

// TestListingIsRemembered guards that a run lists of a mailbox what has come since the last one, however much is there.
func TestListingIsRemembered(t *testing.T) {
	var first []string
	for _, n := range []int{300, 5000} {
		acct, srv := office(t, postoffice.Trouble{})
		deliver(acct, numbered(0, n)...)
		p := push{dir: filled(t, numbered(n-10, n+90)...), pause: noWait}
		once := func(what string, present, appended int) []string {
			t.Helper()
			commands, octets := heard(t, srv, func() {
				p.dst = client(srv)
				rep, err := p.run(t.Context())
				if err != nil || rep.Present != present || rep.Appended != appended || rep.Failed+rep.Refused > 0 {
					t.Errorf("%s: %+v, %v", what, rep, err)
				}
			})
			t.Logf("%d there, %s: %d commands, %d octets from the server", n, what, len(commands), octets)
			return commands
		}
		once("the first run", 10, 90)
		fill(t, p.dir, 1000, nil, numbered(n+90, n+91)...)
		commands := once("one message more", 0, 1)
		if said := strings.Join(commands, "\n"); strings.Contains(said, "FETCH 1:") {
			t.Errorf("with %d there, the second run listed all again:\n%s", n, said)
		}
		if first == nil {
			first = commands
		} else if len(first) != len(commands) {
			t.Errorf("%d commands with 300 messages there, %d with %d", len(first), len(commands), n)
		}
		deliver(acct, numbered(n+91, n+93)...)
		fill(t, p.dir, 2000, nil, append(numbered(n+91, n+93), numbered(5, 6)...)...)
		if more := once("two that somebody else has brought, and one that was there", 3, 0); len(more) > len(commands) {
			t.Errorf("with %d there, the third run took %d commands", n, len(more))
		}
		once("nothing new", 0, 0)
	}
}

// TestListingIsForgotten guards that what is remembered of a mailbox keeps nobody from seeing what is in it: what is there is
// recognised, what is not is brought, whatever was done to the mailbox between two runs.
func TestListingIsForgotten(t *testing.T) {
	early, late := numbered(0, 50), numbered(100, 102)
	for _, tc := range []struct {
		why     string
		between func(acct *postoffice.Account)
	}{
		{"nothing", func(*postoffice.Account) {}},
		{"numbered anew", func(acct *postoffice.Account) { acct.Renumber(mail.Inbox, 99) }},
		{"numbered anew, the UIDs are what they were", func(acct *postoffice.Account) { acct.SetValidity(mail.Inbox, 99) }},
		{"made again in the same UIDVALIDITY, with less mail", func(acct *postoffice.Account) { remade(acct, early[40:]) }},
		{"made again in the same UIDVALIDITY, with as much", func(acct *postoffice.Account) { remade(acct, append(numbered(300, 311), early[:40]...)) }},
		{"made again in the same UIDVALIDITY, with more", func(acct *postoffice.Account) { remade(acct, append(numbered(300, 400), early...)) }},
		{"one removed", func(acct *postoffice.Account) { expunge(acct, 3, 4) }},
		{"the last ones removed", func(acct *postoffice.Account) { expunge(acct, 45, 99) }},
		{"most removed", func(acct *postoffice.Account) { expunge(acct, 1, 45) }},
		{"all removed", func(acct *postoffice.Account) { expunge(acct, 1, 99) }},
	} {
		for _, then := range []string{"", "and the ledger lost"} {
			what := tc.why + " " + then
			acct, srv := office(t, postoffice.Trouble{})
			deliver(acct, early...)
			p := push{dir: filled(t, numbered(200, 201)...), dst: client(srv), pause: noWait}
			if rep, err := p.run(t.Context()); err != nil || rep.Appended != 1 {
				t.Fatal(rep, err)
			}
			tc.between(acct)
			deliver(acct, late[0])
			was := shown(acct)
			there := func(m []byte) bool {
				return slices.ContainsFunc(was, func(o []byte) bool { return bytes.Equal(m, o) })
			}
			fill(t, p.dir, 1000, nil, append(late, early...)...)
			known := 1
			if then != "" {
				forget(t, p.dir)
				known = 0
			}
			present := 0
			for _, m := range append(late, early...) {
				if there(m) {
					present++
				}
			}
			if known == 0 && there(numbered(200, 201)[0]) {
				present++
			}
			p.dst = client(srv)
			rep, err := p.run(t.Context())
			if err != nil || rep.Known != known || rep.Present != present || rep.Appended != 53-known-present {
				rep.Failures, rep.Merges = nil, nil
				t.Errorf("%s: %+v, %v; want %d present", what, rep, err, present)
			}
			if v := trial.Judge(append(late, early...), shown(acct)); v.Lost+v.Doubled > 0 {
				t.Errorf("%s: %v", what, v)
			}
		}
	}
}

// remade deletes the INBOX and makes another that looks like it.
func remade(acct *postoffice.Account, messages [][]byte) {
	validity := acct.Validity(mail.Inbox)
	acct.DeleteMailbox(mail.Inbox)
	acct.CreateMailbox(mail.Inbox, "")
	acct.SetValidity(mail.Inbox, validity)
	deliver(acct, messages...)
}

func expunge(acct *postoffice.Account, from, to uint32) {
	for uid := from; uid < to; uid++ {
		acct.Expunge(mail.Inbox, uid)
	}
}

// TestMailThatComesMeanwhile guards that a message that both accounts get while a run is at work is there once.
func TestMailThatComesMeanwhile(t *testing.T) {
	all := numbered(0, 600) // of several batches
	for _, without := range [][]string{nil, {"UIDPLUS"}, {"LITERAL+", "LITERAL-"}} {
		acct, srv := office(t, postoffice.Trouble{Without: without})
		appends := 0
		srv.SetTrouble(postoffice.Trouble{Without: without, OnCommand: func(_ int, command string) {
			if !strings.HasPrefix(command, "APPEND") {
				return
			}
			if appends++; appends == 10 || appends == 100 {
				deliver(acct, all[appends+390])
			}
		}})
		rep, err := push{dir: filled(t, all...), dst: client(srv), pause: noWait}.run(t.Context())
		if v := trial.Judge(all, shown(acct)); err != nil || v != (trial.Verdict{}) || rep.Present != 2 || rep.Appended != 598 {
			t.Errorf("without %v: %+v, %v, %v", without, rep, v, err)
		}
	}
}

// TestListingOfAnEndedRun guards that what a run has appended before it had to end is not listed by the next.
func TestListingOfAnEndedRun(t *testing.T) {
	_, srv := office(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "APPEND", At: 150, Say: "NO [OVERQUOTA] full"}}})
	p := push{dir: filled(t, numbered(0, 200)...), dst: client(srv), pause: noWait}
	if rep, err := p.run(t.Context()); causeOf(err) != mail.CauseQuota || rep.Appended != 149 {
		t.Fatal(rep, err)
	}
	srv.SetTrouble(postoffice.Trouble{})
	p.dst = client(srv)
	commands, _ := heard(t, srv, func() {
		if rep, err := p.run(t.Context()); err != nil || rep.Appended != 51 {
			t.Error(rep, err)
		}
	})
	for _, c := range commands {
		if listed, ok := strings.CutPrefix(c, "UID FETCH "); ok && listed[0] != '1' || strings.HasPrefix(listed, "1:") {
			t.Errorf("after 149 messages the next run said %s", c)
		}
	}
}

// TestSparseUIDs guards that a server that leaves out UIDs is not taken for one that gets mail all the time.
func TestSparseUIDs(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	srv.SetTrouble(postoffice.Trouble{OnCommand: func(_ int, command string) {
		if strings.HasPrefix(command, "APPEND") {
			acct.Expunge(mail.Inbox, acct.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("x")}))
		}
	}})
	all := numbered(0, 500)
	rep, err := push{dir: filled(t, all...), dst: client(srv), pause: noWait}.run(t.Context())
	if n := srv.Count("UID FETCH"); err != nil || rep.Appended != 500 || n > 6 {
		t.Errorf("%d FETCHes, %+v, %v", n, rep, err)
	}
}

// TestListingStoppedAnywhere guards that a run that dies leaves no mailbox taken for listed that was not: what somebody else
// brings there afterwards is seen.
func TestListingStoppedAnywhere(t *testing.T) {
	all := numbered(0, 12)
	for name, trouble := range servers {
		n := 1
		for ; ; n++ {
			acct, srv := office(t, trouble)
			deliver(acct, all[:5]...)
			dir := filled(t, all[2:8]...)
			w := &world{stopAt: n}
			_, err := push{dir: dir, world: w, dst: mortal{client(srv), w}, pause: noWait}.run(t.Context())
			if err != nil && !errors.Is(err, errStopped) {
				t.Errorf("%s, stopped at step %d: %v", name, n, err)
			}
			deliver(acct, all[9:11]...)
			fill(t, dir, 1000, nil, append(all[8:12:12], all[0:2]...)...)
			rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
			if v := trial.Judge(all, shown(acct)); err != nil || v != (trial.Verdict{}) || rep.Archived != 12 || rep.Failed+rep.Refused > 0 {
				t.Errorf("%s, resumed after step %d (%s): %v, %+v, %v", name, n, w.stopped, v, rep, err)
			}
			srv.Close()
			os.RemoveAll(dir)
			if w.stopped == "" {
				break
			}
		}
		t.Logf("%s: stopped at %d steps; lost 0, doubled 0 after each", name, n-1)
	}
}

// BenchmarkListing brings one message each to a mailbox of 100,000: a first run lists them, a second remembers.
func BenchmarkListing(b *testing.B) {
	const messages = 100_000
	for b.Loop() {
		acct, srv := office(b, postoffice.Trouble{})
		deliver(acct, numbered(0, messages)...)
		p := push{dir: filled(b, numbered(messages, messages+1)...), pause: noWait}
		for i, run := range []string{"first", "second"} {
			fill(b, p.dir, 1000*(i+1), nil, numbered(messages+1+i, messages+2+i)...)
			p.dst = client(srv)
			took, heap := measured(func() {
				rep, err := p.run(b.Context())
				if err != nil || rep.Appended < 1 || rep.Failed > 0 {
					b.Fatal(rep, err)
				}
			})
			b.ReportMetric(took.Seconds(), run+"-s")
			b.ReportMetric(heap/1e6, run+"-MB")
		}
		b.ReportMetric(0, "ns/op")
		srv.Close()
	}
}

// measured returns how long do took and the most the heap had grown meanwhile.
func measured(do func()) (time.Duration, float64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
	}()
	began := time.Now()
	do()
	took := time.Since(began)
	close(stop)
	<-stopped
	return took, float64(most - before)
}
