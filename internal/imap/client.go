package imap

import (
	"context"
	"errors"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Client is an IMAP account: a migrate.Destination. It connects when it must and keeps the session until an error
// spoils it or Close ends it. It is used by one goroutine at a time. All errors are *mail.Error, but for that of a
// Fetch whose fn failed.
type Client struct {
	server  dial.Server
	login   mail.Login
	secret  *credential // asked for already
	refused error       // what the server said to the login; no second one is tried
	session *session
	opened  map[string]mail.Status // what Select has told, by mailbox
}

// New returns a Client without connecting. Close must be called in the end.
func New(server dial.Server, login mail.Login) *Client {
	return &Client{server: server, login: login, opened: make(map[string]mail.Status)}
}

// Close logs out, if there is a session, and closes the connection. The Client can be used again.
func (c *Client) Close() error {
	if s := c.session; s != nil {
		c.session = nil
		s.logout()
	}
	return nil
}

// with runs do in a session, a new one if need be, and closes the session if it is spoilt afterwards. Cancelling ctx
// closes it meanwhile.
func (c *Client) with(ctx context.Context, op, mailbox string, do func(*session) error) error {
	s, err := c.connect(ctx)
	if err != nil {
		return at(err, op, mailbox)
	}
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	err = s.explain(do(s))
	if !stop() && err != nil {
		err = &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	}
	if s.broken() || scopeOf(err) >= mail.ScopeSession {
		c.drop(err)
	}
	return at(err, op, mailbox)
}

func scopeOf(err error) mail.Scope {
	var e *mail.Error
	if errors.As(err, &e) {
		return e.Scope
	}
	return 0
}

// drop closes the session without a farewell.
func (c *Client) drop(cause error) {
	if s := c.session; s != nil {
		c.session = nil
		s.abort(cause)
	}
}

func (c *Client) connect(ctx context.Context) (*session, error) {
	switch {
	case c.refused != nil:
		return nil, c.refused
	case ctx.Err() != nil:
		return nil, &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	case c.session != nil && !c.session.broken():
		return c.session, nil
	}
	c.drop(nil)
	secret, err := c.credential(ctx)
	if err != nil {
		return nil, err
	}
	s, err := openSession(ctx, c.server, func(s *session) error { return s.logIn(secret, c.server) })
	if err == nil {
		c.session = s
		return s, nil
	}
	if ctx.Err() != nil {
		return nil, &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	}
	err = secret.redact(err)
	var e *mail.Error
	if errors.As(err, &e) && e.Cause == mail.CauseLogin {
		c.refused = err // a second try may lock the account
	}
	return nil, err
}
