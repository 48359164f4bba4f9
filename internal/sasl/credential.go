// Package sasl is how one gets into a mail account, the same over IMAP and POP3: the mechanisms of SASL (RFC 4422), which
// of them to use with a server, and what it means when a server says no. It does no I/O.
//
// An adapter asks for a Credential, has it choose a mechanism out of what the server offers, and carries the lines of
// the Exchange to the server and back. What comes of it goes through Redact before anybody sees it.
package sasl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Credential is who logs in, where, and with what: a password or a token. It is never printed, whatever the verb.
type Credential struct {
	User      string
	Authorize string // whose mail is wanted, if it is another's than User's
	Mechanism string // the only one to be used, in capitals; "" leaves it to Choose
	Password  string // "" with a Token
	Token     string // "" with a Password
	Host      string // OAUTHBEARER tells the server whom it talks to
	Port      int
}

// Ask asks for what one logs in with: for a token if login has one, for one other than refused, else for the password.
// Nothing that would end a command and begin another comes back. Errors are *mail.Error, but for a cancelled context.
func Ask(ctx context.Context, login mail.Login, refused string) (Credential, error) {
	c := Credential{User: login.User, Authorize: login.Authorize, Mechanism: strings.ToUpper(login.Mechanism)}
	if unsayable(c.User+c.Authorize) || strings.Contains(c.User+c.Authorize, "\x01") { // which ends a field of XOAUTH2
		return Credential{}, usage("", "the user name holds a line end or NUL")
	}
	var err error
	if login.Token != nil {
		c.Token, err = login.Token(ctx, refused)
	} else {
		c.Password, err = login.Password(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return Credential{}, context.Cause(ctx)
	case err != nil:
		return Credential{}, notToBeHad(err)
	case unsayable(c.Password):
		return Credential{}, usage("", "the password holds a line end or NUL")
	}
	if mechanisms[c.Mechanism].token && c.Token == "" { // then that is what was asked for as a password
		c.Token, c.Password = c.Password, ""
	}
	if !isToken(c.Token) && c.Password == "" {
		return Credential{}, usage("a token is one line, of letters, digits and -._~+/=", "the access token is none")
	}
	return c, nil
}

// unsayable reports whether s would end a command and begin another.
func unsayable(s string) bool { return strings.ContainsAny(s, "\r\n\x00") }

// isToken reports whether s can be one (RFC 6750 §2.1): there are providers whose tokens have other printable ASCII.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// notToBeHad passes on the words of whoever was asked.
func notToBeHad(err error) error {
	if errors.As(err, new(*mail.Error)) {
		return err
	}
	return &mail.Error{Op: "get the password", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: err}
}

// owner is whose mail is wanted.
func (c Credential) owner() string {
	if c.Authorize != "" {
		return c.Authorize
	}
	return c.User
}

// isASCII reports whether user and password can be said in commands whose strings are ASCII.
func (c Credential) isASCII() bool {
	return strings.IndexFunc(c.User+c.Password, func(r rune) bool { return r >= 0x80 }) < 0
}

// Format keeps secrets out of whatever prints a Credential, or what holds one.
func (c Credential) Format(f fmt.State, _ rune) {
	io.WriteString(f, "credential of "+mail.Printable(c.User))
}

func usage(hint, text string) error {
	return &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: errors.New(text)}
}
