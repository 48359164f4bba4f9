package dial

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const there = "mail.example.org"

// made is a certificate as change makes it of a sound one, signed by ca, or by itself if ca is its zero value.
func made(t *testing.T, ca authority, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "a leaf"}, DNSNames: []string{there},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(template)
	parent, by := template, key
	if ca.cert != nil {
		parent, by = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// below returns an authority that ca vouches for, until then.
func (ca authority) below(t *testing.T, until time.Duration) authority {
	t.Helper()
	sub := newAuthority(t)
	sub.cert.Subject = pkix.Name{CommonName: "an authority below"}
	sub.cert.NotBefore, sub.cert.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(until)
	der, err := x509.CreateCertificate(rand.Reader, sub.cert, ca.cert, &sub.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	sub.cert.Raw = der
	return sub
}

// asMD5 makes a signature with SHA-1 one with MD5, which nobody signs with any more.
func asMD5(t *testing.T, c tls.Certificate) tls.Certificate {
	t.Helper()
	sha1, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5})
	if err != nil {
		t.Fatal(err)
	}
	md5 := append(bytes.Clone(sha1[:len(sha1)-1]), 4)
	if bytes.Count(c.Certificate[0], sha1) != 2 {
		t.Fatal("the certificate is not signed with SHA-1")
	}
	return tls.Certificate{Certificate: [][]byte{bytes.ReplaceAll(c.Certificate[0], sha1, md5)}, PrivateKey: c.PrivateKey}
}

// anRSA is an authority and a leaf of it with an RSA key each, the leaf signed by alg.
func anRSA(t *testing.T, alg x509.SignatureAlgorithm) (ca authority, leaf tls.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	top := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, top, top, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	bottom := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a leaf"}, DNSNames: []string{there}, SignatureAlgorithm: alg,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, bottom, top, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{file: pemFile(t, der)}, tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

// goSpeak is what no mail user should have to read.
var goSpeak = regexp.MustCompile(`%!|x509|tls:|crypto/|\bEOF\b|i/o timeout|0x[0-9a-f]|remote error|\n`)

// TestHandshakeErrors: whatever is wrong is said in one sentence, with one remedy, and nothing is sent.
func TestHandshakeErrors(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	overdue := ca.below(t, -time.Hour)
	self := made(t, authority{}, func(c *x509.Certificate) { c.DNSNames = []string{"localhost.localdomain"} })
	sha1CA, sha1 := anRSA(t, x509.SHA1WithRSA)
	sound := func(c *x509.Certificate) {}
	chained := made(t, overdue, sound)
	chained.Certificate = append(chained.Certificate, overdue.cert.Raw)
	of := func(change func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{made(t, ca, change)}}
	}
	by := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	with := func(config *tls.Config, change func(*tls.Config)) *tls.Config { change(config); return config }
	for _, tt := range []struct {
		name       string
		ca         string
		config     *tls.Config
		says, hint string
	}{
		{"another name", ca.file, of(func(c *x509.Certificate) { c.DNSNames = []string{"imap.example.net"} }),
			"the certificate of mail.example.org is for imap.example.net", "use the host name"},
		{"seven names, one with orders to the terminal", ca.file,
			of(func(c *x509.Certificate) { c.DNSNames = []string{"a\x1b[2J", "b", "c", "d", "*.e", "f", "g"} }),
			`the certificate of mail.example.org is for a\x1b[2J, b, c, d, *.e and 2 more`, "use the host name"},
		{"an address", ca.file, of(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.ParseIP("2001:db8::1")} }),
			"is for 2001:db8::1", "use the host name"},
		{"no name", ca.file, of(func(c *x509.Certificate) { c.DNSNames = nil }), "the certificate of mail.example.org is for no host name", "must renew"},
		{"a name in the old place", ca.file, of(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, there }),
			"has its name only where none counts any more (Common Name)", "must renew"},
		{"expired", ca.file, of(func(c *x509.Certificate) {
			c.NotAfter = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			c.NotBefore = c.NotAfter.Add(-1)
		}),
			"the certificate of mail.example.org expired on 2026-01-02", "check this machine's clock"},
		{"not yet valid", ca.file, of(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		}),
			"the certificate of mail.example.org is not valid before 20", "check this machine's clock"},
		{"authority expired", ca.file, by(chained), "the certificate of the authority that vouches for mail.example.org expired on 20", "clock"},
		{"unknown authority", "", of(sound), "nobody this machine trusts vouches for the certificate of mail.example.org", "ca=FILE"},
		{"another authority", stranger.file, of(sound), "vouches for the certificate of mail.example.org", "check that ca= names"},
		{"self-signed, for another name", "", by(self), "the certificate of mail.example.org is signed by itself: nobody vouches for it",
			"pin=" + pinOfTLS(t, self).String()},
		{"self-signed, expired", "", by(made(t, authority{}, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-1) })), "is signed by itself", "pin=sha256/"},
		{"SHA-1", sha1CA.file, by(sha1), "the certificate of mail.example.org is signed with SHA-1, which can be forged", "must renew"},
		{"MD5", sha1CA.file, by(asMD5(t, sha1)), "the certificate of mail.example.org is signed with MD5, which can be forged", "must renew"},
		{"for clients", ca.file, of(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
			"the certificate of mail.example.org is not one for servers", "must renew"},
		{"with an unknown demand", ca.file, of(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), "the certificate of mail.example.org is not sound: ", "must renew"},
		{"no certificate at all", ca.file, by(tls.Certificate{Certificate: [][]byte{[]byte("nonsense")}, PrivateKey: self.PrivateKey}),
			"the certificate of mail.example.org cannot be read: ", "must renew"},
		{"TLS 1.1", ca.file, with(of(sound), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }),
			"mail.example.org speaks no TLS of version 1.2 or better", "up to date"},
		{"old ciphers only", sha1CA.file, with(by(sha1), func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
		}), "mail.example.org has no way to encrypt that is safe enough", "up to date"},
		{"wants a certificate, TLS 1.2", ca.file, with(of(sound), func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }),
			"mail.example.org lets in only who has a certificate, which mailhaul cannot show", "where a password is enough"},
		{"wants a certificate, TLS 1.3", ca.file, with(of(sound), func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }),
			"mail.example.org lets in only who has a certificate, which mailhaul cannot show", "where a password is enough"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := listen(t, func(c net.Conn) { tls.Server(c, tt.config).Handshake(); io.Copy(io.Discard, c) })
			_, err := firstRead(t.Context(), server(authority{file: tt.ca}, there, port))
			wantSentence(t, err, mail.CauseCertificate, tt.says, tt.hint)
		})
	}
}

