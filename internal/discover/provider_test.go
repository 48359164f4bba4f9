package discover

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/mailhaul/mailhaul/internal/account"
)

// TestTable guards that every row of the table is complete, contradicts neither itself nor another, and makes accounts
// that can be used.
func TestTable(t *testing.T) {
	var file struct {
		Provider []Provider `toml:"provider"`
	}
	meta, err := toml.Decode(table, &file)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		t.Errorf("keys that mean nothing: %v", unknown)
	}
	names, domains, exchangers := map[string]bool{}, map[string]string{}, map[string]string{}
	for i := range file.Provider {
		p := &file.Provider[i]
		for _, complaint := range complaints(p) {
			t.Errorf("%s: %s", p.Name, complaint)
		}
		if names[p.Name] {
			t.Errorf("%s is there twice", p.Name)
		}
		names[p.Name] = true
		for _, d := range p.Domains {
			if domains[d] != "" {
				t.Errorf("%s and %s both have %s", domains[d], p.Name, d)
			}
			domains[d] = p.Name
		}
		for _, d := range p.MX {
			if exchangers[d] != "" {
				t.Errorf("mail at %s goes to %s and %s", d, exchangers[d], p.Name)
			}
			exchangers[d] = p.Name
		}
	}
	t.Logf("%d providers, %d domains, %d kinds of mail exchangers", len(file.Provider), len(domains), len(exchangers))
}

func complaints(p *Provider) (all []string) {
	complain := func(wrong bool, text string) {
		if wrong {
			all = append(all, text)
		}
	}
	complain(p.Name == "" || p.Source == "", "a row has a name and a source")
	complain(p.Checked.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "nobody says when it was looked at")
	complain(len(p.Domains)+len(p.MX) == 0, "no address leads to it")
	for _, d := range append(slices.Clone(p.Domains), p.MX...) {
		complain(!isHost(d) || !strings.Contains(d, "."), d+" is no domain")
	}
	for _, page := range append(pages(p.Switches), p.AppPassword) {
		u, err := url.Parse(page)
		complain(page != "" && (err != nil || u.Scheme != "https" || u.Host == ""), page+" is no page")
	}
	if p.None != "" {
		complain(p.Instead == "", "what instead?")
		complain(p.IMAP+p.POP3 != "" || len(p.Login) > 0, "it has none, and servers")
		return all
	}
	complain(p.IMAP+p.POP3 == "", "it has no server")
	complain(p.IMAPReading != "" && p.IMAP == "", "it has a server to read from, and none else")
	complain(len(p.Login) == 0, "nobody says how to log in")
	for _, proof := range p.Login {
		complain(!slices.Contains([]Proof{Password, AppPassword, OAuth2}, proof), string(proof)+" proves nothing")
	}
	complain(slices.Contains(p.Login, AppPassword) != (p.AppPassword != ""), "an app password is made on a page")
	for _, s := range p.Switches {
		complain(s.What == "" || s.Page == "", "a switch without words or page")
		complain(s.For != "" && s.For != account.IMAP && s.For != account.POP3, s.For+" is no protocol")
	}
	for _, reading := range []bool{false, true} {
		for _, s := range p.servers(Address{"me", "example.org"}, reading) {
			a, err := account.Parse(s.URL(""), false)
			complain(err != nil || a.User != s.User || a.Host != s.Host || a.Port != s.Port || strings.Contains(s.User+s.Host, "%"), s.URL("")+" is no account")
		}
	}
	return all
}

func pages(switches []Switch) (pages []string) {
	for _, s := range switches {
		pages = append(pages, s.Page)
	}
	return pages
}

// TestNamedProviders guards that the providers which people have are in the table.
func TestNamedProviders(t *testing.T) {
	for address, want := range map[string]string{
		"gmail.com": "imap.gmail.com", "outlook.com": "outlook.office365.com", "hotmail.com": "outlook.office365.com",
		"live.com": "outlook.office365.com", "msn.com": "outlook.office365.com", "example.onmicrosoft.com": "",
		"yahoo.com": "imap.mail.yahoo.com", "aol.com": "imap.aol.com", "icloud.com": "imap.mail.me.com", "yandex.ru": "imap.yandex.com",
		"fastmail.com": "imap.fastmail.com", "gmx.de": "imap.gmx.net", "gmx.com": "imap.gmx.com", "web.de": "imap.web.de",
		"mail.com": "imap.mail.com", "mail.ru": "imap.mail.ru", "zoho.com": "imap.zoho.com", "zoho.eu": "imap.zoho.eu",
		"163.com": "imap.163.com", "126.com": "imap.126.com", "qq.com": "imap.qq.com", "t-online.de": "secureimap.t-online.de",
		"rambler.ru": "imap.rambler.ru", "ukr.net": "imap.ukr.net", "seznam.cz": "imap.seznam.cz", "wp.pl": "imap.wp.pl",
		"o2.pl": "poczta.o2.pl", "naver.com": "imap.naver.com", "orange.fr": "imap.orange.fr", "free.fr": "imap.free.fr",
		"laposte.net": "imap.laposte.net", "libero.it": "imapmail.libero.it", "bluewin.ch": "imaps.bluewin.ch",
		"btinternet.com": "mail.btinternet.com", "comcast.net": "imap.comcast.net", "biglobe.ne.jp": "mail.biglobe.ne.jp",
		"ocn.ne.jp": "pop.ocn.ne.jp", "nifty.com": "pop.nifty.com",
	} {
		p := providerOf(address)
		if p == nil {
			if want != "" {
				t.Errorf("%s is not in the table", address)
			}
			continue
		}
		if got := p.servers(Address{"me", address}, false)[0].Host; got != want {
			t.Errorf("%s has %s, want %s", address, got, want)
		}
	}
	for _, none := range []string{"proton.me", "tuta.com", "hey.com"} {
		if p := providerOf(none); p == nil || p.None == "" {
			t.Errorf("of %s nobody says that it has none", none)
		}
	}
}
