package imap

import (
	"errors"
	"strings"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// refusedInClear reads what a server said in place of a greeting before TLS: why it takes no session.
func refusedInClear(err error) error {
	var away dial.TurnedAway
	if !errors.As(err, &away) {
		return err
	}
	_, said, _ := strings.Cut(away.Line, " ") // after "*"
	_, said, _ = strings.Cut(said, " ")
	e := &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterTurnedAway}
	lastWord(e, parseRespText(said))
	return e
}
