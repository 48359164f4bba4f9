package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

// sourceAt returns a Source of a grant by the provider, which is asked without a network.
func sourceAt(p *identity.Provider) *Source {
	s := NewSource(Grant{Client: clientOf(p), Refresh: p.Grant()})
	s.via = within(p)
	return s
}

// TestRenewed guards that a token is renewed before its end: by five minutes, or by a fifth of its life.
func TestRenewed(t *testing.T) {
	for life, after := range map[time.Duration]time.Duration{
		time.Hour: 55 * time.Minute, 20 * time.Second: 16 * time.Second, 24 * time.Hour: 24*time.Hour - 5*time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := identity.New()
			p.Behave(identity.Behaviour{Life: life})
			s := sourceAt(p)
			first := mustToken(t, s, "")
			time.Sleep(after - time.Millisecond)
			if again := mustToken(t, s, ""); again != first || p.Asked("refresh_token") != 1 {
				t.Errorf("life %v: renewed before %v", life, after)
			}
			time.Sleep(time.Millisecond)
			if next := mustToken(t, s, ""); next == first || !p.Good(next) || p.Asked("refresh_token") != 2 {
				t.Errorf("life %v: not renewed after %v", life, after)
			}
		})
	}
}

func mustToken(t *testing.T, s *Source, refused string) string {
	t.Helper()
	token, err := s.Token(t.Context(), refused)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestRefused guards that a token that a mail server refuses is not given again, whatever the clock says, and that
// those who were refused an older one get the new one.
func TestRefused(t *testing.T) {
	p := identity.New()
	s := sourceAt(p)
	first := mustToken(t, s, "")
	second := mustToken(t, s, first)
	if second == first || p.Asked("refresh_token") != 2 {
		t.Errorf("after a refusal it gives the same, having asked %d times", p.Asked("refresh_token"))
	}
	if third := mustToken(t, s, first); third != second || p.Asked("refresh_token") != 2 {
		t.Error("one that was refused an old token had another one made")
	}
	p.Behave(answers(200, `{"access_token":"CANARY-same"}`))
	same := mustToken(t, s, second)
	_, err := s.Token(t.Context(), same)
	wantError(t, p, err, mail.CauseLogin, "no other token", "")
}

// TestAtOnce guards that all sessions together ask the provider once.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		p.Behave(slow(p, time.Second))
		s := sourceAt(p)
		var wg sync.WaitGroup
		got := make([]string, 30)
		for i := range got {
			wg.Go(func() { got[i], _ = s.Token(t.Context(), "") })
		}
		wg.Wait()
		for _, token := range got {
			if token != got[0] || token == "" {
				t.Errorf("one got %q, another %q", got[0], token)
			}
		}
		if n := p.Asked("refresh_token"); n != 1 {
			t.Errorf("30 at once asked %d times, want once", n)
		}
	})
}

// slow is a provider that takes its time; the clock is a fake one.
func slow(p *identity.Provider, d time.Duration) identity.Behaviour {
	return identity.Behaviour{Token: func(http.ResponseWriter, url.Values) bool {
		time.Sleep(d)
		return false
	}}
}

// TestFailAtOnce guards that a failure is shared too by those who waited for it, and that others ask again.
func TestFailAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		p.Behave(identity.Behaviour{Token: func(w http.ResponseWriter, _ url.Values) bool {
			time.Sleep(time.Second)
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(503)
			return true
		}})
		s := sourceAt(p)
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				_, err := s.Token(t.Context(), "")
				var e *mail.Error
				if !errors.As(err, &e) || e.Scope != mail.ScopeSession || e.Cause != mail.CauseNetwork || e.Later != 77*time.Second {
					t.Errorf("Token = %+v", err)
				}
			})
		}
		wg.Wait()
		if n := p.Asked("refresh_token"); n != 1 {
			t.Errorf("30 at once asked %d times, want once", n)
		}
		p.Behave(identity.Behaviour{})
		mustToken(t, s, "")
	})
}

