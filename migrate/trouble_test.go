package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/migrate"
)

// noAPPENDUID makes the server's OK name no UID although it announces UIDPLUS.
var noAPPENDUID = postoffice.Replace("APPEND", `\[APPENDUID [^]]*\] `, "")

// TestLostAnswers guards P2 where it is hardest: the server's answer to an APPEND never comes.
func TestLostAnswers(t *testing.T) {
	var total trial.Verdict
	tried := 0
	for _, tc := range []struct {
		why   string
		fault postoffice.Fault
	}{
		{"stored, then the end of the stream", postoffice.Fault{Do: postoffice.Done, End: postoffice.FIN}},
		{"not stored, then the end of the stream", postoffice.Fault{Do: postoffice.Nothing, End: postoffice.FIN}},
		{"stored, then silence", postoffice.Fault{Do: postoffice.Done, End: postoffice.Silence}},
		{"not stored, then silence", postoffice.Fault{Do: postoffice.Nothing, End: postoffice.Silence}},
		{"stored, then BYE", postoffice.Fault{Do: postoffice.Done, Say: "* BYE going down", End: postoffice.FIN}},
		{"not stored, then BYE", postoffice.Fault{Say: "* BYE going down", End: postoffice.FIN}},
		{"stored, then garbage", postoffice.Fault{Do: postoffice.Done, Say: "* {oops", End: postoffice.FIN}},
		{"not stored, then garbage", postoffice.Fault{Say: "* {oops", End: postoffice.FIN}},
		{"stored, then what is no answer", postoffice.Fault{Do: postoffice.Done, Say: "WHAT was that"}},
		{"not stored, then what is no answer", postoffice.Fault{Say: "WHAT was that"}},
		{"stored a second later", postoffice.Fault{Do: postoffice.Late, After: time.Second, End: postoffice.FIN}},
		{"stored when somebody has looked", postoffice.Fault{Do: postoffice.AfterLook, End: postoffice.FIN}},
	} {
		for name, trouble := range servers {
			for n := range trial.Mail() {
				what := fmt.Sprintf("%s, at APPEND %d, %s", tc.why, n+1, name)
				synctest.Test(t, func(t *testing.T) {
					fault := tc.fault
					fault.Verb, fault.At, fault.Times = "APPEND", n+1, 1
					trouble.Faults = []postoffice.Fault{fault}
					acct, srv := office(t, trouble)
					defer srv.Close()
					p := push{dir: filled(t, trial.Mail()...), dst: client(srv)}
					rep, err := p.run(t.Context())
					total.Add(checkOnce(t, what, acct, rep, err))
					tried++
				})
			}
		}
	}
	t.Logf("%d lost answers: %v", tried, total)
}

// TestServersThatMisinform guards that what a server says about UIDs is a hint, not the truth.
func TestServersThatMisinform(t *testing.T) {
	for _, tc := range []struct {
		why     string
		trouble postoffice.Trouble
	}{
		{"no UIDPLUS", postoffice.Trouble{Without: []string{"UIDPLUS"}}},
		{"UIDPLUS, and no APPENDUID", postoffice.Trouble{Rewrite: noAPPENDUID}},
		{"UID and UIDVALIDITY exchanged", postoffice.Trouble{Rewrite: postoffice.Replace("APPEND", `APPENDUID (\d+) (\d+)`, "APPENDUID $2 $1")}},
		{"UID 0", postoffice.Trouble{Rewrite: postoffice.Replace("APPEND", `APPENDUID (\d+) (\d+)`, "APPENDUID $1 0")}},
		{"UID *", postoffice.Trouble{Rewrite: postoffice.Replace("APPEND", `APPENDUID (\d+) (\d+)`, "APPENDUID $1 *")}},
		{"no UIDNEXT", postoffice.Trouble{Rewrite: postoffice.Drop("SELECT", "UIDNEXT")}},
		{"no LITERAL+", postoffice.Trouble{Without: []string{"LITERAL+", "LITERAL-", "UIDPLUS"}}},
	} {
		acct, srv := office(t, tc.trouble)
		p := push{dir: filled(t, trial.Mail()...), dst: client(srv), pause: noWait}
		rep, err := p.run(t.Context())
		checkOnce(t, tc.why, acct, rep, err)
		p.dst = client(srv)
		rep, err = p.run(t.Context())
		checkOnce(t, tc.why+", again", acct, rep, err)
		if srv.Count("APPEND") != len(trial.Mail()) {
			t.Errorf("%s: %d APPENDs of %d messages", tc.why, srv.Count("APPEND"), len(trial.Mail()))
		}
	}
}

