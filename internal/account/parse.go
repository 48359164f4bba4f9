package account

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

var defaultPorts = map[string]int{"pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993} // RFC 6335

const example = "write an e-mail address, or pop3s://USER@HOST or imaps://USER@HOST with the host that the provider names"

// Parse reads an account: pop3s://USER@HOST[:PORT] or imaps://USER@HOST[:PORT], with TLS from the first octet, and
// pop3:// or imap://, with TLS from STLS or STARTTLS on, or with ?tls=none, without. The user is percent-encoded where
// it holds other than letters, digits and punctuation; an @ may stand for itself. ?ca=FILE names the authority to
// trust, ?pin=sha256/BASE64 the server's key. tls=none is for this machine only, unless insecurePlaintext says that
// the person knows.
//
// Errors are *mail.Error with a hint. None repeats what may be a password, written where none belongs.
func Parse(s string, insecurePlaintext bool) (Account, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		return Account{}, wrong(example, "this is no account") // there may be a password in it
	}
	scheme = strings.ToLower(scheme)
	port, known := defaultPorts[scheme]
	if !known {
		return Account{}, wrong(example, "no account begins with %s://", mail.Printable(scheme))
	}
	secure := strings.HasSuffix(scheme, "s")
	a := Account{Protocol: strings.TrimSuffix(scheme, "s"), Port: port}
	authority, query, _ := strings.Cut(rest, "?")
	if err := a.parseAuthority(authority); err != nil {
		return Account{}, err
	}
	if err := a.parseQuery(query); err != nil {
		return Account{}, err
	}
	if err := a.checkTLS(secure, insecurePlaintext); err != nil {
		return Account{}, err
	}
	return a, nil
}

// parseAuthority reads USER@HOST[:PORT]. It looks for a password first, so that no other error shows a part of it.
func (a *Account) parseAuthority(s string) (err error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return wrong(example, "the account has no user")
	}
	user, host := s[:at], strings.TrimSuffix(s[at+1:], "/")
	if strings.Contains(user, ":") {
		return wrong("leave out the colon and what follows it up to the @; change the password if others may have seen it "+
			"(a colon in the user's name is written %3A)", "a password does not belong in the account")
	}
	if strings.Contains(user, "/") {
		return wrong("write %2F for a / in the user's name", "the user's name holds a /")
	}
	if strings.Contains(host, "/") {
		return wrong("leave out the / and what follows; folders are chosen with --include and --exclude", "an account names no folder")
	}
	if a.User, err = a.parseUser(user); err != nil {
		return err
	}
	return a.parseHostPort(host)
}

func (a *Account) parseUser(s string) (string, error) {
	user, err := url.PathUnescape(s)
	switch {
	case err != nil:
		return "", wrong("write %25 for a % that stands for itself", "the user's name holds a %% without two hex digits after it")
	case user == "":
		return "", wrong(example, "the account has no user")
	case !utf8.ValidString(user) || strings.ContainsFunc(user, unicode.IsControl):
		return "", wrong("", "the user's name holds octets that are no text")
	case a.Protocol == POP3 && strings.Contains(user, " "):
		return "", wrong("", "a POP3 user's name holds no space") // RFC 1939 §3: arguments are separated by it
	}
	return user, nil
}

func (a *Account) parseHostPort(s string) error {
	host, port, err := splitHost(s)
	if err != nil {
		return err
	}
	a.Host = strings.ToLower(host)
	if port != "" {
		a.Port, err = parsePort(port[1:])
	}
	return err
}

// splitHost returns a host that may be one, without brackets, and the colon with what follows, if any.
func splitHost(s string) (host, port string, err error) {
	if literal, ok := strings.CutPrefix(s, "["); ok {
		host, port, closed := strings.Cut(literal, "]")
		addr, err := netip.ParseAddr(host)
		if err != nil || !closed || !addr.Is6() || addr.Zone() != "" || port != "" && port[0] != ':' {
			return "", "", noHost(s)
		}
		return addr.String(), port, nil
	}
	host = s
	if colon := strings.IndexByte(s, ':'); colon >= 0 {
		host, port = s[:colon], s[colon:]
	}
	if strings.Count(port, ":") > 1 {
		return "", "", noHost("what stands behind the @")
	}
	return host, port, checkHost(host)
}

func noHost(s string) error {
	return wrong("write an IPv6 address in brackets, like [2001:db8::1] or [2001:db8::1]:993", "%s is no host", mail.Printable(s))
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, wrong("", "what stands behind the host is no port: a port is a number from 1 to 65535") // but perhaps a password
	}
	return int(n), nil
}

// checkHost knows what a host name is made of, not whether there is such a host.
func checkHost(host string) error {
	odd := func(r rune) bool {
		return !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-._", r))
	}
	name := strings.TrimSuffix(host, ".")
	switch {
	case host == "":
		return wrong(example, "the account has no host")
	case strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }):
		return wrong("write it as it stands in the DNS, beginning with xn--", "%s is no host name in ASCII", mail.Printable(host))
	case strings.ContainsFunc(host, odd), len(name) > 253, strings.Contains("."+name+".", ".."): // RFC 1035 §2.3.4
		return wrong("", "%s is no host", mail.Printable(host))
	}
	return nil
}
