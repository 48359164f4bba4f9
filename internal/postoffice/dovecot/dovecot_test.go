package dovecot

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A session speaks a protocol line by line, without any of the code that is tested against Dovecot elsewhere.
type session struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, s *Server, port int, secure bool) *session {
	t.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
	if err == nil && secure {
		pem, _ := os.ReadFile(s.CAFile)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		c = tls.Client(c, &tls.Config{ServerName: "localhost", RootCAs: roots})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	p := &session{t, c, bufio.NewReader(c)}
	p.until("Dovecot ready")
	return p
}

// ask sends a line and returns what comes up to a line that begins with one of ends.
func (p *session) ask(line string, ends ...string) string {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.c, "%s\r\n", line); err != nil {
		p.t.Fatal(err)
	}
	return p.until(ends...)
}

func (p *session) until(ends ...string) string {
	p.t.Helper()
	var answer strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("%v after %q", err, answer.String())
		}
		answer.WriteString(line)
		for _, end := range ends {
			if strings.HasPrefix(line, end) || strings.Contains(line, "Dovecot ready") {
				return answer.String()
			}
		}
	}
}

func (p *session) login(user string) {
	p.t.Helper()
	if a := p.ask("1 LOGIN "+user+" "+Password, "1 "); !strings.Contains(a, "1 OK") {
		p.t.Fatalf("login of %s: %s", user, a)
	}
}

func (p *session) append(mailbox, flags, date, octets string) string {
	p.t.Helper()
	return p.ask(fmt.Sprintf("a APPEND %s (%s) \"%s\" {%d+}\r\n%s", mailbox, flags, date, len(octets), octets), "a ")
}

var received = time.Date(2019, 5, 6, 7, 8, 9, 0, time.UTC)

func TestDeliver(t *testing.T) {
	s := Shared(t)
	s.Deliver(t, "ann@example.org", "INBOX", []byte("Subject: one\n\n1\n"), nil, received)
	s.Deliver(t, "ann@example.org", "INBOX", []byte("Subject: two\r\n\r\n2\r\n"), mail.MakeFlags(`\Seen`, "work", "$Forwarded"), received)
	s.Deliver(t, "ann@example.org", "Work/2019", []byte("\n.\nx\r\n"), mail.MakeFlags(`\Flagged`, "work"), received)

	p := dial(t, s, s.IMAPS, true)
	p.login("ann@example.org")
	p.ask("2 SELECT INBOX", "2 ")
	got := p.ask("3 FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", "3 ")
	for _, want := range []string{
		`* 1 FETCH (UID 1 FLAGS (\Recent) INTERNALDATE "06-May-2019 07:08:09 +0000" RFC822.SIZE 19)`,
		`* 2 FETCH (UID 2 FLAGS (\Seen \Recent $Forwarded work) INTERNALDATE "06-May-2019 07:08:09 +0000" RFC822.SIZE 19)`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("FETCH answers\n%s\nwant %s", got, want)
		}
	}
	p.ask("4 SELECT Work/2019", "4 ")
	if got := p.ask("5 FETCH 1 (FLAGS BODY.PEEK[])", "5 "); !strings.Contains(got, `(\Flagged \Recent work)`) || !strings.Contains(got, "{8}\r\n\r\n.\r\nx\r\n") {
		t.Errorf("FETCH answers\n%s", got)
	}
}

func TestPOP3(t *testing.T) {
	s := Shared(t)
	s.Deliver(t, "pop", "INBOX", []byte("A: b\n\n.\nbare\n"), nil, received)
	for _, p := range []*session{dial(t, s, s.POP3, false), dial(t, s, s.POP3S, true)} {
		p.ask("USER pop", "+OK")
		p.ask("PASS "+Password, "+OK")
		if got, want := p.ask("RETR 1", ".\r\n"), "+OK 17 octets\r\nA: b\r\n\r\n..\r\nbare\r\n.\r\n"; got != want {
			t.Errorf("RETR answers %q, want %q", got, want)
		}
		p.ask("QUIT", "+OK")
	}
}