// TestRewritingServers guards that a server that changes mail is not sent it again, however the ledger got lost.
func TestRewritingServers(t *testing.T) {
	for _, tc := range []struct {
		why  string
		keep func(postoffice.Message) (postoffice.Message, bool)
	}{
		{"adds a header field", postoffice.Rewriting(postoffice.AddField("X-UID: 7"))},
		{"makes 8-bit octets of headers X", postoffice.Rewriting(postoffice.XFor8Bit)},
		{"adds a last line end", postoffice.Rewriting(finalNewline)},
	} {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			acct, srv := office(t, postoffice.Trouble{Keep: tc.keep, Without: without})
			mail := append(withFields(trial.Mail()), []byte("Message-ID: <ö@trial.example>\r\nSubject: ö\r\n\r\n8-bit\r\n"))
			rep, err := push{dir: filled(t, mail...), dst: client(srv), pause: noWait}.run(t.Context())
			if err != nil || rep.Appended != len(mail) || len(rep.Findings) > 0 {
				t.Errorf("%s, without %v: %+v, %v", tc.why, without, rep, err)
			}
			// Another archive of the same mail knows nothing of the first run.
			rep, err = push{dir: filled(t, mail...), dst: client(srv), pause: noWait}.run(t.Context())
			if err != nil || rep.Present != len(mail) || rep.Appended != 0 {
				t.Errorf("%s, without %v, and the ledger lost: %+v, %v", tc.why, without, rep, err)
			}
			if n := len(acct.Messages("INBOX")); n != len(mail) {
				t.Errorf("%s: %d messages at the destination, want %d", tc.why, n, len(mail))
			}
		}
	}
}

// withFields leaves out the message without a single field: changed by a server, nothing tells what it was.
func withFields(messages [][]byte) [][]byte {
	return slices.DeleteFunc(messages, func(m []byte) bool { return bytes.HasPrefix(m, []byte("not a header line")) })
}

// TestLyingServers guards that OK is not believed: what is not there afterwards is reported, and kept.
func TestLyingServers(t *testing.T) {
	for _, tc := range []struct {
		why    string
		keep   func() keeping
		lied   int // messages that are not there
		differ int // messages that are there, altered
	}{
		{"keeps nothing", func() keeping { return postoffice.KeepNothing }, 12, 0},
		{"keeps empty messages", func() keeping { return postoffice.KeepEmpty }, 12, 0},
		{"loses the seventh", func() keeping { return losing(7) }, 1, 0},
		{"drops lone CRs", func() keeping { return postoffice.Rewriting(postoffice.DropLoneCR) }, 0, 1},
	} {
		for name, trouble := range servers {
			trouble.Keep = tc.keep()
			_, srv := office(t, trouble)
			dir := filled(t, moveOddFirst(trial.Mail())...)
			rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
			if err != nil || rep.Refused != tc.lied || rep.Appended != 12-tc.lied || len(rep.Findings) != tc.differ {
				t.Errorf("%s, %s: %+v, %v", tc.why, name, rep, err)
			}
			for _, f := range rep.Failures {
				if !strings.Contains(f.Reason, "did not keep") {
					t.Errorf("%s: %q", tc.why, f.Reason)
				}
			}
		}
	}
}

type keeping = func(postoffice.Message) (postoffice.Message, bool)

// losing keeps every message but the n-th.
func losing(n int) keeping {
	return func(m postoffice.Message) (postoffice.Message, bool) {
		n--
		return m, n != 0
	}
}

// moveOddFirst puts the message with odd octets among those that are always read back.
func moveOddFirst(messages [][]byte) [][]byte {
	messages[0], messages[7] = messages[7], messages[0]
	return messages
}

