package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	afterCut     = time.Second     // a line that was up may be up again soon
	afterFailure = 5 * time.Second // a server that cannot be reached needs longer
)

// connectError makes one plain sentence of why there is no connection.
func connectError(s Server, err error) *mail.Error {
	e := &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterFailure}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Scope, e.Later = mail.ScopeAccount, 0
		e.Err = sentence(err, "there is no host %s", s.Host)
		e.Hint = "check the spelling of the host name, and that this machine is online"
	case errors.As(err, &dns):
		e.Err = sentence(err, "the name %s cannot be looked up now", s.Host)
		e.Hint = "check that this machine is online"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Err = sentence(err, "%s refused the connection on port %d", s.Host, s.Port)
		e.Hint = "check host and port: with TLS, POP3 is on port 995 and IMAP on 993"
	case isTimeout(err):
		e.Err = sentence(err, "%s did not answer on port %d within %s", s.Host, s.Port, seconds(s.maxConnect()))
		e.Hint = "check host and port, and whether a firewall is in the way"
	default:
		e.Err = fmt.Errorf("cannot connect to %s: %w", s.Host, innermost(err))
	}
	return e
}

// handshakeError does the same for TLS.
func handshakeError(s Server, err error) *mail.Error {
	if e := certificateError(s, err); e != nil {
		return e
	}
	var noTLS tls.RecordHeaderError
	e := &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterFailure}
	switch {
	case errors.As(err, &noTLS):
		e.Scope, e.Cause, e.Later = mail.ScopeAccount, mail.CauseCertificate, 0
		e.Err = sentence(err, "%s speaks no TLS on port %d", s.Host, s.Port)
		e.Hint = noTLSHint(s.Port)
	case isTimeout(err):
		e.Err = sentence(err, "%s did not finish the TLS handshake within %s", s.Host, seconds(s.maxConnect()))
		e.Hint = noTLSHint(s.Port)
	case hungUp(err):
		e.Err = sentence(io.ErrUnexpectedEOF, "%s hung up during the TLS handshake", s.Host)
		e.Hint = noTLSHint(s.Port)
	case isSocket(err):
		e.Err = fmt.Errorf("the line to %s is cut: %w", s.Host, innermost(err))
	case strings.Contains(err.Error(), "protocol version"): // crypto/tls has no type for it
		e.Scope, e.Cause, e.Later = mail.ScopeAccount, mail.CauseCertificate, 0
		e.Err = sentence(err, "%s speaks no TLS of version 1.2 or better", s.Host)
		e.Hint = "older versions can be read by others; ask the provider for a server that is up to date"
	default:
		e.Scope, e.Cause, e.Later = mail.ScopeAccount, mail.CauseCertificate, 0
		e.Err = fmt.Errorf("TLS with %s failed: %w", s.Host, innermost(err))
	}
	return e
}

func noTLSHint(port int) string {
	switch port {
	case 110:
		return "use port 995, where POP3 is with TLS; tls=none is for a server on this machine only"
	case 143:
		return "use port 993, where IMAP is with TLS; tls=none is for a server on this machine only"
	}
	return "check the port; tls=none is for a server on this machine only"
}

// certificateError returns nil if err is not about the certificate.
func certificateError(s Server, err error) *mail.Error {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		failed  *tls.CertificateVerificationError
	)
	e := &mail.Error{Op: "connect", Scope: mail.ScopeAccount, Cause: mail.CauseCertificate}
	switch {
	case errors.As(err, &name):
		e.Err = sentence(err, "the certificate of %s is for %s", s.Host, names(name.Certificate))
		e.Hint = "use the host name the certificate is for, if the provider names it too"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Err = sentence(err, "the certificate of %s %s", s.Host, validity(invalid.Cert))
		e.Hint = "check this machine's clock; if it is right, the provider must renew the certificate"
	case errors.As(err, &unknown):
		e.Err = sentence(err, "nobody this machine trusts vouches for the certificate of %s", s.Host)
		e.Hint = "if the server has an authority of its own, name its certificate with ca=FILE"
		if s.CAFile != "" {
			e.Err = sentence(err, "nobody in %s vouches for the certificate of %s", s.CAFile, s.Host)
			e.Hint = "check that ca= names the server's authority; the system's roots do not count beside it"
		}
	case errors.As(err, &failed):
		e.Err = fmt.Errorf("the certificate of %s is not sound: %w", s.Host, failed.Err)
	default:
		return nil
	}
	return e
}

// names lists what a certificate is for; it is the server's text.
func names(c *x509.Certificate) string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "no host name"
	}
	return mail.Printable(strings.Join(list, ", "))
}

func validity(c *x509.Certificate) string {
	if now := time.Now(); now.Before(c.NotBefore) {
		return "is not valid before " + c.NotBefore.Format(time.DateOnly)
	}
	return "expired on " + c.NotAfter.Format(time.DateOnly)
}

func readError(s Server, err error) error  { return lineError(s, err, "said") }
func writeError(s Server, err error) error { return lineError(s, err, "took") }

func lineError(s Server, err error, did string) error {
	e := &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterCut}
	switch {
	case isTimeout(err):
		e.Err = sentence(err, "%s %s nothing for %s", s.Host, did, seconds(s.Idle))
	case hungUp(err):
		e.Err = sentence(io.ErrUnexpectedEOF, "%s hung up", s.Host)
	default:
		e.Err = fmt.Errorf("the line to %s is cut: %w", s.Host, innermost(err))
	}
	return e
}

// hungUp reports whether the other side ended the line, by FIN or by reset.
func hungUp(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// isSocket reports whether err is the socket's; crypto/tls makes net.OpErrors of its own, with other words.
func isSocket(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }

// innermost takes off what net.OpError says of sockets and addresses: "connection reset by peer" is left.
func innermost(err error) error {
	var op *net.OpError
	for errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// A plain error reads as its sentence and holds what it stands for.
type plain struct {
	text string
	err  error
}

func (p plain) Error() string { return p.text }
func (p plain) Unwrap() error { return p.err }

func sentence(err error, format string, args ...any) error {
	return plain{text: fmt.Sprintf(format, args...), err: err}
}
