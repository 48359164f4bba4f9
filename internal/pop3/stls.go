package pop3

import (
	"errors"

	"github.com/mailhaul/mailhaul/internal/dial"
)

// refusedInClear reads what a server said in place of a greeting before TLS: why it takes no session.
func (s *Source) refusedInClear(c *session, err error) error {
	var away dial.TurnedAway
	if !errors.As(err, &away) {
		return err
	}
	st, _ := parseStatus([]byte(away.Line))
	c.gate = newGate(nil, s.secret.Redact)
	return c.turnedAway(st)
}
