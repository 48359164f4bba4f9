package pop3

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func word(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

func token(all ...string) func(context.Context, string) (string, error) {
	n := 0
	return func(context.Context, string) (string, error) {
		if n++; n > len(all) {
			return "", errors.New("log in again")
		}
		return all[n-1], nil
	}
}

// TestAuthenticate: line by line, at servers that want it in two steps, in one, or not at all.
func TestAuthenticate(t *testing.T) {
	umlaut := b64("\x00me\x00pä")
	xoauth2 := b64("user=me\x01auth=Bearer " + canary + "\x01\x01")
	gmail := b64(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`)
	for name, tt := range map[string]struct {
		login   mail.Login
		sasl    string // what CAPA says
		answers map[string]string
		said    string // between the two CAPAs
		err     string // or ""
	}{
		"umlaut": {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "+ \r\n", umlaut: "+OK\r\n"}, "AUTH PLAIN\n" + umlaut, ""},
		"bare +": {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "+\r\n", umlaut: "+OK\r\n"}, "AUTH PLAIN\n" + umlaut, ""},
		"LOGIN": {mail.Login{User: "me", Password: word("p"), Mechanism: "LOGIN"}, "SASL LOGIN", map[string]string{"AUTH LOGIN": "+ VXNlcm5hbWU6\r\n", b64("me"): "+ UGFzc3dvcmQ6\r\n", b64("p"): "+OK\r\n"},
			"AUTH LOGIN\nbWU=\ncA==", ""},
		"two steps": {mail.Login{User: "me", Token: token(canary)}, "SASL PLAIN XOAUTH2", map[string]string{"AUTH XOAUTH2": "+ \r\n", xoauth2: "+OK\r\n"}, "AUTH XOAUTH2\n" + xoauth2, ""},
		"one step":  {mail.Login{User: "me", Token: token(canary)}, "SASL XOAUTH2", map[string]string{"AUTH XOAUTH2": "-ERR malformed command\r\n", "AUTH XOAUTH2 " + xoauth2: "+OK\r\n"}, "AUTH XOAUTH2\nAUTH XOAUTH2 " + xoauth2, ""},
		"refused": {mail.Login{User: "me", Mechanism: "XOAUTH2", Password: word(canary)}, "SASL XOAUTH2", map[string]string{"AUTH XOAUTH2": "+ \r\n", xoauth2: "+ " + gmail + "\r\n", "": "+OK\r\n"},
			"AUTH XOAUTH2\n" + xoauth2 + "\n", "refused the login of me: [AUTH] no (status 400, it must be good for https://mail.google.com/)"},
		"too curious": {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "+ \r\n", umlaut: "+ more\r\n", "*": "-ERR cancelled\r\n"}, "AUTH PLAIN\n" + umlaut + "\n*", "the server asks for more than PLAIN has to say"},
		"without end": {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "+ \r\n", umlaut: "+ more\r\n", "*": "+ more\r\n"}, "AUTH PLAIN\n" + umlaut + "\n*", "it goes on with a login that was given up"},
		"no sense":    {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "hello\r\n"}, "AUTH PLAIN", "is neither a challenge nor +OK nor -ERR"},
		"busy":        {mail.Login{User: "me", Password: word("pä")}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "-ERR [IN-USE] busy\r\n"}, "AUTH PLAIN", "another session has the maildrop"},
		"no token":    {mail.Login{User: "me", Token: token(canary)}, "SASL PLAIN", nil, "", "pop.example.org takes no OAuth2 token here"},
		"no umlaut":   {mail.Login{User: "me", Password: word("pä")}, "USER", nil, "", "user name or password is not in ASCII"},
		"UTF8 USER":   {mail.Login{User: "me", Password: word("pä")}, "UTF8 USER", nil, "UTF8\nUSER me\nPASS pä", ""},
		"told USER":   {mail.Login{User: "me", Password: word("pä"), Mechanism: "user"}, "SASL PLAIN", nil, "USER me\nPASS pä", ""},
		"echo": {mail.Login{User: "me", Password: word(canary), Mechanism: "PLAIN"}, "SASL PLAIN", map[string]string{"AUTH PLAIN": "+ \r\n", b64("\x00me\x00" + canary): "-ERR what is " + b64("\x00me\x00"+canary) + "?\r\n"},
			"AUTH PLAIN\n" + b64("\x00me\x00"+canary), "refused the login of me: what is ***?"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &script{answers: with(map[string]string{"CAPA": "+OK\r\n" + tt.sasl + "\r\n.\r\n"}, tt.answers)}
			if tt.answers[""] != "" {
				p.serve = func(c net.Conn) { refuser(p, c, tt.answers) }
			}
			s := New(dial.Server{Host: "pop.example.org", Port: 995, Plain: true, Dialer: p.dial}, tt.login)
			_, err := s.List(t.Context(), mail.Inbox)
			s.Close()
			p.running.Wait()
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("List: %v, want %q", err, tt.err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
				t.Errorf("%v holds the secret", err)
			}
			said := strings.TrimPrefix(p.said(), "CAPA\n")
			if tt.said == "" {
				said = strings.TrimPrefix(p.said(), "CAPA")
			}
			if said != tt.said && !strings.HasPrefix(said, tt.said+"\nCAPA") && !strings.HasPrefix(said, tt.said+"\nSTAT") {
				t.Errorf("said %q, want %q", said, tt.said)
			}
		})
	}
}

// refuser is a script that knows an empty line, and says no to it.
func refuser(p *script, c net.Conn, answers map[string]string) {
	buf := make([]byte, 4096)
	io.WriteString(c, answers[""])
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		command := strings.TrimRight(string(buf[:n]), "\r\n")
		p.mu.Lock()
		p.heard = append(p.heard, command)
		p.mu.Unlock()
		answer := p.answer(command)
		if command == "" {
			answer = "-ERR [AUTH] no\r\n"
		}
		io.WriteString(c, answer)
	}
}

// TestTokens: a refused token is asked for once more over a new connection, the new one is tried once.
func TestTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		tokens []string
		conns  int
		want   string
	}{
		"good":     {[]string{"new"}, 1, ""},
		"old":      {[]string{"old", "new"}, 2, ""},
		"both old": {[]string{"old", "older", "new"}, 2, "refused the login"},
		"the same": {[]string{"old", "old", "new"}, 1, "refused the login"},
		"no other": {[]string{"old"}, 1, "get the password: log in again"},
	} {
		for _, trouble := range []postoffice.Trouble{{With: []string{"AUTH=XOAUTH2"}, TwoStep: true}, {With: []string{"AUTH=XOAUTH2"}, OneStep: true}, {With: []string{"AUTH=OAUTHBEARER"}}} {
			office := postoffice.New()
			office.Account("me", "secret").SetToken(func(token string) bool { return token == "new" })
			srv := office.POP3(trouble)
			s := New(dial.Server{Host: "pop.example.org", Port: 995, Plain: true, Dialer: srv.Dial, Pace: new(dial.Pace)}, mail.Login{User: "me", Token: token(tt.tokens...)})
			_, err := s.List(t.Context(), mail.Inbox)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || len(srv.Traffic()) != tt.conns {
				t.Errorf("%s: %v, %d connections; want %q, %d", name, err, len(srv.Traffic()), tt.want, tt.conns)
			}
			if tt.want == "refused the login" {
				if _, again := s.List(t.Context(), mail.Inbox); again == nil || len(srv.Traffic()) != tt.conns {
					t.Errorf("%s: tried again: %v", name, again)
				}
			}
			if slices.ContainsFunc(srv.Commands(), func(c string) bool { return strings.Contains(c, b64("user=me")) }) {
				t.Errorf("%s: the servers note tokens", name)
			}
			s.Close()
			srv.Close()
		}
	}
}

// Gmail lets everybody in, and says at STAT that POP is switched off.
func TestPOPSwitchedOff(t *testing.T) {
	p := &script{answers: map[string]string{"STAT": "-ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access.\r\n"}}
	s := New(dial.Server{Host: "pop.gmail.com", Plain: true, Dialer: p.dial}, login("me", canary))
	for range 2 {
		_, err := s.List(t.Context(), mail.Inbox)
		if e := wantError(t, err, mail.ScopeAccount, mail.CauseLogin, "not enabled for POP"); !strings.Contains(e.Hint, "enable POP for all mail") {
			t.Errorf("hint %q", e.Hint)
		}
	}
	s.Close()
	p.running.Wait()
	if p.sessions() != 1 {
		t.Errorf("%d sessions", p.sessions())
	}
}

// TestDovecotLogins: each way into the same maildrop of a real server.
func TestDovecotLogins(t *testing.T) {
	tokens := dovecot.Introspection(t)
	d := dovecot.Start(t, dovecot.Options{Tokens: tokens.URL})
	d.Deliver(t, "ann@example.org", "INBOX", []byte("Subject: hers\n\n1\n"), nil, time.Unix(1e9, 0))
	long := "good-" + strings.Repeat("x", 2000)
	tokens.Set("good", "ann@example.org")
	tokens.Set(long, "ann@example.org")
	const ann = "ann@example.org"
	for name, tt := range map[string]struct {
		login mail.Login
		want  string
	}{
		"USER":        {mail.Login{User: ann, Password: word(dovecot.Password)}, ""},
		"PLAIN":       {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "PLAIN"}, ""},
		"LOGIN":       {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "LOGIN"}, ""},
		"CRAM-MD5":    {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "CRAM-MD5"}, ""},
		"master":      {mail.Login{User: ann + "*root", Password: word(dovecot.MasterPassword)}, ""},
		"for another": {mail.Login{User: "root", Authorize: ann, Password: word(dovecot.MasterPassword)}, ""},
		"token":       {mail.Login{User: ann, Token: token("good")}, ""},
		"long token":  {mail.Login{User: ann, Token: token(long), Mechanism: "XOAUTH2"}, ""},
		"old token":   {mail.Login{User: ann, Token: token("old", "good")}, ""},
		"old tokens":  {mail.Login{User: ann, Token: token("old", "older")}, "Authentication failed. (status invalid_token"},
		"wrong":       {mail.Login{User: ann, Password: word("wrong"), Mechanism: "PLAIN"}, "[AUTH] Authentication failed."},
	} {
		s := New(dial.Server{Host: "127.0.0.1", Port: d.POP3S, CAFile: d.CAFile}, tt.login)
		items, err := s.List(t.Context(), mail.Inbox)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && len(items) != 1 {
			t.Errorf("%s: %d messages, %v; want %q", name, len(items), err, tt.want)
		}
		s.End(t.Context())
		s.Close()
	}
}
