package dial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An authority issues certificates; its own is in file.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

type leaf struct {
	names, ips []string
	from, to   time.Duration // from now; zero: valid now
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert: template, key: key, file: pemFile(t, der)}
}

func pemFile(t *testing.T, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (a authority) issue(t *testing.T, l leaf) tls.Certificate {
	t.Helper()
	if l.from == 0 && l.to == 0 {
		l.from, l.to = -time.Minute, time.Hour
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: l.names, NotBefore: time.Now().Add(l.from), NotAfter: time.Now().Add(l.to),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, ip := range l.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestDialErrors(t *testing.T) {
	ca := newAuthority(t)
	closed := listen(t, greet)
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		closed = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	good := listen(t, overTLS(ca.issue(t, leaf{names: []string{"mail.example.org"}}), 0, greet))
	for _, tt := range []struct {
		name  string
		s     Server
		cause mail.Cause
		scope mail.Scope
		later bool
		text  string
	}{
		{"hangs up", server(ca, "mail.example.org", listen(t, func(c net.Conn) { io.ReadFull(c, make([]byte, 100)) })),
			mail.CauseNetwork, mail.ScopeSession, true, ""},
		{"refused", server(ca, "mail.example.org", closed), mail.CauseNetwork, mail.ScopeSession, true,
			"connect: mail.example.org refused the connection on port"},
		{"no such host", Server{Host: "nowhere.invalid", Port: 995, Dialer: noSuchHost}, mail.CauseNetwork, mail.ScopeAccount, false,
			"connect: there is no host nowhere.invalid"},
		{"no ca file", server(authority{file: "/nowhere/ca.pem"}, "mail.example.org", good), mail.CauseUsage, mail.ScopeAccount, false, "read ca=: open /nowhere"},
		{"ca file without certificates", server(authority{file: "cert_test.go"}, "mail.example.org", good), mail.CauseUsage, mail.ScopeAccount, false,
			"read ca=: cert_test.go holds no certificate in PEM form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := tt.s.Dial(t.Context())
			if err == nil {
				conn.Close()
				t.Fatal("Dial: no error")
			}
			var e *mail.Error
			if !errors.As(err, &e) {
				t.Fatalf("Dial = %v (%T), want a *mail.Error", err, err)
			}
			if e.Cause != tt.cause || e.Scope != tt.scope || (e.Later > 0) != tt.later || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("Dial = %q %+v, want %q, cause %d, scope %d, later %t", e, e, tt.text, tt.cause, tt.scope, tt.later)
			}
			if strings.ContainsAny(e.Error(), "\x1b\n") {
				t.Errorf("Dial = %q: not fit for a terminal", e)
			}
		})
	}
}

func TestConnectTimeout(t *testing.T) {
	s := Server{Host: "pop.example.org", Port: 995, Idle: 20 * time.Millisecond, Dialer: waitForever}
	_, err := s.Dial(t.Context())
	wantNetwork(t, err, "pop.example.org did not answer on port 995 within 0.02 s")
}

func waitForever(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func noSuchHost(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}}
}
