package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestVerdicts(t *testing.T) {
	for line, want := range map[string]struct{ stlsGreets, stlsAnswers, greets, answers verdict }{
		"+OK":               {saysYes, saysYes, saysNothing, saysNothing},
		"+ok\tready":        {saysYes, saysYes, saysNothing, saysNothing},
		"+OK <1.2@h> x":     {saysYes, saysYes, saysNothing, saysNothing},
		"+OKAY":             {},
		" +OK":              {},
		"-ERR":              {saysNo, saysNo, saysNothing, saysNothing},
		"-ERR [IN-USE] x":   {saysNo, saysNo, saysNothing, saysNothing},
		"* OK":              {saysNothing, saysNothing, saysYes, saysNothing},
		"* ok [ALERT] x":    {saysNothing, saysNothing, saysYes, saysNothing},
		"* OKAY":            {},
		"*  OK":             {},
		"* PREAUTH x":       {saysNothing, saysNothing, saysLoggedIn, saysNothing},
		"* BYE x":           {saysNothing, saysNothing, saysNo, saysNothing},
		"* NO x":            {saysNothing, saysNothing, saysNo, saysNothing},
		"M1 OK [X] begin":   {saysNothing, saysNothing, saysNothing, saysYes},
		"M1 NO x":           {saysNothing, saysNothing, saysNothing, saysNo},
		"M1 BAD x":          {saysNothing, saysNothing, saysNothing, saysNo},
		"M1 PREAUTH":        {},
		"M1":                {},
		"m1 OK":             {},
		"M2 OK":             {},
		"+ go ahead":        {},
		"":                  {},
		"* CAPABILITY AUTH": {},
	} {
		if got := STLS.greets(line); got != want.stlsGreets {
			t.Errorf("STLS.greets(%q) = %d, want %d", line, got, want.stlsGreets)
		}
		if got := STLS.answers(line); got != want.stlsAnswers {
			t.Errorf("STLS.answers(%q) = %d, want %d", line, got, want.stlsAnswers)
		}
		if got := STARTTLS.greets(line); got != want.greets {
			t.Errorf("STARTTLS.greets(%q) = %d, want %d", line, got, want.greets)
		}
		if got := STARTTLS.answers(line); got != want.answers {
			t.Errorf("STARTTLS.answers(%q) = %d, want %d", line, got, want.answers)
		}
	}
}

// FuzzInClear: whatever a server says in clear, nothing but the command is said to it, and the error is fit for a
// terminal.
func FuzzInClear(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "* OK\r\nM1 OK\r\n", "* PREAUTH\r\n", "\x15\x03\x01\x00\x02\x02\x28", "* BYE \x1b[2J\r\n", "\n", "* OK\r\n\x00"} {
		f.Add(s, "M1 OK\r\n* CAPABILITY\r\n")
		f.Add("* OK\r\n", s)
		f.Add("+OK\r\n", s)
	}
	f.Fuzz(func(t *testing.T, greeting, answer string) {
		for _, upgrade := range []Upgrade{STLS, STARTTLS} {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				heard := make(chan string)
				go func() { heard <- converse(far, greeting, answer) }()
				s := Server{Host: there, Port: 143, StartTLS: upgrade, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
				_, err := s.Dial(t.Context())
				if err == nil || strings.ContainsAny(err.Error(), "\x00\x1b\r\n") {
					t.Errorf("%q, %q: Dial = %v", greeting, answer, err)
				}
				if got, _, _ := strings.Cut(<-heard, "\x16\x03"); got != "" && got != upgrade.command() {
					t.Errorf("%q, %q: heard %q", greeting, answer, got)
				}
			})
		}
	})
}

// converse says a greeting and, when something was said to it, an answer; it returns what it heard in all.
func converse(c net.Conn, greeting, answer string) string {
	defer c.Close()
	if _, err := io.WriteString(c, greeting); err != nil {
		return ""
	}
	first := make([]byte, 512)
	n, err := c.Read(first)
	if err != nil {
		return ""
	}
	go func() { io.WriteString(c, answer) }()
	rest, _ := io.ReadAll(c)
	return string(first[:n]) + string(rest)
}

