package discover

import (
	_ "embed" // for the table
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Provider is what the built-in table knows of one.
type Provider struct {
	Name        string    `toml:"name"`
	Checked     time.Time `toml:"checked"` // when somebody last looked at the row's sources
	Source      string    `toml:"source"`
	Domains     []string  `toml:"domains"`
	MX          []string  `toml:"mx"`
	IMAP        string    `toml:"imap"`
	IMAPReading string    `toml:"imap_reading"`
	POP3        string    `toml:"pop3"`
	User        string    `toml:"user"`
	Login       []Proof   `toml:"login"`
	AppPassword string    `toml:"app_password"`
	OwnDomain   string    `toml:"own_domain"`
	Switches    []Switch  `toml:"switches"`
	Notes       []string  `toml:"notes"`
	None        string    `toml:"none"`
	Instead     string    `toml:"instead"`
}

// A Switch is something to turn on in a provider's settings before a program may log in.
type Switch struct {
	What string `toml:"what"`
	Page string `toml:"page"`
	For  string `toml:"for"` // account.IMAP or account.POP3; "": both
}

//go:embed providers.toml
var table string

// providers returns the table. It cannot be wrong where its test has passed.
var providers = sync.OnceValue(func() []Provider {
	var file struct {
		Provider []Provider `toml:"provider"`
	}
	if _, err := toml.Decode(table, &file); err != nil {
		panic("providers.toml: " + err.Error())
	}
	return file.Provider
})

// providerOf returns the provider of the addresses of a domain, nil if there is none in the table.
func providerOf(domain string) *Provider {
	return find(func(p *Provider) bool { return slices.Contains(p.Domains, domain) })
}

// providerByMX returns the provider whose mail exchangers these are: the row that names the longest end of the first
// of them that any row knows.
func providerByMX(hosts []string) *Provider {
	for _, host := range hosts {
		var best *Provider
		longest := 0
		for i := range providers() {
			for _, end := range providers()[i].MX {
				if mail.InDomain(host, end) && len(end) > longest {
					best, longest = &providers()[i], len(end)
				}
			}
		}
		if best != nil {
			return best
		}
	}
	return nil
}

// ProviderByHost returns the provider that has this server, nil if the table knows none.
func ProviderByHost(host string) *Provider {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return find(func(p *Provider) bool {
		for _, h := range []string{p.IMAP, p.IMAPReading, p.POP3} {
			if strings.TrimPrefix(h, starttls) == host && host != "" {
				return true
			}
		}
		return false
	})
}

func find(is func(*Provider) bool) *Provider {
	for i := range providers() {
		if p := &providers()[i]; is(p) {
			return p
		}
	}
	return nil
}

// starttls stands in the table before a host that has no TLS from the start.
const starttls = "starttls:"

// servers returns the provider's servers for an address. Where there is one for reading and that is wanted, it is it.
func (p *Provider) servers(a Address, reading bool) (servers []Server) {
	imap := p.IMAP
	if reading && p.IMAPReading != "" {
		imap = p.IMAPReading
	}
	for _, of := range []struct{ protocol, host string }{{account.IMAP, imap}, {account.POP3, p.POP3}} {
		if of.host == "" {
			continue
		}
		host, upgraded := strings.CutPrefix(of.host, starttls)
		s := Server{Protocol: of.protocol, Host: expand(host, a), Security: Implicit, Proofs: p.Login}
		if upgraded {
			s.Security = Upgraded
		}
		s.Port = usualPorts[s.Protocol][s.Security]
		s.User = expand(p.userPattern(), a)
		servers = append(servers, s)
	}
	return servers
}

func (p *Provider) userPattern() string {
	if p.User == "" {
		return "%EMAILADDRESS%"
	}
	return p.User
}

// HowToLogIn says what the provider takes instead of the usual password, "" if it takes that or nothing is known.
func (p *Provider) HowToLogIn() string {
	if p == nil || len(p.Login) == 0 {
		return ""
	}
	app := p.Name + " wants an app password, made for this program, not the one of its web site: " + p.AppPassword
	switch takesPassword := slices.Contains(p.Login, AppPassword); {
	case p.Login[0] == AppPassword:
		return app
	case p.Login[0] == OAuth2 && takesPassword:
		return p.Name + " wants a sign-in by OAuth2, or, where it is allowed, an app password: " + p.AppPassword
	case p.Login[0] == OAuth2:
		return p.Name + " takes no password, but a sign-in by OAuth2 only"
	}
	return ""
}

// ToTurnOn returns the switches that matter for a protocol.
func (p *Provider) ToTurnOn(protocol string) (switches []Switch) {
	if p == nil {
		return nil
	}
	for _, s := range p.Switches {
		if s.For == "" || s.For == protocol {
			switches = append(switches, s)
		}
	}
	return switches
}
