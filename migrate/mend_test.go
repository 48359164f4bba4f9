package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/migrate"
	"github.com/mailhaul/mailhaul/testdata"
)

// strict is a server that refuses mail for its form: three of the trial's messages.
func strict(without ...string) postoffice.Trouble {
	return postoffice.Trouble{Faults: postoffice.Strict(), Without: without}
}

const refusedByStrict = 3

// mendedMail is the trial's mail as it is to arrive at a strict server, mended by hand.
func mendedMail() [][]byte {
	all := trial.Mail()
	all[7] = bytes.ReplaceAll(bytes.ReplaceAll(all[7], []byte("lone\rCR"), []byte("lone\r\nCR")), []byte{0}, nil)
	all[10] = append([]byte("\r\n"), all[10]...)
	at := bytes.Index(all[11], []byte("0123456789abcdef"))
	long, broken := all[11][at:], all[11][:at:at]
	for len(long) > 998+2 {
		broken = append(append(broken, long[:998]...), "\r\n"...)
		long = long[998:]
	}
	all[11] = append(broken, long...)
	return all
}

// checkRepaired fails the test unless everything is there once, what was refused as mended copies.
func checkRepaired(t *testing.T, what string, acct *postoffice.Account, rep migrate.Report, err error) trial.Verdict {
	t.Helper()
	v := trial.Judge(mendedMail(), shown(acct))
	sum := rep.Known + rep.Appended + rep.Present + rep.Merged + rep.Refused + rep.Failed + rep.LeftOut + rep.Gone
	if err != nil || v != (trial.Verdict{}) || rep.Archived != len(trial.Mail()) || sum != rep.Archived || rep.Failed+rep.Refused+len(rep.Findings) > 0 {
		t.Errorf("%s: %v, %+v, %v", what, v, rep, err)
	}
	return v
}

// TestRepair guards that what a server refuses for its form gets there as a mended copy, once, however it came to be
// refused, and that the archive keeps what it has.
func TestRepair(t *testing.T) {
	for _, without := range [][]string{nil, {"UIDPLUS"}} {
		for _, refusedBefore := range []bool{true, false} {
			what := fmt.Sprintf("without %v, refused before: %v", without, refusedBefore)
			acct, srv := office(t, strict(without...))
			dir := filled(t, trial.Mail()...)
			wantMended := refusedByStrict
			if refusedBefore {
				rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
				if err != nil || rep.Refused != refusedByStrict || !rep.Mendable || len(rep.Mended) > 0 {
					t.Errorf("%s: without Repair %+v, %v", what, rep, err)
				}
			}
			rep, err := push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
			checkRepaired(t, what, acct, rep, err)
			if len(rep.Mended) != wantMended || rep.Appended < wantMended || !strings.Contains(rep.Mended[0].What, "1 NUL octet left out") || rep.Mended[0].MessageID != "<odd@trial.example>" {
				t.Errorf("%s: mended %+v of %+v", what, rep.Mended, rep)
			}
			appends := srv.Count("APPEND")
			for _, repair := range []bool{true, false} {
				rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: repair}.run(t.Context())
				checkRepaired(t, what+", again", acct, rep, err)
			}
			checkArchive(t, dir, wantMended)

			os.Remove(filepath.Join(dir, "mailhaul", "ledger.db"))
			rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
			checkRepaired(t, what+", the ledger lost", acct, rep, err)
			if rep.Present != len(trial.Mail()) || len(rep.Mended) != wantMended || srv.Count("APPEND") != appends {
				t.Errorf("%s, the ledger lost: %d more APPENDs, %+v", what, srv.Count("APPEND")-appends, rep)
			}
		}
	}
}

