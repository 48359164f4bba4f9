package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// tlsConfig returns nil where there is no TLS.
func (s Server) tlsConfig() (*tls.Config, error) {
	if s.Plain {
		return nil, nil
	}
	config := &tls.Config{ServerName: s.serverName(), MinVersion: tls.VersionTLS12}
	if s.Pin != (Pin{}) {
		config.InsecureSkipVerify, config.VerifyConnection = true, s.Pin.verify
		return config, nil
	}
	roots, err := s.roots()
	if err != nil {
		return nil, &mail.Error{Op: "read ca=", Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Err: err}
	}
	config.RootCAs = roots
	return config, nil
}

// roots returns nil, which stands for the system's, without a CAFile.
func (s Server) roots() (*x509.CertPool, error) {
	if s.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", s.CAFile)
	}
	return pool, nil
}

// shakeHands returns the line with TLS on it.
func (s Server) shakeHands(ctx context.Context, w *wire, config *tls.Config) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.maxConnect())
	defer cancel()
	asked := false
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return new(tls.Certificate), nil
	}
	t := tls.Client(w, config)
	err := t.HandshakeContext(ctx)
	if alert(err) != "" && asked {
		err = wantsCertificate{err}
	}
	return t, err
}

// wantsCertificate is the end of a handshake in which the server asked for a certificate of ours.
type wantsCertificate struct{ error }

func (w wantsCertificate) Unwrap() error { return w.error }
