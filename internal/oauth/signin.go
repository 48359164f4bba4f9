package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Patience is how long a person may take to sign in.
const Patience = 10 * time.Minute

// A SignIn is a person's way through a browser (RFC 8252): URL is to be opened, and the page at its end comes back to
// this machine. What comes back is worth nothing without what only this SignIn knows (PKCE, RFC 7636).
type SignIn struct {
	URL  string
	Port int // of this machine, to which the browser comes back; 0: to none, and the person has to copy the address

	asked
	redirect, state, verifier string
	desk                      *http.Server
	listeners                 []net.Listener
	codes                     chan returned // holds the first that came back with the right state
	once                      sync.Once
	closed                    sync.WaitGroup
}

// returned is what came back: a code, or why there is none.
type returned struct {
	code string
	err  error
}

// SignIn begins a sign-in. user is the name that the provider is to suggest. The caller ends it with Close.
func (c Client) SignIn(ctx context.Context, user string) (*SignIn, error) {
	who, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	if who.provider.Authorize == "" {
		return nil, usage("try --device", "%s names no page to sign in at", who.provider.Title)
	}
	s := &SignIn{asked: who, state: unguessable(), verifier: unguessable(), codes: make(chan returned, 1)}
	s.redirect = who.provider.Redirect
	if !who.provider.fixed() {
		if err := s.listen(); err != nil {
			return nil, err
		}
	}
	s.URL = s.page(user)
	return s, nil
}

// unguessable returns 256 bits in the letters of RFC 7636 §4.1.
func unguessable() string {
	var b [32]byte
	rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// page returns the URL to open (RFC 6749 §4.1.1, RFC 7636 §4.3).
func (s *SignIn) page(user string) string {
	challenge := sha256.Sum256([]byte(s.verifier))
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {s.client.ID},
		"redirect_uri":          {s.redirect},
		"scope":                 {s.client.scope(s.provider)},
		"state":                 {s.state},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	if strings.Contains(user, "@") {
		q.Set("login_hint", user)
	}
	for name, value := range s.provider.Ask {
		q.Set(name, value)
	}
	joint := "?"
	if strings.Contains(s.provider.Authorize, "?") {
		joint = "&"
	}
	return s.provider.Authorize + joint + q.Encode()
}

// Wait waits until the person has signed in, and returns a Source of tokens.
func (s *SignIn) Wait(ctx context.Context) (*Source, error) {
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	select {
	case got := <-s.codes:
		if got.err != nil {
			return nil, got.err
		}
		return s.exchange(ctx, got.code)
	case <-limit.C:
		return nil, &mail.Error{Op: "sign in at " + s.provider.Title, Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
			Hint: "run it again; with --no-browser the page can be opened on another machine",
			Err:  errors.New("nobody signed in within " + Patience.String())}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// exchange gives the code in exchange for tokens (RFC 6749 §4.1.3).
func (s *SignIn) exchange(ctx context.Context, code string) (*Source, error) {
	form := s.client.form("authorization_code")
	form.Set("code", code)
	form.Set("redirect_uri", s.redirect)
	form.Set("code_verifier", s.verifier)
	a, err := post(ctx, s.via, s.provider.Token, form)
	if err != nil {
		return nil, s.explain(err)
	}
	return s.redeem(a)
}

// Paste takes the address that the browser shows at the end, where the browser is on another machine. An error says
// what is wrong with it; another try is welcome.
func (s *SignIn) Paste(address string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme == "" {
		return errors.New("this is no address of a page")
	}
	if !s.mine(u.Query()) {
		return errors.New("this is not the address at which this sign-in ends; it begins with " + s.redirect)
	}
	s.back(u.Query())
	return nil
}

// mine reports whether the answer is to this very question (RFC 6749 §10.12).
func (s *SignIn) mine(q url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(s.state)) == 1
}

// back takes the answer (RFC 6749 §4.1.2). The first counts.
func (s *SignIn) back(q url.Values) {
	got := returned{code: q.Get("code")}
	no := refusal{code: printable(q.Get("error"), nil), said: printable(q.Get("error_description"), nil)}
	switch iss := q.Get("iss"); {
	case iss != "" && s.provider.Issuer != "" && iss != s.provider.Issuer: // RFC 9207 §2.4
		got.err = s.explain(oddAnswer("that of another provider"))
	case no.code != "":
		got.err = s.explain(no)
	case got.code == "":
		got.err = s.explain(oddAnswer("without a code"))
	}
	s.once.Do(func() { s.codes <- got })
}

// Close listens no longer.
func (s *SignIn) Close() {
	if s.desk != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // for the page that is being sent
		defer cancel()
		if s.desk.Shutdown(ctx) != nil {
			s.desk.Close()
		}
	}
	s.closed.Wait()
}
