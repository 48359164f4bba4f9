package oauth

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/identity"
)

// TestExplain guards the words for what providers answer when a grant is no longer good, or never was.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		provider, code, said string
		cause                mail.Cause
		want, hint           string
	}{
		{"google", "invalid_grant", "Token has been expired or revoked.", mail.CauseLogin, "the sign-in is no longer good (invalid_grant: Token has been", "of an app in testing ends after 7 days (publish the app)"},
		{"google", "invalid_grant", "Bad Request", mail.CauseLogin, "no longer good", "mailhaul login: that of an app"},
		{"google", "invalid_client", "Unauthorized", mail.CauseUsage, "Google does not take the client id", "Desktop app"},
		{"google", "admin_policy_enforced", "", mail.CauseLogin, "the administrator does not allow", "trust"},
		{"google", "org_internal", "", mail.CauseLogin, "for one organisation only", ""},
		{"microsoft", "invalid_grant", "AADSTS70008: expired", mail.CauseLogin, "no longer good", "it ends with a new password, after 90 days unused"},
		{"microsoft", "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", mail.CauseLogin, "was not used for too long", "sign in again"},
		{"microsoft", "invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked", mail.CauseLogin, "change of the password", "sign in again"},
		{"microsoft", "interaction_required", "AADSTS50076: Due to a configuration change", mail.CauseLogin, "a second proof", ""},
		{"microsoft", "invalid_grant", "AADSTS65001: The user or administrator has not consented", mail.CauseLogin, "nobody has allowed the app", "administrator"},
		{"microsoft", "access_denied", "AADSTS530035: Access has been blocked by security defaults.", mail.CauseLogin, "no sign-in by a code", "--device"},
		{"microsoft", "invalid_grant", "AADSTS530035: Access has been blocked by security defaults.", mail.CauseLogin, "no sign-in by a code", "--device"},
		{"microsoft", "invalid_client", "AADSTS7000215: Invalid client secret provided.", mail.CauseUsage, "the client secret is wrong", "not its id"},
		{"microsoft", "invalid_client", "AADSTS7000222: The provided client secret keys are expired.", mail.CauseUsage, "has expired", "make a new one"},
		{"microsoft", "invalid_client", "AADSTS7000218: The request body must contain", mail.CauseUsage, "not one of a desktop app", "public client flows"},
		{"microsoft", "unauthorized_client", "AADSTS700016: Application with identifier", mail.CauseUsage, "does not know the client id", "tenant"},
		{"microsoft", "invalid_request", "AADSTS50194: Application is not configured as a multi-tenant application.", mail.CauseUsage, "for one organisation", "--tenant"},
		{"fastmail", "invalid_grant", "", mail.CauseLogin, "no longer good (invalid_grant)", "sign in again"},
		{"", "unauthorized_client", "", mail.CauseUsage, "does not allow this way", "README"},
		{"", "temporarily_unavailable", "", mail.CauseNetwork, "temporarily_unavailable", ""},
		{"", "teapot", "I am\x1b[31m a\nteapot", mail.CauseLogin, "teapot: I am", ""},
	} {
		p := Provider{Title: "Acme"}
		if known, ok := ProviderNamed(tt.provider); ok {
			p = known
		}
		body, _ := json.Marshal(map[string]string{"error": tt.code, "error_description": tt.said})
		id := identity.New()
		id.Behave(answers(400, string(body)))
		_, err := post(t.Context(), within(id), "https://id.example/token", url.Values{"refresh_token": {"CANARY-x"}})
		var no refusal
		if !asRefusal(err, &no) {
			t.Fatal(err)
		}
		if err = p.explain("renew", err); no.code == "invalid_grant" {
			err = p.dead("renew", no)
		}
		wantError(t, id, err, tt.cause, tt.want, tt.hint)
		if strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q is not printable", err)
		}
	}
}

