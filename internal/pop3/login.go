package pop3

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/knadh/go-pop3"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// open connects the session and logs in. What can be known before is checked before.
func (s *Source) open(c *session) error {
	if err := s.ask(c.life, ""); err != nil {
		return err
	}
	spent, err := s.enter(c, s.login.Token == nil)
	if spent {
		err = s.enterAnew(c, err)
	}
	return err
}

// ask asks for what one logs in with: for a password once, for a token at each login, and for one other than refused.
func (s *Source) ask(ctx context.Context, refused string) error {
	if s.login.User == "" || strings.ContainsAny(s.login.User, " \r\n\x00") {
		return usage(errors.New("over POP3 a user name cannot be empty, nor hold spaces, line ends or NUL"))
	}
	if s.asked && s.login.Token == nil {
		return nil
	}
	c, err := sasl.Ask(ctx, s.login, refused)
	if err != nil {
		return err
	}
	c.Host, c.Port = s.server.Host, s.server.Port
	s.secret, s.asked = c, true
	return nil
}

func usage(err error) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Err: err}
}

// enter connects and logs in. spent tells that the server has refused a token, which may be too old; last says that there
// is no other to try, so that a refusal is one for good.
func (s *Source) enter(c *session, last bool) (spent bool, err error) {
	done, err := s.server.Pace.Turn(c.life)
	if err != nil {
		return false, err
	}
	if err = s.connect(c); err == nil {
		err = s.logIn(c)
	}
	var no refusal
	if errors.As(err, &no) {
		err = no.said
		spent = !last && no.token
		if !spent {
			s.refused = err
		}
	}
	done(s.refused)
	return spent, err
}

// enterAnew tries another token in place of the one that the server has refused, once, over a new connection.
func (s *Source) enterAnew(c *session, refused error) error {
	old := s.secret.Token
	if err := s.ask(c.life, old); err != nil {
		return err
	}
	if s.secret.Token == old {
		s.refused = refused
		return refused
	}
	c.conn.Abort()
	_, err := s.enter(c, true)
	return err
}

// connect dials and reads the greeting.
func (s *Source) connect(c *session) error {
	conn, err := s.server.Dial(c.life)
	if err != nil {
		return s.refusedInClear(c, err)
	}
	c.host, c.conn, c.gate = s.server.Host, conn, newGate(conn, s.secret.Redact)
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
	unicode := false
	if c.before.has("UTF8") {
		st, err := c.ask("UTF8")
		if err != nil {
			return err
		}
		unicode = st.ok && strings.EqualFold(c.before["UTF8"], "USER") // §2.2
	}
	if err := s.present(c, unicode); err != nil {
		return err
	}
	c.caps = c.before // until they are asked for again, with the listing
	return nil
}

// present says who logs in, by USER and PASS or by AUTH.
func (s *Source) present(c *session, unicode bool) error {
	offer := sasl.Offer{Mechanisms: strings.Fields(strings.ToUpper(c.before["SASL"])), Command: "USER", Unicode: unicode, Plain: s.server.Plain}
	if s.secret.Mechanism == "USER" || c.before == nil { // then it is worth a try
		offer.Unicode = true
	}
	mechanism, err := s.secret.Choose(offer)
	if err != nil {
		return noWay(err)
	}
	if mechanism != "" {
		return s.authenticate(c, s.secret.Exchange(mechanism))
	}
	for _, step := range []struct{ verb, arg string }{{"USER", s.secret.User}, {"PASS", s.secret.Password}} {
		st, err := c.ask(step.verb, step.arg)
		if err != nil {
			return err
		}
		if !st.ok {
			return s.loginRefused(c, st, "")
		}
	}
	return nil
}

// A refusal is a no that means it: nobody tries again in this run, unless it is with another token.
type refusal struct {
	said  *mail.Error
	token bool // it was a token that was refused
}

func (r refusal) Error() string { return r.said.Error() }

func (r refusal) Unwrap() error { return r.said }

// noWay makes a refusal of the error of a server that offers no way in.
func noWay(err error) error {
	var e *mail.Error
	if errors.As(err, &e) && e.Cause == mail.CauseLogin {
		return refusal{said: e}
	}
	return err
}

// loginRefused tells a refusal from trouble that will pass. The complaint is what the server said of a token.
func (s *Source) loginRefused(c *session, st status, complaint string) error {
	if e := c.passing(st); e != nil {
		return e
	}
	no := sasl.Refusal{POP3: true, Host: s.server.Host, Code: st.code, Text: st.text, Token: s.secret.Token != ""}
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Hint: no.Remedy(),
		Err: fmt.Errorf("%s refused the login of %s: %s", s.server.Host, mail.Printable(s.login.User), c.said(st))}
	if complaint != "" {
		e.Err = fmt.Errorf("%w (%s)", e.Err, s.secret.Redact(complaint))
	}
	if st.code == "SYS/PERM" { // RFC 3206 §4: not the password's fault
		e.Cause = mail.CauseOther
	}
	return refusal{said: e, token: no.Token}
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
