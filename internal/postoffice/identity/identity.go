// Package identity is a provider of identities to sign in at (OAuth 2.0), in memory and for tests: it hands out tokens,
// knows which are good, and makes trouble on request.
package identity

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Behaviour is how a Provider behaves. Its zero value is well behaved.
type Behaviour struct {
	Life    time.Duration // of an access token; 0: an hour
	Rotate  bool          // every refresh token is good once
	Deny    string        // the error that a person who is to agree brings back; "": they agree
	Astray  bool          // the browser comes back with a state of its own first
	Pending int           // so often a device has to ask before the person has agreed
	Slow    int           // so often a device is told to slow down, before that
	Device  string        // the error that a device gets in the end; "": none
	Expires int           // seconds a device has; 0: 300
	Every   int           // seconds between the questions of a device; 0: 5
	// Token, where set, may answer at the token endpoint instead.
	Token func(w http.ResponseWriter, form url.Values) (answered bool)
}

// A Provider is an http.Handler. ClientID and ClientSecret are the one client it knows.
type Provider struct {
	Issuer                 string
	ClientID, ClientSecret string
	// Watch, where set before the first request, is called with each.
	Watch func(*http.Request)

	mu        sync.Mutex
	behaviour Behaviour
	codes     map[string]url.Values // of authorization requests, by code
	devices   map[string]*Behaviour
	refresh   map[string]bool // good or not
	access    map[string]time.Time
	asked     map[string]int // by grant type
	secrets   []string
	server    *http.Server
}

// New returns a Provider that has no address yet.
func New() *Provider {
	return &Provider{
		Issuer: "https://id.example", ClientID: "client-4711", ClientSecret: "CANARY-client-secret",
		codes: map[string]url.Values{}, devices: map[string]*Behaviour{}, refresh: map[string]bool{},
		access: map[string]time.Time{}, asked: map[string]int{},
	}
}

// Listen serves at an address of this machine, which becomes the Issuer.
func (p *Provider) Listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.Issuer = "http://" + l.Addr().String()
	p.server = &http.Server{Handler: p}
	go p.server.Serve(l)
	return nil
}

// Close ends what Listen began.
func (p *Provider) Close() { p.server.Close() }

// Behave changes the behaviour.
func (p *Provider) Behave(b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = b
}

// Revoke makes all refresh tokens, and with them all access tokens, good for nothing.
func (p *Provider) Revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for token := range p.refresh {
		p.refresh[token] = false
	}
	clear(p.access)
}

// Expire makes all access tokens good for nothing.
func (p *Provider) Expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.access)
}

// Good reports whether an access token is good now.
func (p *Provider) Good(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, known := p.access[token]
	return known && time.Now().Before(until)
}

// Asked returns how often tokens were asked for by a grant type.
func (p *Provider) Asked(grantType string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[grantType]
}

// Secrets returns all that was secret so far: codes, verifiers, tokens, and the client's secret.
func (p *Provider) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{p.ClientSecret}, p.secrets...)
}

// Grant returns a new refresh token, as if somebody had signed in.
func (p *Provider) Grant() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newRefresh()
}

// Access returns a new access token, as a program of somebody else's would have it.
func (p *Provider) Access() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newAccess(time.Hour)
}

func (p *Provider) newAccess(life time.Duration) string {
	token := p.secret("access")
	p.access[token] = time.Now().Add(life)
	return token
}

func (p *Provider) newRefresh() string {
	token := p.secret("refresh")
	p.refresh[token] = true
	return token
}

// secret returns a new secret, and remembers it. The caller holds mu.
func (p *Provider) secret(kind string) string {
	s := "CANARY-" + kind + "-" + rand.Text()
	p.secrets = append(p.secrets, s)
	return s
}

// ServeHTTP serves the endpoints.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.Watch != nil {
		p.Watch(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.ParseForm()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		say(w, http.StatusOK, map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize",
			"token_endpoint": p.Issuer + "/token", "device_authorization_endpoint": p.Issuer + "/device"})
	case "/authorize":
		p.authorize(w, r)
	case "/device":
		p.device(w)
	case "/token":
		p.token(w, r.PostForm)
	default:
		http.NotFound(w, r)
	}
}

