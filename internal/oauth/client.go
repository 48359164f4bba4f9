package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Client is what somebody has registered with a provider so that a program may ask for tokens there. It is the user's
// own: none comes with mailhaul.
type Client struct {
	Provider string `json:"provider,omitempty"` // as ProviderNamed knows it; "": Issuer says
	Issuer   string `json:"issuer,omitempty"`   // the URL of a provider that describes itself (RFC 8414, OpenID Connect)
	Tenant   string `json:"tenant,omitempty"`   // Microsoft only: the organisation, "" for any and for personal accounts
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret,omitempty"` // "": it has none
	Scope    string `json:"scope,omitempty"`         // what to ask for; "": what the provider calls mail in Protocol
	Protocol string `json:"protocol,omitempty"`      // "imap" or "pop3"
	// AppOnly: the program comes in its own name and not in a person's (RFC 6749 §4.4); nobody signs in.
	AppOnly bool `json:"app_only,omitempty"`
}

// usualScope is what a provider that is not known is asked for.
const usualScope = "openid email offline_access"

var tenantForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// Check returns why a sign-in with this client could not go well, as far as can be known without asking anybody.
func (c Client) Check() error {
	p, known := ProviderNamed(c.Provider)
	switch {
	case c.Issuer != "" && c.Provider != "":
		return usage("", "a client is registered with a provider or with an issuer, not with both")
	case c.Issuer != "" && c.ID == "":
		return usage("register one there", "there is no client id to sign in with")
	case c.Issuer != "":
		return secure(c.Issuer, "the issuer")
	case !known:
		return usage("known are "+strings.Join(Names(), ", ")+"; for any other there is the URL of its issuer",
			"%s is no provider that is known", mail.Printable(c.Provider))
	case c.ID == "":
		return usage(guide, "there is no client id to sign in at %s with", p.Title)
	case p.NeedsSecret && c.Secret == "" && !c.AppOnly:
		return usage(guide, "%s wants the client secret too", p.Title)
	case c.AppOnly && p.AppScope == "":
		return usage("sign in as the owner of the mailbox", "%s has no access for applications alone", p.Title)
	case c.Tenant != "" && !tenantForm.MatchString(c.Tenant):
		return usage("it is a domain or a number, as the page of the registration shows it", "the tenant %s is none", mail.Printable(c.Tenant))
	case c.AppOnly && c.Tenant == "":
		return usage("it is the organisation's domain or number", "access for applications alone needs the tenant")
	case c.AppOnly && c.Secret == "":
		return usage(guide, "access for applications alone needs the client secret")
	}
	return nil
}

const guide = `register a client of your own: the README says how, under "Signing in with Google and Microsoft"`

// For returns the client as it is used at a mail server: with the provider of the server where none is named.
func (c Client) For(host, protocol string) Client {
	if c.Provider == "" && c.Issuer == "" {
		p, _ := ProviderOf(host)
		c.Provider = p.Name
	}
	c.Protocol = protocol
	return c
}

// SameAs reports whether a token for the one is a token for the other: a new secret is no new registration.
func (c Client) SameAs(d Client) bool {
	c.Secret, d.Secret = "", ""
	return c == d
}

// provider returns where the client is registered. An issuer is asked for its endpoints.
func (c Client) provider(ctx context.Context, via *http.Client) (Provider, error) {
	if err := c.Check(); err != nil {
		return Provider{}, err
	}
	if c.Issuer != "" {
		return describe(ctx, via, c.Issuer)
	}
	p, _ := ProviderNamed(c.Provider)
	organisation := c.Tenant
	if organisation == "" {
		organisation = "common"
	}
	p.Endpoints = p.Endpoints.of(organisation)
	return p, nil
}

// scope returns what to ask the provider for.
func (c Client) scope(p Provider) string {
	switch {
	case c.Scope != "":
		return c.Scope
	case c.AppOnly:
		return p.AppScope
	case p.Scopes[c.Protocol] != "":
		return p.Scopes[c.Protocol]
	}
	return usualScope
}

// form returns the beginning of what is posted to the provider: who asks.
func (c Client) form(grantType string) url.Values {
	form := url.Values{"client_id": {c.ID}}
	if grantType != "" {
		form.Set("grant_type", grantType)
	}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	return form
}

// secure refuses a URL through which others could read along, or that cannot be shown as it is. This machine itself
// needs no TLS.
func secure(address, what string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	u, err := url.Parse(address)
	if err != nil || strings.ContainsFunc(address, odd) || u.Host == "" || u.User != nil || u.Fragment != "" {
		return usage("it begins with https://", "%s is no URL", what)
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return usage("", "%s %s is not https://", what, mail.Printable(u.Redacted()))
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == loopbackName || err == nil && addr.IsLoopback()
}

func usage(hint, format string, args ...any) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: fmt.Errorf(format, args...)}
}
