package sasl

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const hidden = "***"

// enough is how much of the beginning of a secret gives it away, where not all of it is there.
const enough = 12

// Redact takes the secrets out of a text: there are servers that repeat what they did not understand. It finds them as
// they are, made printable, quoted, cut off at the end, and in the messages of SASL.
func (c Credential) Redact(text string) string {
	for _, secret := range []string{c.Password, c.Token} {
		if secret != "" {
			text = hide(text, secret, strings.TrimSuffix(mail.Printable(secret), "…"), quoted.Replace(secret))
		}
	}
	return encoded.ReplaceAllStringFunc(text, func(run string) string {
		if c.tells(run) {
			return hidden
		}
		return run
	})
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// hide replaces a secret in whatever form it is there, or as much of its beginning as is.
func hide(text string, forms ...string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := 0
		for _, form := range forms {
			if k := common(text, form); k >= min(len(form), enough) {
				n = max(n, k)
			}
		}
		if n == 0 {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		b.WriteString(hidden)
		text = text[n:]
	}
	return b.String()
}

// common returns how many octets both begin with.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{6,}={0,2}`)

// tells reports whether a run of base64, whole or cut off at the end, holds a message of a login.
func (c Credential) tells(run string) bool {
	run = strings.TrimRight(run, "=")
	octets, err := base64.RawStdEncoding.DecodeString(run[:len(run)/4*4])
	if err != nil {
		return false
	}
	said := string(octets)
	for _, secret := range []string{c.Password, c.Token} {
		if whole, _ := base64.RawStdEncoding.DecodeString(run); secret != "" && string(whole) == secret {
			return true
		}
		if len(secret) >= 6 && strings.Contains(said, secret[:min(len(secret), enough)]) {
			return true
		}
	}
	return strings.HasPrefix(said, c.Authorize+"\x00"+c.User+"\x00") || strings.HasPrefix(said, c.User+" ") ||
		strings.HasPrefix(said, "user="+c.owner()+"\x01") || strings.Contains(said, "\x01auth=Bearer")
}

// Clean returns err without the secrets. A *mail.Error stays one.
func (c Credential) Clean(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) {
		return err
	}
	text := e.Err.Error()
	if clean := c.Redact(text); clean != text {
		redacted := *e
		redacted.Err = errors.New(clean)
		return &redacted
	}
	return err
}
