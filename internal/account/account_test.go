package account

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// pin is one whose base64 begins with a +.
var thePin, pin = func() (dial.Pin, string) {
	p := dial.Pin{0xf8, 1, 2, 3}
	return p, "pin=" + p.String()
}()

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Account
		out  string // "": in
	}{
		{"pop3s://ann@pop.example.org", Account{Protocol: POP3, Host: "pop.example.org", Port: 995, User: "ann"}, ""},
		{"imaps://ann@imap.example.org", Account{Protocol: IMAP, Host: "imap.example.org", Port: 993, User: "ann"}, ""},
		{"IMAPS://Ann@IMAP.Example.ORG:993/", Account{Protocol: IMAP, Host: "imap.example.org", Port: 993, User: "Ann"},
			"imaps://Ann@imap.example.org"},
		{"imaps://ann@example.org@imap.example.org:1993", Account{Protocol: IMAP, Host: "imap.example.org", Port: 1993, User: "ann@example.org"}, ""},
		{"imaps://ann%40example.org@imap.example.org", Account{Protocol: IMAP, Host: "imap.example.org", Port: 993, User: "ann@example.org"},
			"imaps://ann@example.org@imap.example.org"},
		{"imaps://EXAMPLE%5Cann%2Fshared%3Aa%25b@h", Account{Protocol: IMAP, Host: "h", Port: 993, User: `EXAMPLE\ann/shared:a%b`}, ""},
		{"imaps://J%C3%BCrgen%20M@h", Account{Protocol: IMAP, Host: "h", Port: 993, User: "Jürgen M"}, ""},
		{"imaps://Jürgen@h", Account{Protocol: IMAP, Host: "h", Port: 993, User: "Jürgen"}, "imaps://J%C3%BCrgen@h"},
		{"imaps://ann+x@h", Account{Protocol: IMAP, Host: "h", Port: 993, User: "ann+x"}, ""},
		{"pop3s://ann@[2001:DB8::0:1]", Account{Protocol: POP3, Host: "2001:db8::1", Port: 995, User: "ann"}, "pop3s://ann@[2001:db8::1]"},
		{"pop3s://ann@[2001:db8::1]:1995", Account{Protocol: POP3, Host: "2001:db8::1", Port: 1995, User: "ann"}, ""},
		{"pop3s://ann@192.0.2.1", Account{Protocol: POP3, Host: "192.0.2.1", Port: 995, User: "ann"}, ""},
		{"pop3://ann@127.0.0.1?tls=none", Account{Protocol: POP3, Host: "127.0.0.1", Port: 110, User: "ann", Plain: true}, ""},
		{"imap://ann@LOCALHOST:1143/?tls=none", Account{Protocol: IMAP, Host: "localhost", Port: 1143, User: "ann", Plain: true},
			"imap://ann@localhost:1143?tls=none"},
		{"imap://ann@[::1]?tls=none", Account{Protocol: IMAP, Host: "::1", Port: 143, User: "ann", Plain: true}, ""},
		{"pop3://ann@pop.example.org", Account{Protocol: POP3, Host: "pop.example.org", Port: 110, User: "ann", StartTLS: true}, ""},
		{"imap://ann@IMAP.example.org:1143/?ca=a.pem", Account{Protocol: IMAP, Host: "imap.example.org", Port: 1143, User: "ann", StartTLS: true, CAFile: "a.pem"},
			"imap://ann@imap.example.org:1143?ca=a.pem"},
		{"imaps://ann@h?" + pin, Account{Protocol: IMAP, Host: "h", Port: 993, User: "ann", Pin: thePin}, ""},
		{"pop3://ann@h?" + strings.ReplaceAll(pin, "/", "//"), Account{Protocol: POP3, Host: "h", Port: 110, User: "ann", StartTLS: true, Pin: thePin},
			"pop3://ann@h?" + pin},
		{"imaps://ann@h?" + strings.NewReplacer("/", "%2F", "+", "%2B", "/", "%2F").Replace(strings.TrimRight(pin, "=")),
			Account{Protocol: IMAP, Host: "h", Port: 993, User: "ann", Pin: thePin}, "imaps://ann@h?" + pin},
		{"imaps://ann@h?auth=cram-md5", Account{Protocol: IMAP, Host: "h", Port: 993, User: "ann", Mechanism: "CRAM-MD5"}, "imaps://ann@h?auth=CRAM-MD5"},
		{"pop3s://ann@h?auth=USER", Account{Protocol: POP3, Host: "h", Port: 995, User: "ann", Mechanism: "USER"}, ""},
		{"imaps://admin@h?auth=PLAIN&as=ann@x%26%3F", Account{Protocol: IMAP, Host: "h", Port: 993, User: "admin", Mechanism: "PLAIN", Owner: "ann@x&?"},
			"imaps://admin@h?auth=PLAIN&as=ann@x%26%3F"},
		{"imaps://ann@h?ca=/etc/my%20ca+1.pem", Account{Protocol: IMAP, Host: "h", Port: 993, User: "ann", CAFile: "/etc/my ca+1.pem"}, ""},
	} {
		got, err := Parse(tt.in, false)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", tt.in, got, err, tt.want)
			continue
		}
		if tt.out == "" {
			tt.out = tt.in
		}
		if got.String() != tt.out {
			t.Errorf("Parse(%q).String() = %q, want %q", tt.in, got, tt.out)
		}
	}
}

