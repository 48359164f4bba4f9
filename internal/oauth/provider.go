package oauth

import (
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Provider is where people sign in.
type Provider struct {
	Name  string // in the configuration; "" for one that is known by its Issuer only
	Title string // to people
	// Hosts are the domains of the mail servers that take its tokens.
	Hosts []string
	// Issuer is how it names itself when the browser comes back (RFC 9207); "": it does not, or nobody knows.
	Issuer string
	Endpoints
	// Scopes are what to ask for to read and write mail, by protocol.
	Scopes map[string]string
	// AppScope is what an application asks for that comes without a person; "": it cannot.
	AppScope string
	// Ask is what it wants to be told beside what RFC 6749 has, lest it give no refresh token.
	Ask map[string]string
	// Redirect is where its pages send the browser: the name of this machine, to which a port is added; or a whole URL,
	// where a registration allows no port of our choice. Then the person copies the address.
	Redirect string
	// NeedsSecret: a client id is nothing without its secret.
	NeedsSecret bool
	// Withdraw is the page on which a person takes back what was granted.
	Withdraw string
	// Dead says why a grant that was good may be so no longer; in few words, for it follows a command in a hint.
	Dead string
}

// Endpoints are the URLs that a program or a browser goes to.
type Endpoints struct {
	Authorize string // RFC 6749 §3.1
	Token     string // RFC 6749 §3.2
	Device    string // RFC 8628 §3.1; "": it has no codes for devices, or not for mail
}

const loopbackAddress, loopbackName = "127.0.0.1", "localhost"

// tenant stands in Microsoft's URLs for the organisation that signs in.
const tenant = "{tenant}"

// providers are those that are known. Endpoints and scopes as of 2026-11: Google and Microsoft from their developer
// pages, the others from mailnews/base/src/OAuth2Providers.sys.mjs of Thunderbird.
var providers = []Provider{
	{
		Name: "google", Title: "Google", Hosts: []string{"gmail.com", "googlemail.com"}, Issuer: "https://accounts.google.com",
		// There is a device endpoint, but not for the scope of mail.
		Endpoints:   Endpoints{"https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token", ""},
		Scopes:      map[string]string{"imap": "https://mail.google.com/", "pop3": "https://mail.google.com/"},
		Ask:         map[string]string{"access_type": "offline", "prompt": "consent"},
		Redirect:    loopbackAddress,
		NeedsSecret: true,
		Withdraw:    "https://myaccount.google.com/connections",
		Dead:        "that of an app in testing ends after 7 days (publish the app), any with a new password or after 6 months unused",
	},
	{
		// It names its issuer by the tenant's number, which nobody knows beforehand.
		Name: "microsoft", Title: "Microsoft", Hosts: []string{"office365.com", "outlook.com", "hotmail.com"},
		Endpoints: Endpoints{
			"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/authorize",
			"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token",
			"https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/devicecode",
		},
		Scopes: map[string]string{
			"imap": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
			"pop3": "https://outlook.office.com/POP.AccessAsUser.All offline_access",
		},
		AppScope: "https://outlook.office365.com/.default",
		Redirect: loopbackName, // registered as http://localhost, it may have any port
		Withdraw: "https://myapps.microsoft.com, or for a personal account https://account.live.com/consent/Manage",
		Dead:     "it ends with a new password, after 90 days unused, or when an administrator says so",
	},
	{
		Name: "yahoo", Title: "Yahoo", Hosts: []string{"yahoo.com", "att.net"},
		Endpoints: Endpoints{Authorize: "https://api.login.yahoo.com/oauth2/request_auth", Token: "https://api.login.yahoo.com/oauth2/get_token"},
		Scopes:    map[string]string{"imap": "mail-w", "pop3": "mail-w"}, Redirect: "https://127.0.0.1",
		Withdraw: "https://login.yahoo.com/account/activity", Dead: "it ends with a new password, or when it is withdrawn",
	},
	{
		Name: "aol", Title: "AOL", Hosts: []string{"aol.com"},
		Endpoints: Endpoints{Authorize: "https://api.login.aol.com/oauth2/request_auth", Token: "https://api.login.aol.com/oauth2/get_token"},
		Scopes:    map[string]string{"imap": "mail-w", "pop3": "mail-w"}, Redirect: "https://127.0.0.1",
		Withdraw: "https://login.aol.com/account/activity", Dead: "it ends with a new password, or when it is withdrawn",
	},
	{
		Name: "fastmail", Title: "Fastmail", Hosts: []string{"fastmail.com"}, Issuer: "https://api.fastmail.com",
		Endpoints: Endpoints{Authorize: "https://api.fastmail.com/oauth/authorize", Token: "https://api.fastmail.com/oauth/refresh"},
		Scopes: map[string]string{
			"imap": "https://www.fastmail.com/dev/protocol-imap offline_access",
			"pop3": "https://www.fastmail.com/dev/protocol-pop offline_access",
		},
		Redirect: loopbackAddress,
		Withdraw: "https://app.fastmail.com/settings/security", Dead: "it ends when it is withdrawn",
	},
	{
		Name: "yandex", Title: "Yandex", Hosts: []string{"yandex.com", "yandex.ru"},
		Endpoints: Endpoints{"https://oauth.yandex.com/authorize", "https://oauth.yandex.com/token", "https://oauth.yandex.com/device/code"},
		Scopes:    map[string]string{"imap": "mail:imap_full", "pop3": "mail:imap_full"}, Redirect: "http://localhost", NeedsSecret: true,
		Withdraw: "https://id.yandex.com/security", Dead: "it ends after a year, with a new password, or when it is withdrawn",
	},
	{
		Name: "mailru", Title: "Mail.ru", Hosts: []string{"mail.ru"},
		Endpoints: Endpoints{Authorize: "https://o2.mail.ru/login", Token: "https://o2.mail.ru/token"},
		Scopes:    map[string]string{"imap": "mail.imap", "pop3": "mail.imap"}, Redirect: "http://localhost", NeedsSecret: true,
		Withdraw: "https://id.mail.ru/security", Dead: "it ends with a new password, or when it is withdrawn",
	},
}

// ProviderNamed returns the provider that the configuration calls name.
func ProviderNamed(name string) (Provider, bool) {
	i := slices.IndexFunc(providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return providers[i], true
}

// ProviderOf returns the provider whose tokens a mail server takes.
func ProviderOf(host string) (Provider, bool) {
	for _, p := range providers {
		if slices.ContainsFunc(p.Hosts, func(domain string) bool { return mail.InDomain(host, domain) }) {
			return p, true
		}
	}
	return Provider{}, false
}

// Names returns what the providers are called in the configuration.
func Names() (names []string) {
	for _, p := range providers {
		names = append(names, p.Name)
	}
	return names
}

// of returns the endpoints as they are for an organisation.
func (e Endpoints) of(organisation string) Endpoints {
	in := strings.NewReplacer(tenant, organisation)
	return Endpoints{in.Replace(e.Authorize), in.Replace(e.Token), in.Replace(e.Device)}
}

// fixed reports whether the browser is sent to a URL at which nobody can be listening.
func (p Provider) fixed() bool { return strings.Contains(p.Redirect, "://") }
