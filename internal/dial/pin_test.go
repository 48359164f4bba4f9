package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestParsePin(t *testing.T) {
	slash, plus := Pin{0xfc, 1}, Pin{0xf8, 1} // whose base64 begins with / and +
	for in, want := range map[string]Pin{
		slash.String():                         slash,
		plus.String():                          plus,
		strings.TrimRight(plus.String(), "="):  plus,
		"sha256/" + slash.String()[6:]:         slash, // curl
		"sha256/" + plus.String()[6:]:          plus,
		"":                                     {},
		"sha256/":                              {},
		"sha256//":                             {},
		"sha1/" + plus.String()[7:]:            {},
		plus.String()[7:]:                      {},
		plus.String() + "A":                    {},
		"sha256/" + strings.Repeat("A", 43):    {},
		"sha256/" + strings.Repeat("A", 42):    {},
		"sha256/" + strings.Repeat("/", 43):    {}, // not all of its bits are the pin's
		"sha256/ " + plus.String()[7:]:         {},
		plus.String() + "," + slash.String():   {},
		"SHA256/" + plus.String()[7:]:          {},
		"sha256/" + strings.Repeat("A", 44000): {},
	} {
		got, err := ParsePin(in)
		if got != want || (err == nil) != (want != Pin{}) {
			t.Errorf("ParsePin(%.60q) = %v, %v; want %v", in, got, err, want)
		}
	}
}

// TestPinDecidesAlone: the right key is enough, whatever else is wrong, and nothing else is.
func TestPinDecidesAlone(t *testing.T) {
	ca := newAuthority(t)
	sound := made(t, ca, func(*x509.Certificate) {})
	worthless := made(t, authority{}, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"other.example.net"}, time.Now().Add(-time.Second)
	})
	// A stranger with a copy of a certificate that is not its own, sent along as if it stood above.
	thief := made(t, authority{}, func(*x509.Certificate) {})
	thief.Certificate = append(thief.Certificate, worthless.Certificate[0])
	// Or sent as its own, without the key.
	poser := tls.Certificate{Certificate: worthless.Certificate, PrivateKey: thief.PrivateKey}
	for _, tt := range []struct {
		name string
		cert tls.Certificate
		pin  Pin
		says string // "": it is taken
	}{
		{"worthless certificate, right key", worthless, pinOfTLS(t, worthless), ""},
		{"sound certificate, right key", sound, pinOfTLS(t, sound), ""},
		{"sound certificate, another key", sound, pinOfTLS(t, worthless), "the key of mail.example.org is not the pinned one: its pin is " + pinOfTLS(t, sound).String()},
		{"the key of the authority", sound, PinOf(parsed(t, ca)), "is not the pinned one"},
		{"the right certificate behind another", thief, pinOfTLS(t, worthless), "is not the pinned one"},
		{"the right certificate without its key", poser, pinOfTLS(t, worthless), "TLS with mail.example.org failed: "},
	} {
		for _, upgrade := range []Upgrade{"", STARTTLS} {
			t.Run(tt.name+" "+string(upgrade), func(t *testing.T) {
				port := listen(t, func(c net.Conn) {
					if (&shortLine{Conn: c, left: 1 << 20}).porch(upgrade) {
						overTLS(tt.cert, 0, greet)(c)
					}
				})
				s := server(authority{}, there, port)
				s.Pin, s.StartTLS = tt.pin, upgrade
				conn, err := s.Dial(t.Context())
				if tt.says != "" {
					wantSentence(t, err, mail.CauseCertificate, tt.says, "")
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if conn.Pin() != tt.pin {
					t.Errorf("Pin = %v, want %v", conn.Pin(), tt.pin)
				}
			})
		}
	}
}

func parsed(t *testing.T, a authority) *x509.Certificate {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&a.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubjectPublicKeyInfo: der}
}

func TestPlainHasNoPin(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	s := Server{Host: there, Plain: true, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Pin() != (Pin{}) {
		t.Errorf("Pin = %v", conn.Pin())
	}
}
