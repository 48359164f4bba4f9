package imap

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// Select opens the mailbox for appending: with SELECT, because EXAMINE reports no flags that can be stored. The
// Status is what the outcomes of a later Append are held against.
func (c *Client) Select(ctx context.Context, mailbox string) (status mail.Status, err error) {
	err = c.with(ctx, "open", mailbox, func(s *session) error {
		if err := s.open(mailbox); err != nil {
			return err
		}
		status = s.status
		c.opened[mailbox] = status
		return nil
	})
	return status, err
}

// open selects the mailbox, for reading only in a session that only reads. When that fails, none is selected.
func (s *session) open(mailbox string) error { return s.openAnd(mailbox, func() {}) }

// openAnd calls behind when the command was sent and is not answered yet.
func (s *session) openAnd(mailbox string, behind func()) error {
	s.mailbox = ""
	if err := checkName(mailbox); err != nil {
		return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseUsage, Err: err}
	}
	options := &imap.SelectOptions{ReadOnly: s.readOnly, CondStore: s.readOnly && s.remembers()}
	cmd := s.imap.Select(alias(mailbox), options)
	behind()
	data, err := cmd.Wait()
	if isBad(err) && options.CondStore {
		options.CondStore = false
		data, err = s.imap.Select(alias(mailbox), options).Wait()
	}
	if isNo(err) {
		return s.notOpened(mailbox, err)
	}
	if err != nil {
		return err
	}
	if err := s.selected(data); err != nil {
		return err
	}
	s.mailbox = mailbox
	return nil
}

func isBad(err error) bool {
	var no *imap.Error
	return errors.As(err, &no) && no.Type == imap.StatusResponseTypeBad
}

// notOpened tells a mailbox that is gone from one that cannot be opened.
func (s *session) notOpened(mailbox string, err error) error {
	there := true
	var no *imap.Error
	if errors.As(err, &no) && isVanished(no) {
		there = false
	} else if limitIn(no) == nil {
		var lerr error
		if there, lerr = s.exists(mailbox); lerr != nil {
			return lerr
		}
	}
	if there {
		return err
	}
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseVanished, Err: fmt.Errorf("the folder is not there any more: %w", answer(no))}
}

func (s *session) selected(data *imap.SelectData) error {
	known := s.guard.known()
	switch {
	case data.UIDValidity == 0:
		return strange("the server gives the folder no UIDVALIDITY, so that its messages have no lasting names")
	case !known.opening.exists:
		return strange("the server does not say how many messages the folder holds")
	}
	s.status = mail.Status{Validity: data.UIDValidity, Next: uint32(data.UIDNext), Messages: data.NumMessages}
	if s.remembers() {
		s.status.ModSeq = known.opening.modSeq
	}
	if s.status.ID = known.opening.id; !s.caps.has("OBJECTID") {
		s.status.ID = ""
	}
	if s.guessed = s.status.Next == 0; s.guessed {
		if err := s.findNext(); err != nil {
			return err
		}
	}
	flags := data.PermanentFlags
	if !known.opening.permanent { // then all of FLAGS can be stored (RFC 3501 §7.1)
		flags = data.Flags
	}
	s.permanent, s.keywords, s.spurned, s.reduced, s.balked = nil, false, nil, allFlags, 0
	for _, f := range flags {
		s.keywords = s.keywords || f == imap.FlagWildcard
		s.permanent = append(s.permanent, mail.Flag(f))
	}
	return nil
}

// strange is the error of a mailbox the server shows in a way that cannot be worked with.
func strange(text string) error {
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Err: wireError(text)}
}

// findNext finds out UIDNEXT where the server does not tell: one more than the UID of the last message.
func (s *session) findNext() error {
	s.status.Next = 1
	if s.status.Messages == 0 {
		return nil
	}
	last := imap.SeqSetNum(s.status.Messages)
	rows, err := s.imap.Fetch(last, &imap.FetchOptions{UID: true}).Collect()
	for _, r := range rows {
		s.status.Next = max(s.status.Next, uint32(r.UID)+1)
	}
	if err == nil && s.status.Next == 1 {
		return strange("the server does not say which UID comes next, nor what the last one is")
	}
	return err
}
