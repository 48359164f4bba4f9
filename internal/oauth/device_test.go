package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

// TestDevice guards that a device waits as long as it is told, and learns what became of it.
func TestDevice(t *testing.T) {
	breaks := func(times int, with func(w http.ResponseWriter)) identity.Behaviour {
		return identity.Behaviour{Token: func(w http.ResponseWriter, _ url.Values) bool {
			times--
			if times >= 0 {
				with(w)
			}
			return times >= 0
		}}
	}
	for name, tt := range map[string]struct {
		behave identity.Behaviour
		after  time.Duration
		want   string // "": it goes well
		hint   string
		cause  mail.Cause
	}{
		"at once":   {after: 5 * time.Second},
		"pending":   {behave: identity.Behaviour{Pending: 3}, after: 20 * time.Second},
		"slow down": {behave: identity.Behaviour{Slow: 2, Pending: 1}, after: (5 + 10 + 15 + 15) * time.Second},
		"denied":    {behave: identity.Behaviour{Device: "access_denied"}, after: 5 * time.Second, want: "the sign-in was declined", cause: mail.CauseLogin},
		"expired":   {behave: identity.Behaviour{Device: "expired_token", Pending: 1}, after: 10 * time.Second, want: "the code was not used in time", cause: mail.CauseLogin},
		"too late":  {behave: identity.Behaviour{Pending: 1000, Expires: 62}, after: 60 * time.Second, want: "the code was not used in time", hint: "sign in again", cause: mail.CauseLogin},
		"busy":      {behave: breaks(2, func(w http.ResponseWriter) { w.WriteHeader(503) }), after: (5 + 10 + 20) * time.Second},
		"no sense":  {behave: answers(200, "<html>"), after: 5 * time.Second, want: "the answer is what is no JSON", cause: mail.CauseProtocol},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := identity.New()
			p.Behave(tt.behave)
			d := &Device{asked: asked{clientOf(p), Provider{Title: "Acme", Endpoints: endpoints(p)}, within(p)}}
			if err := d.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d.Code != "WDJB-MJHT" || d.Page != "https://id.example/activate" {
				t.Errorf("%s: the device shows %q at %q", name, d.Code, d.Page)
			}
			began := time.Now()
			s, err := d.Wait(t.Context())
			if waited := time.Since(began); waited != tt.after {
				t.Errorf("%s: it took %v, want %v", name, waited, tt.after)
			}
			if tt.want != "" {
				wantError(t, p, err, tt.cause, tt.want, tt.hint)
				return
			}
			if err != nil || s.Grant().Refresh == "" {
				t.Errorf("%s: Wait = %v", name, err)
			}
		})
	}
}

func endpoints(p *identity.Provider) Endpoints {
	return Endpoints{p.Issuer + "/authorize", p.Issuer + "/token", p.Issuer + "/device"}
}

func TestDeviceInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		p.Behave(identity.Behaviour{Pending: 1000})
		d := &Device{asked: asked{clientOf(p), Provider{Title: "Acme", Endpoints: endpoints(p)}, within(p)}}
		if err := d.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel, reason := inTurn(t)
		time.AfterFunc(7*time.Second, cancel)
		if _, err := d.Wait(ctx); err != reason {
			t.Errorf("Wait = %v", err)
		}
	})
}

// TestNoDevice guards that a provider without codes for devices is said so of.
func TestNoDevice(t *testing.T) {
	_, err := Client{Provider: "google", ID: "x", Secret: "y"}.Device(t.Context())
	wantError(t, identity.New(), err, mail.CauseUsage, "Google has no codes", "--no-browser")
}

// TestDeviceOverTheWire is the whole way, once and short.
func TestDeviceOverTheWire(t *testing.T) {
	p, c := serve(t)
	d, err := c.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.interval = time.Millisecond
	s, err := d.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token, err := s.Token(t.Context(), ""); err != nil || !p.Good(token) {
		t.Errorf("Token = %q, %v", token, err)
	}
	p.Close()
	if _, err := c.Device(t.Context()); !errors.As(err, new(*mail.Error)) {
		t.Errorf("Device = %v when nobody answers", err)
	}
}
