package imap

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/migrate"
	"github.com/mailhaul/mailhaul/migrate/desttest"
)

var _ migrate.Destination = (*Client)(nil)

// lines are the connections a client has made.
type lines struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu  sync.Mutex
	all []net.Conn
}

// linesOf makes connections as the server's Dialer does.
func linesOf(server dial.Server) *lines {
	if server.Dialer == nil {
		server.Dialer = new(net.Dialer).DialContext
	}
	return &lines{dial: server.Dialer}
}

func (l *lines) dialer(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := l.dial(ctx, network, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.all = append(l.all, c)
	}
	return c, err
}

func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.all {
		c.Close()
	}
}

// refusingEmpty is what real servers do.
var refusingEmpty = postoffice.Fault{Verb: "APPEND", Say: "NO Can't save a zero byte message",
	Match: func(m postoffice.Message) bool { return len(m.Octets) == 0 }}

func TestDestination(t *testing.T) {
	for name, without := range map[string][]string{
		"in flight": nil, "one by one": {"LITERAL+", "LITERAL-"}, "small ones in flight": {"LITERAL+"},
		"bare": {"LITERAL+", "LITERAL-", "UIDPLUS", "SPECIAL-USE", "CREATE-SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE"},
	} {
		t.Run(name, func(t *testing.T) {
			desttest.Test(t, func(t *testing.T) desttest.Account {
				return inOffice(t, postoffice.Trouble{Without: without, Faults: []postoffice.Fault{refusingEmpty}})
			})
		})
	}
	t.Run("no UIDNEXT", func(t *testing.T) {
		desttest.Test(t, func(t *testing.T) desttest.Account {
			return inOffice(t, postoffice.Trouble{Rewrite: postoffice.NoUIDNEXT.Then(postoffice.SwappedAPPENDUID), Faults: []postoffice.Fault{refusingEmpty}})
		})
	})
}

func inOffice(t *testing.T, trouble postoffice.Trouble) desttest.Account {
	return inOfficeBy(t, trouble, func(_ *testing.T, server *postoffice.Server) dial.Server {
		return dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: server.Dial}
	})
}

func inOfficeBy(t *testing.T, trouble postoffice.Trouble, by func(*testing.T, *postoffice.Server) dial.Server) desttest.Account {
	office := postoffice.New()
	me := office.Account("me", canary)
	server := office.IMAP(trouble)
	t.Cleanup(func() { server.Close() })
	how := by(t, server)
	l := linesOf(how)
	how.Dialer = l.dialer
	c := New(how, mail.Login{User: "me", Password: password})
	t.Cleanup(func() { c.Close() })
	return desttest.Account{Destination: c, Cut: l.cut, Messages: func(mailbox string) []desttest.Message {
		var all []desttest.Message
		for _, m := range me.Messages(mailbox) {
			all = append(all, desttest.Message{UID: m.UID, Octets: m.Octets, Flags: mail.MakeFlags(m.Flags...), Received: m.Received})
		}
		return all
	}}
}

// overSTARTTLS returns how to connect to the server by STARTTLS.
func overSTARTTLS(t *testing.T, server *postoffice.Server) dial.Server {
	t.Helper()
	port, ca := trial.StartTLS(t, server)
	return dial.Server{Host: "127.0.0.1", Port: port, StartTLS: dial.STARTTLS, CAFile: ca}
}

func TestDestinationOverSTARTTLS(t *testing.T) {
	desttest.Test(t, func(t *testing.T) desttest.Account {
		return inOfficeBy(t, postoffice.Trouble{Faults: []postoffice.Fault{refusingEmpty}}, overSTARTTLS)
	})
}

// TestDestinationAtDovecot is over STARTTLS at a Dovecot that lets nobody log in without, and over TLS from the first
// octet.
func TestDestinationAtDovecot(t *testing.T) {
	server := dovecot.Start(t, dovecot.Options{TLSRequired: true})
	for name, how := range map[string]dial.Server{
		"TLS":      {Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile},
		"STARTTLS": {Host: dovecot.Host, Port: server.IMAP, CAFile: server.CAFile, StartTLS: dial.STARTTLS, Dialer: dovecot.FromElsewhere},
	} {
		t.Run(name, func(t *testing.T) { testAtDovecot(t, server, how, name) })
	}
}

func testAtDovecot(t *testing.T, server *dovecot.Server, how dial.Server, prefix string) {
	users := 0
	desttest.Test(t, func(t *testing.T) desttest.Account {
		users++
		user := fmt.Sprintf("%s%d", strings.ToLower(prefix), users)
		l, how := linesOf(how), how
		how.Dialer = l.dialer
		c := New(how, mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
		t.Cleanup(func() { c.Close() })
		return desttest.Account{Destination: c, Cut: l.cut, Messages: func(mailbox string) []desttest.Message {
			var all []desttest.Message
			for _, m := range server.Messages(t, user, mailbox) {
				all = append(all, desttest.Message(m))
			}
			return all
		}}
	})
}
