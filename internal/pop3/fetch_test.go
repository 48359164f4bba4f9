package pop3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// fetchAll fetches the items; what a message cannot be had for stands in its place, in angle brackets.
func fetchAll(t testing.TB, s *Source, items []mail.Item) []string {
	t.Helper()
	var got []string
	err := s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if err != nil {
			octets = fmt.Appendf(octets, "<%v>", err)
		}
		got = append(got, string(octets))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestRefusedMessage: a no to one message is that message's affair.
func TestRefusedMessage(t *testing.T) {
	for _, tt := range []struct {
		say   string
		cause mail.Cause
		later bool
		text  string
	}{
		{"-ERR", mail.CauseRefused, false, "fetch INBOX: the server does not hand it over: it gave no reason"},
		{"-ERR virus found", mail.CauseRefused, false, "virus found"},
		{"-ERR [SYS/PERM] damaged", mail.CauseRefused, false, "[SYS/PERM] damaged"},
		{"-ERR [SYS/TEMP] disk busy", mail.CauseNetwork, true, "[SYS/TEMP] disk busy"},
		{"-ERR no such message", mail.CauseVanished, false, "it is not in the maildrop any more"},
	} {
		for _, at := range []int{1, 3, 5} {
			for _, without := range [][]string{nil, {"PIPELINING"}} {
				trouble := postoffice.Trouble{Without: without, Faults: []postoffice.Fault{{Verb: "RETR", At: at, Times: 1, Say: tt.say}}}
				checkRefused(t, trouble, at, func(err error) {
					e := wantError(t, err, mail.ScopeMessage, tt.cause, tt.text)
					if (e.Later > 0) != tt.later {
						t.Errorf("%q: later %s", tt.say, e.Later)
					}
				})
			}
		}
	}
}

func checkRefused(t *testing.T, trouble postoffice.Trouble, refused int, check func(error)) {
	t.Helper()
	var messages [][]byte
	for _, m := range five() {
		messages = append(messages, []byte(m))
	}
	s, server, _ := inOffice(t, trouble, messages...)
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if n++; n == refused {
			check(err)
			return nil
		}
		if string(octets) != string(messages[n-1]) {
			t.Errorf("message %d = %q, %v", n, octets, err)
		}
		return err
	})
	if err != nil || n != 5 {
		t.Errorf("Fetch: %d messages, %v", n, err)
	}
	if err := s.End(t.Context()); err != nil || server.Count("QUIT") != 1 {
		t.Errorf("End: %v", err)
	}
}

// TestLastWord: a no with which the server leaves is the session's affair, or the message would be given up for
// nothing.
func TestLastWord(t *testing.T) {
	for _, without := range [][]string{nil, {"PIPELINING"}} {
		trouble := postoffice.Trouble{Without: without, Faults: []postoffice.Fault{{Verb: "RETR", At: 2, Say: "-ERR autologout; idle for too long", End: postoffice.FIN}}}
		s, server, _ := inOffice(t, trouble, []byte("one\r\n"), []byte("two\r\n"))
		whole, err := readAll(t, s)
		wantError(t, err, mail.ScopeSession, mail.CauseNetwork, "fetch INBOX: pop.example.org hung up")
		if want := []string{"one\r\n"}; !slices.Equal(whole, want) || server.Count("QUIT") > 0 {
			t.Errorf("read %q, want %q and no QUIT", whole, want)
		}
	}
}

// TestBrokenLineSpeaksForItself: whatever the caller makes of a message that was cut off, the line is to blame.
func TestBrokenLineSpeaksForItself(t *testing.T) {
	for _, own := range []error{nil, errors.New("the archive got half a message")} {
		s, _ := scripted(t, map[string]string{"RETR": "+OK\r\nhalf a mess\n.\n+no status\r\n.\r\n\r\n"})
		items, err := s.List(t.Context(), mail.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
			io.ReadAll(r)
			return own
		})
		wantError(t, err, mail.ScopeSession, mail.CauseProtocol, "fetch INBOX: the server broke the protocol")
	}
}