func TestParseErrors(t *testing.T) {
	const pw = "canary7f3a"
	for in, want := range map[string]string{
		"":                                        "this is no account",
		"work":                                    "this is no account",
		"ann@example.org":                         "this is no account",
		"ann:" + pw + "@example.org":              "this is no account",
		"imaps:ann:" + pw + "@example.org":        "this is no account",
		"pops://ann@h":                            "no account begins with pops://",
		"\x1b[2J://ann@h":                         `no account begins with \x1b[2j://`,
		"imaps://h":                               "the account has no user",
		"imaps://@h":                              "the account has no user",
		"imaps://ann@":                            "the account has no host",
		"imaps://ann:" + pw + "@h":                "a password does not belong in the account",
		"imaps://ann:" + pw + "@x@h":              "a password does not belong in the account",
		"imaps://ann:a/" + pw + "@h":              "a password does not belong in the account",
		"imaps://ann:a?" + pw + "@h":              "the account has no user",
		"imaps://ann:" + pw + "%zz@h":             "a password does not belong in the account",
		"imaps://a/b@h":                           "the user's name holds a /",
		"imaps://a%b@h":                           "the user's name holds a % without two hex digits after it",
		"imaps://a%0d%0aDELE@h":                   "the user's name holds octets that are no text",
		"imaps://a\nb@h":                          "the user's name holds octets that are no text",
		"imaps://a%00b@h":                         "the user's name holds octets that are no text",
		"imaps://a%ffb@h":                         "the user's name holds octets that are no text",
		"pop3s://a%20b@h":                         "a POP3 user's name holds no space",
		"imaps://ann@h/INBOX":                     "an account names no folder",
		"imaps://ann@h:0":                         "is no port",
		"imaps://ann@h:":                          "is no port",
		"imaps://ann@h:65536":                     "is no port",
		"imaps://ann@h:+1":                        "is no port",
		"imaps://ann@2001:db8::1":                 "what stands behind the @ is no host",
		"imaps://ann@[::1":                        "[::1 is no host",
		"imaps://ann@[::1]x":                      "[::1]x is no host",
		"imaps://ann@[127.0.0.1]":                 "[127.0.0.1] is no host",
		"imaps://ann@[fe80::1%25eth0]":            "[fe80::1%25eth0] is no host",
		"imaps://ann@a..b":                        "a..b is no host",
		"imaps://ann@a b":                         "a b is no host",
		"imaps://ann@a\rb":                        `a\x0db is no host`,
		"imaps://ann@bücher.example":              "bücher.example is no host name in ASCII",
		"imaps://ann@" + strings.Repeat("a", 254): "is no host",
		"pop3://ann@h:995":                        "on port 995 TLS begins with the first octet, and in pop3:// with STLS",
		"imap://ann@localhost:993":                "on port 993 TLS begins with the first octet, and in imap:// with STARTTLS",
		"imap://ann@h?tls=none":                   "tls=none would send the password and all mail to h in clear",
		"imap://ann@localhost.example?tls=none":   "tls=none would send the password and all mail to localhost.example in clear",
		"imaps://ann@localhost?tls=none":          "imaps:// is with TLS, and tls=none is without",
		"imap://ann@localhost?tls=none&ca=f":      "without TLS there is no certificate that ca= could be for",
		"imap://ann@localhost?tls=starttls":       "tls=starttls: none is the only value",
		"imaps://ann@h?ca=":                       "ca= names no file",
		"imaps://ann@h?ca=a%00":                   "the value of ca= cannot be read",
		"imaps://ann@h?ca=a&ca=b":                 "ca= stands there twice",
		"imap://ann@localhost?tls=none&" + pin:    "without TLS there is no key that pin= could be of",
		"imap://ann@h?ca=f&" + pin:                "a pin decides alone, and ca= would count for nothing",
		"imaps://ann@h?pin=sha256/AAAA":           "pin=sha256/AAAA: a pin is sha256/ and 44 characters of base64",
		"imaps://ann@h?pin=":                      "pin=: a pin is",
		"imaps://ann@h?" + pin + "&" + pin:        "pin= stands there twice",
		"imaps://ann@h?pin=sha256/" + strings.Repeat("A", 43) + "=": "no key has this pin",
		"imaps://ann@h?verify=no":                                   "unknown parameter verify=",
		"imaps://ann@h?CA=f":                                        "unknown parameter CA=",
		"imaps://ann@h?auth=NTLM":                                   "auth=NTLM is no way to log in over IMAP",
		"imaps://ann@h?auth=":                                       "auth= is no way to log in",
		"imaps://ann@h?auth=user":                                   "auth=user is no way to log in over IMAP",
		"imaps://ann@h?as=":                                         "as= names nobody",
		"imaps://ann@h?as=%07":                                      "as= names nobody",
	} {
		a, err := Parse(in, false)
		var e *mail.Error
		if !errors.As(err, &e) {
			t.Errorf("Parse(%q) = %+v, %v; want a *mail.Error", in, a, err)
			continue
		}
		if !strings.Contains(e.Error(), want) || e.Cause != mail.CauseUsage || e.Scope != mail.ScopeAccount {
			t.Errorf("Parse(%q) = %q %+v, want %q", in, e, e, want)
		}
		if all := e.Error() + e.Hint; strings.Contains(all, pw) || strings.ContainsAny(all, "\x1b\r\n") {
			t.Errorf("Parse(%q) shows what it should not: %q", in, all)
		}
	}
}

