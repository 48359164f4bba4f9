package pop3

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// The tests of this file are what go-pop3 gets wrong by itself, one by one; P8 is in memory_test.go, P10 below and
// in dial.

// P1: a blank line is not success; P13: neither is a continuation; P14: but other cases and a TAB are.
func TestStatusLines(t *testing.T) {
	for _, tt := range []struct {
		answer string
		ok     bool
	}{
		{"+OK\r\n", true}, {"+OK welcome\r\n", true}, {"+ok\twelcome\r\n", true}, {"+Ok\n", true},
		{"\r\n", false}, {"\n", false}, {" +OK\r\n", false}, {"+OKAY\r\n", false}, {"+ \r\n", false}, {"+\r\n", false}, {"OK\r\n", false},
		{"\x00+OK\r\n", false}, {"* OK\r\n", false}, {"HTTP/1.1 200 OK\r\n", false},
	} {
		for _, verb := range []string{"", "USER", "PASS", "STAT", "UIDL", "LIST", "RETR"} {
			answer := tt.answer
			if verb == "STAT" && tt.ok { // which says something by its text
				continue
			}
			if good := modest[verb]; tt.ok {
				answer = strings.TrimRight(answer, "\r\n") + strings.TrimPrefix(good, "+OK")
			}
			s, p := scripted(t, map[string]string{verb: answer})
			whole, err := readAll(t, s)
			if tt.ok {
				if err != nil || len(whole) != 1 {
					t.Errorf("%q to %q: %q, %v", answer, verb, whole, err)
				}
				continue
			}
			wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "is neither +OK nor -ERR")
			if strings.Contains(p.said(), "QUIT") {
				t.Errorf("%q to %q: QUIT was said", answer, verb)
			}
		}
	}
}

// P3 and the mutt and mbsync advisories: a UIDL is octets, whatever they are.
func TestUIDLIsRaw(t *testing.T) {
	for _, uid := range []string{"../../etc/cron.d/x", "\x1b]52;c;eA==\a", "\xff\xfe", "a b  c", ".", "..", strings.Repeat("u", 1024), "1", "%s%n"} {
		s, _ := scripted(t, map[string]string{"UIDL": "+OK\r\n1   " + uid + "\r\n.\r\n"})
		items, err := s.List(t.Context(), mail.Inbox)
		if err != nil || len(items) != 1 || items[0].Ref.UID != uid {
			t.Errorf("List = %+v, %v; want the UIDL %q", items, err, uid)
		}
	}
}

// P4: what a mail says is not what the server says. The server passes on line ends as they are.
func TestNoSmuggling(t *testing.T) {
	evil := "Subject: x\r\n\r\nhello\n.\n+OK gotcha\r\n-ERR\n.\r\n+OK\r\n\r.\r\n\n.\r\r\n.\r\n"
	for _, capa := range []string{"-ERR\r\n", pipelining} {
		s, _ := scripted(t, with(holding(evil, "second\r\n"), map[string]string{"CAPA": capa}))
		whole, err := readAll(t, s)
		if want := []string{evil, "second\r\n"}; err != nil || !slices.Equal(whole, want) {
			t.Errorf("read %q, %v; want %q", whole, err, want)
		}
	}
}

// P4: a server that does not double dots is found out, and nothing is taken for whole after which it said more.
func TestUnaskedIsOutOfStep(t *testing.T) {
	after := "+OK\r\nSubject: x\r\n\r\nhello\r\n.\r\n+OK gotcha\r\n.\r\n"
	for name, answers := range map[string]map[string]string{
		"greeting": {"": "+OK\r\n+OK\r\n"}, "RETR": {"RETR": after}, "LIST": {"LIST": "+OK\r\n1 9\r\n.\r\n\r\n"},
		"RETR, pipelining": {"RETR": after, "CAPA": pipelining},
	} {
		s, p := scripted(t, answers)
		whole, err := readAll(t, s)
		wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "unasked")
		if len(whole) > 0 || strings.Contains(p.said(), "QUIT") {
			t.Errorf("%s: read %q, said %q", name, whole, p.said())
		}
	}
}

// P5: a command in a password is not sent; nobody is even called.
func TestNoInjection(t *testing.T) {
	const badUser, badPassword = "log in: over POP3 a user name cannot be", "log in: the password holds a line end or NUL"
	for _, l := range []struct{ user, password, says string }{
		{"me", "secret\r\nDELE 1\r\nQUIT", badPassword}, {"me", "a\nb", badPassword}, {"me", "a\rb", badPassword}, {"me", "a\x00b", badPassword},
		{"me\r\nDELE 1", canary, badUser}, {"me\x00", canary, badUser}, {"me you", canary, badUser}, {"", canary, badUser},
	} {
		p := new(script)
		s := New(dial.Server{Host: "pop.example.org", Plain: true, Dialer: p.dial}, login(l.user, l.password))
		_, err := s.List(t.Context(), mail.Inbox)
		e := wantError(t, err, mail.ScopeAccount, mail.CauseUsage, l.says)
		if p.sessions() != 0 || strings.Contains(e.Error(), "secret") {
			t.Errorf("%q: %d sessions, error %q", l, p.sessions(), e)
		}
	}
}

