package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

// serve starts a provider on this machine, and returns it with a client of it.
func serve(t *testing.T) (*identity.Provider, Client) {
	t.Helper()
	p := identity.New()
	if err := p.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, clientOf(p)
}

func clientOf(p *identity.Provider) Client {
	return Client{Issuer: p.Issuer, ID: p.ClientID, Secret: p.ClientSecret, Protocol: "imap"}
}

// within is a way to a provider that needs no network, so that the clock can be faked.
func within(p http.Handler) *http.Client { return &http.Client{Transport: inMemory{p}} }

type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	m.ServeHTTP(rec, r)
	return rec.Result(), r.Context().Err()
}

// browse is a browser: it opens the page and goes where it is sent. It returns the last page's status and text.
func browse(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	if err := res.Write(&text); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, text.String()
}

// wantError checks an error and its hint, and that nothing secret is in them.
func wantError(t *testing.T, p *identity.Provider, err error, cause mail.Cause, want, hint string) {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v is no *mail.Error; want %q", err, want)
		return
	}
	if e.Cause != cause || !strings.Contains(e.Error(), want) || !strings.Contains(e.Hint, hint) {
		t.Errorf("error %q of cause %d with hint %q; want %q of cause %d with hint %q", e, e.Cause, e.Hint, want, cause, hint)
	}
	for _, secret := range append(p.Secrets(), "CANARY-") {
		if strings.Contains(e.Error()+e.Hint, secret) {
			t.Errorf("%q %q shows %q", e, e.Hint, secret)
		}
	}
}

// inTurn cancels a context with a reason.
func inTurn(t *testing.T) (ctx context.Context, cancel func(), reason error) {
	reason = errors.New("interrupted")
	ctx, because := context.WithCancelCause(t.Context())
	return ctx, func() { because(reason) }, reason
}