// checkArchive fails the test unless the archive has what was put there, and knows of so many mended copies.
func checkArchive(t *testing.T, dir string, mended int) {
	t.Helper()
	a, err := archive.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	counts, err := a.MendedCounts(there)
	if err != nil || counts[mail.Inbox] != mended {
		t.Errorf("the ledger knows of %v mended ones: %v", counts, err)
	}
	for i, m := range trial.Mail() {
		e, err := a.Entry(int64(i + 1))
		sum, _ := mail.SumOf(bytes.NewReader(m))
		if err != nil || e.Digest != sum.Digest {
			t.Errorf("message %d of the archive is another one: %v", i, err)
		}
	}
	if boxes, err := a.Mailboxes(); err != nil || boxes[0].Damaged > 0 {
		t.Errorf("the archive has %+v: %v", boxes, err)
	}
}

// TestRepairStoppedAnywhere guards P2 for mended copies.
func TestRepairStoppedAnywhere(t *testing.T) {
	for name, trouble := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var total trial.Verdict
			n := 1
			for ; ; n++ {
				stopped, v := repairStopped(t, trouble, n)
				if stopped == "" {
					break
				}
				total.Add(v)
			}
			t.Logf("steps run: %d: %v", n-1, total)
		})
	}
}

func repairStopped(t *testing.T, trouble postoffice.Trouble, n int) (stopped string, v trial.Verdict) {
	dir := filled(t, trial.Mail()...)
	defer os.RemoveAll(dir)
	acct, srv := office(t, strict(trouble.Without...))
	defer srv.Close()
	w := &world{stopAt: n}
	rep, err := push{dir: dir, world: w, dst: mortal{client(srv), w}, pause: noWait, repair: true}.run(t.Context())
	if w.stopped == "" {
		return "", checkRepaired(t, "undisturbed", acct, rep, err)
	}
	what := fmt.Sprintf("step %d (%s)", n, w.stopped)
	if err != nil && !errors.Is(err, errStopped) {
		t.Errorf("stopped at %s: %v", what, err)
	}
	if n%2 == 0 { // a run that repairs nothing settles what the other has left
		rep, err = push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
		if err != nil || rep.Failed > 0 {
			t.Errorf("resumed after %s without Repair: %+v, %v", what, rep, err)
		}
	}
	rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	v = checkRepaired(t, "resumed after "+what, acct, rep, err)
	appends := srv.Count("APPEND")
	rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	checkRepaired(t, "run again after "+what, acct, rep, err)
	if rep.Known != rep.Archived || srv.Count("APPEND") != appends {
		t.Errorf("run again after %s: %+v, want all of them known", what, rep)
	}
	checkArchive(t, dir, refusedByStrict)
	return w.stopped, v
}

// TestRepairLostAnswers guards that a mended copy whose APPEND was not answered is looked for, and not sent again blind.
func TestRepairLostAnswers(t *testing.T) {
	for _, fault := range []postoffice.Fault{
		{Do: postoffice.Done, End: postoffice.FIN},
		{Do: postoffice.Nothing, End: postoffice.FIN},
		{Do: postoffice.Done, End: postoffice.Silence},
		{Do: postoffice.Late, After: time.Second, End: postoffice.FIN},
		{Do: postoffice.AfterLook, End: postoffice.FIN},
	} {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			for at := 1; at <= refusedByStrict; at++ {
				what := fmt.Sprintf("%+v at mended copy %d, without %v", fault, at, without)
				synctest.Test(t, func(t *testing.T) {
					trouble := strict(without...)
					fault.Verb, fault.At, fault.Times, fault.Match = "APPEND", at, 1, isMended
					trouble.Faults = append([]postoffice.Fault{fault}, trouble.Faults...)
					acct, srv := office(t, trouble)
					defer srv.Close()
					dir := filled(t, trial.Mail()...)
					rep, err := push{dir: dir, dst: client(srv), repair: true}.run(t.Context())
					checkRepaired(t, what, acct, rep, err)
					checkArchive(t, dir, refusedByStrict)
				})
			}
		}
	}
}

