package imap

import (
	"context"
	"errors"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// An account is the way to a server and the session there: what Client and Source have in common. It connects when
// it must and keeps the session until an error spoils it or Close ends it.
type account struct {
	server   dial.Server
	login    mail.Login
	readOnly bool             // mailboxes are opened with EXAMINE
	secret   *sasl.Credential // asked for already
	refused  error            // what the server said to the login; no second one is tried
	session  *session
	alone    bool // as session's
}

// Close logs out, if there is a session, and closes the connection. What it was called on can be used again.
func (a *account) Close() error {
	if s := a.session; s != nil {
		a.session = nil
		s.logout()
	}
	return nil
}

// with runs do in a session, a new one if need be, and closes the session if it is spoilt afterwards. Cancelling ctx
// closes it meanwhile.
func (a *account) with(ctx context.Context, op, mailbox string, do func(*session) error) error {
	s, err := a.connect(ctx)
	if err != nil {
		return at(err, op, mailbox)
	}
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	err = a.clean(s.explain(do(s)))
	if causeOf(err) == mail.CauseLogin { // some servers let everybody in and say so afterwards
		a.refused = at(err, op, mailbox)
	}
	cancelled := !stop()
	if cancelled && err != nil {
		err = &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	}
	if cancelled || s.broken() || scopeOf(err) >= mail.ScopeSession { // one that is being cancelled will break yet
		a.drop(err)
	}
	return at(err, op, mailbox)
}

func causeOf(err error) mail.Cause {
	var e *mail.Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return mail.CauseOther
}

func scopeOf(err error) mail.Scope {
	var e *mail.Error
	if errors.As(err, &e) {
		return e.Scope
	}
	return 0
}

// drop closes the session without a farewell.
func (a *account) drop(cause error) {
	if s := a.session; s != nil {
		a.session = nil
		a.alone = a.alone || s.guard.known().early
		s.abort(cause)
	}
}

func (a *account) connect(ctx context.Context) (*session, error) {
	switch {
	case a.refused != nil:
		return nil, a.refused
	case ctx.Err() != nil:
		return nil, &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	case a.session != nil && !a.session.broken():
		return a.session, nil
	}
	a.drop(nil)
	c, err := a.ask(ctx, "")
	if err != nil {
		return nil, err
	}
	s, spent, err := a.enter(ctx, c, a.login.Token == nil)
	if spent {
		s, err = a.enterAnew(ctx, c, err)
	}
	if err != nil {
		return nil, a.notConnected(ctx, err)
	}
	s.readOnly, s.alone = a.readOnly, a.alone
	if !a.readOnly {
		s.permit(toWrite)
	}
	a.session = s
	return s, nil
}

// enter connects and logs in. spent tells that the server has refused a token, which may be too old; last says that
// there is no other to try, so that a refusal is one for all who would log in to the account.
func (a *account) enter(ctx context.Context, c sasl.Credential, last bool) (s *session, spent bool, err error) {
	done, err := a.server.Pace.Turn(ctx)
	if err != nil {
		return nil, false, err
	}
	s, err = openSession(ctx, a.server, func(s *session) error {
		mechanism, err := c.Choose(s.offer())
		if err != nil {
			return err
		}
		err = s.logIn(c, mechanism)
		spent = !last && causeOf(err) == mail.CauseLogin
		return err
	})
	err = c.Clean(err)
	if causeOf(err) == mail.CauseLogin && !spent {
		done(err)
	} else {
		done(nil)
	}
	return s, spent, err
}

// enterAnew tries another token in place of the one that the server has refused, once.
func (a *account) enterAnew(ctx context.Context, old sasl.Credential, refusal error) (*session, error) {
	c, err := a.ask(ctx, old.Token)
	if err != nil {
		return nil, err
	}
	if c.Token == old.Token {
		return nil, refusal
	}
	s, _, err := a.enter(ctx, c, true)
	return s, err
}

// notConnected returns the error of a session that did not come about, and remembers a refused login: a second try may
// lock the account.
func (a *account) notConnected(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	}
	if causeOf(err) == mail.CauseLogin {
		a.refused = err
	}
	return err
}