func pinOfTLS(t *testing.T, c tls.Certificate) Pin {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return PinOf(leaf)
}

// firstRead dials and reads something: with TLS 1.3 a server says only then that it wants a certificate.
func firstRead(ctx context.Context, s Server) (string, error) {
	conn, err := s.Dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	p := make([]byte, 100)
	n, err := conn.Read(p)
	return string(p[:n]), err
}

func wantSentence(t *testing.T, err error, cause mail.Cause, says, hint string) {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v (%T), want a *mail.Error", err, err)
	}
	if e.Cause != cause || !strings.Contains(e.Error(), says) || !strings.Contains(e.Hint, hint) || hint != "" && e.Hint == "" {
		t.Errorf("error = %q, cause %d, hint %q; want %q, cause %d, hint %q", e, e.Cause, e.Hint, says, cause, hint)
	}
	if cause == mail.CauseCertificate && (e.Later != 0 || e.Scope != mail.ScopeAccount) {
		t.Errorf("%q is tried again: scope %d, later %s", e, e.Scope, e.Later)
	}
	if found := goSpeak.FindString(e.Error() + e.Hint); found != "" {
		t.Errorf("%q, %q speaks Go: %s", e, e.Hint, found)
	}
}

// TestNoTLS: what comes instead of TLS tells what to write.
func TestNoTLS(t *testing.T) {
	for said, hint := range map[string]string{
		"+OK POP3 ready\r\n":               "write pop3:// in place of pop3s://: there TLS begins with a command (STLS)",
		"* OK IMAP ready\r\n":              "write imap:// in place of imaps://: there TLS begins with a command (STARTTLS)",
		"* BYE\r\n":                        "write imap:// in place of imaps://",
		"HTTP/1.1 400 Bad Request\r\n\r\n": "check the port",
		"220 smtp ready\r\n":               "check the port",
		"\x00\x00\x00\x00\x00\x00":         "check the port",
	} {
		port := listen(t, func(c net.Conn) { io.WriteString(c, said); io.Copy(io.Discard, c) })
		_, err := firstRead(t.Context(), server(authority{}, there, port))
		wantSentence(t, err, mail.CauseCertificate, "mail.example.org speaks no TLS on port", hint)
	}
}

