package imap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// ask returns what to log in with, or why it is not to be had; nothing was sent to anyone by then. A password is asked
// for once and held nowhere else; a token is asked for each time, and must be another than the one refused.
func (a *account) ask(ctx context.Context, refused string) (sasl.Credential, error) {
	if a.secret != nil && a.login.Token == nil {
		return *a.secret, nil
	}
	c, err := sasl.Ask(ctx, a.login, refused)
	if err != nil {
		return sasl.Credential{}, err
	}
	c.Host, c.Port = a.server.Host, a.server.Port
	a.secret = &c
	return c, nil
}

// clean takes what one logs in with out of an error.
func (a *account) clean(err error) error {
	if a.secret == nil {
		return err
	}
	return a.secret.Clean(err)
}

// offer is how the server can be logged in to. LOGIN may not be used if it says LOGINDISABLED (RFC 3501 §6.2.3).
func (s *session) offer() sasl.Offer {
	offer := sasl.Offer{Mechanisms: s.before.mechanisms(), Command: "LOGIN", Unicode: true, Plain: s.tls == ""}
	if s.before.has("LOGINDISABLED") {
		offer.Command = ""
	}
	return offer
}

// logIn logs in by AUTHENTICATE, or by LOGIN without a mechanism.
func (s *session) logIn(c sasl.Credential, mechanism string) error {
	if mechanism == "" {
		return s.refusedLogin(s.imap.Login(c.User, c.Password).Wait(), c, "")
	}
	x := c.Exchange(mechanism)
	s.guard.authenticate(&exchange{Exchange: x, hurry: s.before.has("SASL-IR")})
	err := s.imap.Authenticate(silent(mechanism))
	if gaveUp := x.Err(); gaveUp != nil && sessionOnly(err) == nil {
		return &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseProtocol, Err: gaveUp}
	}
	return s.refusedLogin(err, c, x.Complaint())
}

// mechanisms returns those of SASL.
func (c capabilities) mechanisms() (names []string) {
	for name := range c {
		if mechanism, ok := strings.CutPrefix(name, "AUTH="); ok {
			names = append(names, mechanism)
		}
	}
	return names
}

// refusedLogin tells a wrong password from a server that is busy.
func (s *session) refusedLogin(err error, c sasl.Credential, complaint string) error {
	var no *imap.Error
	if !errors.As(err, &no) || no.Type == imap.StatusResponseTypeBye {
		return err
	}
	if limit := limitIn(no); limit != nil && limit.Cause != mail.CauseOther && !isAboutLogin(no) {
		limit.Op, limit.Err = "log in", answer(no)
		return limit
	}
	refusal := sasl.Refusal{Host: s.host, Code: string(no.Code), Text: no.Text, Token: c.Token != ""}
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Hint: refusal.Remedy(),
		Err: fmt.Errorf("%s refused the login: %w", s.host, answer(no))}
	if complaint != "" {
		e.Err = fmt.Errorf("%w (%s)", e.Err, complaint)
	}
	return e
}

// isAboutLogin reports whether the code says that user or password is wrong (RFC 5530 §3), whatever the words may
// be: "Authentication failed. Please try again." is no busy server.
func isAboutLogin(no *imap.Error) bool {
	switch no.Code {
	case imap.ResponseCodeAuthenticationFailed, imap.ResponseCodeAuthorizationFailed, imap.ResponseCodeExpired:
		return true
	}
	return false
}

// silent is the mechanism as far as go-imap is to know: it has nothing to say, for the guard says it.
type silent string

func (m silent) Start() (mechanism string, initial []byte, err error) { return string(m), nil, nil }

func (m silent) Next([]byte) ([]byte, error) { return nil, errors.New("the guard did not answer") }