func TestInsecurePlaintext(t *testing.T) {
	a, err := Parse("pop3://ann@pop.example.org?tls=none", true)
	if err != nil || !a.Plain {
		t.Errorf("Parse = %+v, %v", a, err)
	}
	if a, err := Parse("pop3://ann@pop.example.org", true); err != nil || a.Plain || a.Server().StartTLS != dial.STLS {
		t.Errorf("Parse = %+v, %v: no TLS, though nobody said none", a, err)
	}
}

func TestKeyAndServer(t *testing.T) {
	a, err := Parse("imaps://Ann@IMAP.example.org.:1993?ca=my.pem", false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Key(), (mail.Account{Protocol: "imap", Host: "imap.example.org", User: "Ann"}); got != want {
		t.Errorf("Key = %+v, want %+v", got, want)
	}
	if got := a.Server(); got.Host != "imap.example.org." || got.Port != 1993 || got.Plain || got.CAFile != "my.pem" {
		t.Errorf("Server = %+v", got)
	}
	for in, want := range map[string]dial.Upgrade{"pop3://a@h": dial.STLS, "imap://a@h": dial.STARTTLS, "imaps://a@h": "", "imap://a@localhost?tls=none": ""} {
		a, _ := Parse(in, false)
		if got := a.Server(); got.StartTLS != want {
			t.Errorf("%s: Server = %+v, want %q", in, got, want)
		}
	}
	if a, _ := Parse("pop3://a@h?"+pin, false); a.Server().Pin != thePin {
		t.Errorf("Server = %+v, want the pin", a.Server())
	}
	for in, owner := range map[string]string{
		"imaps://ann@x*admin@h": "ann@x", "imaps://ann@x*admin@x@h": "ann@x", "imaps://a*b*c@h": "a*b", "imaps://*ann@h": "*ann", "imaps://ann*@h": "ann*",
		"imaps://admin@h?as=ann@x": "ann@x",
	} {
		if a, err := Parse(in, false); err != nil || a.Key().User != owner {
			t.Errorf("the key of %s is that of %q, want %q; %v", in, a.Key().User, owner, err)
		}
	}
	plain := Account{Protocol: POP3, Host: "::1", Port: 110, User: "a", Plain: true}
	if got := plain.Server(); !got.Plain || got.Host != "::1" || got.Dialer != nil || got.Idle != (dial.Server{}).Idle {
		t.Errorf("Server = %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"pop3s://ann@pop.example.org", "imaps://ann%40x@h:1", "imap://a@[::1]:143/?tls=none", "imaps://a@h?ca=%26/%252F+ %25",
		"imaps://a%3Ab@h", "imaps://a:b@h", "pop3://a@h?" + pin, "imap://a@h:993?pin=sha256//", "imaps://a@h?tls=none&ca=", "a@b", "imaps://%00@h", "imaps://a@[::ffff:1.2.3.4]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s, true)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x00\x1b\r\n") {
				t.Errorf("Parse(%q): %q is not fit for a terminal", s, err)
			}
			return
		}
		if a.User == "" || a.Host == "" || a.Port < 1 || a.Port > 65535 || strings.ContainsAny(a.User+a.Host, "\r\n\x00") {
			t.Errorf("Parse(%q) = %+v", s, a)
		}
		if again, err := Parse(a.String(), true); err != nil || again != a {
			t.Errorf("Parse(%q) = %+v, and of its String %q %+v, %v", s, a, a, again, err)
		}
	})
}
