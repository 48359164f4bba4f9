package discover

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/account"
)

// A Security is when a connection becomes one with TLS.
type Security int

// From the best: RFC 8314 prefers TLS from the first octet.
const (
	Implicit Security = iota + 1
	Upgraded          // STARTTLS or STLS, demanded
	Clear             // never
)

func (s Security) String() string {
	return map[Security]string{Implicit: "TLS", Upgraded: "STARTTLS", Clear: "no TLS"}[s]
}

// A Proof is what a server takes as proof of who one is.
type Proof string

// The proofs.
const (
	Password    Proof = "password"     // the usual one
	AppPassword Proof = "app password" // made for one program
	OAuth2      Proof = "oauth2"
)

// A Server is one that was found for an address.
type Server struct {
	Protocol string // account.IMAP or account.POP3
	Host     string // in lower case, never a number but for this very machine
	Port     int
	Security Security
	User     string
	Proofs   []Proof // the best first; nil: nobody has said
	Named    string  // whose word it is: "the list of known providers"
	// Doubt is why a person should look before a secret goes there, "" if that is not needed.
	Doubt string
}

var usualPorts = map[string]map[Security]int{ // RFC 8314, RFC 6335
	account.IMAP: {Implicit: 993, Upgraded: 143, Clear: 143},
	account.POP3: {Implicit: 995, Upgraded: 110, Clear: 110},
}

// URL returns the server as account.Parse reads it, with these parameters, such as "ca=FILE", if any.
func (s Server) URL(parameters string) string {
	scheme := s.Protocol
	if s.Security == Implicit {
		scheme += "s"
	}
	u := scheme + "://" + strings.ReplaceAll(url.PathEscape(s.User), ":", "%3A") + "@" + s.Host
	if s.Port != usualPorts[s.Protocol][s.Security] {
		u += ":" + strconv.Itoa(s.Port)
	}
	var all []string
	if s.Security == Clear {
		all = append(all, "tls=none")
	}
	if parameters != "" {
		all = append(all, parameters)
	}
	if len(all) > 0 {
		u += "?" + strings.Join(all, "&")
	}
	return u
}

// place is the server for people: imap.example.org:993 with TLS.
func (s Server) place() string {
	return s.Host + ":" + strconv.Itoa(s.Port) + " with " + s.Security.String()
}

// best sorts the servers, IMAP before POP3 and TLS from the start before STARTTLS; what one source has put in an order
// stays in it.
func best(servers []Server) {
	slices.SortStableFunc(servers, func(a, b Server) int {
		if a.Protocol != b.Protocol {
			return strings.Compare(a.Protocol, b.Protocol) // as it happens
		}
		return int(a.Security) - int(b.Security)
	})
}

// expand fills in an address where %EMAILADDRESS%, %EMAILLOCALPART% and %EMAILDOMAIN% stand.
func expand(pattern string, a Address) string {
	return strings.NewReplacer("%EMAILADDRESS%", a.String(), "%EMAILLOCALPART%", a.Local, "%EMAILDOMAIN%", a.Domain).Replace(pattern)
}
