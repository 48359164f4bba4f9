package imap

import (
	"context"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/backup/removertest"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

var _ backup.Marker = (*Remover)(nil)

// removerInOffice returns a Remover for an account in a postoffice that has a trash, and its server.
func removerInOffice(t testing.TB, trouble postoffice.Trouble, messages ...[]byte) (*Remover, *postoffice.Server, *postoffice.Account) {
	t.Helper()
	office := postoffice.New()
	me := office.Account("me", canary)
	me.CreateMailbox("Trash", `\Trash`)
	for _, octets := range messages {
		me.Deliver(mail.Inbox, postoffice.Message{Octets: octets})
	}
	server := office.IMAP(trouble)
	t.Cleanup(func() { server.Close() })
	r := NewRemover(dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Dialer: server.Dial},
		mail.Login{User: "me", Password: password})
	t.Cleanup(func() { r.Close() })
	return r, server, me
}

func octetsOf(messages []postoffice.Message) [][]byte {
	var all [][]byte
	for _, m := range messages {
		all = append(all, m.Octets)
	}
	return all
}

func TestRemover(t *testing.T) {
	for name, trouble := range map[string]postoffice.Trouble{
		"UID EXPUNGE":       {},
		"as much as it can": {With: []string{"CONDSTORE", "OBJECTID", "ID", "MOVE"}},
		"body first":        {BodyFirst: true},
		"unasked":           {Unasked: true},
		"no UIDNEXT":        {Rewrite: postoffice.NoUIDNEXT},
		"three at once":     {AtOnce: 3},
		"by the book":       {With: []string{"MESSAGELIMIT=100"}},
		"no UNSELECT":       {Without: []string{"UNSELECT"}},
		"no EXPUNGE told":   {Rewrite: postoffice.Drop("", `^\* \d+ EXPUNGE`)},
	} {
		t.Run(name, func(t *testing.T) {
			removertest.Test(t, func(t *testing.T, messages [][]byte) removertest.Account {
				r, _, me := removerInOffice(t, trouble, messages...)
				return removertest.Account{Remover: r, Mail: func() [][]byte { return octetsOf(me.Messages(mail.Inbox)) }}
			})
		})
	}
}

func TestRemoverAtDovecot(t *testing.T) {
	server := dovecot.Shared(t)
	removertest.Test(t, func(t *testing.T, messages [][]byte) removertest.Account {
		user := newUser()
		for _, octets := range messages {
			server.Deliver(t, user, mail.Inbox, octets, nil, time.Unix(1_700_000_000, 0))
		}
		r := removerAt(t, server, user)
		return removertest.Account{Remover: r, Mail: func() [][]byte {
			var all [][]byte
			for _, m := range server.Messages(t, user, mail.Inbox) {
				all = append(all, m.Octets)
			}
			return all
		}}
	})
}

func removerAt(t *testing.T, server *dovecot.Server, user string) *Remover {
	r := NewRemover(dial.Server{Host: dovecot.Host, Port: server.IMAPS, CAFile: server.CAFile},
		mail.Login{User: user, Password: func(context.Context) (string, error) { return dovecot.Password, nil }})
	t.Cleanup(func() { r.Close() })
	return r
}
