package imap

import (
	"context"
	"net"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
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
