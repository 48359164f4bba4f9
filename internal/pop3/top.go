package pop3

import (
	"errors"
	"fmt"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// tops makes a key for each message from its header and its size, for servers without UIDLs that can be used. It
// costs a TOP for every message, every time. That the keys begin with "top:" tells them from UIDLs.
func (c *session) tops(sizes []int64) ([]string, error) {
	made := make([]string, len(sizes))
	command := func(i int) string { return fmt.Sprintf("TOP %d 0", i+1) }
	err := c.pipeline(len(sizes), command, func(i int, alone bool) error {
		st, err := c.answer()
		if err != nil {
			return err
		}
		if !st.ok {
			return c.noTop(i+1, st)
		}
		sum := mail.NewPartSummer()
		if _, err := io.Copy(sum, newBody(c.gate, alone)); err != nil {
			return err
		}
		made[i] = fmt.Sprintf("top:%s:%d", sum.Sum().HeadDigest, sizes[i])
		return nil
	})
	return made, err
}

func (c *session) noTop(number int, st status) error {
	if e := c.passing(st); e != nil {
		return e
	}
	e := &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol}
	e.Err = fmt.Errorf("the server has no usable UIDL, and refuses TOP of message %d: %s", number, c.said(st))
	if number == 1 {
		e.Err = errors.New("the server has neither UIDL nor TOP (" + c.said(st) + "): its messages cannot be told apart from one run to the next")
		e.Hint = "read this account over IMAP, if the provider has it"
	}
	return e
}

// noHeads is the error for a server that refuses TOP before it has answered any, and did not say it had it.
func (c *session) noHeads(st status) error {
	if e := c.passing(st); e != nil {
		return e
	}
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Err: noTOP{c.said(st)}}
}

// noTOP is what a server says that has no TOP.
type noTOP struct{ said string }

func (e noTOP) Error() string {
	return "the server has no TOP (" + e.said + "): headers alone cannot be had of it"
}
