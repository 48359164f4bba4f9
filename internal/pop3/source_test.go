package pop3

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/backup/sourcetest"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

var (
	_ backup.Windowed = (*Source)(nil)
	_ backup.Headed   = (*Source)(nil)
)

// canary is the password of every test; no error may hold it.
const canary = "CANARY-7f3a"

func login(user, password string) mail.Login {
	return mail.Login{User: user, Password: func(context.Context) (string, error) { return password, nil }}
}

// at returns a Source for a server in memory.
func at(t testing.TB, dialer func(context.Context, string, string) (net.Conn, error)) *Source {
	t.Helper()
	s := New(dial.Server{Host: "pop.example.org", Port: 110, Plain: true, Dialer: dialer}, login("me", canary))
	t.Cleanup(func() { s.Close() })
	return s
}

// inOffice returns a Source for an account in a postoffice that holds these messages, and its server.
func inOffice(t testing.TB, trouble postoffice.Trouble, messages ...[]byte) (*Source, *postoffice.Server, *postoffice.Account) {
	t.Helper()
	office := postoffice.New()
	me := office.Account("me", canary)
	for _, octets := range messages {
		me.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	}
	server := office.POP3(trouble)
	t.Cleanup(func() { server.Close() })
	return at(t, server.Dial), server, me
}

func TestSource(t *testing.T) {
	for name, trouble := range map[string]postoffice.Trouble{
		"pipelining": {}, "one by one": {Without: []string{"PIPELINING"}}, "no UIDL": {Without: []string{"UIDL"}},
		"no CAPA": {Without: []string{"CAPA"}}, "lines as they are": {BareLF: true},
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
				s, server, me := inOffice(t, trouble, messages...)
				return sourcetest.Account{
					Source:    s,
					Farewells: func() int { return server.Count("QUIT") },
					State:     func() any { return me.Messages(mail.Inbox) },
				}
			})
		})
	}
}

func TestSourceOverSTLS(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
		_, server, me := inOffice(t, postoffice.Trouble{}, messages...)
		return sourcetest.Account{
			Source:    overSTLS(t, server),
			Farewells: func() int { return server.Count("QUIT") },
			State:     func() any { return me.Messages(mail.Inbox) },
		}
	})
}

// TestSourceAtDovecot is over STLS at a Dovecot that lets nobody log in without, and over TLS from the first octet.
func TestSourceAtDovecot(t *testing.T) {
	strict := dovecot.Start(t, dovecot.Options{TLSRequired: true})
	for name, server := range map[string]dial.Server{
		"TLS":  {Host: dovecot.Host, Port: strict.POP3S, CAFile: strict.CAFile},
		"STLS": {Host: dovecot.Host, Port: strict.POP3, CAFile: strict.CAFile, StartTLS: dial.STLS, Dialer: dovecot.FromElsewhere},
	} {
		t.Run(name, func(t *testing.T) { testAtDovecot(t, strict, server, name) })
	}
}

func testAtDovecot(t *testing.T, server *dovecot.Server, how dial.Server, prefix string) {
	users := 0
	sourcetest.Test(t, func(t *testing.T, messages [][]byte) sourcetest.Account {
		users++
		user := fmt.Sprintf("%s%d", strings.ToLower(prefix), users)
		for _, octets := range messages {
			server.Deliver(t, user, mail.Inbox, octets, nil, time.Now())
		}
		s := New(how, login(user, dovecot.Password))
		t.Cleanup(func() { s.Close() })
		return sourcetest.Account{Source: s, State: func() any {
			var all []string
			for _, m := range server.Messages(t, user, mail.Inbox) {
				all = append(all, string(m.Octets)) // RETR itself sets \Seen there (P4)
			}
			return strings.Join(all, "\x00\x00")
		}}
	})
}
