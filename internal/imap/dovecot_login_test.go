package imap

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestDovecotLogins: each way into the same mailbox of a real server, and none for who has not the right to it.
func TestDovecotLogins(t *testing.T) {
	tokens := dovecot.Introspection(t)
	d := dovecot.Start(t, dovecot.Options{Tokens: tokens.URL})
	d.Deliver(t, "ann@example.org", "INBOX", []byte("Subject: hers\n\n1\n"), nil, time.Unix(1e9, 0))
	d.Deliver(t, "ann@example.org", "INBOX", []byte("Subject: hers too\n\n2\n"), nil, time.Unix(1e9, 0))
	long := "good-" + strings.Repeat("x", 2000)
	tokens.Set("good", "ann@example.org")
	tokens.Set(long, "ann@example.org")
	tokens.Set("bobs", "bob")
	const ann, refused = "ann@example.org", "account login: log in: 127.0.0.1 refused the login: the server says: Authentication failed."
	token := func(all ...string) func(context.Context, string) (string, error) {
		n := 0
		return func(context.Context, string) (string, error) { n++; return all[n-1], nil }
	}
	for name, tt := range map[string]struct {
		login mail.Login
		want  string
	}{
		"password":             {mail.Login{User: ann, Password: word(dovecot.Password)}, "ok"},
		"PLAIN":                {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "PLAIN"}, "ok"},
		"LOGIN":                {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "LOGIN"}, "ok"},
		"CRAM-MD5":             {mail.Login{User: ann, Password: word(dovecot.Password), Mechanism: "CRAM-MD5"}, "ok"},
		"CRAM-MD5, wrong":      {mail.Login{User: ann, Password: word("x"), Mechanism: "CRAM-MD5"}, refused},
		"umlaut":               {mail.Login{User: ann, Password: word("pässword")}, refused},
		"master":               {mail.Login{User: ann + "*root", Password: word(dovecot.MasterPassword)}, "ok"},
		"master, wrong":        {mail.Login{User: ann + "*root", Password: word(dovecot.Password)}, refused},
		"for another":          {mail.Login{User: "root", Authorize: ann, Password: word(dovecot.MasterPassword)}, "ok"},
		"for another, unknown": {mail.Login{User: "bob", Authorize: ann, Password: word(dovecot.Password)}, refused},
		"token":                {mail.Login{User: ann, Token: token("good")}, "ok"},
		"long token":           {mail.Login{User: ann, Token: token(long)}, "ok"},
		"XOAUTH2":              {mail.Login{User: ann, Token: token("good"), Mechanism: "XOAUTH2"}, "ok"},
		"old token":            {mail.Login{User: ann, Token: token("old", "good")}, "ok"},
		"old tokens":           {mail.Login{User: ann, Token: token("old", "older")}, refused + " (status invalid_token)"},
		"XOAUTH2, old":         {mail.Login{User: ann, Mechanism: "XOAUTH2", Password: word("old")}, refused + " (status 401, it must be good for mail)"},
		"another's token":      {mail.Login{User: ann, Token: token("bobs", "bobs")}, refused},
	} {
		c := New(dial.Server{Host: "127.0.0.1", Port: d.IMAPS, CAFile: d.CAFile}, tt.login)
		_, err := c.Mailboxes(t.Context())
		if got := describe(err); got != tt.want && !(tt.want == refused && strings.HasPrefix(got, refused)) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		if err == nil {
			status, err := c.Select(t.Context(), mail.Inbox)
			if err != nil || status.Messages != 2 {
				t.Errorf("%s: %d messages, %v; want hers", name, status.Messages, err)
			}
		}
		c.Close()
	}
}
