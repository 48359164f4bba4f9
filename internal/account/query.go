package account

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// parseQuery reads NAME=VALUE&NAME=VALUE. A + stands for itself here: file names have it, forms have not come near.
func (a *Account) parseQuery(s string) error {
	seen := make(map[string]bool)
	for parameter := range strings.SplitSeq(s, "&") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		if seen[name] {
			return wrong("", "%s= stands there twice", mail.Printable(name))
		}
		seen[name] = true
		value, err := url.PathUnescape(value)
		if err != nil || strings.ContainsAny(value, "\x00\r\n") {
			return wrong("write %25 for a % that stands for itself", "the value of %s= cannot be read", mail.Printable(name))
		}
		if err := a.setParameter(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (a *Account) setParameter(name, value string) error {
	switch name {
	case "tls":
		if value != "none" {
			return wrong("leave it out: without it every account is with TLS", "tls=%s: none is the only value", mail.Printable(value))
		}
		a.Plain = true
	case "ca":
		if value == "" {
			return wrong("write ca=FILE, a file of certificates in PEM", "ca= names no file")
		}
		a.CAFile = value
	case "pin":
		pin, err := dial.ParsePin(value)
		if err != nil {
			return wrong("mailhaul check shows the pin of a server that is trusted already", "pin=%s: %w", mail.Printable(value), err)
		}
		a.Pin = pin
	case "auth":
		return a.setMechanism(value)
	case "as":
		return a.setOwner(value)
	default:
		return wrong("there are tls=none, ca=FILE, pin=sha256/BASE64, auth=MECHANISM and as=USER", "unknown parameter %s=", mail.Printable(name))
	}
	return nil
}

// checkTLS refuses what would send a password in clear, and what contradicts itself. Without an s behind the protocol
// TLS begins with a command, unless it is to be none.
func (a *Account) checkTLS(secure, insecurePlaintext bool) error {
	a.StartTLS = !secure && !a.Plain
	withTLS, pinned := fmt.Sprintf("write %ss://", a.Protocol), a.Pin != (dial.Pin{})
	switch {
	case secure && a.Plain:
		return wrong(fmt.Sprintf("write %s:// if it must be without TLS", a.Protocol), "%ss:// is with TLS, and tls=none is without", a.Protocol)
	case a.StartTLS && a.Port == defaultPorts[a.Protocol+"s"]:
		return wrong(withTLS, "on port %d TLS begins with the first octet, and in %s:// with %s", a.Port, a.Protocol, upgrades[a.Protocol])
	case a.Plain && a.CAFile != "":
		return wrong("leave out one of the two", "without TLS there is no certificate that ca= could be for")
	case a.Plain && pinned:
		return wrong("leave out one of the two", "without TLS there is no key that pin= could be of")
	case pinned && a.CAFile != "":
		return wrong("leave out one of the two", "a pin decides alone, and ca= would count for nothing")
	case a.Plain && !insecurePlaintext && !loopback(a.Host):
		return wrong(fmt.Sprintf("%s, or %s:// without tls=none; if there is no way around, --insecure-plaintext allows it", withTLS, a.Protocol),
			"tls=none would send the password and all mail to %s in clear", a.Host)
	}
	return nil
}

// wrong returns the error for an account that is written wrongly.
func wrong(hint, format string, args ...any) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: fmt.Errorf(format, args...)}
}