// TestCancelInClear: who stops while a server is silent is not kept waiting.
func TestCancelInClear(t *testing.T) {
	why := errors.New("the user said stop")
	for _, greeting := range []string{"", "+OK\r\n", "+OK re"} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			ctx, cancel := context.WithCancelCause(t.Context())
			s := Server{Host: there, Port: 110, StartTLS: STLS, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
			failed := make(chan error)
			go func() { _, err := s.Dial(ctx); failed <- err }()
			go func() { io.WriteString(far, greeting); io.Copy(io.Discard, far) }()
			synctest.Wait()
			cancel(why)
			if err := <-failed; err != why {
				t.Errorf("after %q: Dial = %v, want the cause", greeting, err)
			}
		})
	}
}

// TestStartTLS: what is read afterwards begins with a blank greeting, and the meter has counted all of it.
func TestStartTLS(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue(t, leaf{names: []string{there}})
	for _, upgrade := range []Upgrade{STLS, STARTTLS} {
		port := listen(t, func(c net.Conn) {
			if (&shortLine{Conn: c, left: 1 << 20}).porch(upgrade) {
				overTLS(cert, 0, func(c net.Conn) { io.WriteString(c, "under TLS") })(c)
			}
		})
		var meter Meter
		s := server(ca, there, port)
		s.StartTLS, s.Meter = upgrade, &meter
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if want := upgrade.blank() + "under TLS"; string(got) != want || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q, %v; want %q and that it hung up", upgrade, got, err, want)
		}
		if conn.TLS() == nil || meter.Read() < 500 || meter.Written() < 100 {
			t.Errorf("%s: TLS %v, meter %d and %d", upgrade, conn.TLS(), meter.Read(), meter.Written())
		}
	}
}

// TestTurnedAway: the line is there for who can read more from it.
func TestTurnedAway(t *testing.T) {
	port := listen(t, func(c net.Conn) { io.WriteString(c, "* BYE \x1b[2Jtoo many\r\n") })
	s := server(authority{}, there, port)
	s.StartTLS = STARTTLS
	_, err := s.Dial(t.Context())
	wantNetwork(t, err, `mail.example.org takes no session: * BYE \x1b[2Jtoo many`)
	var away TurnedAway
	if !errors.As(err, &away) || away.Line != "* BYE \x1b[2Jtoo many" {
		t.Errorf("TurnedAway = %+v", away)
	}
}

// TestPortHint: who finds nobody at home on the port of STARTTLS is sent to the other.
func TestPortHint(t *testing.T) {
	port := listen(t, greet)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	s := server(authority{}, there, port)
	s.StartTLS = STARTTLS
	_, err = s.Dial(t.Context())
	wantSentence(t, err, mail.CauseNetwork, "refused the connection on port", "write imaps:// in place of imap://")
}

// TestSilenceInClear: before the greeting the server may be waiting for TLS, afterwards somebody may be in its way.
func TestSilenceInClear(t *testing.T) {
	for greeting, want := range map[string]struct{ says, hint string }{
		"":            {"mail.example.org did not greet on port 143 within 30 s", "if TLS begins with the first octet on port 143, write imaps:// in place of imap://"},
		"* OK":        {"mail.example.org did not greet on port 143 within 30 s", "if TLS begins with the first octet"},
		"* OK hi\r\n": {"mail.example.org did not answer STARTTLS on port 143 within 30 s", "try another network"},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			go func() { io.WriteString(far, greeting); io.Copy(io.Discard, far) }()
			s := Server{Host: there, Port: 143, StartTLS: STARTTLS, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
			_, err := s.Dial(t.Context())
			wantSentence(t, err, mail.CauseNetwork, want.says, want.hint)
		})
	}
}
