package account

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A TokenCommand is a program that has OAuth2 access tokens: oama, pizauth, mutt_oauth2.py and the like. The first line
// that it prints is the token.
type TokenCommand struct {
	Command string    // run by the shell
	Stderr  io.Writer // what it says there; nil: nowhere

	mu sync.Mutex // one run at a time, lest it renew its token twice at once
}

// Token runs the command; it is a mail.Login's Token. Errors are *mail.Error, but for that of a context that has ended.
func (c *TokenCommand) Token(ctx context.Context, refused string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	token, err := runSecret(ctx, c.Command, "the token command", c.Stderr)
	switch {
	case err != nil:
		return "", err
	case token == "":
		return "", wrong("", "the token command prints no token")
	case len(token) > maxSecret:
		return "", wrong("", "the token command prints a line longer than %d octets", maxSecret)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }): // RFC 6750 §2.1
		return "", wrong("the first line must be the token and nothing else", "the token command prints what is no token")
	case token == refused:
		return "", &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
			Hint: "have the command sign in again, and see that it is for this account",
			Err:  errors.New("the token command has no other token than the one that the server refused")}
	}
	return token, nil
}
