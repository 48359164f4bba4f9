package postoffice

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// A CA signs certificates for servers. Clients must be told to trust it.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA returns a new certificate authority.
func NewCA() *CA {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "mailhaul postoffice CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	return &CA{cert: sign(template, template, key, key), key: key}
}

// Pool returns the CA as the roots of a client's tls.Config.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// PEM returns the CA's certificate as a file holds it.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Server returns the configuration of a server whose certificate is for these host names and addresses. A wrong
// name is one the client did not dial.
func (ca *CA) Server(hosts ...string) *tls.Config {
	return ca.server(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), hosts)
}

// Expired is as Server, with a certificate that expired a day ago.
func (ca *CA) Expired(hosts ...string) *tls.Config {
	return ca.server(time.Now().AddDate(0, -1, 0), time.Now().AddDate(0, 0, -1), hosts)
}

// SelfSigned returns the configuration of a server whose certificate nobody but itself has signed.
func SelfSigned(hosts ...string) *tls.Config {
	template := leafTemplate(time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0), hosts)
	key := newKey()
	return configOf(sign(template, template, key, key), key)
}

func (ca *CA) server(from, to time.Time, hosts []string) *tls.Config {
	key := newKey()
	return configOf(sign(leafTemplate(from, to, hosts), ca.cert, key, ca.key), key)
}

func configOf(cert *x509.Certificate, key *ecdsa.PrivateKey) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

func leafTemplate(from, to time.Time, hosts []string) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: hosts[0]},
		NotBefore:    from,
		NotAfter:     to,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // only a broken curve or source of randomness makes it fail
	}
	return key
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		panic(err) // the template is ours
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}
