package pop3

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

// overSTLS returns a Source for the account me of a server in memory, by STLS.
func overSTLS(t *testing.T, server *postoffice.Server) *Source {
	t.Helper()
	port, ca := trial.StartTLS(t, server)
	s := New(dial.Server{Host: "127.0.0.1", Port: port, StartTLS: dial.STLS, CAFile: ca}, login("me", canary))
	t.Cleanup(func() { s.Close() })
	return s
}

func TestNothingInClear(t *testing.T) {
	const user = "visitor-5e1d"
	trial.InClear(t, trial.POP3Words, trial.Visitor{User: user, Password: canary,
		LogIn: func(t *testing.T, dialer func(context.Context, string, string) (net.Conn, error), caFile string) error {
			s := New(dial.Server{Host: trial.ClearHost, Port: 110, StartTLS: dial.STLS, CAFile: caFile, Dialer: dialer}, login(user, canary))
			defer s.Close()
			_, err := s.List(t.Context(), mail.Inbox)
			return err
		}})
}

// TestNothingLearntInClear: what a server, or somebody in its place, says before TLS counts for nothing afterwards.
func TestNothingLearntInClear(t *testing.T) {
	_, server, _ := inOffice(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "GREETING", Say: "+OK FORGED Dovecot <1.2@h>"}}})
	s := overSTLS(t, server)
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Greeting != "" || r.TLS == "" || strings.Contains(fmt.Sprint(r), "FORGED") || strings.Contains(r.Trace, "Dovecot") {
		t.Errorf("Check = %+v", r)
	}
	if got := server.Commands(); !slices.Equal(got[:2], []string{"STLS", "CAPA"}) {
		t.Errorf("it said %q", got)
	}
}

// TestTurnedAwayInClear: what a server says in place of a greeting is read as it is under TLS.
func TestTurnedAwayInClear(t *testing.T) {
	for said, want := range map[string]struct {
		scope mail.Scope
		cause mail.Cause
		text  string
	}{
		"-ERR [IN-USE] busy":                     {mail.ScopeSession, mail.CauseNetwork, "log in: another session has the maildrop: [IN-USE] busy"},
		"-ERR Account exceeded bandwidth limits": {mail.ScopeAccount, mail.CauseQuota, "log in: a limit of the provider is reached"},
		"-ERR":                                   {mail.ScopeSession, mail.CauseNetwork, "connect: the server takes no session: it gave no reason"},
		"-ERR \x1b[2J go away " + canary:         {mail.ScopeSession, mail.CauseNetwork, `the server takes no session: \x1b[2J go away ***`},
	} {
		_, server, _ := inOffice(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "GREETING", Say: said, End: postoffice.FIN}}})
		_, err := overSTLS(t, server).List(t.Context(), mail.Inbox)
		if e := wantError(t, err, want.scope, want.cause, want.text); e.Later == 0 {
			t.Errorf("%q is for good", said)
		}
	}
}
