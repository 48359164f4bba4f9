// Package account makes of an account as a person writes it the server to connect to, the user to log in as, and
// the way to the password. The password itself is never part of an account, and of no error.
package account

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// The protocols.
const (
	POP3 = "pop3"
	IMAP = "imap"
)

var upgrades = map[string]dial.Upgrade{POP3: dial.STLS, IMAP: dial.STARTTLS}

// An Account is where somebody's mail is kept. Parse makes it; what Parse allows is safe to connect to.
type Account struct {
	Protocol string // POP3 or IMAP
	Host     string // a name in lower case, or an address without brackets
	Port     int
	User     string   // of one octet at least, without control characters
	Owner    string   // whose mail is wanted, where User logs in for another (RFC 4422 §2); "": User's
	Plain    bool     // no TLS
	StartTLS bool     // TLS begins with a command (STLS, STARTTLS), and nothing else is said before
	CAFile   string   // whom to trust instead of the system's roots; "": the system's
	Pin      dial.Pin // of the server's key, which decides alone; zero: none
	// Mechanism is the only one to log in with (see mail.Login), in capitals; "" leaves it to what the server can do.
	Mechanism string
}

// Key returns what the account is known by, however it is reached, and whoever logs in: it is its owner's.
func (a Account) Key() mail.Account {
	return mail.Account{Protocol: a.Protocol, Host: strings.TrimSuffix(a.Host, "."), User: a.owner()}
}

// Server returns how to connect.
func (a Account) Server() dial.Server {
	s := dial.Server{Host: a.Host, Port: a.Port, Plain: a.Plain, CAFile: a.CAFile, Pin: a.Pin}
	if a.StartTLS {
		s.StartTLS = upgrades[a.Protocol]
	}
	return s
}

// String returns the account as Parse reads it.
func (a Account) String() string {
	scheme, parameters := a.Protocol, []string(nil)
	if !a.Plain && !a.StartTLS {
		scheme += "s"
	}
	if a.Plain {
		parameters = append(parameters, "tls=none")
	}
	if a.CAFile != "" {
		parameters = append(parameters, "ca="+escapeFile(a.CAFile))
	}
	if a.Pin != (dial.Pin{}) {
		parameters = append(parameters, "pin="+a.Pin.String())
	}
	if a.Mechanism != "" {
		parameters = append(parameters, "auth="+a.Mechanism)
	}
	if a.Owner != "" {
		parameters = append(parameters, "as="+escapeFile(a.Owner))
	}
	s := scheme + "://" + escapeUser(a.User) + "@" + a.hostPort(defaultPorts[scheme])
	if len(parameters) > 0 {
		s += "?" + strings.Join(parameters, "&")
	}
	return s
}

func (a Account) hostPort(usual int) string {
	if a.Port != usual {
		return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	}
	if strings.Contains(a.Host, ":") {
		return "[" + a.Host + "]"
	}
	return a.Host
}

// escapeUser keeps the @ of an address, for it is read there every day; a colon would begin a password.
func escapeUser(user string) string { return strings.ReplaceAll(url.PathEscape(user), ":", "%3A") }

func escapeFile(name string) string {
	return strings.NewReplacer("%2F", "/", "&", "%26").Replace(url.PathEscape(name))
}

// loopback reports whether host is this machine for certain: nobody on a network reads what is sent to it.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
