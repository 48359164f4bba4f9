package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// explain makes a *mail.Error of what go-imap or the guard returned, for everything but the outcome of an APPEND.
// What ended the connection is the guard's to say: go-imap keeps the words of errors, not the errors.
func (s *session) explain(err error) error {
	var known *mail.Error
	var no *imap.Error
	switch trouble := s.guard.trouble(); {
	case err == nil:
		return nil
	case errors.As(err, &known) && !errors.Is(trouble, known): // else it may have more to it: the server's last word
		return err
	case errors.As(err, &no) && no.Type != imap.StatusResponseTypeBye:
		return s.refusal(no)
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
		lastWord(e, *bye)
	}
	return e
}

// lastWord makes e say why the server ended the session.
func lastWord(e *mail.Error, bye respText) {
	e.Err = fmt.Errorf("the server ended the session: %s", bye.said())
	if limit := limitOf(bye.code, bye.text); limit != nil {
		e.Scope, e.Cause, e.Later, e.Hint = limit.Scope, limit.Cause, limit.Later, limit.Hint
	}
}

// refusal is the error of a command that was answered NO or BAD. Whom it concerns, the caller knows; busy servers
// are worth another session later.
func (s *session) refusal(no *imap.Error) *mail.Error {
	e := &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseRefused}
	if limit := limitIn(no); limit != nil {
		e = limit
	} else if login := s.shutOut(no); login != nil {
		e = login
	} else if isVanished(no) {
		e.Cause = mail.CauseVanished
	} else if no.Code == imap.ResponseCodeNoPerm {
		e.Hint = "the account may not do that in this folder; its owner or the provider can allow it"
	}
	e.Err = answer(no)
	return e
}

// isVanished reports whether the mailbox is not there (RFC 3501 §7.1, RFC 5530 §3).
func isVanished(no *imap.Error) bool {
	return no.Code == imap.ResponseCodeNonExistent || no.Code == imap.ResponseCodeTryCreate
}

// isWhole reports whether a refusal is of the mailbox as a whole, so that the next message would be refused too.
func isWhole(no *imap.Error) bool {
	switch no.Code {
	case imap.ResponseCodeNoPerm, imap.ResponseCodeCorruption, "READ-ONLY":
		return true
	}
	return isVanished(no)
}

// shutOut returns the error of an answer after the login that says that the account is closed to whoever has logged in
// so; nil if it is none. Some servers let everybody in and say so then.
func (s *session) shutOut(no *imap.Error) *mail.Error {
	refusal := sasl.Refusal{Host: s.host, Code: string(no.Code), Text: no.Text}
	switch no.Code {
	case imap.ResponseCodeExpired, imap.ResponseCodePrivacyRequired, imap.ResponseCodeAuthorizationFailed:
	default:
		if !refusal.Shuts() {
			return nil
		}
	}
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Hint: refusal.Known()}
}

func answer(no *imap.Error) error {
	t := respText{code: string(no.Code), text: no.Text}
	return errors.New("the server says: " + cmp.Or(t.said(), string(no.Type)))
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
