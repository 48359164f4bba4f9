package discover

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"me@example.org":                   "me@example.org",
		" Me@EXAMPLE.Org. ":                "Me@example.org",
		"<me@example.org>":                 "me@example.org",
		`"Me, Myself" <me@example.org>`:    "me@example.org",
		"me+list@example.org":              "me+list@example.org",
		"john..doe@docomo.example":         "john..doe@docomo.example",
		"ünï@Bücher.example":               "ünï@xn--bcher-kva.example",
		"me@日本語.example":                   "me@xn--wgv71a119e.example",
		"me@a-1.example.co.uk":             "me@a-1.example.co.uk",
		strings.Repeat("x", 64) + "@a.org": strings.Repeat("x", 64) + "@a.org",
	} {
		if got, err := ParseAddress(in); err != nil || got.String() != want {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseAddressErrors(t *testing.T) {
	for _, in := range []string{
		"", "me", "@example.org", "me@", "me@localhost", "a@b/../c", "me@example.org:canary", "me@example.org/x", "me@127.0.0.1",
		"me@[127.0.0.1]", "me@::1", "me@1.2.3", "me@ex ample.org", "me@.example.org", "me@example..org", "me@-a.org", "me@a_b.org",
		"me@" + strings.Repeat("a", 64) + ".org", "me@" + strings.Repeat("a.", 150) + "org", strings.Repeat("x", 65) + "@example.org",
		"me:canary@example.org", "a b@example.org", `"a b"@example.org`, "a@b@example.org", "a\r\nb@example.org", "a\x00@example.org",
		"\x1b[2J@example.org", "a\xff@example.org", "me@ex\u200bample.org\u202e", "me@example.org\n.evil.example", "me@%00.org", "me@xn--a.org",
		"../me@example.org", "me@example.org?x", "me@example.org#x",
	} {
		got, err := ParseAddress(in)
		if err == nil {
			t.Errorf("ParseAddress(%q) = %q", in, got)
			continue
		}
		if strings.Contains(err.Error(), "canary") || strings.ContainsAny(err.Error(), "\x1b\r\n\x00") {
			t.Errorf("ParseAddress(%q): %q", in, err)
		}
	}
}

func TestRelated(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"imap.example.org", "example.org", true},
		{"imap.mail.example.co.uk", "example.co.uk", true},
		{"imap.other.co.uk", "example.co.uk", false},
		{"imap.example.org.evil.example", "example.org", false},
		{"notexample.org", "example.org", false},
		{"one.github.io", "two.github.io", false},
		{"co.uk", "co.uk", false},
	} {
		if got := related(tt.a, tt.b); got != tt.want {
			t.Errorf("related(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

// FuzzReadConfig guards that whatever a web server sends makes servers that can be used, or none.
func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(config(entry("imap", "imap.example.org", "993", "SSL", "%EMAILADDRESS%"), entry("pop3", "%EMAILDOMAIN%", "993", "SSL", "%EMAILADDRESS"))))
	f.Add([]byte(`<clientConfig><emailProvider><incomingServer type="imap"><hostname>a.b</hostname></incomingServer></emailProvider></clientConfig>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><clientConfig>&a;</clientConfig>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		servers, _, _ := readConfig(body, Address{"me", "example.org"})
		for _, s := range servers {
			if !isHost(s.Host) || s.Port < 1 || s.Port > 65535 || s.Security == 0 || s.User == "" || len(s.Proofs) == 0 ||
				strings.ContainsAny(s.User, "\r\n\x00") {
				t.Errorf("%+v", s)
			}
		}
	})
}