func TestMessages(t *testing.T) {
	s := Shared(t)
	if m := s.Messages(t, "bob", "INBOX"); len(m) != 0 {
		t.Errorf("a new user has %d messages", len(m))
	}
	odd := "no colon\r\n\x00\xff\r lone\n.\r\nend"
	p := dial(t, s, s.IMAP, false)
	p.login("bob")
	p.append("INBOX", `\Seen \Draft Work`, "06-May-2019 07:08:09 +0000", odd)
	p.append("INBOX", "", "06-May-2019 09:08:10 +0200", "a\r\r\nb\r\n")
	p.ask("c CREATE Sent", "c ")
	p.append("Sent", "Work $Junk", "06-May-2019 07:08:09 +0000", odd)

	got := s.Messages(t, "bob", "INBOX")
	if len(got) != 2 {
		t.Fatalf("%d messages of 2", len(got))
	}
	want := "no colon\r\n\x00\xff\r lone\r\n.\r\nend"
	if m := got[0]; m.UID != 1 || string(m.Octets) != want || !m.Flags.Equal(mail.MakeFlags(`\Seen`, `\Draft`, "Work")) || !m.Received.Equal(received) {
		t.Errorf("the first is %+v with %q", m, m.Octets)
	}
	if m := got[1]; m.UID != 2 || len(m.Flags) != 0 || !m.Received.Equal(received.Add(time.Second)) || string(m.Octets) != "a\r\nb\r\n" {
		t.Errorf("the second is %+v with %q", m, m.Octets)
	}
	if got := s.Messages(t, "bob", "Sent"); len(got) != 1 || !got[0].Flags.Equal(mail.MakeFlags("Work", "$Junk")) {
		t.Errorf("Sent has %+v", got)
	}
}

func TestQuota(t *testing.T) {
	s := Start(t, Options{Quota: 10_000})
	p := dial(t, s, s.IMAP, false)
	p.login("cat")
	msg := "Subject: big\r\n\r\n" + strings.Repeat("x", 5_984)
	if a := p.append("INBOX", "", "06-May-2019 07:08:09 +0000", msg); !strings.Contains(a, "a OK") {
		t.Errorf("the first of two: %s", a)
	}
	if a := p.append("INBOX", "", "06-May-2019 07:08:09 +0000", msg); !strings.Contains(a, "a NO [OVERQUOTA]") {
		t.Errorf("the one over quota: %s", a)
	}
	if n := len(s.Messages(t, "cat", "INBOX")); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestAdopt(t *testing.T) {
	s := Shared(t)
	s.Deliver(t, "dan", "Old/2001", []byte("A: b\n"), nil, received)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.MailDir("dan"))); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(globOne(t, filepath.Join(dir, ".Old.2001/new/*")), received, received)
	s.Deliver(t, "eve", "INBOX", []byte("what she had"), nil, received)
	s.Adopt(t, "eve", dir)

	p := dial(t, s, s.IMAP, false)
	p.login("eve")
	if got := p.ask("2 STATUS INBOX (MESSAGES)", "2 "); !strings.Contains(got, "MESSAGES 0") {
		t.Errorf("what she had is still there: %s", got)
	}
	p.ask("3 SELECT Old/2001", "3 ")
	if got := p.ask("4 FETCH 1 (INTERNALDATE BODY[])", "4 "); !strings.Contains(got, "06-May-2019 07:08:09 +0000") || !strings.Contains(got, "A: b\r\n") {
		t.Errorf("FETCH answers %s", got)
	}
}

func globOne(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("Glob(%s) = %q, %v", pattern, found, err)
	}
	return found[0]
}

func TestWrongPassword(t *testing.T) {
	s := Shared(t)
	for range 3 { // a server with penalties would answer after 2, 4 and 8 seconds
		p := dial(t, s, s.IMAP, false)
		if got := p.ask("1 LOGIN ann wrong", "1 "); !strings.Contains(got, "1 NO [AUTHENTICATIONFAILED]") {
			t.Errorf("login answers %s", got)
		}
	}
}

func TestBadNames(t *testing.T) {
	s := Shared(t)
	for _, name := range [][2]string{{"../x", "INBOX"}, {"ann", "a.b"}} {
		if err := s.deliver(name[0], name[1], nil, nil, received); err == nil {
			t.Errorf("mailbox %q of user %q was made", name[1], name[0])
		}
	}
}