// TestLimitReached: Gmail's limit ends the run, not a message.
func TestLimitReached(t *testing.T) {
	trouble := postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "RETR", At: 2, Say: "-ERR [SYS/TEMP] Account exceeded command or bandwidth limits."}}}
	s, _, _ := inOffice(t, trouble, []byte("one\r\n"), []byte("two\r\n"))
	whole, err := readAll(t, s)
	wantError(t, err, mail.ScopeAccount, mail.CauseQuota, "a limit of the provider is reached")
	if len(whole) != 1 {
		t.Errorf("read %q", whole)
	}
}

// TestVanished: what the maildrop does not show is not asked for.
func TestVanished(t *testing.T) {
	s, p := scripted(t, holding(five()...))
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	other := items[1]
	other.Ref.Validity = 7 // an IMAP key
	elsewhere := items[2]
	elsewhere.Ref.Mailbox = "Sent"
	unknown := mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UID: "uid6\r\nDELE 1"}}
	got := fetchAll(t, s, []mail.Item{other, items[0], elsewhere, unknown, items[4], unknown})
	const gone = "<fetch INBOX: it is not in the maildrop any more>"
	if want := []string{gone, five()[0], gone, gone, five()[4], gone}; !slices.Equal(got, want) {
		t.Errorf("Fetch = %q, want %q", got, want)
	}
	if strings.Contains(p.said(), "DELE") {
		t.Errorf("said %q", p.said())
	}
}

// TestPipelining: as many commands as fit go ahead where the server announced it, and one where it did not.
func TestPipelining(t *testing.T) {
	for capa, want := range map[string]int{pipelining: 128, "+OK\r\nUIDL\r\n.\r\n": 1} {
		synctest.Test(t, func(t *testing.T) {
			var messages []string
			for i := range 3 * maxAhead {
				messages = append(messages, fmt.Sprintf("message %d\r\n", i+1))
			}
			s, p := scripted(t, with(holding(messages...), map[string]string{"CAPA": capa}))
			most := 0
			p.serve = func(c net.Conn) { most = p.hoard(c, len(messages)) }
			whole, err := readAll(t, s)
			if err != nil || !slices.Equal(whole, messages) {
				t.Errorf("read %d messages, %v", len(whole), err)
			}
			s.Close()
			p.running.Wait()
			if most != want {
				t.Errorf("%d commands ahead at most, want %d", most, want)
			}
		})
	}
}

// hoard answers RETR only when nothing more is coming, and returns how many were waiting at most.
func (p *script) hoard(c net.Conn, n int) (most int) {
	commands := make(chan string, 10*maxAhead)
	go func() {
		defer close(commands)
		for in := bufio.NewReader(c); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			commands <- strings.TrimRight(line, "\r\n")
		}
	}()
	io.WriteString(c, p.answer(""))
	for command := range commands {
		if strings.HasPrefix(command, "RETR") {
			synctest.Wait()
			most = max(most, 1+len(commands))
		}
		io.WriteString(c, p.answer(command))
	}
	return most
}

// TestNoDeadlock: a server that writes before it reads, over a line that buffers nothing.
func TestNoDeadlock(t *testing.T) {
	var messages []string
	for i := range 200 {
		messages = append(messages, strings.Repeat(fmt.Sprintf("line of %d\r\n", i), 500))
	}
	s, _ := scripted(t, with(holding(messages...), map[string]string{"CAPA": pipelining}))
	if whole, err := readAll(t, s); err != nil || !slices.Equal(whole, messages) {
		t.Errorf("read %d messages, %v", len(whole), err)
	}
}

