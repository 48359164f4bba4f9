package dial

import (
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// What ends a conversation in clear, in a sentence each. Where somebody on the way may be at work nothing is tried
// again in this run.

// insecure is the error for what may be an attack.
func (c *clear) insecure(hint, format string, args ...any) *mail.Error {
	return &mail.Error{Op: "connect", Scope: mail.ScopeAccount, Cause: mail.CauseCertificate, Hint: hint, Err: fmt.Errorf(format, args...)}
}

func (c *clear) refused(line string) error {
	return c.insecure(c.server.aroundHint(), `%s does not begin TLS when asked to (%s): "%s"`, c.server.Host, c.server.StartTLS, mail.Printable(line))
}

func (c *clear) loggedIn() error {
	return c.insecure(c.server.aroundHint(), "%s greets as if somebody were logged in already (PREAUTH), which rules out TLS", c.server.Host)
}

func (c *clear) injected(behind, more string) error {
	return c.insecure(c.server.aroundHint(), `%s said more in clear behind %s: "%s"`, c.server.Host, behind, mail.Printable(more))
}

func (c *clear) senseless(does, line string) error {
	e := c.insecure(c.server.aroundHint(), `%s %s "%s", which is no %s`, c.server.Host, does, mail.Printable(line), strings.ToUpper(c.server.StartTLS.scheme()))
	e.Cause = mail.CauseProtocol
	return e
}

func (c *clear) endless() error {
	e := c.insecure(c.server.aroundHint(), "%s sends a line of more than %d octets before TLS has begun", c.server.Host, maxClear)
	e.Cause = mail.CauseProtocol
	return e
}

func (c *clear) speaksTLS() error {
	return c.insecure(c.server.StartTLS.instead(), "%s speaks TLS from the first octet on port %d", c.server.Host, c.server.Port)
}

func (c *clear) turnedAway(line string) error {
	return &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterFailure,
		Err: fmt.Errorf("%s takes no session: %w", c.server.Host, TurnedAway{line})}
}

// cut is the error for a line that fell silent or broke; failing is what the server did not do. One that says nothing at
// all may be waiting for TLS to begin.
func (c *clear) cut(failing string, err error) error {
	if !isTimeout(err) {
		e := lineError(c.server, err, "said")
		e.Op, e.Hint = "connect", c.remedy
		return e
	}
	return &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterFailure, Hint: c.remedy,
		Err: sentence(err, "%s %s on port %d within %s", c.server.Host, failing, c.server.Port, seconds(c.server.maxConnect()))}
}

func (s Server) muteHint() string {
	return fmt.Sprintf("if TLS begins with the first octet on port %d, %s", s.Port, s.StartTLS.instead())
}

// aroundHint is the remedy where TLS does not begin as it should after a beginning in clear.
func (s Server) aroundHint() string {
	return fmt.Sprintf("%s, if the server has it (port %d); if not, try another network: somebody on the way may be keeping TLS away",
		s.StartTLS.instead(), map[Upgrade]int{STLS: 995, STARTTLS: 993}[s.StartTLS])
}
