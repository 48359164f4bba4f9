package imap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A credential is what one logs in with. The password is asked for once and held nowhere else.
type credential struct {
	user     string
	password string
}

// credential returns user and password, or why they cannot be used; nothing was sent to anyone by then.
func (a *account) credential(ctx context.Context) (credential, error) {
	if a.secret != nil {
		return *a.secret, nil
	}
	if unsayable(a.login.User) {
		return credential{}, usage(errors.New("the user name holds a line end or NUL"))
	}
	password, err := a.login.Password(ctx)
	if err != nil {
		return credential{}, noPassword(err)
	}
	if unsayable(password) {
		return credential{}, usage(errors.New("the password holds a line end or NUL"))
	}
	a.secret = &credential{user: a.login.User, password: password}
	return *a.secret, nil
}

// unsayable reports whether s would end a command and begin another.
func unsayable(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }

// noPassword passes on the words of whoever was asked for the password.
func noPassword(err error) error {
	var known *mail.Error
	if errors.As(err, &known) {
		return err
	}
	return usage(err)
}

// redact takes the password out of an error: there are servers that repeat what they did not understand.
func (c credential) redact(err error) error {
	var e *mail.Error
	if c.password == "" || !errors.As(err, &e) || !strings.Contains(e.Err.Error(), c.password) {
		return err
	}
	clean := *e
	clean.Err = errors.New(strings.ReplaceAll(e.Err.Error(), c.password, "***"))
	return &clean
}

func usage(err error) *mail.Error {
	return &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Err: err}
}

// logIn logs in by LOGIN, or by AUTHENTICATE PLAIN where LOGIN is not to be used (LOGINDISABLED, RFC 3501 §6.2.3)
// or cannot say what is to be said: its strings are ASCII.
func (s *session) logIn(c credential, server dial.Server) error {
	plain := s.before.has("AUTH=PLAIN")
	var err error
	switch {
	case plain && (s.before.has("LOGINDISABLED") || !isASCII(c.user+c.password)):
		err = s.imap.Authenticate(c)
	case s.before.has("LOGINDISABLED"):
		return loginDisabled(server)
	default:
		err = s.imap.Login(c.user, c.password).Wait()
	}
	return s.refusedLogin(err, server)
}

func loginDisabled(server dial.Server) error {
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
		Err: fmt.Errorf("%s takes no password here (LOGINDISABLED)", server.Host)}
	if server.Plain {
		e.Hint = "the server wants TLS: use imaps://"
	}
	return e
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// Start and Next make the credential a SASL client of the mechanism PLAIN (RFC 4616), as go-imap wants it.
func (c credential) Start() (mechanism string, initial []byte, err error) {
	return "PLAIN", []byte("\x00" + c.user + "\x00" + c.password), nil
}

// Next is not to be called: PLAIN has one message.
func (c credential) Next([]byte) ([]byte, error) {
	return nil, errors.New("the server asks for more than PLAIN has to say")
}
