package discover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// config is a page of autoconfig with these entries.
func config(entries ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><clientConfig version="1.1"><emailProvider id="example.org">
<domain>example.org</domain><displayName>Example</displayName>` + strings.Join(entries, "\n") +
		`<outgoingServer type="smtp"><hostname>smtp.example.org</hostname><port>465</port></outgoingServer>
</emailProvider></clientConfig>`
}

func entry(kind, host, port, socket, user string, auth ...string) string {
	s := fmt.Sprintf("<incomingServer type=%q><hostname>%s</hostname><port>%s</port><socketType>%s</socketType><username>%s</username>",
		kind, host, port, socket, user)
	if len(auth) == 0 {
		auth = []string{"password-cleartext"}
	}
	for _, a := range auth {
		s += "<authentication>" + a + "</authentication>"
	}
	return s + "</incomingServer>"
}

const (
	publicHost = "autoconfig.thunderbird.net"
	whole      = "%EMAILADDRESS%"
)

func redirect(to string) http.HandlerFunc {
	return func(out http.ResponseWriter, r *http.Request) { http.Redirect(out, r, to, http.StatusFound) }
}

// TestFind guards what is found in a world made so, by whose word, and with what doubt.
func TestFind(t *testing.T) {
	good := config(entry("pop3", "pop.example.org", "995", "SSL", whole), entry("imap", "imap.example.org", "993", "SSL", whole))
	elsewhere := config(entry("imap", "imap.thief.example", "993", "SSL", whole))
	for name, tt := range map[string]struct {
		make    func(w *town)
		wish    Wish
		finder  func(f *Finder)
		address string
		want    string // the URL of the first server, or the beginning of the error
		doubt   string
		step    string // a step that has to be told of
	}{
		"the table":                         {address: "Me+x@GMail.COM", want: "imaps://Me+x@gmail.com@imap.gmail.com"},
		"the table, by a local part":        {address: "me@free.fr", want: "imaps://me@imap.free.fr"},
		"the table, pop3":                   {address: "me@gmail.com", wish: Wish{Protocol: account.POP3}, want: "pop3s://me@gmail.com@pop.gmail.com"},
		"the table, to read":                {address: "me@yahoo.com", wish: Wish{Reading: true}, want: "imaps://me@yahoo.com@export.imap.mail.yahoo.com"},
		"the table, to write":               {address: "me@yahoo.com", want: "imaps://me@yahoo.com@imap.mail.yahoo.com"},
		"the table, STARTTLS":               {address: "me@tim.it", want: "imap://me@tim.it@imap.tim.it"},
		"the table, none":                   {address: "me@tuta.com", want: "Tuta has neither IMAP nor POP3"},
		"the table, not that":               {address: "me@icloud.com", wish: Wish{Protocol: account.POP3}, want: "iCloud has no POP3"},
		"the table, a host of the domain's": {address: "me@inbox.lv", want: "imaps://me@inbox.lv@mail.inbox.lv"},

		"autoconfig": {make: func(w *town) { w.Page("autoconfig.example.org", good) },
			want: "imaps://me@example.org@imap.example.org", step: "pop3 at pop.example.org:995 with TLS"},
		"autoconfig, pop3": {make: func(w *town) { w.Page("autoconfig.example.org", good) }, wish: Wish{Protocol: account.POP3},
			want: "pop3s://me@example.org@pop.example.org"},
		"autoconfig, well-known": {make: func(w *town) { w.Page("example.org", good) }, want: "imaps://me@example.org@imap.example.org"},
		"autoconfig, STARTTLS": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("imap", "imap.example.org", "143", "STARTTLS", "%EMAILLOCALPART%.%EMAILDOMAIN%")))
		}, want: "imap://me.example.org@imap.example.org"},
		"autoconfig, TLS before STARTTLS": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("imap", "a.example.org", "143", "STARTTLS", whole), entry("imap", "%EMAILDOMAIN%", "1993", "SSL", "%EMAILLOCALPART%")))
		}, want: "imaps://me@example.org:1993"},
		"autoconfig, a windows domain": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("imap", "imap.example.org", "993", "SSL", `EXAMPLE\%EMAILLOCALPART%`)))
		}, want: "imaps://EXAMPLE%5Cme@imap.example.org"},
		"autoconfig, plain": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("pop3", "pop.example.org", "110", "plain", whole)))
		}, want: "example.org has a mail server without TLS only: pop.example.org:110", step: "it names only servers without TLS"},
		"autoconfig, plain allowed": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("pop3", "pop.example.org", "110", "plain", whole)))
		}, finder: func(f *Finder) { f.Plaintext = true }, want: "pop3://me@example.org@pop.example.org?tls=none", doubt: "in clear"},
		"autoconfig, plain, but TLS is there": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("pop3", "old.example.org", "110", "plain", whole)))
			w.mailServer("pop3", "old.example.org:995")
		}, finder: func(f *Finder) { f.Plaintext = true }, want: "pop3s://me@example.org@old.example.org", doubt: "is a guess"},
		"autoconfig, foreign": {make: func(w *town) { w.Page("autoconfig.example.org", elsewhere) },
			want: "imaps://me@example.org@imap.thief.example", doubt: "imap.thief.example is not of example.org"},
		"autoconfig, a known provider": {make: func(w *town) {
			w.Page("autoconfig.example.org", config(entry("imap", "imap.gmail.com", "993", "SSL", whole, "OAuth2")))
		}, want: "imaps://me@example.org@imap.gmail.com"},
		"autoconfig, redirected": {make: func(w *town) {
			w.Handle("autoconfig.example.org", redirect("https://www.example.org/config"))
			w.Page("www.example.org", good)
		}, want: "imaps://me@example.org@imap.example.org"},
		"autoconfig, redirected to http": {make: func(w *town) {
			w.Handle("autoconfig.example.org", redirect("http://www.example.org/config"))
			w.Page("www.example.org", good)
		}, want: "no mail server was found", step: "a page without TLS"},
		"autoconfig, redirected to a number": {make: func(w *town) { w.Handle("autoconfig.example.org", redirect("https://127.0.0.1/x")) },
			want: "no mail server was found", step: "a strange place"},
		"autoconfig, redirected to a port": {make: func(w *town) { w.Handle("autoconfig.example.org", redirect("https://www.example.org:8443/x")) },
			want: "no mail server was found", step: "a strange place"},
		"autoconfig, a loop": {make: func(w *town) { w.Handle("autoconfig.example.org", redirect("https://autoconfig.example.org/again")) },
			want: "no mail server was found", step: "on and on"},
		"autoconfig, without end": {make: func(w *town) {
			w.Handle("autoconfig.example.org", func(out http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := out.Write([]byte(strings.Repeat("<!-- -->", 1000))); err != nil {
						return
					}
				}
			})
		}, want: "no mail server was found", step: "it is longer than 262144 octets"},
		"autoconfig, slow": {make: func(w *town) {
			w.Handle("autoconfig.example.org", func(out http.ResponseWriter, r *http.Request) {
				out.Write([]byte("<"))
				out.(http.Flusher).Flush()
				<-r.Context().Done()
			})
		}, want: "no mail server was found", step: "it does not come within 1 s"},
		"autoconfig, a page of HTML": {make: func(w *town) { w.Page("autoconfig.example.org", "<!doctype html><p>Parked &nbsp; domain") },
			want: "no mail server was found", step: "no description of mail servers"},
		"autoconfig, deep": {make: func(w *town) { w.Page("autoconfig.example.org", strings.Repeat("<a>", 30_000)) },
			want: "no mail server was found", step: "no description of mail servers"},
		"autoconfig, a certificate of nobody's": {make: func(w *town) {
			w.Page("autoconfig.example.org", good)
		}, finder: func(f *Finder) { f.Roots = newTown(t).CA.Pool() }, want: "no mail server was found", step: "its certificate is not to be trusted"},

		"autoconfig of who takes mail in": {make: func(w *town) {
			w.Exchanger("example.org", "mx1.mail.hoster.example")
			w.Page("autoconfig.hoster.example", config(entry("imap", "imap.hoster.example", "993", "SSL", whole)))
		}, want: "imaps://me@example.org@imap.hoster.example", doubt: "imap.hoster.example is not of example.org"},

		"public list": {make: func(w *town) { w.Page(publicHost, good) }, want: "imaps://me@example.org@imap.example.org"},
		"public list, offline": {make: func(w *town) { w.Page(publicHost, good) }, finder: func(f *Finder) { f.Offline = true },
			want: "no mail server was found", step: "not asked (--offline)"},
		"public list, port of the other protocol": {make: func(w *town) {
			w.Page(publicHost, config(entry("pop3", "pop.example.org", "993", "SSL", whole)))
		}, want: "pop3s://me@example.org@pop.example.org", step: "port 993 is IMAP's, 995 is meant"},
		"public list, an unclosed placeholder": {make: func(w *town) {
			w.Page(publicHost, config(entry("imap", "imap.example.org", "993", "SSL", "%EMAILADDRESS")))
		}, want: "imaps://me@example.org@imap.example.org", step: "wants a % at the end"},
		"public list, an unknown placeholder": {make: func(w *town) {
			w.Page(publicHost, config(entry("imap", "imap.example.org", "993", "SSL", "%REALNAME%")))
		}, want: "no mail server was found", step: "nobody can tell what user %REALNAME% is"},
		"public list, strange entries": {make: func(w *town) {
			w.Page(publicHost, config(
				entry("imap", "127.0.0.1", "993", "SSL", whole), entry("imap", "imap.example.org", "0", "SSL", whole),
				entry("imap", "imap.example.org", "587", "STARTTLS", whole), entry("imap", "imap.example.org", "993", "SSL3", whole),
				entry("imap", "imap.example.org", "993", "SSL", whole, "GSSAPI"), entry("imap", "a b", "993", "SSL", whole),
				entry("exchange", "x.example.org", "443", "SSL", whole), entry("pop3", "pop.example.org", "995", "SSL", whole)))
		}, want: "pop3s://me@example.org@pop.example.org", step: "a login of the kind GSSAPI"},

		"the DNS": {make: func(w *town) {
			w.Service("imap", "example.org", "m1.example.org", 143)
			w.Service("imaps", "example.org", "m2.example.org", 1993, 20, 0)
			w.Service("imaps", "example.org", "m3.example.org", 993, 10, 1)
			w.Service("imaps", "example.org", "m4.example.org", 993, 10, 5)
			w.Service("pop3s", "example.org", "m5.example.org", 995)
		}, want: "imaps://me@example.org@m4.example.org"},
		"the DNS, STARTTLS": {make: func(w *town) { w.Service("imap", "example.org", "m.example.org", 143) },
			want: "imap://me@example.org@m.example.org"},
		"the DNS, pop3 only": {make: func(w *town) {
			w.Service("imaps", "example.org", ".", 0)
			w.Service("pop3s", "example.org", "m.example.org", 995)
		}, want: "pop3s://me@example.org@m.example.org"},
		"the DNS, no imap": {make: func(w *town) {
			w.Service("imaps", "example.org", ".", 0)
			w.mailServer("imap", "imap.example.org:993")
		}, wish: Wish{Protocol: account.IMAP}, want: "example.org says that it has no IMAP server", step: "it says that it has no IMAP"},
		"the DNS, nothing at all": {make: func(w *town) {
			w.Service("imaps", "example.org", ".", 0)
			w.Service("pop3s", "example.org", ".", 0)
		}, want: "example.org says that it has no mail server"},
		"the DNS, foreign": {make: func(w *town) { w.Service("imaps", "example.org", "imap.thief.example", 993) },
			want: "imaps://me@example.org@imap.thief.example", doubt: "imap.thief.example is not of example.org"},

		"mail goes to Google": {make: func(w *town) { w.Exchanger("example.org", "ASPMX.L.Google.com", "alt1.aspmx.l.google.com") },
			want: "imaps://me@example.org@imap.gmail.com", step: "aspmx.l.google.com"},
		"mail goes to Microsoft": {make: func(w *town) { w.Exchanger("example.org", "example-org.mail.protection.outlook.com") },
			want: "imaps://me@example.org@outlook.office365.com"},
		"mail goes to iCloud": {make: func(w *town) { w.Exchanger("example.org", "mx01.mail.icloud.com") },
			want: "imaps://me@imap.mail.me.com", doubt: "the name of the iCloud address"},
		"mail goes to Proton": {make: func(w *town) {
			w.Exchanger("example.org", "mail.protonmail.ch")
			w.mailServer("imap", "imap.example.org:993")
		}, want: "Proton has no IMAP or POP3 of its own"},
		"mail goes to one who looks like Google": {make: func(w *town) { w.Exchanger("example.org", "aspmx.l.notgoogle.com") },
			want: "no mail server was found", step: "belongs to no known provider"},
		"the DNS counts more than who takes mail in": {make: func(w *town) {
			w.Exchanger("example.org", "example-org.mail.protection.outlook.com")
			w.Service("imaps", "example.org", "imap.example.org", 993)
		}, want: "imaps://me@example.org@imap.example.org"},

		"a guess": {make: func(w *town) { w.mailServer("imap", "mail.example.org:993") },
			want: "imaps://me@example.org@mail.example.org", doubt: "the name mail.example.org is a guess"},
		"a guess, pop3 too": {make: func(w *town) {
			w.mailServer("pop3", "pop3.example.org:995")
			w.mailServer("pop3", "example.org:995")
		}, want: "pop3s://me@example.org@pop3.example.org", doubt: "is a guess"},
		"a guess, STARTTLS": {make: func(w *town) { w.mailServer("imap", "imap.example.org:143") },
			want: "imap://me@example.org@imap.example.org", doubt: "is a guess"},
		"a guess, TLS before STARTTLS": {make: func(w *town) {
			w.mailServer("imap", "imap.example.org:143")
			w.mailServer("imap", "mail.example.org:993")
		}, want: "imaps://me@example.org@mail.example.org", doubt: "is a guess"},
		"a guess, STLS": {make: func(w *town) { w.mailServer("pop3", "pop.example.org:110") },
			want: "pop3://me@example.org@pop.example.org", doubt: "is a guess"},
		"a guess by who takes mail in": {make: func(w *town) {
			w.Exchanger("example.org", "mx.hoster.example")
			w.mailServer("imap", "mx.hoster.example:993")
		}, want: "imaps://me@example.org@mx.hoster.example", doubt: "mx.hoster.example is a guess"},
		"a guess, another name's certificate": {make: func(w *town) { w.mailServer("imap", "imap.example.org:993", "server12.hoster.example") },
			want: "no mail server was found", step: "the certificate of imap.example.org is for server12.hoster.example"},
		"a guess, another protocol": {make: func(w *town) { w.mailServer("pop3", "imap.example.org:993") },
			want: "no mail server was found", step: "what answers there is no mail server"},

		"nothing":        {want: "no mail server was found for me@example.org"},
		"nobody answers": {make: func(w *town) { w.Silence() }, want: "the servers of me@example.org cannot be looked up now"},
		"an umlaut's domain": {make: func(w *town) { w.Service("imaps", "xn--bcher-kva.example", "imap.xn--bcher-kva.example", 993) },
			address: "me@Bücher.Example", want: "imaps://me@xn--bcher-kva.example@imap.xn--bcher-kva.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			if tt.make != nil {
				tt.make(w)
			}
			if tt.address == "" {
				tt.address = "me@example.org"
			}
			a, err := ParseAddress(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			f := w.finder()
			var steps []string
			f.Watch = func(s Step) { steps = append(steps, s.Asked+": "+s.Found) }
			if tt.finder != nil {
				tt.finder(&f)
			}
			found, err := f.Find(t.Context(), a, tt.wish)
			got, doubt := "", ""
			if err != nil {
				var e *mail.Error
				if !errors.As(err, &e) || e.Cause != mail.CauseUsage && e.Cause != mail.CauseNetwork {
					t.Errorf("the error is %#v", err)
				}
				got = err.Error()
			} else {
				got, doubt = found.Servers[0].URL(""), found.Servers[0].Doubt
			}
			if err == nil && got != tt.want || !strings.HasPrefix(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if !strings.Contains(doubt, tt.doubt) || tt.doubt == "" && doubt != "" {
				t.Errorf("the doubt is %q, want %q", doubt, tt.doubt)
			}
			if !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, tt.step) }) {
				t.Errorf("no step tells of %q", tt.step)
			}
			if slices.ContainsFunc(w.Referers(), func(s string) bool { return s != "" }) {
				t.Errorf("a web server was told where one came from: %q", w.Referers())
			}
			for _, asked := range w.Asked() {
				if own := strings.HasPrefix(asked, "autoconfig.example.org/") || strings.HasPrefix(asked, "example.org/"); !own && strings.Contains(asked, "me%40") {
					t.Errorf("the address was told to others: %s", asked)
				}
			}
			if t.Failed() {
				t.Logf("steps:\n%s", strings.Join(steps, "\n"))
			}
		})
	}
}

// TestKnownProvidersAskNobody guards that an address of a provider in the table stays here.
func TestKnownProvidersAskNobody(t *testing.T) {
	w := newTown(t)
	if _, err := w.finder().Find(t.Context(), Address{"me", "gmail.com"}, Wish{}); err != nil {
		t.Fatal(err)
	}
	if len(w.Asked())+len(w.Dialed()) > 0 {
		t.Errorf("asked %q, connected to %q", w.Asked(), w.Dialed())
	}
}

func TestFindCancelled(t *testing.T) {
	w := newTown(t)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.Handle("autoconfig.example.org", func(_ http.ResponseWriter, r *http.Request) {
		cancel(enough)
		<-r.Context().Done()
	})
	if _, err := w.finder().Find(ctx, Address{"me", "example.org"}, Wish{}); err != enough {
		t.Errorf("Find = %v", err)
	}
}
