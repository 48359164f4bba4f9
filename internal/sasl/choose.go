package sasl

import (
	"fmt"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An Offer is what a server takes before the login.
type Offer struct {
	Mechanisms []string // that it announces, in capitals
	// Command is the protocol's own way, LOGIN or USER; "" where the server has said that it is not to be used.
	Command string
	Unicode bool // the command can say more than ASCII
	Plain   bool // there is no TLS, which may be why nothing is offered
}

// Choose returns the mechanism to log in with, "" for the command of the protocol. A token goes by mechanisms for
// tokens only, a password by those for passwords only. CRAM-MD5 is used only when it is asked for. Errors are
// *mail.Error.
func (c Credential) Choose(o Offer) (mechanism string, err error) {
	switch {
	case c.Mechanism != "":
		return c.asTold(o)
	case c.Token != "":
		return c.first(o, "OAUTHBEARER", "XOAUTH2")
	case c.Authorize != "":
		return c.first(o, "PLAIN")
	case o.Command != "" && (c.isASCII() || o.Unicode && !o.has("PLAIN")):
		return "", nil
	case o.Command != "" && !o.has("PLAIN") && !o.has("LOGIN"):
		return "", &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
			Err:  fmt.Errorf("user name or password is not in ASCII, and %s has no way to say that", c.Host),
			Hint: "have a password of ASCII letters, digits and signs at the provider"}
	}
	return c.first(o, "PLAIN", "LOGIN")
}

func (o Offer) has(mechanism string) bool { return slices.Contains(o.Mechanisms, mechanism) }

// asTold does as the account says, whether the server announces it or not: many announce less than they do.
func (c Credential) asTold(o Offer) (string, error) {
	as, known := mechanisms[c.Mechanism]
	switch {
	case c.Mechanism == o.Command && o.Command != "" && c.Token == "":
		if c.Authorize != "" {
			return "", c.wrong("auth=%s cannot say whose mail is wanted", "use auth=PLAIN with as=")
		}
		return "", nil
	case !known:
		return "", c.wrong("auth=%s is not for this protocol", "leave auth= out, or use auth=PLAIN")
	case as.token != (c.Token != ""):
		return "", c.wrong("auth=%s does not fit what the account logs in with", "a token wants auth=XOAUTH2 or auth=OAUTHBEARER, a password any other")
	case c.Authorize != "" && !as.token && c.Mechanism != "PLAIN":
		return "", c.wrong("auth=%s cannot say whose mail is wanted", "use auth=PLAIN with as=")
	case c.Mechanism == "LOGIN" && o.Command == "" && !o.has("LOGIN"): // a command that the server has forbidden
		return "", c.closed(o, "no password")
	}
	return c.Mechanism, nil
}

func (c Credential) wrong(format, hint string) error {
	return usage(hint, fmt.Sprintf(format, c.Mechanism))
}

// first returns the first of these that the server announces.
func (c Credential) first(o Offer, names ...string) (string, error) {
	for _, name := range names {
		if o.has(name) {
			return name, nil
		}
	}
	switch {
	case c.Token != "":
		return "", c.closed(o, "no OAuth2 token")
	case c.Authorize != "":
		return "", c.closed(o, "no login for another (SASL PLAIN)")
	}
	return "", c.closed(o, "no password")
}

// closed is the error of a server that does not offer what is needed.
func (c Credential) closed(o Offer, takes string) error {
	if c.Token == "" && o.Command == "" {
		takes += " here (LOGINDISABLED)"
	} else {
		takes += " here"
	}
	e := &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: fmt.Errorf("%s takes %s", c.Host, takes)}
	switch {
	case o.Plain:
		e.Hint = "the server wants TLS: use imaps:// or pop3s://"
	case c.Token != "":
		e.Hint = "use a password, if the provider still allows one"
	case c.Authorize != "":
		e.Hint = "some servers take OWNER*ADMIN as the user's name instead"
	case o.has("XOAUTH2") || o.has("OAUTHBEARER"):
		e.Hint = "the provider takes OAuth2 tokens only"
	default:
		e.Hint = "ask the provider how mail programs log in"
	}
	return e
}