// TestHandshakeCut ends the line after every octet that a server says in a handshake.
func TestHandshakeCut(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, leaf{names: []string{there}})}}
	for _, upgrade := range []Upgrade{"", STLS, STARTTLS} {
		for at := 0; at < 600; at += 1 + at/24 { // every one in clear
			port := listen(t, func(c net.Conn) {
				if cut := (&shortLine{Conn: c, left: at}); cut.porch(upgrade) {
					tls.Server(cut, config).Handshake()
				}
			})
			s := server(ca, there, port)
			s.StartTLS = upgrade
			_, err := firstRead(t.Context(), s)
			wantSentence(t, err, mail.CauseNetwork, "mail.example.org", "")
		}
	}
}

// A shortLine ends when so many octets have been written.
type shortLine struct {
	net.Conn
	left int
}

func (l *shortLine) Write(p []byte) (int, error) {
	n, err := l.Conn.Write(p[:min(len(p), l.left)])
	if l.left -= n; l.left == 0 {
		l.Conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, l.Conn) // or the kernel sends a reset
		l.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}

// porch says what goes before TLS.
func (l *shortLine) porch(u Upgrade) bool {
	if u == "" {
		return true
	}
	consent := map[Upgrade]string{STLS: "+OK\r\n", STARTTLS: tag + " OK\r\n"}[u]
	if _, err := io.WriteString(l, u.blank()); err != nil {
		return false
	}
	if _, err := l.Read(make([]byte, len(u.command()))); err != nil {
		return false
	}
	_, err := io.WriteString(l, consent)
	return err == nil
}

// TestRareHandshakeErrors are those that crypto/tls will not act out.
func TestRareHandshakeErrors(t *testing.T) {
	unverified := func(err error) error {
		leaf, _ := x509.ParseCertificate(made(t, newAuthority(t), func(*x509.Certificate) {}).Certificate[0])
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{leaf}, Err: err}
	}
	for _, tt := range []struct {
		err        error
		says, hint string
	}{
		{errors.New("tls: invalid signature by the server certificate: crypto/rsa: 512-bit keys are insecure (see https://go.dev/pkg/crypto/rsa)"),
			"the key in the certificate of mail.example.org is so short that others can compute it", "must renew"},
		{errors.New("tls: server selected unsupported protocol version 300"), "speaks no TLS of version 1.2 or better", "up to date"},
		{errors.New("tls: server chose an unconfigured cipher suite"), "has no way to encrypt that is safe enough", "up to date"},
		{errors.New("tls: server sent certificate containing RSA key larger than 8192 bits"),
			"TLS with mail.example.org failed: server sent certificate containing RSA key larger than 8192 bits", "check host and port"},
		{errors.New("tls: \x1b[2J\n"), `TLS with mail.example.org failed: \x1b[2J\x0a`, "check host and port"},
		{unverified(x509.SystemRootsError{}), "this machine has no list of authorities to trust", "ca-certificates"},
		{unverified(x509.UnknownAuthorityError{}), "nobody this machine trusts vouches for", "ca=FILE"},
	} {
		wantSentence(t, handshakeError(Server{Host: there}, tt.err), mail.CauseCertificate, tt.says, tt.hint)
	}
}

// TestMuteInClear: a server that waits for TLS, and is spoken to without, is told from one that is merely silent.
func TestMuteInClear(t *testing.T) {
	for said, hint := range map[string]string{"": "write pop3s:// or imaps://, without tls=none", "+OK\r\n": ""} {
		port := listen(t, func(c net.Conn) { io.WriteString(c, said) })
		s := server(authority{}, there, port)
		s.Plain = true
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(conn)
		var e *mail.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, hint) || (hint == "") != (e.Hint == "") {
			t.Errorf("after %q: %v with hint %q, want %q", said, err, e.Hint, hint)
		}
	}
}