// TestRepairUnsure guards that a mended copy at which the line breaks again and again is left refused, counted once, and
// tried by the next run. Those that were on their way with it may have to wait too.
func TestRepairUnsure(t *testing.T) {
	odd := func(m postoffice.Message) bool { return isMended(m) && bytes.Contains(m.Octets, []byte("<odd@")) }
	trouble := strict()
	trouble.Faults = append([]postoffice.Fault{{Verb: "APPEND", Match: odd, End: postoffice.FIN}}, trouble.Faults...)
	acct, srv := office(t, trouble)
	dir := filled(t, trial.Mail()...)
	rep, err := push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	left := refusedByStrict - len(rep.Mended)
	if err != nil || left == 0 || rep.Refused != left || rep.Failed != 0 || len(rep.Failures) != left || rep.Failures[0].State != migrate.StateRefused {
		t.Errorf("%+v, %v", rep, err)
	}
	srv.SetTrouble(strict())
	rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	checkRepaired(t, "the line holds", acct, rep, err)
}

// TestRepairSettled guards that a run that repairs nothing finds the mended copy that another one was about to bring.
func TestRepairSettled(t *testing.T) {
	for n := 1; ; n++ {
		dir := filled(t, trial.Mail()...)
		acct, srv := office(t, strict())
		w := &world{stopAt: n}
		_, err := push{dir: dir, world: w, dst: mortal{client(srv), w}, pause: noWait, repair: true}.run(t.Context())
		if err == nil {
			t.Fatal("no run was stopped after it had sent a mended copy")
		}
		appends := srv.Count("APPEND")
		if w.stopped != "APPEND (done)" || len(acct.Messages(mail.Inbox)) != len(trial.Mail())-refusedByStrict+1 {
			continue
		}
		rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
		if err != nil || rep.Refused != refusedByStrict-1 || len(rep.Mended) != 1 || srv.Count("APPEND") != appends {
			t.Errorf("%d more APPENDs, %+v, %v", srv.Count("APPEND")-appends, rep, err)
		}
		return
	}
}

// isMended tells the mended ones of the trial's mail.
func isMended(m postoffice.Message) bool {
	return !slices.ContainsFunc(trial.Mail(), func(o []byte) bool { return bytes.Equal(o, m.Octets) })
}

// TestRepairInVain guards that a mended copy that is refused too is named with both answers, and waits for a word.
func TestRepairInVain(t *testing.T) {
	odd := func(m postoffice.Message) bool { return bytes.Contains(m.Octets, []byte("<odd@")) }
	for _, tc := range []struct {
		why     string
		trouble postoffice.Trouble
		reason  string
	}{
		{"refused as well", postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "APPEND", Match: odd, Say: "NO a virus"}}},
			"a virus; of a mended copy: the server says: a virus"},
		{"not kept", postoffice.Trouble{Keep: func(m postoffice.Message) (postoffice.Message, bool) { return m, !odd(m) }},
			"the server said OK and did not keep the message; of a mended copy: the server said OK and did not keep the message"},
	} {
		acct, srv := office(t, tc.trouble)
		dir := filled(t, moveOddFirst(trial.Mail())...)
		rep, err := push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
		if err != nil || rep.Refused != 1 || rep.Appended != 11 || len(rep.Mended) > 0 || len(rep.Failures) != 1 || !strings.HasSuffix(rep.Failures[0].Reason, tc.reason) {
			t.Errorf("%s: %+v, %v", tc.why, rep, err)
		}
		appends := srv.Count("APPEND")
		rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
		if err != nil || rep.Refused != 1 || srv.Count("APPEND") != appends || rep.Mendable {
			t.Errorf("%s, again: %d more APPENDs, %+v, %v", tc.why, srv.Count("APPEND")-appends, rep, err)
		}
		reopen(t, dir)
		srv.SetTrouble(strict())
		rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
		if err != nil || rep.Refused != 0 || len(rep.Mended) != 1 || len(acct.Messages(mail.Inbox)) != 12 {
			t.Errorf("%s, reopened: %+v, %v", tc.why, rep, err)
		}
	}
}

func reopen(t *testing.T, dir string) {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Reopen(there); err != nil {
		t.Fatal(err)
	}
}

