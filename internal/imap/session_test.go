package imap

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// on answers commands that begin so.
func on(verb string, do func(s *talk, cmd string)) func(*talk, string) bool {
	return func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, verb) {
			return false
		}
		do(s, cmd)
		return true
	}
}

func saying(lines ...string) func(*talk, string) {
	return func(s *talk, _ string) {
		for _, line := range lines {
			s.say(strings.ReplaceAll(line, "TAG", s.tag))
		}
	}
}

func TestLogin(t *testing.T) {
	for name, test := range map[string]struct {
		script *script
		want   string // of Mailboxes, twice
		logins int
	}{
		"accepted":                   {&script{}, "ok", 1},
		"PREAUTH":                    {&script{greeting: "* PREAUTH welcome"}, "ok", 0},
		"greeting with capabilities": {&script{greeting: "* OK [CAPABILITY IMAP4rev1 ID] hi"}, "ok", 1},
		"refused": {&script{answer: on("LOGIN", saying("TAG NO [AUTHENTICATIONFAILED] Invalid credentials"))},
			"account login: log in: imap.example.org refused the login: the server says: Invalid credentials", 1},
		"refused without code": {&script{answer: on("LOGIN", saying("TAG NO nope"))},
			"account login: log in: imap.example.org refused the login: the server says: nope", 1},
		"BAD": {&script{answer: on("LOGIN", saying("TAG BAD what is "+canary+"?"))},
			"account login: log in: imap.example.org refused the login: the server says: what is ***?", 1},
		"busy": {&script{answer: on("LOGIN", saying("TAG NO [UNAVAILABLE] Temporary failure"))},
			"session network later 1m0s: log in: the server says: Temporary failure", 2},
		"in use":       {&script{answer: on("LOGIN", saying("TAG NO [INUSE] wait 2 minutes"))}, "session network later 2m0s: log in: the server says: wait 2 minutes", 2},
		"limit":        {&script{answer: on("LOGIN", saying("TAG NO [LIMIT] connections"))}, "session network later 1m0s: log in: the server says: connections", 2},
		"Gmail's many": {&script{answer: on("LOGIN", saying("TAG NO [ALERT] Too many simultaneous connections. (Failure)"))}, "session network later 1m0s: log in: the server says: Too many simultaneous connections. (Failure)", 2},
		"bandwidth": {&script{answer: on("LOGIN", saying("TAG NO [ALERT] Account exceeded command or bandwidth limits."))},
			"account quota later 1h0m0s: log in: the server says: Account exceeded command or bandwidth limits.", 2},
		"BYE as greeting": {&script{greeting: "* BYE Too many connections from your address"},
			"session network later 1m0s: list folders: the server ended the session: Too many connections from your address", 0},
		"BYE as answer": {&script{answer: on("LOGIN", func(s *talk, _ string) { s.say("* BYE come back"); s.conn.Close() })},
			"session network later 1s: list folders: the server ended the session: come back", 2},
		"not IMAP": {&script{greeting: "+OK POP3 ready"},
			"session protocol later 5s: list folders: the server does not greet as an IMAP server does: +OK POP3 ready", 0},
		"hangs up":      {&script{answer: on("LOGIN", func(s *talk, _ string) { s.conn.Close() })}, "session network later 10s: list folders: imap.example.org hung up", 2},
		"LOGINDISABLED": {&script{caps: "IMAP4rev1 LOGINDISABLED"}, "account login: log in: imap.example.org takes no password here (LOGINDISABLED)", 0},
		"Exchange":      {&script{answer: on("LOGIN", saying(`TAG OK [Error="Microsoft.Exchange.x]" y] done`))}, "ok", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.script.client(t)
			for range 2 { // the second time no login may be tried that was refused
				_, err := c.Mailboxes(t.Context())
				if got := describe(err); got != test.want {
					t.Errorf("Mailboxes: %s\nwant %s", got, test.want)
				}
				if err != nil && strings.Contains(err.Error(), canary) {
					t.Errorf("the error %v holds the password", err)
				}
			}
			if c.refused != nil {
				if _, err := c.Select(t.Context(), mail.Inbox); describe(err) != test.want {
					t.Errorf("Select: %s\nwant %s", describe(err), test.want)
				}
			}
			logins := 0
			for _, cmd := range test.script.log() {
				if strings.HasPrefix(cmd, "LOGIN") {
					logins++
				}
			}
			if logins != test.logins {
				t.Errorf("%d logins, want %d: %q", logins, test.logins, test.script.log())
			}
		})
	}
}

// What LOGIN says as a literal waits for the server's consent, although go-imap would not.
func TestLoginLiteral(t *testing.T) {
	var got string
	s := &script{answer: on("LOGIN", func(s *talk, cmd string) {
		rest, _ := s.literal(cmd)
		got = cmd + " " + rest
		s.say(s.tag + " OK in")
	})}
	c := s.client(t)
	c.login.Password = func(context.Context) (string, error) { return "pässwo", nil }
	if _, err := c.Mailboxes(t.Context()); err != nil || got != `LOGIN "me" {7} pässwo` {
		t.Errorf("the server got %q; %v", got, err)
	}
}

func TestLoginUnsayable(t *testing.T) {
	for _, c := range [][2]string{{"me\r\nA1 DELETE INBOX", "x"}, {"me", "x\r\ny"}, {"me", "x\x00"}, {"m\ne", "x"}} {
		s := &script{}
		client := s.client(t)
		client.login = mail.Login{User: c[0], Password: func(context.Context) (string, error) { return c[1], nil }}
		_, err := client.Mailboxes(t.Context())
		if got := describe(err); !strings.HasPrefix(got, "account usage: log in: the ") || s.conns != 0 {
			t.Errorf("%q: %s, and %d connections", c, got, s.conns)
		}
	}
}

