package dial

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// certificateError makes one plain sentence of what is wrong with a certificate, with one remedy. It returns nil if
// err is not about that.
func certificateError(s Server, err error) *mail.Error {
	var (
		pinned otherKey
		failed *tls.CertificateVerificationError
	)
	e := &mail.Error{Op: "connect", Scope: mail.ScopeAccount, Cause: mail.CauseCertificate}
	switch {
	case errors.As(err, &pinned):
		e.Err = sentence(err, "the key of %s is not the pinned one: its pin is %s", s.Host, pinned.seen)
		e.Hint = "somebody may be in between; use the new pin only if the server's owner has told it you another way"
	case errors.As(err, &failed):
		leaf := failed.UnverifiedCertificates[0]
		text, hint := s.unsound(leaf, failed.Err)
		e.Err, e.Hint = sentence(err, "%s", text), hint
	default:
		return nil
	}
	return e
}

// unsound says why the certificate was not accepted. The remedy of a self-signed one is the same whatever else is
// wrong with it, as it is with what one finds on a server that nobody has given a certificate yet.
func (s Server) unsound(leaf *x509.Certificate, err error) (text, hint string) {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
	)
	switch {
	case s.CAFile == "" && selfSigned(leaf):
		return fmt.Sprintf("the certificate of %s is signed by itself: nobody vouches for it", s.Host),
			fmt.Sprintf("if the server's owner tells you this pin another way, add it to the account: pin=%s", PinOf(leaf))
	case errors.As(err, &name):
		return s.otherName(leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return s.outOfDate(leaf, invalid.Cert)
	case errors.As(err, &unknown) && unknown.Cert != nil && weak(unknown.Cert) != "":
		return fmt.Sprintf("the certificate of %s is signed with %s, which can be forged", s.Host, weak(unknown.Cert)),
			"the provider must renew the certificate"
	case errors.As(err, &unknown):
		return s.unknownAuthority()
	case errors.As(err, new(x509.SystemRootsError)):
		return "this machine has no list of authorities to trust", "install its package of certificates (ca-certificates), or name one with ca=FILE"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return fmt.Sprintf("the certificate of %s is not one for servers", s.Host), "the provider must renew the certificate"
	}
	return fmt.Sprintf("the certificate of %s is not sound: %s", s.Host, plainly(err)), "the provider must renew the certificate"
}

func (s Server) unknownAuthority() (text, hint string) {
	if s.CAFile != "" {
		return fmt.Sprintf("nobody in %s vouches for the certificate of %s", s.CAFile, s.Host),
			"check that ca= names the server's authority; the system's roots do not count beside it"
	}
	return fmt.Sprintf("nobody this machine trusts vouches for the certificate of %s", s.Host),
		"if the server has an authority of its own, name its certificate with ca=FILE"
}

func (s Server) otherName(leaf *x509.Certificate) (text, hint string) {
	names := namesOf(leaf)
	if len(names) > 0 {
		return fmt.Sprintf("the certificate of %s is for %s", s.Host, listed(names)),
			"use the host name the certificate is for, if the provider names it too"
	}
	if strings.EqualFold(leaf.Subject.CommonName, s.serverName()) {
		return fmt.Sprintf("the certificate of %s has its name only where none counts any more (Common Name)", s.Host),
			"the provider must renew the certificate"
	}
	return fmt.Sprintf("the certificate of %s is for no host name", s.Host), "the provider must renew the certificate"
}

// namesOf returns what a certificate is for; it is the server's text.
func namesOf(c *x509.Certificate) []string {
	names := slices.DeleteFunc(slices.Clone(c.DNSNames), func(name string) bool { return strings.TrimSpace(name) == "" })
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// listed names five at most: some certificates are for a hundred hosts.
func listed(names []string) string {
	const enough = 5
	var shown []string
	for _, name := range names[:min(len(names), enough)] {
		shown = append(shown, mail.Printable(name))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - enough; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// outOfDate is about the server's certificate or about one that vouches for it.
func (s Server) outOfDate(leaf, bad *x509.Certificate) (text, hint string) {
	whose := "the certificate of " + s.Host
	if !bad.Equal(leaf) {
		whose = fmt.Sprintf("the certificate of the authority that vouches for %s", s.Host)
	}
	if time.Now().Before(bad.NotBefore) {
		return fmt.Sprintf("%s is not valid before %s", whose, bad.NotBefore.Format(time.DateOnly)),
			"check this machine's clock; if it is right, try again on that day"
	}
	return fmt.Sprintf("%s expired on %s", whose, bad.NotAfter.Format(time.DateOnly)),
		"check this machine's clock; if it is right, the provider must renew the certificate"
}

// selfSigned goes by the names: most that are signed by themselves are no authorities, so that checking the signature
// would say no.
func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

// weak returns the digest that a certificate's signature is made of, if nobody should believe it any more.
func weak(c *x509.Certificate) string {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return "MD5"
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "SHA-1"
	}
	return ""
}
