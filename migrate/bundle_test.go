package migrate_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestRefusedTogether guards that of many messages with one command, which a server refuses for one of them, all others
// arrive, once, be it that it has kept some of them all the same.
func TestRefusedTogether(t *testing.T) {
	dots := func(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("<dots@")) }
	for _, tc := range []struct {
		why      string
		fault    postoffice.Fault
		appended int
		refused  int
		cause    mail.Cause
	}{
		{"one is not liked", postoffice.Fault{Match: dots, Say: "NO we do not like dots"}, 11, 1, 0},
		{"one is too big", postoffice.Fault{Larger: 5000, Say: "NO [TOOBIG] too big"}, 11, 1, 0},
		{"one is too big, and refused before it is sent", postoffice.Fault{Larger: 5000, Early: true, Say: "NO [TOOBIG] too big"}, 11, 1, 0},
		{"one makes the server break", postoffice.Fault{Match: dots, Say: "BAD what is that"}, 11, 1, 0},
		{"over quota from the fifth on", postoffice.Fault{At: 5, Say: "NO [OVERQUOTA] mailbox is full"}, 0, 0, mail.CauseQuota},
		{"busy, once", postoffice.Fault{At: 5, Times: 1, Say: "NO [UNAVAILABLE] later"}, 12, 0, 0},
		{"the first are kept", postoffice.Fault{At: 5, Times: 1, Do: postoffice.Partly, Say: "NO some of it"}, 12, 0, 0},
		{"the first are kept, of which one is never liked", postoffice.Fault{Match: dots, Do: postoffice.Partly, Say: "NO we do not like dots"}, 11, 1, 0},
		{"all are kept", postoffice.Fault{Times: 1, Do: postoffice.Done, Say: "NO not today"}, 12, 0, 0},
		{"the first are kept, and it hangs up", postoffice.Fault{At: 5, Times: 1, Do: postoffice.Partly, Say: "NO some of it", End: postoffice.FIN}, 12, 0, 0},
		{"none is kept, and it hangs up", postoffice.Fault{At: 5, Times: 1, Say: "BAD enough", End: postoffice.FIN}, 12, 0, 0},
	} {
		tc.fault.Verb = "APPEND"
		acct, srv := office(t, postoffice.Trouble{With: []string{"MULTIAPPEND"}, Faults: []postoffice.Fault{tc.fault}})
		p := push{dir: filled(t, trial.Mail()...), dst: client(srv), pause: noWait}
		rep, err := p.run(t.Context())
		if causeOf(err) != tc.cause || tc.cause == 0 && (rep.Appended != tc.appended || rep.Refused != tc.refused) {
			t.Errorf("%s: %+v, %v", tc.why, rep, err)
		}
		if v := trial.Judge(trial.Mail(), shown(acct)); v.Doubled+v.Altered > 0 || tc.cause == 0 && v.Lost != tc.refused {
			t.Errorf("%s: %v", tc.why, v)
		}
		srv.SetTrouble(postoffice.Trouble{With: []string{"MULTIAPPEND"}})
		p.dst = client(srv)
		if rep, err = p.run(t.Context()); err != nil || rep.Known+rep.Refused+rep.Appended != 12 {
			t.Errorf("%s, again: %+v, %v", tc.why, rep, err)
		}
		if v := trial.Judge(trial.Mail(), shown(acct)); v.Doubled+v.Altered > 0 || v.Lost != tc.refused {
			t.Errorf("%s, again: %v", tc.why, v)
		}
	}
}

// TestSentTogether guards that a server with MULTIAPPEND is given many messages with one command, each with its flags and
// its date.
func TestSentTogether(t *testing.T) {
	var all [][]byte
	for i := range 1000 {
		all = append(all, withID(fmt.Sprintf("%d@together.example", i), "text"))
	}
	acct, srv := office(t, postoffice.Trouble{With: []string{"MULTIAPPEND"}})
	rep, err := push{dir: flagged(t, mail.MakeFlags(`\Seen`, "$Label"), all...), dst: client(srv), pause: noWait}.run(t.Context())
	if err != nil || rep.Appended != len(all) {
		t.Fatal(rep, err)
	}
	if n := srv.Count("APPEND"); n > 12 {
		t.Errorf("%d commands for %d messages", n, len(all))
	}
	for _, m := range acct.Messages(mail.Inbox) {
		if fmt.Sprint(mail.MakeFlags(m.Flags...)) != fmt.Sprint(mail.MakeFlags(`\Seen`, "$Label")) || m.Received.IsZero() {
			t.Fatalf("UID %d has %v, %v", m.UID, m.Flags, m.Received)
		}
	}
	if v := trial.Judge(all, shown(acct)); v.Lost+v.Doubled+v.Altered > 0 {
		t.Error(v)
	}
}
