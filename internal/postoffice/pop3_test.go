package postoffice

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A raw speaks a line protocol by hand.
type raw struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, srv *Server) *raw {
	t.Helper()
	conn, err := srv.Dial(context.Background(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	return by(t, conn)
}

func by(t *testing.T, conn net.Conn) *raw {
	t.Cleanup(func() { conn.Close() })
	return &raw{t, conn, bufio.NewReader(conn)}
}

func (r *raw) send(format string, args ...any) {
	fmt.Fprintf(r, format+"\r\n", args...)
}

// line returns the next line without its end, or what the read failed with in angle brackets.
func (r *raw) line() string {
	line, err := r.in.ReadString('\n')
	if err != nil {
		return line + "<" + err.Error() + ">"
	}
	return strings.TrimSuffix(line, "\r\n")
}

// ask sends a command and returns the first line of the answer.
func (r *raw) ask(format string, args ...any) string {
	r.send(format, args...)
	return r.line()
}

// body reads to the strict end of a multi-line answer and returns it with its dots undone.
func (r *raw) body() []byte {
	var all []byte
	for {
		line, err := r.in.ReadBytes('\n')
		if err != nil {
			r.t.Errorf("body ends with %v after %q", err, all)
			return all
		}
		atStart := len(all) == 0 || bytes.HasSuffix(all, []byte("\r\n"))
		if atStart && string(line) == ".\r\n" {
			return all
		}
		if atStart {
			line = bytes.TrimPrefix(line, []byte("."))
		}
		all = append(all, line...)
	}
}

func (r *raw) lines() []string {
	return strings.Fields(strings.ReplaceAll(string(r.body()), " ", "_"))
}

func (r *raw) login() *raw {
	r.t.Helper()
	r.line()
	r.ask("USER me")
	if got := r.ask("PASS secret"); !strings.HasPrefix(got, "+OK") {
		r.t.Fatalf("PASS: %q", got)
	}
	return r
}

func pop3Server(t *testing.T, trouble Trouble, mail ...string) (*Account, *Server) {
	office := New()
	me := office.Account("me", "secret")
	for i, m := range mail {
		me.Deliver(Inbox, Message{Octets: []byte(m), UIDL: fmt.Sprintf("u%d", i+1)})
	}
	srv := office.POP3(trouble)
	t.Cleanup(func() { srv.Close() })
	return me, srv
}

var odd = []string{
	"Subject: plain\r\n\r\nbody\r\n",
	"Subject: LF\n\nbare\nlines\n",
	"Subject: lone CR\r\n\r\na\rb\r\r\n\r",
	"Subject: NUL\r\n\r\na\x00b\r\n",
	"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n.\r\n",
	".starts with a dot\r\n",
	"Subject: forged\n\n\n.\n+OK nothing\n.\r.\r\n",
	"Subject: no last line end\r\n\r\nend",
	"",
	"\r\n",
	"From someone Mon Jan  1 00:00:00 2001\nSubject: From_\n\nx\n",
	"no colon\r\nSubject: after it\r\n\r\nx\r\n",
	"Subject: \xc5\xbd 8-bit\r\nMessage-ID: <\xff@x>\r\n\r\n\xe4\r\n",
	"Subject: long\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
	"Subject: only a header\r\n",
}

// shownBy is what POP3 shows, by its definition.
func shownBy(octets string) string {
	octets = strings.ReplaceAll(strings.ReplaceAll(octets, "\r\n", "\n"), "\n", "\r\n")
	if octets != "" && !strings.HasSuffix(octets, "\r\n") {
		octets += "\r\n"
	}
	return octets
}

func TestPOP3ShowsOctetsAsTheyAre(t *testing.T) {
	_, srv := pop3Server(t, Trouble{}, odd...)
	c := dial(t, srv).login()
	for i, m := range odd {
		want := shownBy(m)
		if got := c.ask("RETR %d", i+1); got != fmt.Sprintf("+OK %d octets", len(want)) {
			t.Errorf("RETR %d: %q", i+1, got)
		}
		if got := string(c.body()); got != want {
			t.Errorf("RETR of %.60q shows %.60q, want %.60q", m, got, want)
		}
	}
}

func TestPOP3Conversation(t *testing.T) {
	me, srv := pop3Server(t, Trouble{}, "A: 1\n\none\ntwo\n", "B: 2\n\nx\n", "C: 3\n\ny\n")
	c := dial(t, srv)
	c.line()
	if got := c.ask("STAT"); !strings.HasPrefix(got, "-ERR") {
		t.Errorf("STAT before the login: %q", got)
	}
	c.ask("CAPA")
	if got := c.lines(); !slices.Contains(got, "PIPELINING") || !slices.Contains(got, "UTF8") {
		t.Errorf("CAPA: %q", got)
	}
	for _, step := range []struct{ say, want string }{
		{"UTF8", "+OK UTF8 enabled"},
		{"USER me", "+OK send PASS"},
		{"PASS wrong", "-ERR [AUTH] wrong user or password"},
		{"USER me", "+OK send PASS"},
		{"PASS secret", "+OK 3 messages"},
		{"STAT", "+OK 3 40"},
		{"LIST 1", "+OK 1 18"},
		{"UIDL 2", "+OK 2 u2"},
		{"UIDL 4", "-ERR no such message"},
		{"DELE 2", "+OK marked deleted"},
		{"RETR 2", "-ERR no such message"},
		{"RSET", "+OK"},
		{"DELE 3", "+OK marked deleted"},
		{"NOOP", "+OK"},
		{"XYZ", "-ERR unknown command, or not now"},
	} {
		if got := c.ask("%s", step.say); got != step.want {
			t.Errorf("%s: %q, want %q", step.say, got, step.want)
		}
	}
	c.ask("UIDL")
	if got := c.lines(); !slices.Equal(got, []string{"1_u1", "2_u2"}) {
		t.Errorf("UIDL: %q", got)
	}
	c.ask("TOP 1 1")
	if got := string(c.body()); got != "A: 1\r\n\r\none\r\n" {
		t.Errorf("TOP 1 1: %q", got)
	}
	c.ask("QUIT")
	if got := len(me.Messages(Inbox)); got != 2 {
		t.Errorf("%d messages after QUIT, want 2", got)
	}
	if got := srv.Commands(); !slices.Contains(got, "PASS ***") || slices.Contains(got, "PASS secret") || srv.Count("DELE") != 2 {
		t.Errorf("log: %q", got)
	}
}

func TestPOP3LocksTheMaildrop(t *testing.T) {
	_, srv := pop3Server(t, Trouble{}, "A: 1\n\n")
	first := dial(t, srv).login()
	second := dial(t, srv)
	second.line()
	second.ask("USER me")
	if got := second.ask("PASS secret"); !strings.HasPrefix(got, "-ERR [IN-USE]") {
		t.Errorf("second login: %q", got)
	}
	first.Close()
	dial(t, srv).login()
}

func TestPOP3Pipelines(t *testing.T) {
	for _, tc := range []struct {
		without []string
		want    int // answers to three NOOPs at once
	}{{nil, 3}, {[]string{"PIPELINING"}, 1}} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := pop3Server(t, Trouble{Without: tc.without}, "A: 1\n\n")
			c := dial(t, srv).login()
			c.send("NOOP\r\nNOOP\r\nNOOP")
			c.SetReadDeadline(time.Now().Add(time.Hour))
			got := 0
			for c.line() == "+OK" {
				got++
			}
			if got != tc.want {
				t.Errorf("without %q: %d answers, want %d", tc.without, got, tc.want)
			}
		})
	}
}
