package dovecot

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// Tokens are OAuth2 tokens that a server of these knows (see Options), and whose they are.
type Tokens struct {
	URL string

	mu    sync.Mutex
	users map[string]string
}

// Introspection serves an introspection endpoint (RFC 7662) as long as the test lives.
func Introspection(t testing.TB) *Tokens {
	tokens := &Tokens{users: make(map[string]string)}
	s := httptest.NewServer(http.HandlerFunc(tokens.answer))
	t.Cleanup(s.Close)
	tokens.URL = s.URL
	return tokens
}

func (s *Server) writeOAuth2(version, url string) error {
	text := "introspection_mode = post\nintrospection_url = " + url + "\nusername_attribute = user\nactive_attribute = active\nactive_value = true\n"
	return s.writeFor23(version, "oauth2.conf", text)
}

// writeFor23 writes what Dovecot 2.3 wants to know in a file of its own.
func (s *Server) writeFor23(version, name, text string) error {
	if !strings.HasPrefix(version, "2.3.") {
		return errNotThisOne
	}
	return os.WriteFile(s.path(name), []byte(text), 0o644)
}

// Set makes a token good for user, or, if that is "", for nobody.
func (k *Tokens) Set(token, user string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users[token] = user
}

func (k *Tokens) answer(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	user := k.users[r.FormValue("token")]
	k.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"active": user != "", "user": strings.ToLower(user)})
}
