package oauth

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

func TestSignIn(t *testing.T) {
	p, c := serve(t)
	s, err := c.SignIn(t.Context(), "me@example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	q := query(t, s.URL)
	if q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 43 || q.Get("scope") != usualScope || q.Get("login_hint") != "me@example.org" {
		t.Errorf("the page is asked for with %v", q)
	}
	if host, _, _ := net.SplitHostPort(s.listeners[0].Addr().String()); host != "127.0.0.1" {
		t.Errorf("it listens at %s", host)
	}
	status, page := browse(t, s.URL)
	if status != http.StatusOK || !strings.Contains(page, "You can close this page") {
		t.Errorf("the browser shows %d %s", status, page)
	}
	source, err := s.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := source.Token(t.Context(), "")
	if err != nil || !p.Good(token) || p.Asked("refresh_token") != 0 {
		t.Errorf("Token = %q, %v after %d refreshes", token, err, p.Asked("refresh_token"))
	}
	if g := source.Grant(); g.Refresh == "" || g.Client != c {
		t.Errorf("the grant is %+v", g)
	}
}

func query(t *testing.T, page string) url.Values {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// TestAstray guards that only the answer to our own question counts, and that all others are answered too.
func TestAstray(t *testing.T) {
	p, c := serve(t)
	p.Behave(identity.Behaviour{Astray: true})
	s, err := c.SignIn(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if status, page := browse(t, s.URL); status != http.StatusBadRequest || !strings.Contains(page, "not the sign-in") {
		t.Errorf("an answer with a wrong state is answered %d %s", status, page)
	}
	home := "http://127.0.0.1:" + strconv.Itoa(s.Port)
	for _, path := range []string{"/", "/?code=x", "/?error=access_denied&state=", "/favicon.ico", "/x?code=x&state=" + s.state} {
		if status, _ := browse(t, home+path); status == http.StatusOK {
			t.Errorf("%s is answered %d", path, status)
		}
	}
	res, err := http.Post(home+"/?code=x&state="+s.state, "text/plain", strings.NewReader("x"))
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", res, err)
	}
	if len(s.codes) != 0 {
		t.Error("one of them was taken for the answer")
	}
	browse(t, s.URL)
	browse(t, s.URL) // once more, which changes nothing
	if _, err := s.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSignInErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		behave identity.Behaviour
		change func(*SignIn)
		cause  mail.Cause
		want   string
		hint   string
	}{
		"denied":         {behave: identity.Behaviour{Deny: "access_denied"}, cause: mail.CauseLogin, want: "the sign-in was declined (access_denied)", hint: "agree"},
		"other error":    {behave: identity.Behaviour{Deny: "teapot"}, cause: mail.CauseLogin, want: "sign in at 127.0.0.1"},
		"wrong verifier": {change: func(s *SignIn) { s.verifier = unguessable() }, cause: mail.CauseLogin, want: "invalid_grant: the code *** is not good with ***"},
		"no challenge":   {change: func(s *SignIn) { s.URL = strings.Replace(s.URL, "S256", "plain", 1) }, cause: mail.CauseLogin, want: "invalid_grant"},
		"other issuer":   {change: func(s *SignIn) { s.provider.Issuer = "https://evil.example" }, cause: mail.CauseProtocol, want: "that of another provider"},
		"wrong secret":   {change: func(s *SignIn) { s.client.Secret = "CANARY-wrong" }, cause: mail.CauseUsage, want: "the client id or its secret is wrong (invalid_client: no such client, or not with the secret ***)", hint: "compare"},
		"no refresh token": {behave: answers(200, `{"access_token":"CANARY-x","expires_in":3600}`), cause: mail.CauseUsage,
			want: "there is no refresh token", hint: "offline_access"},
	} {
		p, c := serve(t)
		p.Behave(tt.behave)
		s, err := c.SignIn(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if tt.change != nil {
			tt.change(s)
		}
		browse(t, s.URL)
		_, err = s.Wait(t.Context())
		s.Close()
		t.Run(name, func(t *testing.T) { wantError(t, p, err, tt.cause, tt.want, tt.hint) })
	}
}

// answers is a provider whose tokens are that.
func answers(status int, body string) identity.Behaviour {
	return identity.Behaviour{Token: func(w http.ResponseWriter, _ url.Values) bool {
		w.WriteHeader(status)
		w.Write([]byte(body))
		return true
	}}
}

// TestNobodyComes guards that a browser that never comes is not waited for for good.
func TestNobodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := identity.New()
		s := &SignIn{asked: asked{client: clientOf(p), provider: Provider{Title: "Acme"}}}
		began := time.Now()
		_, err := s.Wait(t.Context())
		wantError(t, p, err, mail.CauseLogin, "sign in at Acme: nobody signed in within 10m0s", "--no-browser")
		if waited := time.Since(began); waited != Patience {
			t.Errorf("it waited %v", waited)
		}
		ctx, cancel, reason := inTurn(t)
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Wait(ctx); err != reason {
			t.Errorf("Wait = %v when it was interrupted", err)
		}
	})
}

// TestPaste guards that a person can carry the address from another machine.
func TestPaste(t *testing.T) {
	_, c := serve(t)
	s, err := c.SignIn(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // nothing listens where the browser ends
	there := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := there.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"":                            "no address",
		"CANARY-code":                 "no address",
		"http://127.0.0.1/?code=x":    "it begins with http://127.0.0.1:",
		s.URL + "x":                   "it begins with http://127.0.0.1:",
		"http://127.0.0.1/?state=%zz": "it begins with",
	} {
		if address == s.URL+"x" {
			address = strings.Replace(s.URL, s.state, "other", 1)
		}
		if err := s.Paste(address); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("Paste(%q) = %v, want %q", address, err, want)
		}
	}
	if err := s.Paste("  " + res.Header.Get("Location") + "\r\n"); err != nil {
		t.Error(err)
	}
	if _, err := s.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestClosed guards that nothing listens after the end.
func TestClosed(t *testing.T) {
	_, c := serve(t)
	s, err := c.SignIn(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if conn, err := net.Dial("tcp", s.listeners[0].Addr().String()); err == nil {
		conn.Close()
		t.Error("it listens still")
	}
}

// TestRedirects guards where each provider sends the browser.
func TestRedirects(t *testing.T) {
	for name, want := range map[string]string{
		"google": "http://127.0.0.1:", "microsoft": "http://localhost:", "fastmail": "http://127.0.0.1:",
		"yahoo": "https://127.0.0.1", "yandex": "http://localhost", "mailru": "http://localhost", "aol": "https://127.0.0.1",
	} {
		s, err := Client{Provider: name, ID: "x", Secret: "y", Protocol: "imap"}.SignIn(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		q := query(t, s.URL)
		port := strings.TrimPrefix(q.Get("redirect_uri"), want)
		if port == q.Get("redirect_uri") || (port == "") != (s.Port == 0) || port != "" && port != strconv.Itoa(s.Port) {
			t.Errorf("%s sends the browser to %s, want %s", name, q.Get("redirect_uri"), want)
		}
		if strings.Contains(s.URL, "{") || strings.Contains(s.URL, "secret") || q.Get("scope") == "" || q.Get("code_challenge") == "" {
			t.Errorf("%s: %s", name, s.URL)
		}
	}
}
