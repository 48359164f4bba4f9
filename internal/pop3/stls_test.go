package pop3

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
	trial.InClear(t, trial.POP3Words, trial.Visitor{User: user, Password: canary,
		LogIn: func(t *testing.T, dialer func(context.Context, string, string) (net.Conn, error), caFile string) error {
			s := New(dial.Server{Host: trial.ClearHost, Port: 110, StartTLS: dial.STLS, CAFile: caFile, Dialer: dialer}, login(user, canary))
			defer s.Close()
			_, err := s.List(t.Context(), mail.Inbox)
			return err
		}})
}
