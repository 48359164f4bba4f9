package dial

import (
	"context"
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
		e.Hint = s.portHint("check host and port: with TLS, POP3 is on port 995 and IMAP on 993")
	case isTimeout(err):
		e.Err = sentence(err, "%s did not answer on port %d within %s", s.Host, s.Port, seconds(s.maxConnect()))
		e.Hint = s.portHint("check host and port, and whether a firewall is in the way")
	default:
		e.Err = fmt.Errorf("cannot connect to %s: %w", s.Host, plainly(err))
	}
	return e
}

// portHint adds what is most likely where TLS begins with a command: many servers have given up that port.
func (s Server) portHint(hint string) string {
	if s.StartTLS == "" {
		return hint
	}
	return s.StartTLS.instead() + ", or check host and port"
}

// readError knows what a server may be waiting for that is not spoken to in TLS and has yet to say a word.
func (c *Conn) readError(s Server, err error) error {
	e := lineError(s, err, "said")
	if s.Plain && !c.heard && (isTimeout(err) || hungUp(err)) {
		e.Hint = fmt.Sprintf("if TLS begins with the first octet on port %d, write pop3s:// or imaps://, without tls=none", s.Port)
	}
	return e
}

func writeError(s Server, err error) error { return lineError(s, err, "took") }

func lineError(s Server, err error, did string) *mail.Error {
	e := &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterCut}
	switch {
	case isTimeout(err):
		e.Err = sentence(err, "%s %s nothing for %s", s.Host, did, seconds(s.Idle))
	case hungUp(err):
		e.Err = sentence(io.ErrUnexpectedEOF, "%s hung up", s.Host)
	case certificateAlerts[alert(err)]: // with TLS 1.3 it comes only after the handshake
		return certificateWanted(s, err)
	default:
		e.Err = fmt.Errorf("the line to %s is cut: %w", s.Host, plainly(err))
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

// plainly is err in the words that are left without those of Go and its packages.
func plainly(err error) error {
	inner := innermost(err)
	text := inner.Error()
	for _, prefix := range []string{"remote error: ", "tls: ", "x509: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return plain{text: mail.Printable(text), err: inner}
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