// TestCancelWhileWaiting: whatever the server does not say, cancelling ends it, and no goroutine stays.
func TestCancelWhileWaiting(t *testing.T) {
	for _, verb := range []string{"", "CAPA", "PASS", "UIDL", "RETR"} {
		synctest.Test(t, func(t *testing.T) {
			why := errors.New("the user said stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			s, p := scripted(t, map[string]string{verb: ""})
			done := make(chan error)
			go func() {
				items, err := s.List(ctx, mail.Inbox)
				if err == nil {
					err = s.Fetch(ctx, items, func(_ mail.Item, r io.Reader) error {
						_, err := io.ReadAll(r)
						return err
					})
				}
				done <- err
			}()
			synctest.Wait()
			cancel(why)
			if err := <-done; err != why {
				t.Errorf("silent at %q: %v, want the cause", verb, err)
			}
			p.running.Wait()
		})
	}
}

// TestSessionOutlivesCalls: a call's context is that call's, not the session's.
func TestSessionOutlivesCalls(t *testing.T) {
	s, p := scripted(t, holding(five()...))
	ctx, cancel := context.WithCancel(t.Context())
	items, err := s.List(ctx, mail.Inbox)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	fetchAll(t, s, items)
	if p.sessions() != 1 {
		t.Errorf("%d sessions, want 1", p.sessions())
	}
}

// TestWindow: Gmail shows a part at a time, and the next part after QUIT only.
func TestWindow(t *testing.T) {
	var messages [][]byte
	for _, m := range five() {
		messages = append(messages, []byte(m))
	}
	s, _, _ := inOffice(t, postoffice.Trouble{Window: 2}, messages...)
	var got []string
	for s.Windows() {
		whole, err := readAll(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) == 0 {
			break
		}
		got = append(got, whole...)
		if err := s.End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, five()) {
		t.Errorf("read %q, want all", got)
	}
}

func TestLoginDelayMeansNoWindows(t *testing.T) {
	for capa, want := range map[string]bool{"LOGIN-DELAY 900": false, "LOGIN-DELAY 0 USER": true, "login-delay 5 USER": false, "LOGIN-DELAY": true, "LOGIN-DELAY x": true, "TOP": true} {
		s, _ := scripted(t, map[string]string{"CAPA": lines("+OK", capa)})
		if !s.Windows() {
			t.Error("Windows() = false before anybody said so")
		}
		if _, err := s.List(t.Context(), mail.Inbox); err != nil {
			t.Fatal(err)
		}
		if got := s.Windows(); got != want {
			t.Errorf("%s: Windows() = %t, want %t", capa, got, want)
		}
	}
}

// TestEndRefused: a no to QUIT, or none at all, is said; there is no session after it.
func TestEndRefused(t *testing.T) {
	s, p := scripted(t, map[string]string{"QUIT": "-ERR some messages not removed\r\n"})
	if _, err := readAll(t, s); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.End(t.Context()), mail.ScopeSession, mail.CauseOther, "quit INBOX: the server did not end the session well: some messages not removed")
	if err := s.End(t.Context()); err != nil || p.sessions() != 1 {
		t.Errorf("End again: %v", err)
	}
}

func TestCheck(t *testing.T) {
	s, server, me := inOffice(t, postoffice.Trouble{}, []byte("A: b\r\n\r\n"), []byte("C: d\r\n\r\n"))
	r, err := s.Check(t.Context())
	if err != nil || r.Messages != 2 || r.Octets != 16 || !r.UIDL || !r.Pipelining || r.TLS != "" || r.Greeting == "" || r.Trace == "" {
		t.Errorf("Check = %+v, %v", r, err)
	}
	if !slices.Contains(r.Before, "UTF8") || !slices.Contains(r.After, "EXPIRE NEVER") {
		t.Errorf("Check: capabilities %q, then %q", r.Before, r.After)
	}
	if server.Count("RETR")+server.Count("TOP")+server.Count("DELE") > 0 || server.Count("QUIT") != 1 || len(me.Messages(mail.Inbox)) != 2 {
		t.Errorf("Check said %q", server.Commands())
	}
	s, _, _ = inOffice(t, postoffice.Trouble{Without: []string{"UIDL", "CAPA", "PIPELINING"}}, []byte("A: b\r\n\r\n"))
	if r, err := s.Check(t.Context()); err != nil || r.UIDL || r.Pipelining || len(r.Before)+len(r.After) > 0 {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

func TestTrace(t *testing.T) {
	for _, tt := range []struct{ host, greeting, want string }{
		{"pop.gmail.com", "", "Gmail"}, {"mail.example.org", "Dovecot (Debian) ready.", `\Seen`}, {"mail.example.org", "ready", "may mark"},
	} {
		if got := trace(tt.host, tt.greeting); !strings.Contains(got, tt.want) {
			t.Errorf("trace(%q, %q) = %q, want %q", tt.host, tt.greeting, got, tt.want)
		}
	}
}
