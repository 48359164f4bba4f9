package pop3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/knadh/go-pop3"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// open connects the session and logs in. What can be known before is checked before.
func (s *Source) open(c *session) error {
	if err := s.secret(c.life); err != nil {
		return err
	}
	done, err := s.server.Pace.Turn(c.life)
	if err != nil {
		return err
	}
	defer func() { done(s.refused) }()
	if err := s.connect(c); err != nil {
		return err
	}
	if err := s.logIn(c); err != nil {
		return err
	}
	return nil
}

// secret gets the password, once.
func (s *Source) secret(ctx context.Context) error {
	if s.login.User == "" || strings.ContainsAny(s.login.User, " \r\n\x00") {
		return usage(errors.New("over POP3 a user name cannot be empty, nor hold spaces, line ends or NUL"))
	}
	if s.asked {
		return nil
	}
	password, err := s.login.Password(ctx)
	if err != nil {
		return asked(err)
	}
	if strings.ContainsAny(password, "\r\n\x00") {
		return usage(errors.New("over POP3 a password cannot hold line ends or NUL"))
	}
	s.password, s.asked = password, true
	return nil
}

func usage(err error) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Err: err}
}

// asked is the error for a password that was not to be had.
func asked(err error) error {
	if errors.As(err, new(*mail.Error)) {
		return err
	}
	return &mail.Error{Op: "get the password", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: err}
}

// connect dials and reads the greeting.
func (s *Source) connect(c *session) error {
	conn, err := s.server.Dial(c.life)
	if err != nil {
		return s.refusedInClear(c, err)
	}
	c.conn, c.gate = conn, newGate(conn, s.password)
	c.pop, err = pop3.New(pop3.Opt{Dialer: c.gate}).NewConn()
	st, err := c.gate.taken(err)
	if err != nil {
		return err
	}
	if !st.ok {
		return c.turnedAway(st)
	}
	c.greeting = c.gate.shown([]byte(st.text))
	return nil
}

// logIn asks for the capabilities and logs in. Nothing is sent ahead of an answer, least of all behind PASS: Courier
// drops it, and it would be waited for in vain.
func (s *Source) logIn(c *session) (err error) {
	if c.before, err = c.capa(); err != nil {
		return err
	}
	// Without UTF8 (RFC 6856) Courier hands over a substitute for mail with 8-bit headers. A no is no harm.
	if c.before.has("UTF8") {
		if _, err := c.ask("UTF8"); err != nil {
			return err
		}
	}
	for _, step := range []struct{ verb, arg string }{{"USER", s.login.User}, {"PASS", s.password}} {
		st, err := c.ask(step.verb, step.arg)
		if err != nil {
			return err
		}
		if !st.ok {
			return s.loginRefused(c, st)
		}
	}
	c.caps = c.before // until they are asked for again, with the listing
	return nil
}

// loginRefused remembers a refusal that means it, so that nobody tries again in this run.
func (s *Source) loginRefused(c *session, st status) error {
	if e := c.passing(st); e != nil {
		return e
	}
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Hint: loginHint(s.server.Host),
		Err: fmt.Errorf("%s refused the login of %s: %s", s.server.Host, mail.Printable(s.login.User), c.said(st))}
	if st.code == "SYS/PERM" { // RFC 3206 §4: not the password's fault
		e.Cause, e.Hint = mail.CauseOther, "the provider must repair the account before it can be read"
	}
	s.refused = e
	return e
}

func (c *session) quit() error {
	st, err := c.ask("QUIT")
	if err != nil {
		return err
	}
	if !st.ok {
		return &mail.Error{Scope: mail.ScopeSession, Err: fmt.Errorf("the server did not end the session well: %s", c.said(st))}
	}
	return c.conn.Close()
}
