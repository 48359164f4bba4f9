package dial

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// handshakeError makes one plain sentence of why there is no TLS, with one remedy.
func handshakeError(s Server, err error) *mail.Error {
	var known *mail.Error
	if errors.As(err, &known) {
		return known
	}
	if e := certificateError(s, err); e != nil {
		return e
	}
	if e := unansweredError(s, err); e != nil {
		return e
	}
	e := &mail.Error{Op: "connect", Scope: mail.ScopeAccount, Cause: mail.CauseCertificate}
	var noTLS tls.RecordHeaderError
	switch said := err.Error(); {
	case errors.As(err, &noTLS):
		text, hint := s.noTLS(noTLS)
		e.Err, e.Hint = sentence(err, "%s", text), hint
	case errors.As(err, new(wantsCertificate)):
		return certificateWanted(s, err)
	case strings.Contains(said, "protocol version"): // crypto/tls has no types for these
		e.Err = sentence(err, "%s speaks no TLS of version 1.2 or better", s.Host)
		e.Hint = "older versions can be read by others; ask the provider for a server that is up to date"
	case alert(err) == "handshake failure", strings.Contains(said, "unconfigured cipher suite"):
		e.Err = sentence(err, "%s has no way to encrypt that is safe enough", s.Host)
		e.Hint = "ask the provider for a server that is up to date"
	case strings.Contains(said, "failed to parse certificate"):
		e.Err = sentence(err, "the certificate of %s cannot be read: %s", s.Host, afterLast(said, "x509: "))
		e.Hint = "the provider must renew the certificate"
	case strings.Contains(said, "keys are insecure"): // of crypto/rsa
		e.Err = sentence(err, "the key in the certificate of %s is so short that others can compute it", s.Host)
		e.Hint = "the provider must renew key and certificate"
	default:
		e.Err = fmt.Errorf("TLS with %s failed: %w", s.Host, plainly(err))
		e.Hint = "check host and port; if they are right, the provider must look at the server"
	}
	return e
}

// unansweredError is the error for a handshake that was begun and not refused; nil if err is none of the kind.
func unansweredError(s Server, err error) *mail.Error {
	e := &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterFailure, Hint: s.noTLSHint()}
	switch {
	case isTimeout(err):
		e.Err = sentence(err, "%s did not finish the TLS handshake within %s", s.Host, seconds(s.maxConnect()))
	case hungUp(err):
		e.Err = sentence(io.ErrUnexpectedEOF, "%s hung up during the TLS handshake", s.Host)
	case isSocket(err):
		e.Err, e.Hint = fmt.Errorf("the line to %s is cut: %w", s.Host, plainly(err)), ""
	default:
		return nil
	}
	return e
}

func (s Server) noTLSHint() string {
	if s.StartTLS != "" {
		return s.aroundHint()
	}
	return "check the port: with TLS, POP3 is on port 995 and IMAP on 993; where TLS begins with a command, write pop3:// or imap://"
}

// noTLS tells by the first octets of what came instead of TLS what it is.
func (s Server) noTLS(e tls.RecordHeaderError) (text, hint string) {
	if s.StartTLS != "" {
		return fmt.Sprintf("%s agreed to %s and went on in clear", s.Host, s.StartTLS), s.aroundHint()
	}
	hint = s.noTLSHint()
	for greeting, u := range map[string]Upgrade{"+OK": STLS, "* ": STARTTLS} {
		if strings.HasPrefix(string(e.RecordHeader[:]), greeting) {
			hint = fmt.Sprintf("write %s:// in place of %ss://: there TLS begins with a command (%s)", u.scheme(), u.scheme(), u)
		}
	}
	return fmt.Sprintf("%s speaks no TLS on port %d", s.Host, s.Port), hint
}

// alert returns what the server's TLS ended the connection with (RFC 8446 §6), "" if it did not.
func alert(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" { // as crypto/tls calls it
		return ""
	}
	return strings.TrimPrefix(op.Err.Error(), "tls: ")
}

// certificateAlerts are what only a certificate of ours can be meant by, and we have none.
var certificateAlerts = map[string]bool{"certificate required": true, "bad certificate": true}

func certificateWanted(s Server, err error) *mail.Error {
	return &mail.Error{Op: "connect", Scope: mail.ScopeAccount, Cause: mail.CauseCertificate,
		Err:  sentence(err, "%s lets in only who has a certificate, which mailhaul cannot show", s.Host),
		Hint: "ask the provider for a host or port where a password is enough"}
}

func afterLast(s, sep string) string { return mail.Printable(s[strings.LastIndex(s, sep)+len(sep):]) }
