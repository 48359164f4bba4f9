package imap

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// sasl answers AUTHENTICATE of a mechanism: it says the challenges in turn, the first unless the client's message came
// with the command, and reads what the client answers; what it heard is in clear, but for "*". end is what it says then.
func (heard *exchanges) sasl(mechanism string, challenges []string, end ...string) func(*talk, string) bool {
	return on("AUTHENTICATE "+mechanism, func(s *talk, cmd string) {
		var said []string
		if _, first, found := strings.Cut(strings.TrimPrefix(cmd, "AUTHENTICATE "), " "); found {
			said = append(said, "with the command: "+decoded(first))
		}
		for i, challenge := range challenges {
			if i == 0 && len(said) > 0 {
				continue
			}
			s.say("+ " + challenge)
			line, _ := s.br.ReadString('\n')
			said = append(said, decoded(strings.TrimRight(line, "\r\n")))
			if line == "*\r\n" {
				s.say(s.tag + " BAD cancelled")
				*heard = append(*heard, said)
				return
			}
		}
		*heard = append(*heard, said)
		saying(end...)(s, cmd)
	})
}

type exchanges [][]string

func decoded(line string) string {
	octets, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return line
	}
	return string(octets)
}

func (s *script) as(t *testing.T, login mail.Login) *Client {
	c := s.client(t)
	c.login = login
	return c
}

func word(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}

