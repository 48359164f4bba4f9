package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// early is how long before its end a token is renewed, but never more than a fifth of its life.
const early = 5 * time.Minute

// A Source makes tokens of a grant. It is shared by all sessions of an account: however many ask at once, the provider
// is asked once. Set its fields before the first Token.
type Source struct {
	// Load returns the grant as it is kept now: another run may have got a new one. nil: nobody else has it.
	Load func(context.Context) (Grant, error)
	// Keep keeps a grant. It is called with a new refresh token before the access token that came with it is used. nil:
	// nobody does.
	Keep func(context.Context, Grant) error
	// Account is what mailhaul login is to be called with, for hints.
	Account string
	// Tell gets the error of a Keep that failed: the run goes on with what it has in memory. nil: nobody hears it.
	Tell func(error)

	via  *http.Client
	turn chan struct{} // full while somebody is at work here; what follows is theirs

	grant   Grant
	unkept  bool // grant is newer than what Load returns
	token   string
	renewAt time.Time // zero: when it is refused
	endsAt  time.Time
	failed  error // what came of asking the last time

	asked atomic.Int64 // how often the provider was asked, and has answered or not
}

// NewSource returns a Source of the grant.
func NewSource(g Grant) *Source {
	return &Source{via: NewHTTP(), turn: make(chan struct{}, 1), grant: g}
}

// Grant returns the grant as it is now.
func (s *Source) Grant() Grant {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.grant
}

// Token returns a token that is good for a login now. refused is the one that the mail server has just refused, "" if
// it was none; it is not returned again. Errors are *mail.Error, but for that of a context that has ended, and hold no
// token.
func (s *Source) Token(ctx context.Context, refused string) (string, error) {
	token, err := s.ready(ctx, refused)
	var e *mail.Error
	if !errors.As(err, &e) || s.Account == "" {
		return token, err
	}
	named := *e
	named.Hint = strings.Replace(e.Hint, again, again+" "+s.Account, 1)
	return "", &named
}

// ready is Token without the name of the account.
func (s *Source) ready(ctx context.Context, refused string) (string, error) {
	before := s.asked.Load()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if s.token != "" && s.token != refused && (s.renewAt.IsZero() || time.Now().Before(s.renewAt)) {
		return s.token, nil
	}
	if s.failed != nil && (s.asked.Load() > before || lasting(s.failed)) { // while we waited for our turn; or for good
		return "", s.failed
	}
	old := s.token
	s.failed = s.renew(ctx)
	s.asked.Add(1)
	if s.failed != nil {
		return s.lastResort(ctx, old, refused)
	}
	if s.token == refused {
		return "", &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
			Err: errors.New("the provider has no other token than the one that the mail server refused")}
	}
	return s.token, nil
}

// lasting reports whether asking once more would be in vain: it takes a person.
func lasting(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope == mail.ScopeAccount
}

// lastResort returns the old token where it is good still, only not for long: trouble with the provider is no trouble
// yet.
func (s *Source) lastResort(ctx context.Context, old, refused string) (string, error) {
	err := s.failed
	if ctx.Err() != nil {
		s.failed = nil // whoever waits is not cancelled, and asks again
		return "", context.Cause(ctx)
	}
	if old != "" && old != refused && !lasting(err) && time.Now().Before(s.endsAt) {
		return old, nil
	}
	return "", err
}

// renew gets a new token by the grant, and by that of another run if ours is no longer good.
func (s *Source) renew(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	p, err := s.grant.Client.provider(ctx, s.via)
	if err != nil {
		return err
	}
	op := "renew the sign-in at " + p.Title
	a, err := post(ctx, s.via, p.Token, s.form(p))
	if used := s.grant.Refresh; err != nil && s.load(ctx) == nil && s.grant.Refresh != used {
		a, err = post(ctx, s.via, p.Token, s.form(p))
	}
	var no refusal
	switch {
	case errors.As(err, &no) && no.code == "invalid_grant" && !s.grant.Client.AppOnly:
		return p.dead(op, no)
	case err != nil:
		return p.explain(op, err)
	}
	if err := s.take(a); err != nil {
		return p.explain(op, err)
	}
	if a.Refresh != "" && a.Refresh != s.grant.Refresh {
		s.rotate(ctx, a.Refresh)
	}
	return nil
}

// form is what to ask for a token with: RFC 6749 §6, or §4.4 where nobody has signed in.
func (s *Source) form(p Provider) url.Values {
	c := s.grant.Client
	if c.AppOnly {
		form := c.form("client_credentials")
		form.Set("scope", c.scope(p))
		return form
	}
	form := c.form("refresh_token")
	form.Set("refresh_token", s.grant.Refresh)
	return form
}

func (s *Source) load(ctx context.Context) error {
	if s.Load == nil || s.unkept {
		return nil
	}
	g, err := s.Load(ctx)
	if err == nil {
		s.grant = g
	}
	return err
}

// take takes the token of an answer.
func (s *Source) take(a answer) (err error) {
	if s.token, err = a.token(); err != nil {
		return err
	}
	s.renewAt, s.endsAt = time.Time{}, time.Time{}
	if life := a.Expires.duration(); life > 0 {
		now := time.Now()
		s.endsAt = now.Add(life)
		s.renewAt = s.endsAt.Add(-min(early, life/5))
	}
	return nil
}

// rotate keeps a new refresh token. The old one may be good for nothing from now on, so that the new one is not given
// up when it cannot be kept.
func (s *Source) rotate(ctx context.Context, refresh string) {
	s.grant.Refresh = refresh
	if s.Keep == nil {
		return
	}
	err := s.Keep(context.WithoutCancel(ctx), s.grant)
	if s.unkept = err != nil; s.unkept && s.Tell != nil {
		s.Tell(err)
	}
}
