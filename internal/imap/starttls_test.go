package imap

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

func TestNothingInClear(t *testing.T) {
	const user = "visitor-5e1d"
	trial.InClear(t, trial.IMAPWords, trial.Visitor{User: user, Password: canary,
		LogIn: func(t *testing.T, dialer func(context.Context, string, string) (net.Conn, error), caFile string) error {
			c := New(dial.Server{Host: trial.ClearHost, Port: 143, StartTLS: dial.STARTTLS, CAFile: caFile, Dialer: dialer},
				mail.Login{User: user, Password: password})
			defer c.Close()
			_, err := c.Mailboxes(t.Context())
			return err
		}})
}

// inClear returns a Client at a postoffice by STARTTLS.
func inClear(t *testing.T, trouble postoffice.Trouble) (*Client, *postoffice.Server) {
	t.Helper()
	office := postoffice.New()
	office.Account("me", canary)
	server := office.IMAP(trouble)
	t.Cleanup(func() { server.Close() })
	c := New(overSTARTTLS(t, server), mail.Login{User: "me", Password: password})
	t.Cleanup(func() { c.Close() })
	return c, server
}

// TestNothingLearntInClear: what a server, or somebody in its place, says before TLS counts for nothing afterwards.
func TestNothingLearntInClear(t *testing.T) {
	forged := "* OK [CAPABILITY IMAP4rev1 FORGED LOGINDISABLED] FORGED Microsoft Exchange"
	for name, trouble := range map[string]postoffice.Trouble{
		"greeting": {Faults: []postoffice.Fault{{Verb: "GREETING", Say: forged}}},
		"alert":    {Faults: []postoffice.Fault{{Verb: "GREETING", Say: "* OK [ALERT] FORGED"}}},
		"consent":  {Rewrite: postoffice.Replace("STARTTLS", "OK", "OK [CAPABILITY IMAP4rev1 FORGED LOGINDISABLED]")},
	} {
		c, server := inClear(t, trouble)
		r, err := c.Check(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Greeting != "" || r.TLS == "" || strings.Contains(fmt.Sprint(r), "FORGED") || c.session.singly {
			t.Errorf("%s: Check = %+v", name, r)
		}
		if got := server.Commands(); !slices.Equal(got[:2], []string{"STARTTLS", "CAPABILITY"}) {
			t.Errorf("%s: it said %q", name, got)
		}
	}
}

// TestTurnedAwayInClear: what a server says in place of a greeting is read as it is under TLS.
func TestTurnedAwayInClear(t *testing.T) {
	for said, want := range map[string]string{
		"* BYE Too many connections": "network later",
		"* BYE":                      "network later",
		"* BYE [OVERQUOTA] full":     "quota",
		"* BYE \x1b[2J":              `\x1b[2J`,
	} {
		c, _ := inClear(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "GREETING", Say: said, End: postoffice.FIN}}})
		_, err := c.Mailboxes(t.Context())
		if got := describe(err); !strings.Contains(got, want) || !strings.Contains(got, "the server ended the session") {
			t.Errorf("%q: %s, want %s", said, got, want)
		}
	}
}
