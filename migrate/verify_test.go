package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

// letters are messages of which every fifth has 8-bit octets in its header.
func letters(n int) (all [][]byte) {
	for i := range n {
		subject := fmt.Sprint("number ", i)
		if i%5 == 0 {
			subject += " f\xfcr S\xc3\xbc"
		}
		all = append(all, fmt.Appendf(nil, "Message-ID: <%d@verify.example>\r\nDate: Mon, 3 Feb 2020 04:05:06 +0000\r\nFrom: a@b.example\r\nSubject: %s\r\n\r\n%s\r\n",
			i, subject, strings.Repeat("some text ", i%30)))
	}
	return all
}

func verify(t *testing.T, dir string, dst migrate.Destination, change func(*migrate.Verification)) (migrate.Verdicts, error) {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	v := migrate.Verification{Job: migrate.Job{Archive: a, Destination: dst, Account: there, Pause: noWait}, Deep: true}
	if change != nil {
		change(&v)
	}
	return v.Run(t.Context())
}

func viewer(srv *postoffice.Server) *imap.Client {
	return imap.NewViewer(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: srv.Dial}, login)
}

// crossed is what Cyrus makes of 8-bit octets in headers.
func crossed(m []byte) []byte {
	m = bytes.Clone(m)
	for i := range bytes.Index(m, []byte("\r\n\r\n")) {
		if m[i] >= 0x80 {
			m[i] = 'X'
		}
	}
	return m
}

// A counting destination counts the messages that are read.
type counting struct {
	*imap.Client
	read int
}

func (c *counting) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	c.read += len(items)
	return c.Client.Fetch(ctx, items, fn)
}

// tampered are what somebody may do to single messages at the destination, and as what it is found.
var tampered = []struct {
	name, kind string
	do         func([]byte) []byte
}{
	{"one bit of the body", "altered", func(m []byte) []byte { m[len(m)-3] ^= 1; return m }},
	{"the body cut", "altered", func(m []byte) []byte { return m[:len(m)-4] }},
	{"another subject", "altered", func(m []byte) []byte { return bytes.Replace(m, []byte("Subject: n"), []byte("Subject: N"), 1) }},
	{"a field of its own added", "altered", func(m []byte) []byte { return append([]byte("X-Evil: 1\r\n"), m...) }},
	{"a field missing", "altered", func(m []byte) []byte { return bytes.Replace(m, []byte("From: a@b.example\r\n"), nil, 1) }},
	{"gone", "missing", func([]byte) []byte { return nil }},
}