// TestRepairFindsTheOriginal guards that no mended copy is sent of what is there as it is by now, and that it is not told as
// one.
func TestRepairFindsTheOriginal(t *testing.T) {
	acct, srv := office(t, strict())
	dir := filled(t, trial.Mail()...)
	if rep, err := (push{dir: dir, dst: client(srv), pause: noWait}).run(t.Context()); err != nil || rep.Refused != refusedByStrict {
		t.Fatalf("%+v, %v", rep, err)
	}
	for _, i := range []int{7, 10, 11} {
		acct.Deliver(mail.Inbox, postoffice.Message{Octets: trial.Mail()[i], Received: time.Unix(1e9, 0)})
	}
	appends := srv.Count("APPEND")
	rep, err := push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	if err != nil || rep.Present != 3 || len(rep.Mended) > 0 || srv.Count("APPEND") != appends {
		t.Errorf("%+v, %v", rep, err)
	}
	checkArchive(t, dir, 0)
}

// TestRepairLeavesTheRest guards that an empty message, and one of which mending would leave nothing, stay refused.
func TestRepairLeavesTheRest(t *testing.T) {
	_, srv := office(t, strict())
	dir := filled(t, []byte(""), []byte("Subject: sound\r\n\r\n"), []byte("From a@b\n\x00"))
	for range 2 {
		rep, err := push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
		if err != nil || rep.Refused != 2 || rep.Mendable || len(rep.Mended) > 0 || srv.Count("APPEND") != 3 {
			t.Errorf("%d APPENDs, %+v, %v", srv.Count("APPEND"), rep, err)
		}
	}
}

// TestRepairRealMail guards that real mail gets to a strict server, all of it that has an octet.
func TestRepairRealMail(t *testing.T) {
	var all [][]byte
	empty := 0
	for _, m := range testdata.Messages() {
		all = append(all, m.Octets)
		if len(m.Octets) == 0 {
			empty++
		}
	}
	acct, srv := office(t, strict())
	dir := filled(t, all...)
	rep, err := push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
	refused := rep.Refused
	if err != nil || refused <= empty {
		t.Fatalf("%+v, %v", rep, err)
	}
	rep, err = push{dir: dir, dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	t.Logf("%d messages, %d refused, %d of those brought as mended copies", len(all), refused, len(rep.Mended))
	if err != nil || rep.Refused != empty || len(rep.Mended) != refused-empty || len(rep.Findings) > 0 {
		t.Errorf("repaired: %+v, %v", rep, err)
	}
	// Of those in which only the header was mended some are recognised by their bodies already.
	rep, err = push{dir: filled(t, all...), dst: client(srv), pause: noWait, repair: true}.run(t.Context())
	if err != nil || rep.Present != len(all)-empty || len(rep.Mended) == 0 || len(acct.Messages(mail.Inbox)) != len(all)-empty {
		t.Errorf("from another archive: %+v, %v", rep, err)
	}
}

// TestRepairAtDovecot guards that a server that refuses nothing but empty messages is sent nothing mended.
func TestRepairAtDovecot(t *testing.T) {
	s := dovecot.Shared(t)
	all := append(trial.Mail(), nil)
	for _, repair := range []bool{false, true} {
		user := fmt.Sprintf("mend-%v", repair)
		dir := filled(t, all...)
		for range 2 {
			rep, err := push{dir: dir, dst: dovecotClient(s, user), pause: noWait, repair: repair}.run(t.Context())
			if err != nil || rep.Refused != 1 || rep.Known+rep.Appended != 12 || len(rep.Mended) > 0 || rep.Mendable {
				t.Errorf("repair %v: %+v, %v", repair, rep, err)
			}
		}
		var got [][]byte
		for _, m := range s.Messages(t, user, mail.Inbox) {
			got = append(got, m.Octets)
		}
		if v := trial.Judge(trial.Mail(), got); v != (trial.Verdict{}) {
			t.Errorf("repair %v: %v", repair, v)
		}
	}
}

func dovecotClient(s *dovecot.Server, user string) *imap.Client {
	return imap.New(dial.Server{Host: dovecot.Host, Port: s.IMAP, Plain: true},
		mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
}
