package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/migrate"
)

// withID is a message of that Message-ID, none if it is "", and body.
func withID(id, body string) []byte {
	if id != "" {
		id = "Message-ID: <" + id + ">\r\n"
	}
	return []byte(id + "From: a@x.example\r\nSubject: " + body + "\r\n\r\n" + body + "\r\n")
}

func withIDs(pairs ...string) (all [][]byte) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, withID(pairs[i], pairs[i+1]))
	}
	return all
}

// bodies returns what the messages hold, in order.
func bodies(messages [][]byte) (all []string) {
	for _, m := range messages {
		_, body, _ := bytes.Cut(m, []byte("\r\n\r\n"))
		all = append(all, strings.TrimSpace(string(body)))
	}
	return all
}

// TestMergeByID guards that one message of each Message-ID is brought, the first that the server takes, and that every other
// is named with the one it is merged into.
func TestMergeByID(t *testing.T) {
	refuse := func(what string) []postoffice.Fault {
		match := func(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte(what)) }
		return []postoffice.Fault{{Verb: "APPEND", Match: match, Say: "NO we do not like that"}}
	}
	many := withIDs("x", "0")
	for i := range 150 { // more than a batch
		many = append(many, withID("x", fmt.Sprint(i+1)))
	}
	for _, tc := range []struct {
		why     string
		there   [][]byte
		archive [][]byte
		faults  []postoffice.Fault
		shown   string // bodies
		present int
		merged  int
		refused int
	}{
		{"several in one batch", nil, withIDs("x", "a", "y", "b", "x", "c", "x", "d"), nil, "a b", 0, 2, 0},
		{"more than a batch", nil, many, nil, "0", 0, 150, 0},
		{"without a Message-ID none is merged", nil, withIDs("", "a", "", "a", "", "b"), nil, "a a b", 0, 0, 0},
		{"one is there, of another content", withIDs("x", "there"), withIDs("x", "a", "y", "b"), nil, "there b", 0, 1, 0},
		{"one is there, of the same content", withIDs("x", "a"), withIDs("x", "a", "x", "a"), nil, "a", 1, 1, 0},
		{"the second is there", withIDs("x", "b"), withIDs("x", "a", "x", "b"), nil, "b", 1, 1, 0},
		{"two are there", withIDs("x", "1", "x", "2"), withIDs("x", "a"), nil, "1 2", 0, 1, 0},
		{"the first is refused", nil, withIDs("x", "a", "x", "b", "x", "c"), refuse("Subject: a"), "b", 0, 1, 1},
		{"all but the last are refused", nil, withIDs("x", "a", "x", "a", "x", "b"), refuse("Subject: a"), "b", 0, 0, 2},
		{"Message-IDs that servers show otherwise", withIDs("b@X", "there"), [][]byte{[]byte("Message-ID:\r\n <b@\xe4>  (added)\r\n\r\nx\r\n")}, nil, "there", 0, 1, 0},
		{"their case counts", withIDs("X", "there"), withIDs("x", "a"), nil, "there a", 0, 0, 0},
	} {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			what := fmt.Sprintf("%s, without %v", tc.why, without)
			acct, srv := office(t, postoffice.Trouble{Without: without, Faults: tc.faults})
			for _, m := range tc.there {
				acct.Deliver(mail.Inbox, postoffice.Message{Octets: m})
			}
			p := push{dir: filled(t, tc.archive...), dst: client(srv), pause: noWait, merge: true}
			rep, err := p.run(t.Context())
			appended := len(tc.archive) - tc.present - tc.merged - tc.refused
			if err != nil || rep.Merged != tc.merged || rep.Present != tc.present || rep.Refused != tc.refused || rep.Appended != appended {
				t.Errorf("%s: %+v, %v", what, rep, err)
			}
			if got := strings.Join(bodies(shown(acct)), " "); got != tc.shown {
				t.Errorf("%s: %q are there, want %q", what, got, tc.shown)
			}
			checkMerges(t, what, acct, rep, migrate.ByID)

			appends := srv.Count("APPEND")
			for _, run := range []string{"again", "and the ledger lost"} {
				p.dst = client(srv)
				rep, err = p.run(t.Context())
				if err != nil || rep.Appended != 0 || rep.Archived != rep.Known+rep.Present+rep.Merged+rep.Refused {
					t.Errorf("%s, %s: %+v, %v", what, run, rep, err)
				}
				if n := srv.Count("APPEND") - appends; n > 0 && run == "again" {
					t.Errorf("%s, %s: %d APPENDs", what, run, n)
				}
				forget(t, p.dir)
			}
		}
	}
}