// The test runs itself as a process that starts a Dovecot, and kills it.
func TestEndsWithTheProcess(t *testing.T) {
	Require(t)
	if os.Getenv("DOVECOT_TEST_VICTIM") != "" {
		s := Start(t, Options{})
		fmt.Println("DIR", s.dir)
		select {}
	}
	victim := exec.Command(os.Args[0], "-test.run=^TestEndsWithTheProcess$", "-test.v")
	victim.Env = append(os.Environ(), "DOVECOT_TEST_VICTIM=1")
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "DIR ")
		if dir == lines.Text() {
			dir = ""
		}
	}
	pid, err := os.ReadFile(filepath.Join(dir, "run/master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	victim.Process.Kill()
	victim.Wait()
	waitGone(t, dir)
	if err := exec.Command("kill", "-0", string(bytes.TrimSpace(pid))).Run(); err == nil {
		t.Error("Dovecot outlives the process that started it")
	}
}

func waitGone(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(10 * time.Millisecond); time.Now().Before(deadline); <-tick.C {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
	}
	t.Fatalf("%s is still there", dir)
}

func TestStopLeavesNothing(t *testing.T) {
	var s *Server
	t.Run("start", func(t *testing.T) { s = Start(t, Options{}) })
	if s == nil {
		t.Skip("no server")
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", s.dir)
	}
	if c, err := net.Dial("tcp", net.JoinHostPort(Host, strconv.Itoa(s.IMAP))); err == nil {
		c.Close()
		t.Error("Dovecot still listens")
	}
}

// A verdict is a testing.TB that only remembers how it was ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()           {}
func (v *verdict) Skip(args ...any)  { v.skipped = fmt.Sprint(args...); runtime.Goexit() }
func (v *verdict) Fatal(args ...any) { v.failed = fmt.Sprint(args...); runtime.Goexit() }

func TestRequire(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	was := elsewhere
	elsewhere = filepath.Join(t.TempDir(), "dovecot")
	defer func() { elsewhere = was }()
	const want = "no Dovecot here: install it (Debian: dovecot-imapd dovecot-pop3d)"
	for require, outcome := range map[string]verdict{
		"":                {skipped: want},
		"network,dovecot": {failed: want},
	} {
		t.Setenv("MAILHAUL_REQUIRE", require)
		got := new(verdict)
		done := make(chan bool)
		go func() { defer close(done); Require(got) }()
		if <-done; *got != outcome {
			t.Errorf("without Dovecot and with MAILHAUL_REQUIRE=%q the test ends with %+v, want %+v", require, *got, outcome)
		}
	}
}

func TestHalfInstalled(t *testing.T) {
	prefix := t.TempDir()
	for _, name := range []string{"bin/dovecot", "lib/dovecot/imap"} {
		file := filepath.Join(prefix, name)
		os.MkdirAll(filepath.Dir(file), fs.ModePerm)
		os.WriteFile(file, []byte("#!/bin/sh\n"), fs.ModePerm)
	}
	t.Setenv("PATH", filepath.Join(prefix, "bin"))
	if err := installed(); err == nil || !strings.Contains(err.Error(), "no pop3") {
		t.Errorf("a Dovecot without pop3: %v", err)
	}
}

// TestTLSRequired: nobody logs in in clear, but for those Dovecot takes to be on the same machine.
func TestTLSRequired(t *testing.T) {
	s := Start(t, Options{TLSRequired: true})
	c, err := FromElsewhere(t.Context(), "tcp", net.JoinHostPort(Host, strconv.Itoa(s.IMAP)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.LocalAddr().(*net.TCPAddr).IP.String() == Host {
		t.Skip("this machine has one loopback address only")
	}
	p := &session{t, c, bufio.NewReader(c)}
	p.until("Dovecot ready")
	if a := p.ask("1 LOGIN ann "+Password, "1 "); !strings.Contains(a, "1 NO [PRIVACYREQUIRED]") {
		t.Errorf("LOGIN in clear: %q", a)
	}
}