// TestCancelledAtOnce guards that one who gives up takes nobody along.
func TestCancelledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		p.Behave(slow(p, time.Second))
		s := sourceAt(p)
		ctx, cancel, reason := inTurn(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Token(ctx, ""); err != reason {
				t.Errorf("the cancelled one: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { mustToken(t, s, "") })
		wg.Go(func() {
			if _, err := s.Token(ctx, ""); err != reason {
				t.Errorf("the cancelled one that waits: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

// TestTrouble guards that a provider in trouble is none of ours while the old token is good.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		s := sourceAt(p)
		first := mustToken(t, s, "")
		p.Behave(answers(503, ""))
		time.Sleep(56 * time.Minute)
		if token := mustToken(t, s, ""); token != first {
			t.Error("it gives another")
		}
		_, err := s.Token(t.Context(), first)
		wantError(t, p, err, mail.CauseNetwork, "the answer was HTTP 503", "")
		time.Sleep(5 * time.Minute)
		_, err = s.Token(t.Context(), "")
		wantError(t, p, err, mail.CauseNetwork, "renew the sign-in at id.example", "")
	})
}

// TestRotated guards that a new refresh token is kept before the access token beside it is used, and that the next
// renewal is by it.
func TestRotated(t *testing.T) {
	p := identity.New()
	p.Behave(identity.Behaviour{Rotate: true})
	s := sourceAt(p)
	kept := s.Grant()
	s.Load = func(context.Context) (Grant, error) { return kept, nil }
	s.Keep = func(_ context.Context, g Grant) error { kept = g; return nil }
	token := ""
	for range 3 {
		before := kept.Refresh
		token = mustToken(t, s, token)
		if kept.Refresh == before {
			t.Fatal("the new refresh token was not kept")
		}
	}
	// Another run has it rotated meanwhile: what is kept counts, not what we remember.
	other := NewSource(kept)
	other.via, other.Load, other.Keep = s.via, s.Load, s.Keep
	mustToken(t, other, "")
	mustToken(t, s, token)
}

// TestRotatedUnderway guards that a grant that another run renews between our look and our question is no dead one.
func TestRotatedUnderway(t *testing.T) {
	p := identity.New()
	s := sourceAt(p)
	kept := s.Grant()
	looks := 0
	s.Load = func(context.Context) (Grant, error) {
		looks++
		if looks == 2 {
			kept.Refresh = p.Grant()
		}
		return kept, nil
	}
	p.Revoke()
	if mustToken(t, s, ""); looks != 2 {
		t.Errorf("it looked %d times", looks)
	}
}

// TestNotKept guards that a new refresh token that cannot be kept is said, and used from memory.
func TestNotKept(t *testing.T) {
	p := identity.New()
	p.Behave(identity.Behaviour{Rotate: true})
	s := sourceAt(p)
	kept, full := s.Grant(), errors.New("no space")
	var told []error
	s.Load = func(context.Context) (Grant, error) { return kept, nil }
	s.Keep = func(context.Context, Grant) error { return full }
	s.Tell = func(err error) { told = append(told, err) }
	token := mustToken(t, s, "")
	mustToken(t, s, token)
	if len(told) != 2 || told[0] != full {
		t.Errorf("it told %v", told)
	}
}

// TestDead guards that a grant that is no longer good is recognised, explained, and not tried again.
func TestDead(t *testing.T) {
	p := identity.New()
	s := sourceAt(p)
	p.Revoke()
	for range 3 {
		_, err := s.Token(t.Context(), "")
		wantError(t, p, err, mail.CauseLogin, "renew the sign-in at id.example: the sign-in is no longer good (invalid_grant: the token *** has been expired or revoked)", "sign in again with mailhaul login: it ends when")
	}
	if n := p.Asked("refresh_token"); n != 1 {
		t.Errorf("a dead grant was tried %d times", n)
	}
}

// TestAppOnly guards that an application needs no person.
func TestAppOnly(t *testing.T) {
	p := identity.New()
	c := clientOf(p)
	c.AppOnly = true
	s := NewSource(Grant{Client: c})
	s.via = within(p)
	if token := mustToken(t, s, ""); !p.Good(token) || p.Asked("client_credentials") != 1 {
		t.Errorf("Token = %q", token)
	}
	c.Secret = "CANARY-wrong"
	s = NewSource(Grant{Client: c})
	s.via = within(p)
	_, err := s.Token(t.Context(), "")
	wantError(t, p, err, mail.CauseUsage, "the client id or its secret is wrong", "")
}

// TestNoLoad guards that what keeps the grant has its say.
func TestNoLoad(t *testing.T) {
	p := identity.New()
	s := sourceAt(p)
	locked := errors.New("the keyring is locked")
	s.Load = func(context.Context) (Grant, error) { return Grant{}, locked }
	if _, err := s.Token(t.Context(), ""); err != locked || p.Asked("refresh_token") != 0 {
		t.Errorf("Token = %v", err)
	}
}