// TestVerify guards that of 200 messages at servers that rewrite what they are given those are found, and named, that
// somebody has changed or taken away, and no others.
func TestVerify(t *testing.T) {
	wrong, found := 0, 0
	for _, tc := range []struct {
		why  string
		keep func(postoffice.Message) (postoffice.Message, bool)
		way  string
	}{
		{"an honest server", nil, ""},
		{"a server that adds fields", postoffice.Rewriting(postoffice.AddField("X-Scanned: yes")), "field X-Scanned added"},
		{"a server that makes an X of 8-bit octets", postoffice.Rewriting(crossed), "8-bit"},
		{"a server that does both", postoffice.Rewriting(crossed, postoffice.AddField("X-Scanned: yes")), "field X-Scanned added"},
		{"a server that drops flags", func(m postoffice.Message) (postoffice.Message, bool) { m.Flags = nil; return m, true }, ""},
	} {
		acct, srv := office(t, postoffice.Trouble{Keep: tc.keep})
		dir := flagged(t, mail.MakeFlags(`\Seen`, "work"), letters(200)...)
		if _, err := (push{dir: dir, dst: client(srv), pause: noWait}).run(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := verify(t, dir, viewer(srv), nil)
		if err != nil || v.Present != 200 || v.Read != 200 || len(v.Findings) > 0 || v.Extra > 0 {
			t.Errorf("%s: %+v, %v", tc.why, v, err)
		}
		wrong += len(v.Findings)
		if way := strings.Join(v.Rewrites, ", "); !strings.Contains(way, tc.way) {
			t.Errorf("%s: its way is said to be %q", tc.why, way)
		}
		if n := srv.Count("SELECT"); n > 3 {
			t.Errorf("%s: %d SELECTs: a mailbox was not opened with EXAMINE", tc.why, n)
		}
		want := tamper(acct)
		v, err = verify(t, dir, viewer(srv), nil)
		got := map[string]string{}
		for _, f := range v.Findings {
			got[f.MessageID] = f.Kind
			if want[f.MessageID] != f.Kind {
				wrong++
			}
		}
		found += len(got)
		if err != nil || len(got) != len(want) || wrong > 0 || v.Present+v.Missing+v.Altered != 200 {
			t.Errorf("%s, tampered with: found %v, want %v: %+v %v", tc.why, got, want, v, err)
		}
	}
	t.Logf("5 servers, 200 messages each, %d of them tampered with at each: %d findings, %d wrong", len(tampered), found, wrong)
}

// tamper changes messages of the account as tampered says, and returns by Message-ID what is to be found. A changed one
// is taken out and put there anew: content under a UID does not change.
func tamper(acct *postoffice.Account) map[string]string {
	want := map[string]string{}
	for i, m := range acct.Messages(mail.Inbox) {
		if i%20 != 7 || i/20 >= len(tampered) {
			continue
		}
		w := tampered[i/20]
		want[fmt.Sprintf("<%d@verify.example>", i)] = w.kind
		octets := w.do(bytes.Clone(m.Octets))
		acct.Expunge(mail.Inbox, m.UID)
		if octets != nil {
			acct.Deliver(mail.Inbox, postoffice.Message{Octets: octets, Received: m.Received})
		}
	}
	return want
}

// TestVerifyByListing guards that without reading anything what is gone is found, what is there under another UID too,
// and what was never brought.
func TestVerifyByListing(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	dir := filled(t, letters(100)...)
	if _, err := (push{dir: dir, dst: client(srv), pause: noWait}).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, dir, 100, nil, letters(103)[100:]...)
	for _, m := range acct.Messages(mail.Inbox)[10:13] {
		acct.Expunge(mail.Inbox, m.UID)
	}
	again := acct.Messages(mail.Inbox)[0]
	acct.Expunge(mail.Inbox, again.UID)
	acct.Deliver(mail.Inbox, again)
	acct.Deliver(mail.Inbox, postoffice.Message{Octets: []byte("Subject: theirs\r\n\r\nnew\r\n")})
	v, err := verify(t, dir, viewer(srv), func(v *migrate.Verification) { v.Deep = false })
	if err != nil || v.Present != 97 || v.Missing != 6 || v.Altered != 0 || v.Extra != 1 || len(v.Findings) != 6 {
		t.Errorf("%+v, %v", v, err)
	}
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	all, err := a.Proofs(there, mail.Inbox)
	if err != nil || len(all) != 103 {
		t.Errorf("%d proofs, %v", len(all), err)
	}
	last, err := a.Verifications()
	if err != nil || len(last) != 1 || last[0].Present != 97 || last[0].Ended.IsZero() {
		t.Errorf("%+v, %v", last, err)
	}
}

// TestVerifyNothingKept guards that a server that says OK and keeps nothing is found out.
func TestVerifyNothingKept(t *testing.T) {
	_, srv := office(t, postoffice.Trouble{Keep: postoffice.KeepNothing})
	dir := filled(t, letters(20)...)
	(push{dir: dir, dst: client(srv), pause: noWait}).run(t.Context())
	v, err := verify(t, dir, viewer(srv), nil)
	if err != nil || v.Missing != 20 || v.Present != 0 || len(v.Findings) != 20 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestVerifyGoesOn guards that what was read before a stop is not read again, and that the result is the same.
func TestVerifyGoesOn(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{Keep: postoffice.Rewriting(postoffice.AddField("X-Scanned: yes"))})
	dir := filled(t, letters(200)...)
	if _, err := (push{dir: dir, dst: client(srv), pause: noWait}).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := tamper(acct)
	stop := make(chan struct{})
	n := 0
	_, err := verify(t, dir, viewer(srv), func(v *migrate.Verification) {
		v.Stop = stop
		v.Watch = func(e progress.Event) {
			if _, moved := e.(progress.Moved); moved {
				if n++; n == 70 {
					close(stop)
				}
			}
		}
	})
	if err == nil {
		t.Fatal("it did not stop")
	}
	second := &counting{Client: viewer(srv)}
	v, err := verify(t, dir, second, nil)
	if second.read > 200-64 {
		t.Errorf("%d messages were read after the stop: those before it again", second.read)
	}
	if err != nil || len(v.Findings) != len(want) || v.Present+v.Missing+v.Altered != 200 {
		t.Errorf("want %v, got %+v, %v", want, v, err)
	}
	if !slices.ContainsFunc(v.Rewrites, func(s string) bool { return strings.HasPrefix(s, "field X-Scanned added") }) {
		t.Errorf("what was learnt before the stop is lost: %v", v.Rewrites)
	}
}