func TestIDBeforeSelect(t *testing.T) {
	s := &script{caps: "IMAP4rev1 ID"}
	if _, err := s.client(t).Select(t.Context(), mail.Inbox); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.log(), "|"); !strings.Contains(got, `|ID ("name" "mailhaul")|SELECT INBOX`) {
		t.Errorf("commands %s", got)
	}
}

// A server that falls silent, in whatever it is asked, is given up after the idle time; one that is slow is not.
func TestSilence(t *testing.T) {
	for _, verb := range []string{"CAPABILITY", "LOGIN", "SELECT", "NOOP", "UID FETCH", "APPEND"} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answer: func(s *talk, cmd string) bool { return strings.HasPrefix(cmd, verb) && s.nth == 1 }}
			c := s.client(t)
			began := time.Now()
			err := everything(t.Context(), c)
			if e := new(mail.Error); !errors.As(err, &e) || e.Scope != mail.ScopeSession || e.Cause != mail.CauseNetwork {
				t.Errorf("silent at %s: %v", verb, err)
			}
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("silent at %s: given up after %v", verb, took)
			}
			if err := everything(t.Context(), c); err != nil {
				t.Errorf("after silence at %s: %v", verb, err)
			}
			c.Close()
		})
	}
}

func everything(ctx context.Context, c *Client) error {
	if _, err := c.Select(ctx, mail.Inbox); err != nil {
		return err
	}
	if err := c.List(ctx, mail.Inbox, 10, func([]mail.Item) {}); err != nil {
		return err
	}
	var failed error
	err := c.Append(ctx, mail.Inbox, []mail.Outgoing{message("a: b\r\n\r\nc")}, func(_ int, _ mail.Stored, err error) { failed = err })
	if failed != nil {
		return failed
	}
	return err
}

func TestSlowIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 2000 // at 1 octet in 10 s: more than five hours
		s := &script{answer: on("UID FETCH", func(s *talk, _ string) {
			s.raw("* 1 FETCH (UID 5 BODY[] {2000}\r\n")
			for range size {
				time.Sleep(10 * time.Second)
				s.raw("x")
			}
			s.say(")", s.tag+" OK done")
		})}
		c := s.client(t)
		err := c.Fetch(t.Context(), []mail.Item{item(5)}, func(_ mail.Item, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n != size {
				t.Errorf("%d octets came, want %d", n, size)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		c.Close()
	})
}

// Cancelling ends whatever is under way, at once, and the next call works.
func TestCancel(t *testing.T) {
	for _, verb := range []string{"LOGIN", "SELECT", "NOOP", "UID FETCH", "APPEND"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := &script{answer: func(s *talk, cmd string) bool {
				if !strings.HasPrefix(cmd, verb) || s.nth > 1 {
					return false
				}
				if verb == "APPEND" {
					s.literal(cmd)
				}
				cancel()
				return true
			}}
			c := s.client(t)
			began := time.Now()
			if err := everything(ctx, c); !errors.Is(err, context.Canceled) || time.Since(began) > 0 {
				t.Errorf("cancelled at %s: %v after %v", verb, err, time.Since(began))
			}
			if err := everything(t.Context(), c); err != nil {
				t.Errorf("after cancelling at %s: %v", verb, err)
			}
			c.Close()
		})
	}
}

// A session outlives the context of the call that opened it.
func TestContextOfOneCall(t *testing.T) {
	s := &script{}
	c := s.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.Mailboxes(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.Mailboxes(t.Context()); err != nil || s.conns != 1 {
		t.Errorf("the next call: %v, over %d connections", err, s.conns)
	}
}

// Nothing is left of 200 sessions that were dropped in the middle of something.
func TestNoLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 200 {
		s := &script{answer: on("UID FETCH", func(s *talk, _ string) {
			for n := range 300 { // more than go-imap takes in before somebody reads
				s.raw("* 1 FETCH (UID " + strconv.Itoa(n+1) + " BODY[] {3}\r\nabc)\r\n")
			}
			s.raw("* 1 FETCH (UID 400 BODY[] {3000}\r\nabc")
		})}
		c := s.client(t)
		var items []mail.Item
		for n := range 64 {
			items = append(items, item(uint32(n+1)))
		}
		enough := errors.New("enough")
		n := 0
		err := c.Fetch(t.Context(), items, func(mail.Item, io.Reader) error {
			if n++; n > i%64 {
				return enough
			}
			return nil
		})
		if err != enough {
			t.Fatalf("Fetch: %v", err)
		}
		c.Close()
		s.running.Wait()
	}
	runtime.Gosched()
	if after := runtime.NumGoroutine(); after > before+2 {
		t.Errorf("%d goroutines became %d", before, after)
	}
}

// Close says goodbye, and does not wait long for the answer.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answer: on("LOGOUT", func(*talk, string) {})}
		c := s.client(t)
		if err := everything(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Close(); err != nil || time.Since(began) != farewell {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
		if log := s.log(); log[len(log)-1] != "LOGOUT" {
			t.Errorf("the last command is %s", log[len(log)-1])
		}
	})
}

func TestDialError(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("refused")}
	c := New(dial.Server{Host: "x", Plain: true, Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, refused }},
		mail.Login{User: "me", Password: password})
	_, err := c.Mailboxes(t.Context())
	if e := new(mail.Error); !errors.As(err, &e) || e.Op != "connect" || e.Scope != mail.ScopeSession {
		t.Errorf("Mailboxes: %v", err)
	}
}