// TestOddAnswers guards what a token endpoint may not do to us.
func TestOddAnswers(t *testing.T) {
	for body, want := range map[string]string{
		``:                            "no JSON",
		`[]`:                          "no JSON",
		`{}`:                          "without a token",
		`{"access_token":"CANARY a"}`: "holds what none may",
		`{"access_token":"CANARY\r\nA1 DELETE INBOX"}`:           "holds what none may",
		`{"access_token":"CANARY-x","token_type":"mac"}`:         "of another kind",
		`{"access_token":"` + strings.Repeat("x", 40<<10) + `"}`: "longer than a login can be",
		strings.Repeat("CANARY", 1<<16):                          "more than anybody needs to say",
	} {
		p := identity.New()
		s := sourceAt(p)
		p.Behave(answers(200, body))
		_, err := s.Token(t.Context(), "")
		wantError(t, p, err, mail.CauseProtocol, want, "")
	}
	for body, want := range map[string]bool{
		`{"access_token":"x","expires_in":"3600","token_type":"bearer"}`: true,
		`{"access_token":"x","expires_in":-1}`:                           false,
		`{"access_token":"x","expires_in":1e300}`:                        true,
		`{"access_token":"x","expires_in":"soon"}`:                       false,
		`{"access_token":"x","expires_in":null}`:                         false,
	} {
		p := identity.New()
		s := sourceAt(p)
		p.Behave(answers(200, body))
		if token := mustToken(t, s, ""); token != "x" || s.renewAt.IsZero() == want {
			t.Errorf("%s: %q until %v", body, token, s.renewAt)
		}
	}
}

// TestElsewhere guards that what is posted goes to the provider and to nobody else.
func TestElsewhere(t *testing.T) {
	heard := 0
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard++ }))
	defer foreign.Close()
	p, c := serve(t)
	s := NewSource(Grant{Client: c, Refresh: p.Grant()})
	for _, status := range []int{301, 302, 303, 307, 308} {
		p.Behave(identity.Behaviour{Token: func(w http.ResponseWriter, _ url.Values) bool {
			w.Header().Set("Location", foreign.URL)
			w.WriteHeader(status)
			return true
		}})
		s.failed = nil
		_, err := s.Token(t.Context(), "")
		wantError(t, p, err, mail.CauseProtocol, "the advice to ask elsewhere", "")
	}
	if heard > 0 {
		t.Errorf("the foreign server heard %d requests", heard)
	}
}

// TestUnreachable guards the words for a provider that cannot be asked.
func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for issuer, want := range map[string]struct {
		cause mail.Cause
		words string
	}{
		"http://" + closed.Addr().String():               {mail.CauseNetwork, "takes no connection"},
		stranger.URL:                                     {mail.CauseCertificate, "cannot prove that it is"},
		strings.Replace(plain.URL, "http:", "https:", 1): {mail.CauseCertificate, "cannot prove that it is"},
		cut.URL:                                 {mail.CauseNetwork, "broke"},
		plain.URL:                               {mail.CauseLogin, "HTTP 404"},
		"https://id.invalid":                    {mail.CauseNetwork, "id.invalid cannot be found"},
		"http://id.example":                     {mail.CauseUsage, "is not https://"},
		"https://me:CANARY-password@id.example": {mail.CauseUsage, "is no URL"},
		"https://id.example/\u202e":             {mail.CauseUsage, "is no URL"},
		"file:///etc/passwd":                    {mail.CauseUsage, "is no URL"},
	} {
		c := Client{Issuer: issuer, ID: "x"}
		_, err := c.SignIn(t.Context(), "")
		wantError(t, identity.New(), err, want.cause, want.words, "")
	}
}