// P5: but other passwords are carried as they are.
func TestOddPasswords(t *testing.T) {
	for _, password := range []string{" begins and ends with a space ", "%v %s%d", "ünïcödé", `"quoted\"`, "\x80\xff", strings.Repeat("x", 300)} {
		p := new(script)
		s := New(dial.Server{Host: "pop.example.org", Plain: true, Dialer: p.dial}, login("m%se", password))
		if _, err := s.List(t.Context(), mail.Inbox); err != nil {
			t.Fatal(err)
		}
		s.Close()
		p.running.Wait()
		if want := "CAPA\nUSER m%se\nPASS " + password + "\n"; !strings.HasPrefix(p.said(), want) {
			t.Errorf("said %q, want %q first", p.said(), want)
		}
	}
}

// P6: wherever a server falls silent, it is given up after the idle time.
func TestSilence(t *testing.T) {
	for _, verb := range []string{"", "CAPA", "USER", "PASS", "STAT", "UIDL", "LIST", "RETR"} {
		for _, begin := range []string{"", "+", "+OK", "+OK\r", "+OK 1 9\r\n1"} {
			synctest.Test(t, func(t *testing.T) {
				s, _ := scripted(t, map[string]string{verb: begin})
				start := time.Now()
				_, err := readAll(t, s)
				if verb == "PASS" || verb == "USER" || verb == "" || verb == "STAT" {
					if begin == "+OK 1 9\r\n1" { // these answers have one line: it is the next one that is silent, and cut in two
						return
					}
				}
				wantError(t, err, mail.ScopeSession, mail.CauseNetwork, "pop.example.org said nothing for 60 s")
				if waited := time.Since(start); waited != time.Minute {
					t.Errorf("%q to %q: waited %s", begin, verb, waited)
				}
			})
		}
	}
}

// P7: a line without an end is not collected.
func TestEndlessLines(t *testing.T) {
	for _, verb := range []string{"GREETING", "CAPA", "USER", "PASS", "STAT", "UIDL", "LIST", "RETR"} {
		s, _, _ := inOffice(t, postoffice.Trouble{Endless: verb}, []byte("A: b\r\n\r\n"))
		_, err := readAll(t, s)
		wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "a line is longer than 64 KiB")
	}
	long := strings.Repeat("x", maxLine)
	for _, answers := range []map[string]string{{"CAPA": "+OK\r\n" + long}, {"UIDL": "+OK\r\n1 " + long}, {"LIST": "+OK\r\n1 " + long}} {
		s, _ := scripted(t, answers)
		_, err := readAll(t, s)
		wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "a line is longer than 64 KiB")
	}
}

// TestBareLFInListings: a listing whose lines end in LF alone has no end either, and is not waited for.
func TestBareLFInListings(t *testing.T) {
	for verb, answer := range map[string]string{"CAPA": "+OK\nTOP\n.\n", "UIDL": "+OK\n1 a\n.\n", "LIST": "+OK\r\n1 9\n.\r\n"} {
		s, _ := scripted(t, map[string]string{verb: answer})
		_, err := readAll(t, s)
		wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "a line ends in LF without CR")
	}
}

// TestEndlessListings: CAPA, UIDL and LIST end somewhere.
func TestEndlessListings(t *testing.T) {
	many := strings.Repeat("1 x\r\n", 2000)
	s, _ := scripted(t, map[string]string{"CAPA": "+OK\r\n" + many})
	_, err := readAll(t, s)
	wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "more than 1000 capabilities")
	for verb, text := range map[string]string{"UIDL": "STAT counts 1 messages, UIDL shows more", "LIST": "STAT counts 1 messages, LIST"} {
		s, _ := scripted(t, map[string]string{verb: "+OK\r\n" + strings.ReplaceAll(many, "x", "1")})
		_, err := readAll(t, s)
		wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, text)
	}
	s, _ = scripted(t, map[string]string{"STAT": "+OK 5000001 9\r\n"})
	_, err = readAll(t, s)
	wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, "more than 5000000 are not believed")
}

// P9: a greeting that says no ends the connection; so does every other error.
func TestConnectionIsClosed(t *testing.T) {
	for _, answers := range []map[string]string{{"": "-ERR go away\r\n"}, {"": "what\r\n"}, {"PASS": "-ERR no\r\n"}, {"LIST": "-ERR no\r\n"}} {
		s, p := scripted(t, answers)
		for range 3 {
			if _, err := s.List(t.Context(), mail.Inbox); err == nil {
				t.Error("List: no error")
			}
		}
		p.running.Wait() // or the test hangs: the server sees every line end without the Source being closed
	}
}

