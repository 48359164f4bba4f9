package discover

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An Address is an e-mail address whose domain is one that can be looked up.
type Address struct {
	Local  string // as typed: its case may matter
	Domain string // in lower case and in ASCII, with xn-- where there was more (RFC 5891)
}

// RFC 5321 §4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 253
)

// String is the address as servers know it.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// ParseAddress reads an address as people type and paste it: me@example.org, <me@example.org> or Me <me@example.org>.
// Errors are *mail.Error with a hint. None repeats what may be a password, written where none belongs.
func ParseAddress(s string) (Address, error) {
	s = strings.TrimSpace(s)
	if open := strings.LastIndexByte(s, '<'); open >= 0 && strings.HasSuffix(s, ">") {
		s = s[open+1 : len(s)-1]
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return Address{}, wrong("write it as me@example.org", "this is no e-mail address")
	}
	domain, err := parseDomain(s[at+1:])
	if err != nil {
		return Address{}, err
	}
	a := Address{Local: s[:at], Domain: domain}
	return a, a.check()
}

// check refuses a local part that is more likely a slip, or an attack, than a name. One in quotes has to be
// written as the user of a URL.
func (a Address) check() error {
	odd := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>()[]",;:\@/`, r)
	}
	switch {
	case len(a.Local) > maxLocal:
		return wrong("", "what stands before the @ is longer than %d octets", maxLocal)
	case !utf8.ValidString(a.Local) || strings.ContainsFunc(a.Local, odd):
		return wrong("if the name is right, write the account as imaps://USER@HOST, with the host that the provider names",
			"what stands before the @ is no name that servers could be looked up for")
	}
	return nil
}

// parseDomain returns the domain in ASCII. It has two labels at least and is no address: names in one's own network
// and numbers have nobody to ask.
func parseDomain(s string) (string, error) {
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	_, number := netip.ParseAddr(domain)
	switch {
	case err != nil, !isHost(domain), number == nil:
		return "", wrong("an address is written as me@example.org", "what stands behind the @ is no domain")
	case !strings.Contains(domain, "."):
		return "", wrong("write the account as imaps://USER@"+domain+" if that is its server", "%s is no domain that could be looked up", domain)
	}
	return domain, nil
}

// isHost reports whether s is made as the name of a host is (RFC 1123 §2.1), in lower case, and not a number.
func isHost(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return last[0] < '0' || last[0] > '9'
}

// registered returns the part of a domain that somebody has registered, "" if there is none: of mail.example.co.uk
// it is example.co.uk.
func registered(domain string) string {
	base, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	return base
}

// related reports whether two names belong to one owner, as far as names can tell.
func related(a, b string) bool {
	base := registered(a)
	return base != "" && base == registered(b)
}

// shorten makes a stranger's text fit for one line.
func shorten(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return mail.Printable(s)
}

func wrong(hint, format string, args ...any) error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: fmt.Errorf(format, args...)}
}