// authorize is the page on which a person agrees, which they do at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back := url.Values{"state": {q.Get("state")}, "iss": {p.Issuer}}
	if p.behaviour.Deny != "" {
		back.Set("error", p.behaviour.Deny)
	} else {
		code := p.secret("code")
		p.codes[code] = q
		back.Set("code", code)
	}
	if p.behaviour.Astray {
		p.behaviour.Astray = false
		back.Set("state", "another")
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"/?"+back.Encode(), http.StatusFound)
}

func (p *Provider) device(w http.ResponseWriter) {
	code, b := p.secret("device"), p.behaviour
	p.devices[code] = &b
	expires, every := cmp.Or(b.Expires, 300), cmp.Or(b.Every, 5)
	say(w, http.StatusOK, map[string]any{"device_code": code, "user_code": "WDJB-MJHT", "verification_uri": p.Issuer + "/activate",
		"expires_in": expires, "interval": every})
}

func (p *Provider) token(w http.ResponseWriter, form url.Values) {
	grantType := form.Get("grant_type")
	p.asked[grantType]++
	if verifier := form.Get("code_verifier"); verifier != "" {
		p.secrets = append(p.secrets, verifier)
	}
	if p.behaviour.Token != nil && p.behaviour.Token(w, form) {
		return
	}
	if form.Get("client_id") != p.ClientID || form.Get("client_secret") != p.ClientSecret {
		no(w, "invalid_client", "no such client, or not with the secret "+form.Get("client_secret"))
		return
	}
	switch grantType {
	case "authorization_code":
		p.byCode(w, form)
	case "refresh_token":
		p.byRefresh(w, form.Get("refresh_token"))
	case "client_credentials":
		p.give(w, "")
	case "urn:ietf:params:oauth:grant-type:device_code":
		p.byDevice(w, form.Get("device_code"))
	default:
		no(w, "unsupported_grant_type", "")
	}
}

func (p *Provider) byCode(w http.ResponseWriter, form url.Values) {
	request, known := p.codes[form.Get("code")]
	delete(p.codes, form.Get("code"))
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case !known, request.Get("redirect_uri") != form.Get("redirect_uri"),
		request.Get("code_challenge_method") != "S256",
		request.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]):
		no(w, "invalid_grant", "the code "+form.Get("code")+" is not good with "+form.Get("code_verifier"))
	default:
		p.give(w, p.newRefresh())
	}
}

func (p *Provider) byRefresh(w http.ResponseWriter, refresh string) {
	if !p.refresh[refresh] {
		no(w, "invalid_grant", "the token "+refresh+" has been expired or revoked")
		return
	}
	next := ""
	if p.behaviour.Rotate {
		p.refresh[refresh] = false
		next = p.newRefresh()
	}
	p.give(w, next)
}

func (p *Provider) byDevice(w http.ResponseWriter, code string) {
	d := p.devices[code]
	switch {
	case d == nil:
		no(w, "invalid_grant", "no such device")
	case d.Slow > 0:
		d.Slow--
		no(w, "slow_down", "")
	case d.Pending > 0:
		d.Pending--
		no(w, "authorization_pending", "")
	case d.Device != "":
		no(w, d.Device, "")
	default:
		p.give(w, p.newRefresh())
	}
}

// give hands out an access token, and a refresh token if there is one.
func (p *Provider) give(w http.ResponseWriter, refresh string) {
	life := cmp.Or(p.behaviour.Life, time.Hour)
	a := map[string]any{"access_token": p.newAccess(life), "token_type": "Bearer", "expires_in": int(life / time.Second)}
	if refresh != "" {
		a["refresh_token"] = refresh
	}
	say(w, http.StatusOK, a)
}

func no(w http.ResponseWriter, code, description string) {
	say(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": description})
}

func say(w http.ResponseWriter, status int, what map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(what)
}