// P10: an IPv6 address is a host like any other.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	p := new(script)
	p.running.Go(func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			p.talk(c)
		}
	})
	s := New(dial.Server{Host: "::1", Port: l.Addr().(*net.TCPAddr).Port, Plain: true}, login("me", canary))
	if _, err := s.List(t.Context(), mail.Inbox); err != nil {
		t.Error(err)
	}
	s.Close()
	p.running.Wait()
}

// P11 and P2: cut anywhere, with FIN, a listing or a message is never taken for whole.
func TestCutAnywhere(t *testing.T) {
	messages := [][]byte{[]byte("A: b\r\n\r\n.one\r\n"), []byte("A: b\r\n\r\ntwo\r\n.\r\n"), []byte("")}
	want := []string{string(messages[0]), string(messages[1]), ""}
	for _, without := range [][]string{nil, {"PIPELINING"}, {"UIDL"}} {
		s, server, _ := inOffice(t, postoffice.Trouble{Without: without}, messages...)
		if whole, err := readAll(t, s); err != nil || !slices.Equal(whole, want) {
			t.Fatalf("read %q, %v", whole, err)
		}
		end := server.Traffic()[0].ToClient
		for cut := range end {
			s, server, _ := inOffice(t, postoffice.Trouble{Without: without, Cut: postoffice.Cut{Way: postoffice.ToClient, At: cut, How: postoffice.FIN}}, messages...)
			whole, err := readAll(t, s)
			wantError(t, err, mail.ScopeSession, mail.CauseNetwork, "pop.example.org hung up")
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(whole) > 2 || !slices.Equal(whole, want[:len(whole)]) {
				t.Fatalf("cut at %d: read %q, %v", cut, whole, err)
			}
			if server.Count("QUIT") > 0 {
				t.Errorf("cut at %d: QUIT was said", cut)
			}
		}
	}
}

// TestSilentCut: the same when nothing passes any more and nobody is told; the waiting is faked.
func TestSilentCut(t *testing.T) {
	for _, way := range []postoffice.Way{postoffice.ToClient, postoffice.FromClient} {
		for cut := int64(0); cut < 70; cut += 7 {
			synctest.Test(t, func(t *testing.T) {
				s, server, _ := inOffice(t, postoffice.Trouble{Cut: postoffice.Cut{Way: way, At: cut, How: postoffice.Silence}}, []byte("A: b\r\n\r\n"))
				start := time.Now()
				_, err := readAll(t, s)
				wantError(t, err, mail.ScopeSession, mail.CauseNetwork, "pop.example.org said nothing for 60 s")
				if waited := time.Since(start); waited != time.Minute {
					t.Errorf("cut at %d: waited %s", cut, waited)
				}
				server.Close()
			})
		}
	}
}

// P12: octets stay as they are, whatever line ends there are among them.
func TestOctetsStay(t *testing.T) {
	odd := "A: b\n\nbare\nlf \rlone cr\r\r\n\x00\xff\xef\xbb\xbf\r\n\r\n"
	s, _ := scripted(t, holding("\xef\xbb\xbf"+odd, odd, ".\r\n", "..\r\n.\r\n", "", "\r\n", "\n.\n\r\n"))
	whole, err := readAll(t, s)
	if want := []string{"\xef\xbb\xbf" + odd, odd, ".\r\n", "..\r\n.\r\n", "", "\r\n", "\n.\n\r\n"}; err != nil || !slices.Equal(whole, want) {
		t.Errorf("read %q, %v; want %q", whole, err, want)
	}
}

// P14: what a server says cannot write on the terminal, nor fill it.
func TestServerTextIsEscaped(t *testing.T) {
	text := "\x1b[2J\x1b]0;owned\a \u202e" + strings.Repeat("x", 5000)
	for _, verb := range []string{"", "PASS", "STAT", "LIST", "RETR"} {
		for _, answer := range []string{"-ERR " + text + "\r\n", text + "\r\n", "-ERR[SYS/TEMP]" + text + "\r\n"} {
			s, _ := scripted(t, map[string]string{verb: answer})
			items, err := s.List(t.Context(), mail.Inbox)
			if err == nil {
				err = s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
					_, err := io.ReadAll(r)
					return err
				})
			}
			var e *mail.Error
			if !errors.As(err, &e) {
				t.Fatalf("%q to %q: %v", answer, verb, err)
			}
			if wantError(t, err, e.Scope, e.Cause, ""); len(e.Error()) > 1500 {
				t.Errorf("an error of %d octets", len(e.Error()))
			}
		}
	}
}
