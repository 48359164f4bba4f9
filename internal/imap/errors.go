package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	afterBusy  = time.Minute
	afterBreak = 5 * time.Second
)

// explain makes a *mail.Error of what go-imap or the guard returned, for everything but the outcome of an APPEND.
// What ended the connection is the guard's to say: go-imap keeps the words of errors, not the errors.
func (s *session) explain(err error) error {
	var known *mail.Error
	var no *imap.Error
	switch trouble := s.guard.trouble(); {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &no) && no.Type != imap.StatusResponseTypeBye:
		return refusal(no)
	case trouble != nil && !errors.Is(trouble, net.ErrClosed):
		return s.ended(trouble)
	case errors.As(err, &no), s.guard.known().bye != nil: // go-imap does not always notice which it was
		return s.ended(err)
	}
	return s.ended(wireError("the server sends what is no IMAP: " + mail.Printable(err.Error())))
}

// ended is the error of a connection that is over, with the server's last word where it had one.
func (s *session) ended(cause error) error {
	e := &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterBreak, Err: cause}
	var known *mail.Error
	var broke wireError
	switch {
	case errors.As(cause, &known):
		*e = *known
	case errors.As(cause, &broke):
		e.Cause = mail.CauseProtocol
	case errors.Is(cause, context.Canceled):
		e.Cause, e.Later = mail.CauseOther, 0
	}
	if bye := s.guard.known().bye; bye != nil && e.Cause == mail.CauseNetwork {
		e.Err = fmt.Errorf("the server ended the session: %s", bye.said())
		if limit := limitOf(bye.code, bye.text); limit != nil {
			e.Cause, e.Later, e.Hint = limit.Cause, limit.Later, limit.Hint
		}
	}
	return e
}

// refusal is the error of a command that was answered NO or BAD. Whom it concerns, the caller knows; busy servers
// are worth another session later.
func refusal(no *imap.Error) *mail.Error {
	e := &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseRefused, Err: answer(no)}
	if limit := limitOf(string(no.Code), no.Text); limit != nil {
		e.Scope, e.Cause, e.Later, e.Hint = limit.Scope, limit.Cause, limit.Later, limit.Hint
	}
	return e
}

func answer(no *imap.Error) error {
	t := respText{code: string(no.Code), text: no.Text}
	return errors.New("the server says: " + cmp.Or(t.said(), string(no.Type)))
}

// limitOf tells a limit and a busy server from other refusals: by the response code (RFC 5530), or else by words
// that servers are known to use. It returns nil for other refusals.
func limitOf(code, text string) *mail.Error {
	words := strings.ToLower(text)
	switch {
	case code == "OVERQUOTA", strings.Contains(words, "over quota"), strings.Contains(words, "quota exceeded"),
		strings.Contains(words, "mailbox is full"), strings.Contains(words, "mailbox full"):
		return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseQuota, Hint: "make room in the account, or have its quota raised, and run again"}
	case strings.Contains(words, "bandwidth limit"): // Gmail, for up to a day
		return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Later: time.Hour, Hint: "run again tomorrow: the provider allows so much a day"}
	case code == "UNAVAILABLE", code == "INUSE", code == "SERVERBUG", code == "THROTTLED", isBusy(words):
		return &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: cmp.Or(pauseIn(words), afterBusy)}
	}
	return nil
}

func isBusy(words string) bool {
	for _, w := range []string{"too many connections", "too many simultaneous", "too many sessions", "too many commands", "too many requests", "too many login", "too many failed", "try again", "try later", "retry later", "temporar", "throttl", "rate limit", "server busy", "slow down"} {
		if strings.Contains(words, w) {
			return true
		}
	}
	return false
}

var inWords = regexp.MustCompile(`(\d{1,5}) ?(s|sec|second|m|min|minute)s?\b`)

// pauseIn returns how long a text asks to wait, 0 if it does not say.
func pauseIn(words string) time.Duration {
	m := inWords.FindStringSubmatch(words)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "m") {
		return time.Duration(n) * time.Minute
	}
	return time.Duration(n) * time.Second
}

// refusedLogin tells a wrong password from a server that is busy.
func (s *session) refusedLogin(err error, server dial.Server) error {
	var no *imap.Error
	if !errors.As(err, &no) || no.Type == imap.StatusResponseTypeBye {
		return err
	}
	limit := limitOf(string(no.Code), no.Text)
	if limit == nil && no.Code == imap.ResponseCodeLimit {
		limit = &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterBusy}
	}
	if limit != nil {
		limit.Op, limit.Err = "log in", answer(no)
		return limit
	}
	return &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseLogin,
		Hint: loginHint(server.Host, no.Text), Err: fmt.Errorf("%s refused the login: %w", server.Host, answer(no))}
}

// at says what was being done where, for an error that does not say so yet.
func at(err error, op, mailbox string) error {
	var known *mail.Error
	if err == nil {
		return nil
	}
	if !errors.As(err, &known) {
		return &mail.Error{Op: op, Mailbox: mail.Printable(mailbox), Scope: mail.ScopeSession, Err: err}
	}
	if known.Op != "" {
		return err
	}
	e := *known
	e.Op, e.Mailbox = op, mail.Printable(mailbox)
	return &e
}