// TestVerifyAtDovecot is the same at a real server.
func TestVerifyAtDovecot(t *testing.T) {
	s := dovecot.Shared(t)
	user := fmt.Sprintf("verify%d", time.Now().UnixNano())
	dir := filled(t, letters(200)...)
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := dovecotClient(s, user)
	defer c.Close()
	if _, err := (migrate.Job{Archive: a, Destination: c, Account: there}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	view := imap.NewViewer(dial.Server{Host: dovecot.Host, Port: s.IMAP, Plain: true},
		mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
	defer view.Close()
	v, err := migrate.Verification{Job: migrate.Job{Archive: a, Destination: view, Account: there}, Deep: true}.Run(t.Context())
	if err != nil || v.Present != 200 || v.Read != 200 || len(v.Findings)+len(v.Rewrites) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	t.Logf("200 messages at Dovecot: %d present, %d read, %d findings", v.Present, v.Read, len(v.Findings))

	want := map[string]string{}
	files, err := filepath.Glob(filepath.Join(s.MailDir(user), "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(text, []byte("Message-ID: <")) || tried == len(tampered) {
			continue
		}
		id, _, _ := bytes.Cut(text[len("Message-ID: "):], []byte("\r"))
		id, _, _ = bytes.Cut(id, []byte("\n"))
		w := tampered[tried]
		tried++
		want[string(id)] = w.kind
		octets := w.do(bytes.Clone(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))))
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if octets != nil {
			s.Deliver(t, user, mail.Inbox, octets, nil, time.Time{})
		}
	}
	v, err = migrate.Verification{Job: migrate.Job{Archive: a, Destination: view, Account: there}, Deep: true}.Run(t.Context())
	got := map[string]string{}
	for _, f := range v.Findings {
		got[f.MessageID] = f.Kind
	}
	t.Logf("%d of them tampered with: %d findings", tried, len(got))
	if err != nil || tried != len(tampered) || !maps.Equal(got, want) || len(v.Findings) != len(want) {
		t.Errorf("found %v, want %v; %v", got, want, err)
	}
}

// TestVerifyMendedAndMerged guards that what is there as a mended copy is compared with that copy, and that what was
// merged is found in what it was merged into; and that both are missing when that is gone.
func TestVerifyMendedAndMerged(t *testing.T) {
	for _, tc := range []struct {
		why     string
		trouble postoffice.Trouble
		push    push
	}{
		{"mended", strict(), push{repair: true}},
		{"merged by Message-ID", postoffice.Trouble{}, push{merge: true}},
	} {
		acct, srv := office(t, tc.trouble)
		p := tc.push
		p.dir, p.dst, p.pause = filled(t, trial.Mail()...), client(srv), noWait
		if _, err := p.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := verify(t, p.dir, viewer(srv), nil)
		if err != nil || v.Present != len(trial.Mail()) || len(v.Findings)+v.Extra > 0 {
			t.Errorf("%s: %+v, %v", tc.why, v, err)
		}
		for _, m := range acct.Messages(mail.Inbox) {
			acct.Expunge(mail.Inbox, m.UID)
		}
		v, err = verify(t, p.dir, viewer(srv), nil)
		if err != nil || v.Missing != len(trial.Mail()) || len(v.Findings) != len(trial.Mail()) {
			t.Errorf("%s, and all gone: %+v, %v", tc.why, v, err)
		}
	}
}