// TestDescribed guards what an issuer may say of itself.
func TestDescribed(t *testing.T) {
	for body, want := range map[string]string{
		`{"issuer":"ISSUER","authorization_endpoint":"https://a.example/","token_endpoint":"https://a.example/"}`:               "",
		`{"issuer":"ISSUER/","authorization_endpoint":"https://a.example/?x=y","token_endpoint":"https://a.example/"}`:          "",
		`{"issuer":"https://evil.example","authorization_endpoint":"https://a.example/","token_endpoint":"https://a.example/"}`: "called otherwise",
		`{"issuer":"ISSUER","authorization_endpoint":"https://a.example/","token_endpoint":"http://a.example/"}`:                "is not https://",
		`{"issuer":"ISSUER","authorization_endpoint":"javascript:alert(1)","token_endpoint":"https://a.example/"}`:              "is no URL",
		`{"issuer":"ISSUER","authorization_endpoint":"https://a.example/"}`:                                                     "no place for tokens",
		`{"issuer":"ISSUER","token_endpoint":"https://a.example/"}`:                                                             "names no page",
		`<html>`: "no JSON",
	} {
		for _, path := range []string{"/realm/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realm"} {
			mux := http.NewServeMux()
			srv := httptest.NewServer(mux)
			issuer := srv.URL + "/realm"
			mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte(strings.ReplaceAll(body, "ISSUER", issuer)))
			})
			s, err := Client{Issuer: issuer, ID: "x"}.SignIn(t.Context(), "")
			srv.Close()
			if err == nil {
				s.Close()
			}
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v, want %q", body, err, want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for want, c := range map[string]Client{
		"":                                 {Provider: "google", ID: "x", Secret: "y"},
		"there is no client id":            {Provider: "microsoft"},
		"wants the client secret too":      {Provider: "google", ID: "x"},
		"acme is no provider":              {Provider: "acme", ID: "x"},
		"not with both":                    {Provider: "google", Issuer: "https://id.example", ID: "x"},
		"no access for applications alone": {Provider: "google", ID: "x", Secret: "y", AppOnly: true},
		"the tenant a/b is none":           {Provider: "microsoft", ID: "x", Tenant: "a/b"},
		"needs the tenant":                 {Provider: "microsoft", ID: "x", Secret: "y", AppOnly: true},
		"needs the client secret":          {Provider: "microsoft", ID: "x", Tenant: "acme.example", AppOnly: true},
	} {
		err := c.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Check of %+v = %v, want %q", c, err, want)
		}
	}
}

// TestProviders guards that the table is whole.
func TestProviders(t *testing.T) {
	for _, p := range providers {
		for _, endpoint := range []string{p.Authorize, p.Token, p.Withdraw} {
			if !strings.HasPrefix(endpoint, "https://") {
				t.Errorf("%s: %q is not https://", p.Name, endpoint)
			}
		}
		if p.Title == "" || p.Dead == "" || p.Redirect == "" || p.Scopes["imap"] == "" || p.Scopes["pop3"] == "" {
			t.Errorf("%s lacks something: %+v", p.Name, p)
		}
		for _, host := range p.Hosts {
			if got, ok := ProviderOf("imap." + strings.ToUpper(host) + "."); !ok || got.Name != p.Name {
				t.Errorf("imap.%s is of %q, want %s", host, got.Name, p.Name)
			}
		}
	}
	for _, host := range []string{"notgmail.com", "gmail.com.evil.example", "example.org"} {
		if p, ok := ProviderOf(host); ok {
			t.Errorf("%s is of %s", host, p.Name)
		}
	}
	c := Client{Provider: "microsoft", ID: "x"}
	if p, err := c.provider(t.Context(), nil); err != nil || p.Token != "https://login.microsoftonline.com/common/oauth2/v2.0/token" {
		t.Errorf("Microsoft's tokens are at %q, %v", p.Token, err)
	}
	c.Tenant = "acme.example"
	if p, err := c.provider(t.Context(), nil); err != nil || p.Device != "https://login.microsoftonline.com/acme.example/oauth2/v2.0/devicecode" {
		t.Errorf("of a tenant, codes are at %q, %v", p.Device, err)
	}
}