// TestAuthenticate: what is said by which mechanism, with the command where the server takes it there, and not if it is long.
func TestAuthenticate(t *testing.T) {
	gmail := base64.StdEncoding.EncodeToString([]byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`))
	token := func(context.Context, string) (string, error) { return canary, nil }
	long := strings.Repeat("t", 2000)
	bearer := "n,a=me,\x01host=imap.example.org\x01port=143\x01auth=Bearer " + canary + "\x01\x01"
	for name, tt := range map[string]struct {
		login      mail.Login
		caps       string
		mechanism  string
		challenges []string
		end        string
		said       []string
		want       string // of Mailboxes
	}{
		"PLAIN":         {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", []string{""}, "OK in", []string{"\x00me\x00pä"}, "ok"},
		"SASL-IR":       {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN SASL-IR", "PLAIN", []string{""}, "OK in", []string{"with the command: \x00me\x00pä"}, "ok"},
		"LOGINDISABLED": {mail.Login{User: "me", Password: password}, "LOGINDISABLED AUTH=PLAIN", "PLAIN", []string{"go ahead"}, "OK in", []string{"\x00me\x00" + canary}, "ok"},
		"for another":   {mail.Login{User: "root", Authorize: "me", Password: password}, "AUTH=PLAIN", "PLAIN", []string{""}, "OK in", []string{"me\x00root\x00" + canary}, "ok"},
		"LOGIN": {mail.Login{User: `DOM\me`, Password: password}, "LOGINDISABLED AUTH=LOGIN SASL-IR", "LOGIN", []string{"VXNlciBOYW1lAA==", "UGFzc3dvcmQA"}, "OK in",
			[]string{`DOM\me`, canary}, "ok"},
		"LOGIN with empty challenges": {mail.Login{User: "me", Password: password}, "LOGINDISABLED AUTH=LOGIN", "LOGIN", []string{"", ""}, "OK in", []string{"me", canary}, "ok"},
		"CRAM-MD5": {mail.Login{User: "tim", Password: word("tanstaaftanstaaf"), Mechanism: "cram-md5"}, "AUTH=CRAM-MD5", "CRAM-MD5",
			[]string{"PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"}, "OK in", []string{"tim b913a602c7eda7a495b4e6e7334d3890"}, "ok"},
		"XOAUTH2":      {mail.Login{User: "me", Token: token}, "AUTH=PLAIN AUTH=XOAUTH2 SASL-IR", "XOAUTH2", []string{""}, "OK in", []string{"with the command: user=me\x01auth=Bearer " + canary + "\x01\x01"}, "ok"},
		"long token":   {mail.Login{User: "me", Mechanism: "XOAUTH2", Password: word(long)}, "SASL-IR", "XOAUTH2", []string{""}, "OK in", []string{"user=me\x01auth=Bearer " + long + "\x01\x01"}, "ok"},
		"OAUTHBEARER":  {mail.Login{User: "me", Token: token}, "AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER", "OAUTHBEARER", []string{""}, "OK in", []string{bearer}, "ok"},
		"no such":      {mail.Login{User: "me", Token: token}, "AUTH=PLAIN AUTH=LOGIN", "PLAIN", nil, "OK in", nil, "account login: log in: imap.example.org takes no OAuth2 token here"},
		"wrong":        {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", []string{""}, "NO [AUTHENTICATIONFAILED] Please try again", []string{"\x00me\x00pä"}, "account login: log in: imap.example.org refused the login: the server says: Please try again"},
		"echo":         {mail.Login{User: "me", Password: password, Mechanism: "PLAIN"}, "", "PLAIN", []string{""}, "NO what is " + base64.StdEncoding.EncodeToString([]byte("\x00me\x00"+canary)), []string{"\x00me\x00" + canary}, "account login: log in: imap.example.org refused the login: the server says: what is ***"},
		"busy":         {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", []string{""}, "NO [UNAVAILABLE] later", []string{"\x00me\x00pä"}, "session network later 1m0s: log in: the server says: later"},
		"refused once": {mail.Login{User: "me", Mechanism: "XOAUTH2", Password: password}, "AUTH=XOAUTH2 SASL-IR", "XOAUTH2", []string{"", gmail}, "NO Invalid SASL argument.", []string{"with the command: user=me\x01auth=Bearer " + canary + "\x01\x01", ""}, "account login: log in: imap.example.org refused the login: the server says: Invalid SASL argument. (status 400, it must be good for https://mail.google.com/)"},
		"bearer refused": {mail.Login{User: "me", Mechanism: "OAUTHBEARER", Password: password}, "AUTH=OAUTHBEARER", "OAUTHBEARER", []string{"", base64.StdEncoding.EncodeToString([]byte(`{"status":"invalid_token"}`))}, "NO [AUTHENTICATIONFAILED] no",
			[]string{bearer, "\x01"}, "account login: log in: imap.example.org refused the login: the server says: no (status invalid_token)"},
		"too curious": {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", []string{"", "", ""}, "OK in", []string{"\x00me\x00pä", "*"}, "account protocol: log in: the server asks for more than PLAIN has to say"},
		"no challenge": {mail.Login{User: "tim", Password: password, Mechanism: "CRAM-MD5"}, "AUTH=CRAM-MD5", "CRAM-MD5", []string{"!"}, "OK in", []string{"*"},
			"account protocol: log in: the server's challenge for CRAM-MD5 is not base64"},
		"at once": {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", nil, "NO no such mechanism", nil, "account login: log in: imap.example.org refused the login: the server says: no such mechanism"},
		"cut":     {mail.Login{User: "me", Password: word("pä")}, "AUTH=PLAIN", "PLAIN", []string{""}, "* BYE come back", []string{"\x00me\x00pä"}, "session network later 1s: list folders: the server ended the session: come back"},
	} {
		t.Run(name, func(t *testing.T) {
			var heard exchanges
			end := []string{"TAG " + tt.end}
			hang := strings.HasPrefix(tt.end, "*")
			if hang {
				end = []string{tt.end}
			}
			answer := heard.sasl(tt.mechanism, tt.challenges, end...)
			s := &script{caps: "IMAP4rev1 " + tt.caps}
			s.answer = func(talk *talk, cmd string) bool {
				answered := answer(talk, cmd)
				if answered && hang {
					talk.conn.Close()
				}
				return answered
			}
			c := s.as(t, tt.login)
			_, err := c.Mailboxes(t.Context())
			c.Close()
			if got := describe(err); got != tt.want {
				t.Errorf("Mailboxes: %s\nwant %s", got, tt.want)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
				t.Errorf("%v holds the secret", err)
			}
			s.running.Wait()
			if tt.said != nil && (len(heard) != 1 || !slices.Equal(heard[0], tt.said)) || tt.said == nil && len(heard) > 0 && len(heard[0]) > 0 {
				t.Errorf("the server heard %q, want %q", heard, tt.said)
			}
		})
	}
}

// A server that asks on and on after "*" is left.
func TestAuthenticateWithoutEnd(t *testing.T) {
	s := &script{caps: "IMAP4rev1 AUTH=PLAIN", answer: on("AUTHENTICATE", func(s *talk, _ string) {
		for range 10 {
			s.say("+ ")
			if _, err := s.br.ReadString('\n'); err != nil {
				return
			}
		}
	})}
	_, err := s.as(t, mail.Login{User: "me", Password: word("ü")}).Mailboxes(t.Context())
	if got := describe(err); !strings.Contains(got, "protocol") {
		t.Errorf("Mailboxes: %s", got)
	}
}

// TestTokens: a refused token is asked for once more, with it, over a new connection, and the new one is tried once;
// at every login there is a question, and a refusal for good is not tried again.
func TestTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		tokens []string // what is said to each question; "": an error
		good   string
		asked  []string
		conns  int
		want   string
	}{
		"good":          {[]string{"new"}, "new", []string{""}, 1, "ok"},
		"old":           {[]string{"old", "new"}, "new", []string{"", "old"}, 2, "ok"},
		"both old":      {[]string{"old", "older", "new"}, "new", []string{"", "old"}, 2, "refused the login"},
		"the same":      {[]string{"old", "old", "new"}, "new", []string{"", "old"}, 1, "refused the login"},
		"no other":      {[]string{"old", "", "new"}, "new", []string{"", "old"}, 1, "get the password: log in again"},
		"none to begin": {[]string{""}, "new", []string{""}, 0, "get the password: log in again"},
	} {
		office := postoffice.New()
		office.Account("me", "secret").SetToken(func(token string) bool { return token == tt.good })
		srv := office.IMAP(postoffice.Trouble{With: []string{"AUTH=XOAUTH2", "SASL-IR"}})
		var asked []string
		c := New(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: srv.Dial, Pace: new(dial.Pace)}, mail.Login{User: "me",
			Token: func(_ context.Context, refused string) (string, error) {
				asked = append(asked, refused)
				if token := tt.tokens[len(asked)-1]; token != "" {
					return token, nil
				}
				return "", errors.New("log in again")
			}})
		_, err := c.Mailboxes(t.Context())
		if got := describe(err); !strings.Contains(got, tt.want) || !slices.Equal(asked, tt.asked) || len(srv.Traffic()) != tt.conns {
			t.Errorf("%s: %s, asked %q, %d connections; want %s, %q, %d", name, got, asked, len(srv.Traffic()), tt.want, tt.asked, tt.conns)
		}
		if tt.want == "refused the login" {
			n := len(asked)
			if _, again := c.Mailboxes(t.Context()); again == nil || len(asked) != n {
				t.Errorf("%s: then %v, asked %q", name, again, asked)
			}
		}
		c.Close()
		srv.Close()
	}
}

// A session that ends is followed by another login with a token asked for anew.
func TestTokenOfEachSession(t *testing.T) {
	office := postoffice.New()
	n := 0
	office.Account("me", "secret").SetToken(func(token string) bool { return token == fmt.Sprint("t", n) })
	srv := office.IMAP(postoffice.Trouble{With: []string{"AUTH=OAUTHBEARER"}})
	defer srv.Close()
	c := New(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: srv.Dial}, mail.Login{User: "me",
		Token: func(context.Context, string) (string, error) { n++; return fmt.Sprint("t", n), nil }})
	for range 3 {
		if _, err := c.Mailboxes(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if n != 3 {
		t.Errorf("%d tokens for 3 sessions", n)
	}
}

// TestOddPasswords: whatever stands in them, they arrive as they are, by whichever way.
func TestOddPasswords(t *testing.T) {
	for _, secret := range []string{" a b ", `q"u\o"`, "%s%d{3}", "{5+}", "ümläut ✓", "(*)", strings.Repeat("x\\", 500)} {
		office := postoffice.New()
		office.Account("me@example.org x", secret)
		srv := office.IMAP(postoffice.Trouble{With: []string{"AUTH=LOGIN", "AUTH=CRAM-MD5"}})
		for _, mechanism := range []string{"", "PLAIN", "LOGIN", "CRAM-MD5"} {
			c := New(dial.Server{Host: "imap.example.org", Plain: true, Dialer: srv.Dial}, mail.Login{User: "me@example.org x", Password: word(secret), Mechanism: mechanism})
			if _, err := c.Mailboxes(t.Context()); err != nil {
				t.Errorf("%.20q by %q: %v", secret, mechanism, err)
			}
			c.Close()
		}
		srv.Close()
	}
}

// TestSecretsStaySecret: not even a server that repeats what it was told, at the login or later, gets it shown.
func TestSecretsStaySecret(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00me\x00" + canary))
	for _, verb := range []string{"CAPABILITY", "LOGIN", "AUTHENTICATE", "LIST", "SELECT", "STATUS"} {
		for _, line := range []string{"TAG NO you said " + canary, "TAG BAD [X " + canary + "] " + plain, "* BYE " + canary + " " + plain, "* OK [ALERT] " + canary + "\r\nTAG NO no", canary} {
			for _, mechanism := range []string{"", "PLAIN"} {
				s := &script{answer: on(verb, func(talk *talk, cmd string) {
					if saying(line)(talk, cmd); !strings.Contains(line, "TAG") {
						talk.conn.Close()
					}
				})}
				c := s.as(t, mail.Login{User: "me", Password: password, Mechanism: mechanism})
				report, err := c.Check(t.Context())
				if _, more := c.Select(t.Context(), mail.Inbox); err == nil {
					err = more
				}
				if text := fmt.Sprintf("%v %+v %+v", err, err, report); strings.Contains(text, canary) || strings.Contains(text, plain) {
					t.Errorf("%s answered by %q: %s", verb, line, text)
				}
				c.Close()
				s.running.Wait()
			}
		}
	}
}

// TestMechanismsOfOffice: each mechanism at the servers in memory, whose side is another's code for PLAIN and OAUTHBEARER.
func TestMechanismsOfOffice(t *testing.T) {
	office := postoffice.New()
	office.Account(`DOM\änn@example.org`, `p "q" \r % ü`).SetToken(func(token string) bool { return token == "t-0" })
	office.Account("bob", "pw")
	office.Master("root", "rootpw")
	srv := office.IMAP(postoffice.Trouble{With: []string{"AUTH=LOGIN", "AUTH=CRAM-MD5", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"}})
	defer srv.Close()
	ann, secret := `DOM\änn@example.org`, `p "q" \r % ü`
	for _, login := range []mail.Login{
		{User: ann, Password: word(secret)},
		{User: ann, Password: word(secret), Mechanism: "PLAIN"},
		{User: ann, Password: word(secret), Mechanism: "LOGIN"},
		{User: ann, Password: word(secret), Mechanism: "CRAM-MD5"},
		{User: ann, Token: func(context.Context, string) (string, error) { return "t-0", nil }},
		{User: ann, Mechanism: "XOAUTH2", Password: word("t-0")},
		{User: "root", Authorize: "bob", Password: word("rootpw")},
		{User: "bob*root", Password: word("rootpw")},
	} {
		c := New(dial.Server{Host: "imap.example.org", Plain: true, Dialer: srv.Dial}, login)
		if _, err := c.Mailboxes(t.Context()); err != nil {
			t.Errorf("%s as %s by %q: %v", login.User, login.Authorize, login.Mechanism, err)
		}
		c.Close()
	}
	for _, command := range srv.Commands() {
		if strings.Contains(command, "t-0") || strings.Contains(command, "rootpw") {
			t.Errorf("the servers note %s", command)
		}
	}
}
