package migrate_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

var allKinds = mail.MakeFlags(`\Seen`, `\Deleted`, "work", "$Label1")

// permanent has SELECT claim that the mailbox keeps these flags.
func permanent(flags string) postoffice.Rewrite {
	return postoffice.Replace("SELECT", `PERMANENTFLAGS \([^)]*\)`, `PERMANENTFLAGS (`+flags+`)`)
}

// noKeywords refuses an APPEND with a keyword, as Mailutils does.
var noKeywords = postoffice.Fault{Verb: "APPEND", Say: "BAD invalid flag",
	Match: func(m postoffice.Message) bool {
		return slices.ContainsFunc(m.Flags, func(f string) bool { return f[0] != '\\' })
	}}

func noSTORE(of string) postoffice.Fault {
	return postoffice.Fault{Verb: "UID STORE", Holds: of, Say: "NO cannot keep that"}
}

// flagTroubles are the ways in which flags do not come along, and what a message has in the end.
var flagTroubles = []struct {
	why     string
	trouble postoffice.Trouble
	has     string // of allKinds
}{
	{"all are kept", postoffice.Trouble{}, `$Label1 \Seen work`},
	{"few are kept", postoffice.Trouble{Rewrite: permanent(`\Seen work`)}, `\Seen work`},
	{"none are kept", postoffice.Trouble{Rewrite: permanent(``)}, ``},
	{"keywords only after APPEND", postoffice.Trouble{Faults: []postoffice.Fault{noKeywords}}, `$Label1 \Seen work`},
	{"one of them not even then", postoffice.Trouble{Faults: []postoffice.Fault{noKeywords, noSTORE("$Label1")}}, `\Seen work`},
	{"no keywords at all", postoffice.Trouble{Faults: []postoffice.Fault{noKeywords, noSTORE("")}}, `\Seen`},
	{"STORE that lies", postoffice.Trouble{Faults: []postoffice.Fault{noKeywords, {Verb: "UID STORE", Say: "OK done"}}}, `\Seen`},
	{"APPEND that lies", postoffice.Trouble{Keep: forgetting("work")}, `$Label1 \Seen`},
}

// forgetting keeps a message without the flag.
func forgetting(flag string) func(postoffice.Message) (postoffice.Message, bool) {
	return func(m postoffice.Message) (postoffice.Message, bool) {
		m.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f string) bool { return f == flag })
		return m, true
	}
}

// TestFlags guards that flags come along as far as the server can be had to keep them, and that every one that does
// not is told of.
func TestFlags(t *testing.T) {
	for _, tc := range flagTroubles {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			tc.trouble.Without = without
			acct, srv := office(t, tc.trouble)
			dir := flagged(t, allKinds, trial.Mail()...)
			var notes []string
			p := push{dir: dir, dst: client(srv), pause: noWait, watch: func(e progress.Event) {
				if n, ok := e.(progress.Note); ok {
					notes = append(notes, n.Text)
				}
			}}
			rep, err := p.run(t.Context())
			what := fmt.Sprintf("%s, without %v", tc.why, without)
			checkFlags(t, what, tc.has, acct, rep, err)
			if told := strings.Count(strings.Join(notes, "\n"), "12 messages are there without the flag"); told != len(rep.Dropped) {
				t.Errorf("%s: noted %q of %v", what, notes, rep.Dropped)
			}
			if stores := srv.Count("UID STORE"); stores > 4 {
				t.Errorf("%s: %d STOREs of one batch", what, stores)
			}
			again, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
			if err != nil || len(again.Dropped) != len(rep.Dropped) || again.Known != again.Archived {
				t.Errorf("%s, again: %+v, %v", what, again, err)
			}
		}
	}
}

// checkFlags fails the test unless every message is there once, with these flags, and the others are reported.
func checkFlags(t *testing.T, what, has string, acct *postoffice.Account, rep migrate.Report, err error) {
	t.Helper()
	checkOnce(t, what, acct, rep, err)
	want := mail.MakeFlags(strings.Fields(has)...)
	for _, m := range acct.Messages(mail.Inbox) {
		if got := mail.MakeFlags(m.Flags...); !got.Equal(want) {
			t.Errorf("%s: a message has %v, want %v", what, got, want)
			break
		}
	}
	lost := allKinds.Without(want)
	for _, f := range lost {
		if rep.Dropped[f] != 12 {
			t.Errorf("%s: %d messages are said to lack %s, want 12", what, rep.Dropped[f], f)
		}
	}
	if len(rep.Dropped) != len(lost) {
		t.Errorf("%s: %v are said to be lacking, want %v", what, rep.Dropped, lost)
	}
}

// TestFlagsStoppedAnywhere guards that no flag is forgotten without a word, whatever a push dies at: between APPEND and
// STORE too.
func TestFlagsStoppedAnywhere(t *testing.T) {
	const has = `\Seen work`
	for _, without := range [][]string{nil, {"UIDPLUS"}} {
		steps, atStore := 0, 0
		for n := 1; ; n++ {
			acct, srv := office(t, postoffice.Trouble{Without: without, Faults: []postoffice.Fault{noKeywords, noSTORE("$Label1")}})
			dir := flagged(t, allKinds, trial.Mail()...)
			w := &world{stopAt: n}
			rep, err := push{dir: dir, world: w, dst: mortal{client(srv), w}, pause: noWait}.run(t.Context())
			if w.stopped == "" {
				checkFlags(t, "undisturbed", has, acct, rep, err)
				break
			}
			if strings.HasPrefix(w.stopped, "STORE") {
				atStore++
			}
			what := fmt.Sprintf("resumed after step %d (%s), without %v", n, w.stopped, without)
			if err != nil && !errors.Is(err, errStopped) {
				t.Errorf("%s: %v", what, err)
			}
			rep, err = push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
			checkFlags(t, what, has, acct, rep, err)
			srv.Close()
			os.RemoveAll(dir)
			steps++
		}
		if atStore == 0 {
			t.Errorf("without %v: never stopped at a STORE", without)
		}
		t.Logf("without %v: %d steps run, %d of them at STORE", without, steps, atStore)
	}
}

// TestFlagsCut guards the same for a line that breaks within a run.
func TestFlagsCut(t *testing.T) {
	for _, do := range []postoffice.Deed{postoffice.Nothing, postoffice.Done} {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			acct, srv := office(t, postoffice.Trouble{Without: without, Faults: []postoffice.Fault{
				noKeywords, {Verb: "UID STORE", Times: 1, Do: do, End: postoffice.FIN}}})
			rep, err := push{dir: flagged(t, allKinds, trial.Mail()...), dst: client(srv), pause: noWait}.run(t.Context())
			checkFlags(t, fmt.Sprintf("STORE cut off (%d), without %v", do, without), `$Label1 \Seen work`, acct, rep, err)
		}
	}
}
