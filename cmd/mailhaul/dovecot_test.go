package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/testdata"
)

// realMail returns the mail of testdata and, where the environment variable MAILHAUL_MAIL names a directory, every
// file below it as well. It is for runs by hand with mail of one's own:
//
//	MAILHAUL_MAIL=~/Mail/some/cur go test ./cmd/mailhaul -run TestDovecot -v
func realMail(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, m := range testdata.Messages() {
		all = append(all, m.Octets)
	}
	dir := os.Getenv("MAILHAUL_MAIL")
	if dir == "" {
		return all
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		octets, err := os.ReadFile(path)
		all = append(all, octets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDovecot moves real mail from a real POP3 server to a real IMAP server. Every message must be there once, as it
// was; a second run must have nothing to do; and the archive must be a Maildir that a mail server opens.
func TestDovecot(t *testing.T) {
	s := dovecot.Shared(t)
	all := realMail(t)
	for _, m := range all {
		s.Deliver(t, "old@haul.example", mail.Inbox, m, nil, time.Unix(1_000_000_000, 0))
	}
	began := time.Now().Truncate(time.Second)
	m := newMove(t, s)

	status, rep := m.run(t)
	if status != exitDone || rep.Source.Fetched != len(all) || rep.Destination.Appended != len(all) || len(rep.Findings) > 0 {
		t.Errorf("it ended with %d: %+v, %+v, %+v", status, rep.Source, rep.Destination, rep.Findings)
	}
	there := s.Messages(t, "new@haul.example", mail.Inbox)
	var shown [][]byte
	for _, m := range there {
		shown = append(shown, m.Octets)
		checkReceived(t, m, began)
	}
	t.Logf("%d messages, %d octets in %.1f s; %s", len(all), len(bytes.Join(all, nil)), rep.Seconds, compareMail(t, all, shown))

	m.again(t, len(all))
	if again := s.Messages(t, "new@haul.example", mail.Inbox); len(again) != len(there) {
		t.Errorf("%d messages at the destination after the second run, %d before", len(again), len(there))
	}

	s.Adopt(t, "archive@haul.example", m.archive)
	kept := imapInbox(t, s, "archive@haul.example", "")
	t.Logf("the archive as Dovecot shows it: %d messages; %s", len(kept), compareMail(t, all, kept))
}

// again migrates once more, and checks that nothing was fetched and nothing sent: by the report, and by how many
// octets came from the source and went to the destination.
func (m *move) again(t *testing.T, known int) {
	t.Helper()
	pop3, imap := m.pop3.octets(), m.imap.octets()
	status, rep := m.run(t)
	if status != exitDone || rep.Source.Known != known || rep.Source.Fetched != 0 || rep.Destination.Appended != 0 {
		t.Errorf("again, it ended with %d: %+v, %+v", status, rep.Source, rep.Destination)
	}
	came, went := m.pop3.octets()[1]-pop3[1], m.imap.octets()[0]-imap[0]
	if came > 10_000+60*int64(known) || went > 10_000 {
		t.Errorf("again, %d octets came from the source and %d went to the destination", came, went)
	}
	t.Logf("a second run took %.2f s; %d octets came from the source, %d went to the destination", rep.Seconds, came, went)
}

// TestDovecotRefuses guards that a message the server will not have is named with the server's word, and kept. Such
// a message is an empty one; Dovecot's own POP3 makes an empty line of it, so it comes from another server.
func TestDovecotRefuses(t *testing.T) {
	s := dovecot.Shared(t)
	r := newRig(t, append(trial.Mail(), nil))
	m := newMove(t, s)
	m.args[1], m.args[2] = r.source, strings.Replace(m.args[2], "new@", "refusing@", 1)
	for _, known := range []int{0, 12} {
		status, rep := m.run(t)
		d := rep.Destination
		if status != exitIncomplete || d.Refused != 1 || d.Known != known || d.Appended != 12-known || len(rep.Failures) != 1 ||
			!strings.Contains(rep.Failures[0].Reason, "zero byte") {
			t.Errorf("it ended with %d: %+v, %+v", status, d, rep.Failures)
		}
	}
	var shown [][]byte
	for _, m := range s.Messages(t, "refusing@haul.example", mail.Inbox) {
		shown = append(shown, m.Octets)
	}
	t.Log(compareMail(t, trial.Mail(), shown))
}

// checkReceived checks that the INTERNALDATE is when the message came in by its own word; POP3 has no other.
func checkReceived(t *testing.T, m dovecot.Message, began time.Time) {
	t.Helper()
	want := sumOf(t, m.Octets).Header.Arrived()
	if want.IsZero() && m.Received.Before(began) || !want.IsZero() && !want.Equal(m.Received) {
		t.Errorf("UID %d has the INTERNALDATE %v, want %v", m.UID, m.Received, want)
	}
}

// compareMail fails the test unless every message sent is shown once, and says how many are the same to the octet. POP3 adds a last line end, and Dovecot levels runs of CR and shows a NUL as 0x80; nothing
// else may differ.
func compareMail(t *testing.T, sent, shown [][]byte) string {
	t.Helper()
	match, exact := map[mail.Digest]int{}, map[mail.Digest]int{}
	for _, m := range sent {
		sum := sumOf(t, m)
		match[sum.Match]++
		exact[sum.Digest]++
	}
	same, strange, missing := 0, 0, 0
	for _, m := range shown {
		sum := sumOf(t, m)
		if match[sum.Match]--; match[sum.Match] < 0 {
			strange++
		}
		if exact[sum.Digest]--; exact[sum.Digest] >= 0 {
			same++
		}
	}
	for _, n := range match {
		missing += max(n, 0)
	}
	text := fmt.Sprintf("%d missing, %d doubled or altered, %d the same to the octet, %d but for the last line end, runs of CR or NUL",
		missing, strange, same, len(shown)-same-strange)
	if missing+strange > 0 {
		t.Error(text)
	}
	return text
}

func sumOf(t *testing.T, m []byte) mail.Sum {
	sum, err := mail.SumOf(bytes.NewReader(m))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestDovecotQuota guards that a full account ends the run with 6, and that the next goes on when there is room.
func TestDovecotQuota(t *testing.T) {
	const room = 300_000
	full := dovecot.Start(t, dovecot.Options{Quota: room})
	all := realMail(t)[:40]
	for _, m := range all {
		full.Deliver(t, "old@haul.example", mail.Inbox, m, nil, time.Unix(1_000_000_000, 0))
	}
	m := newMove(t, full)
	var shown [][]byte
	ended := []int{}
	for range 10 {
		status, rep := m.run(t)
		ended = append(ended, status)
		if status == exitQuota && (rep.Error == "" || rep.Destination.Failed == 0) {
			t.Errorf("over quota it says %q of %+v", rep.Error, rep.Destination)
		}
		shown = append(shown, imapInbox(t, full, "new@haul.example", "empty it")...)
		if status != exitQuota {
			break
		}
	}
	if last := ended[len(ended)-1]; ended[0] != exitQuota || last != exitDone {
		t.Errorf("the runs ended with %v, want 6 until there is room, and then 0", ended)
	}
	t.Logf("the runs ended with %v; %s", ended, compareMail(t, all, shown))
}

// A move is the program between two accounts of a Dovecot, each reached by a proxy that counts.
type move struct {
	bin, archive string
	pop3, imap   *proxy
	args         []string
}

func newMove(t *testing.T, s *dovecot.Server) *move {
	t.Helper()
	m := &move{bin: program(t), archive: filepath.Join(t.TempDir(), "mail"), pop3: newProxy(t, s.POP3S), imap: newProxy(t, s.IMAPS)}
	url := func(scheme, user string, p *proxy) string {
		return scheme + "://" + user + "@" + p.addr + "?ca=" + s.CAFile
	}
	m.args = []string{"migrate", url("pop3s", "old@haul.example", m.pop3), url("imaps", "new@haul.example", m.imap),
		"--archive", m.archive, "--json"}
	return m
}

// run migrates, and checks that the sums of the report hold.
func (m *move) run(t *testing.T) (status int, rep report) {
	t.Helper()
	p := newProcess(m.bin, m.args...)
	p.cmd.Env = append(p.cmd.Env, "MAILHAUL_DESTINATION_PASSWORD="+dovecot.Password)
	if strings.Contains(m.args[1], "old@haul.example") {
		p.cmd.Env = append(p.cmd.Env, "MAILHAUL_SOURCE_PASSWORD="+dovecot.Password)
	}
	status, err := p.finish()
	if err != nil {
		t.Fatal(err)
	}
	rep = finalReport(t, p.out.Bytes())
	s, d := rep.Source, rep.Destination
	if s == nil || d == nil || rep.Exit != status {
		t.Fatalf("it ended with %d and reports %+v\n%s", status, rep, &p.err)
	}
	if s.Listed != s.Known+s.Fetched+s.Linked+s.Vanished+s.Failed {
		t.Errorf("the sum does not hold: %+v", s)
	}
	if d.Archived != d.Known+d.Appended+d.Present+d.Merged+d.Refused+d.Failed+d.LeftOut+d.Gone {
		t.Errorf("the sum does not hold: %+v", d)
	}
	return status, rep
}

// finalReport returns the report in the last line of what --json printed.
func finalReport(t testing.TB, out []byte) report {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var rep report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil || rep.Event != "report" {
		t.Fatalf("the last line is no report: %v\n%.500s", err, lines[len(lines)-1])
	}
	return rep
}

// A proxy hands octets on to a port and counts them.
type proxy struct {
	addr   string
	passed [2]atomic.Int64 // to the server, and from it
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	p := new(proxy)
	p.addr = between(t, port, new(net.Dialer).DialContext, func(s, c net.Conn) {
		go p.hand(s, c, 0)
		go p.hand(c, s, 1)
	})
	return p
}

// between listens at the address it returns, and gives hand each connection that comes, and one to the port of a Dovecot.
func between(t *testing.T, port int, dial func(context.Context, string, string) (net.Conn, error), hand func(server, client net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := dial(t.Context(), "tcp", net.JoinHostPort(dovecot.Host, strconv.Itoa(port)))
			if err != nil {
				c.Close()
				continue
			}
			hand(s, c)
		}
	}()
	return ln.Addr().String()
}

func (p *proxy) hand(to, from net.Conn, way int) {
	io.Copy(io.MultiWriter(to, counter{&p.passed[way]}), from)
	to.Close()
	from.Close()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func (p *proxy) octets() [2]int64 { return [2]int64{p.passed[0].Load(), p.passed[1].Load()} }

// imapInbox reads what the account's INBOX shows over IMAP, with no line of the program's own client; and, if there
// is a reason to, removes it afterwards.
func imapInbox(t *testing.T, s *dovecot.Server, user, empty string) (all [][]byte) {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c, err := tls.Dial("tcp", net.JoinHostPort(dovecot.Host, strconv.Itoa(s.IMAPS)), &tls.Config{ServerName: "localhost", RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	commands := []string{"LOGIN " + user + " " + dovecot.Password, "SELECT INBOX", "UID FETCH 1:* BODY.PEEK[]"}
	if empty != "" {
		commands = append(commands, `UID STORE 1:* +FLAGS (\Deleted)`, "EXPUNGE")
	}
	for n, command := range commands {
		fmt.Fprintf(c, "%d %s\r\n", n, command)
		literals, err := answerTo(in, strconv.Itoa(n)+" ")
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		all = append(all, literals...)
	}
	return all
}

var literal = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// answerTo reads up to the tagged OK and returns the literals before it.
func answerTo(in *bufio.Reader, tag string) (literals [][]byte, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if rest, ok := strings.CutPrefix(line, tag); ok {
			if !strings.HasPrefix(rest, "OK") {
				err = fmt.Errorf("the server says %s", rest)
			}
			return literals, err
		}
		if found := literal.FindStringSubmatch(line); found != nil {
			n, _ := strconv.Atoi(found[1])
			octets := make([]byte, n)
			if _, err := io.ReadFull(in, octets); err != nil {
				return nil, err
			}
			literals = append(literals, octets)
		}
	}
}
