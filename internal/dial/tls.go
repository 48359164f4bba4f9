package dial

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func (s Server) tlsConfig() (*tls.Config, error) {
	if s.Plain {
		return nil, nil
	}
	roots, err := s.roots()
	if err != nil {
		return nil, &mail.Error{Op: "read ca=", Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Err: err}
	}
	return &tls.Config{ServerName: s.serverName(), RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
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
