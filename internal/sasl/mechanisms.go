package sasl

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A mechanism is one from the client's side.
type mechanism struct {
	first bool // the client speaks first
	token bool // it is for tokens, all others are for passwords
	reads bool // what a challenge says matters
	// answer returns the client's message, of which n were sent before.
	answer func(c Credential, n int, challenge []byte) ([]byte, error)
}

// LOGIN was never standardised, XOAUTH2 is Google's. CRAM-MD5 (RFC 2195) is there for servers that know nothing else:
// whoever has seen it once can try passwords at leisure.
var mechanisms = map[string]mechanism{
	"PLAIN":       {first: true, answer: plain},
	"LOGIN":       {answer: login},
	"CRAM-MD5":    {reads: true, answer: cramMD5},
	"XOAUTH2":     {first: true, token: true, answer: xoauth2},
	"OAUTHBEARER": {first: true, token: true, answer: oauthBearer},
}

// Names returns the mechanisms there are, in order.
func Names() []string {
	var names []string
	for name := range mechanisms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func tooMuch(mechanism string) error {
	return fmt.Errorf("the server asks for more than %s has to say", mechanism)
}

// plain is RFC 4616: whose mail, who, and the password.
func plain(c Credential, n int, _ []byte) ([]byte, error) {
	if n > 0 {
		return nil, tooMuch("PLAIN")
	}
	return []byte(c.Authorize + "\x00" + c.User + "\x00" + c.Password), nil
}

// login answers the first question with the user and the second with the password, whatever they are called.
func login(c Credential, n int, _ []byte) ([]byte, error) {
	if n > 1 {
		return nil, tooMuch("LOGIN")
	}
	return []byte([]string{c.User, c.Password}[n]), nil
}

func cramMD5(c Credential, n int, challenge []byte) ([]byte, error) {
	if n > 0 {
		return nil, tooMuch("CRAM-MD5")
	}
	mac := hmac.New(md5.New, []byte(c.Password))
	mac.Write(challenge)
	return []byte(c.User + " " + hex.EncodeToString(mac.Sum(nil))), nil
}

// xoauth2 answers the one challenge there may be, in which the server says what it does not like, with nothing.
func xoauth2(c Credential, n int, _ []byte) ([]byte, error) {
	switch n {
	case 0:
		return []byte("user=" + c.owner() + "\x01auth=Bearer " + c.Token + "\x01\x01"), nil
	case 1:
		return nil, nil
	}
	return nil, tooMuch("XOAUTH2")
}

// oauthBearer is RFC 7628. The challenge in which the server says what it does not like is answered with ^A (§3.2.3).
func oauthBearer(c Credential, n int, _ []byte) ([]byte, error) {
	switch n {
	case 0:
		return []byte("n,a=" + saslName.Replace(c.owner()) + ",\x01host=" + c.Host + "\x01port=" + strconv.Itoa(c.Port) +
			"\x01auth=Bearer " + c.Token + "\x01\x01"), nil
	case 1:
		return []byte("\x01"), nil
	}
	return nil, tooMuch("OAUTHBEARER")
}

var saslName = strings.NewReplacer(",", "=2C", "=", "=3D") // RFC 5801 §4

// complaint makes words of what a server says of a token: {"status":"400","schemes":"Bearer","scope":"…"}, as Google
// and RFC 7628 §3.2.2 have it, in base64.
func complaint(challenge string) string {
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(challenge))
	if err != nil {
		return mail.Printable(challenge)
	}
	var said struct{ Status, Scope, Error string }
	if json.Unmarshal(text, &said) != nil || said.Status+said.Error == "" {
		return mail.Printable(string(text))
	}
	words := "status " + cmp.Or(said.Status, said.Error)
	if said.Scope != "" {
		words += ", it must be good for " + said.Scope
	}
	return mail.Printable(words)
}