// TestRefusals guards that one refused message does not keep the others, and that a full mailbox ends the run.
func TestRefusals(t *testing.T) {
	dots := func(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("<dots@")) }
	for _, tc := range []struct {
		why     string
		fault   postoffice.Fault
		refused int
		failed  int
		cause   mail.Cause // of the run's error
		word    string     // the server's, in the report
	}{
		{"one is not liked", postoffice.Fault{Match: dots, Say: "NO we do not like dots"}, 1, 0, 0, "we do not like dots"},
		{"one is too big", postoffice.Fault{Larger: 5000, Say: "NO [TOOBIG] too big"}, 1, 0, 0, "too big"},
		{"one is too big, and refused before it is sent", postoffice.Fault{Larger: 5000, Early: true, Say: "NO [TOOBIG] too big"}, 1, 0, 0, "too big"},
		{"one makes the server break", postoffice.Fault{Match: dots, Say: "BAD what is that"}, 1, 0, 0, "what is that"},
		{"over quota", postoffice.Fault{At: 5, Say: "NO [OVERQUOTA] mailbox is full"}, 0, 8, mail.CauseQuota, ""},
	} {
		tc.fault.Verb = "APPEND"
		_, srv := office(t, postoffice.Trouble{Faults: []postoffice.Fault{tc.fault}})
		dir := filled(t, trial.Mail()...)
		rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
		if cause := causeOf(err); cause != tc.cause || rep.Refused != tc.refused || rep.Failed != tc.failed ||
			rep.Appended != 12-tc.refused-tc.failed {
			t.Errorf("%s: %+v, %v", tc.why, rep, err)
		}
		if tc.refused > 0 && (len(rep.Failures) != 1 || !strings.HasSuffix(rep.Failures[0].Reason, tc.word)) {
			t.Errorf("%s: %+v, want the server's word", tc.why, rep.Failures)
		}
		appends := srv.Count("APPEND")
		srv.SetTrouble(postoffice.Trouble{})
		rep, err = push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
		if err != nil || rep.Refused != tc.refused || rep.Failed > 0 || srv.Count("APPEND")-appends != tc.failed {
			t.Errorf("%s, again: %+v, %v; refused mail must wait for a word, failed must not", tc.why, rep, err)
		}
	}
}

func causeOf(err error) mail.Cause {
	var e *mail.Error
	if err == nil || !errors.As(err, &e) {
		return 0
	}
	return e.Cause
}

// TestPresentMailIsRecognised guards P8: by Message-ID found, by content decided, one to one.
func TestPresentMailIsRecognised(t *testing.T) {
	all := trial.Mail() // 1 and 3 are equal; 2 and 4 share a Message-ID
	for _, tc := range []struct {
		why     string
		there   []int
		present int
	}{
		{"all of it", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12},
		{"one of two equal ones", []int{1}, 1},
		{"both equal ones", []int{1, 3}, 2},
		{"the second of two with one Message-ID", []int{4}, 1},
		{"one equal one three times", []int{1, 1, 1}, 2},
	} {
		acct, srv := office(t, postoffice.Trouble{})
		for _, i := range tc.there {
			acct.Deliver(mail.Inbox, postoffice.Message{Octets: all[i], Received: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
		}
		rep, err := push{dir: filled(t, all...), dst: client(srv), pause: noWait}.run(t.Context())
		if err != nil || rep.Present != tc.present || rep.Appended != 12-tc.present {
			t.Errorf("%s is there: %+v, %v", tc.why, rep, err)
		}
		v := trial.Judge(all, shown(acct))
		v.Doubled -= len(tc.there) - tc.present // they were there before
		if v != (trial.Verdict{}) {
			t.Errorf("%s is there: %v", tc.why, v)
		}
	}
}

// TestFlagsAndDatesArrive guards that a message keeps when it was received.
func TestDatesArrive(t *testing.T) {
	want := time.Date(2024, 3, 5, 10, 4, 0, 0, time.FixedZone("", 3600)) // by the topmost Received field
	for name, trouble := range servers {
		acct, srv := office(t, trouble)
		rep, err := push{dir: filled(t, trial.Mail()...), dst: client(srv), pause: noWait}.run(t.Context())
		checkOnce(t, "dates", acct, rep, err)
		for _, m := range acct.Messages(mail.Inbox) {
			if bytes.Contains(m.Octets, []byte("<shared@")) && m.Received.Sub(want).Abs() > 56*time.Minute {
				t.Errorf("%s: received %v, want about %v", name, m.Received, want)
			}
		}
	}
}

var _ migrate.Destination = mortal{}

// finalNewline is a change for postoffice.Rewriting: a missing last line end is added.
func finalNewline(octets []byte) []byte {
	if !bytes.HasSuffix(octets, []byte("\n")) {
		octets = append(bytes.Clone(octets), "\r\n"...)
	}
	return octets
}