// checkMerges: each merge names one message that is there; by their Message-ID it has the same.
func checkMerges(t *testing.T, what string, acct *postoffice.Account, rep migrate.Report, by string) {
	t.Helper()
	if len(rep.Merges) != rep.Merged {
		t.Errorf("%s: %d merged, and %d listed", what, rep.Merged, len(rep.Merges))
	}
	for _, m := range rep.Merges {
		at := slices.IndexFunc(acct.Messages(m.Mailbox), func(s postoffice.Message) bool { return s.UID == m.UID })
		if at < 0 || m.By != by || m.Ref.Mailbox == "" || by == migrate.ByID && m.MessageID == "" {
			t.Errorf("%s: %+v", what, m)
		}
	}
}

// TestMergeByIDWhenTheFirstFails: a message that cannot be read here does not take the others with it.
func TestMergeByIDWhenTheFirstFails(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	dir := filled(t, withIDs("x", "a", "x", "b", "x", "c")...)
	files, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if octets, _ := os.ReadFile(f); bytes.Contains(octets, []byte("Subject: a")) {
			if err := os.WriteFile(f, bytes.Replace(octets, []byte("Subject: a"), []byte("Subject: z"), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	rep, err := push{dir: dir, dst: client(srv), pause: noWait, merge: true}.run(t.Context())
	if err != nil || rep.Appended != 1 || rep.Merged != 1 || rep.Failed != 1 || fmt.Sprint(bodies(shown(acct))) != "[b]" {
		t.Errorf("%+v, %v; %q", rep, err, bodies(shown(acct)))
	}
}

// TestMergeByIDIntoWhatIsThere guards that nothing is merged into a message that has been removed since an earlier run saw
// it, nor into one that the server only said it had kept.
func TestMergeByIDIntoWhatIsThere(t *testing.T) {
	for _, removed := range []int{1, 2, 3} {
		acct, srv := office(t, postoffice.Trouble{})
		for _, m := range withIDs("x", "1", "x", "2", "y", "3") {
			acct.Deliver(mail.Inbox, postoffice.Message{Octets: m})
		}
		p := push{dir: filled(t, withID("z", "z")), dst: client(srv), pause: noWait, merge: true}
		if rep, err := p.run(t.Context()); err != nil || rep.Appended != 1 {
			t.Fatal(rep, err)
		}
		for uid := range removed {
			acct.Expunge(mail.Inbox, uint32(uid+1))
		}
		fill(t, p.dir, 10, nil, withIDs("x", "a", "x", "b", "y", "c", "z", "d")...)
		p.dst = client(srv)
		rep, err := p.run(t.Context())
		want := []int{0, 4, 3, 2}[removed]
		if err != nil || rep.Merged != want || rep.Appended != 4-want {
			t.Errorf("%d removed: %+v, %v", removed, rep, err)
		}
		checkMerges(t, "", acct, rep, migrate.ByID)
	}

	acct, srv := office(t, postoffice.Trouble{Keep: losing(5)})
	p := push{dir: filled(t, withIDs("1", "1", "2", "2", "3", "3", "4", "4", "x", "a", "x", "b", "y", "c", "x", "d")...), dst: client(srv), pause: noWait, merge: true}
	rep, err := p.run(t.Context())
	if err != nil || rep.Refused != 1 || rep.Merged != 0 || rep.Failed != 2 || len(rep.Merges) != 0 {
		t.Errorf("the first of three is lost: %+v, %v", rep, err)
	}
	p.dst = client(srv)
	rep, err = p.run(t.Context())
	if err != nil || rep.Appended != 1 || rep.Merged != 1 || !slices.Contains(bodies(shown(acct)), "b") {
		t.Errorf("the first of three was lost, again: %+v, %v", rep, err)
	}
}

// TestMergeByIDLostAnswers: of two with one Message-ID one is there, whichever answer got lost.
func TestMergeByIDLostAnswers(t *testing.T) {
	runs := 0
	for _, fault := range []postoffice.Fault{
		{Do: postoffice.Done, End: postoffice.FIN}, {Do: postoffice.Nothing, End: postoffice.FIN},
		{Do: postoffice.Done, End: postoffice.Silence}, {Do: postoffice.AfterLook, End: postoffice.FIN},
	} {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			for n := range 10 {
				synctest.Test(t, func(t *testing.T) {
					fault.Verb, fault.At, fault.Times = "APPEND", n+1, 1
					acct, srv := office(t, postoffice.Trouble{Without: without, Faults: []postoffice.Fault{fault}})
					defer srv.Close()
					rep, err := push{dir: filled(t, trial.Mail()...), dst: client(srv), merge: true}.run(t.Context())
					got := shown(acct)
					lost := trial.Judge(trial.Mail(), got)
					if err != nil || len(got) != 10 || rep.Merged != 2 || rep.Failed+rep.Refused > 0 || lost.Doubled+lost.Altered > 0 || lost.Lost != 2 {
						t.Errorf("%+v, without %v: %d there, %+v, %v", fault, without, len(got), rep, err)
					}
					runs++
				})
			}
		}
	}
	t.Logf("%d answers lost: one of each Message-ID there after each", runs)
}

// oneOfEach keeps one of equal messages, as Gmail does. It notes for each it was given the UID it keeps it under, when the
// mailbox was empty at first.
func oneOfEach(under *[]int) keeping {
	kept := map[[32]byte]int{}
	return func(m postoffice.Message) (postoffice.Message, bool) {
		digest := sha256.Sum256(m.Octets)
		uid, had := kept[digest]
		if !had {
			uid = len(*under) + 1
			kept[digest] = uid
		}
		*under = append(*under, uid)
		return m, !had
	}
}

// TestServersThatMerge guards that what a server keeps once is told so, by whatever UID it names, and is not called a lie.
func TestServersThatMerge(t *testing.T) {
	var mails [][]byte
	for i := range 40 {
		mails = append(mails, withID(fmt.Sprint(i), fmt.Sprint(i)))
		if i%4 == 0 {
			mails = append(mails, withID(fmt.Sprint(i), fmt.Sprint(i)))
		}
		if i == 20 {
			mails = append(mails, withID("0", "0"), withID("", "none"), withID("", "none"))
		}
	}
	const merged = 12
	for _, tc := range []struct {
		why     string
		trouble func(under *[]int) postoffice.Trouble
	}{
		{"names a new UID each time", func(*[]int) postoffice.Trouble { return postoffice.Trouble{} }},
		{"names the UID of the older one", func(under *[]int) postoffice.Trouble {
			return postoffice.Trouble{Rewrite: func(command, line string) []string {
				if before, after, ok := strings.Cut(line, "[APPENDUID 1 "); ok {
					_, rest, _ := strings.Cut(after, "]")
					line = fmt.Sprintf("%s[APPENDUID 1 %d]%s", before, (*under)[len(*under)-1], rest)
				}
				return []string{line}
			}}
		}},
		{"names none", func(*[]int) postoffice.Trouble { return postoffice.Trouble{Rewrite: noAPPENDUID} }},
		{"knows no UIDPLUS", func(*[]int) postoffice.Trouble { return postoffice.Trouble{Without: []string{"UIDPLUS"}} }},
	} {
		var under []int
		trouble := tc.trouble(&under)
		trouble.Keep = oneOfEach(&under)
		acct, srv := office(t, trouble)
		p := push{dir: filled(t, mails...), dst: client(srv), pause: noWait}
		rep, err := p.run(t.Context())
		if err != nil || rep.Merged != merged || rep.Appended != len(mails)-merged || len(rep.Failures)+len(rep.Findings) > 0 {
			t.Errorf("a server that %s: %+v, %v", tc.why, rep, err)
		}
		checkMerges(t, tc.why, acct, rep, migrate.ByServer)
		t.Logf("a server that %s: %d messages, %d appended, %d merged, %d there", tc.why, len(mails), rep.Appended, rep.Merged, len(acct.Messages(mail.Inbox)))

		appends := srv.Count("APPEND")
		p.dst = client(srv)
		if rep, err = p.run(t.Context()); err != nil || rep.Known != len(mails) || srv.Count("APPEND") != appends {
			t.Errorf("a server that %s, again: %+v, %v", tc.why, rep, err)
		}
		forget(t, p.dir)
		p.dst = client(srv)
		if rep, err = p.run(t.Context()); err != nil || rep.Present != len(mails)-merged || rep.Merged != merged || len(acct.Messages(mail.Inbox)) != len(mails)-merged {
			t.Errorf("a server that %s, and the ledger lost: %+v, %v", tc.why, rep, err)
		}
	}
}
