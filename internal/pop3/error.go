package pop3

import (
	"errors"
	"fmt"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Pauses before another try, where the server names none.
const (
	afterInUse   = 10 * time.Second // the other session may be our own, cut off a moment ago
	afterTrouble = time.Minute
	afterQuota   = time.Hour
)

// within adds to an error what the layers below did not know.
func within(op, mailbox string, err error) error {
	var e *mail.Error
	if !errors.As(err, &e) || e.Op != "" {
		return err
	}
	full := *e
	full.Op, full.Mailbox = op, mailbox
	return &full
}

// said is what the server said, fit for a person.
func (c *session) said(st status) string {
	if st.text == "" {
		return "it gave no reason"
	}
	return c.gate.shown([]byte(st.text))
}

// passing returns the error for a refusal that has nothing to do with who asked or for what and will pass; nil if
// st is none of that kind.
func (c *session) passing(st status) *mail.Error {
	e := &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterTrouble}
	switch {
	case overLimit(st):
		e.Scope, e.Cause, e.Later = mail.ScopeAccount, mail.CauseQuota, afterQuota
		e.Err = fmt.Errorf("a limit of the provider is reached: %s", c.said(st))
		e.Hint = "what is in the archive is not read again"
	case st.code == "IN-USE" || maildropLocked(st):
		e.Later = afterInUse
		e.Err = fmt.Errorf("another session has the maildrop: %s", c.said(st))
		e.Hint = "close other mail programs that read this account over POP3"
	case st.code == "LOGIN-DELAY":
		e.Later = max(c.before.loginDelay(), afterTrouble)
		e.Err = fmt.Errorf("the server wants a pause between logins: %s", c.said(st))
	case st.code == "SYS/TEMP":
		e.Err = fmt.Errorf("the server has trouble for now: %s", c.said(st))
	default:
		return nil
	}
	return e
}

// turnedAway is the error for a greeting that says no.
func (c *session) turnedAway(st status) error {
	if e := c.passing(st); e != nil {
		return e
	}
	return &mail.Error{Op: "connect", Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Later: afterTrouble,
		Err: fmt.Errorf("the server takes no session: %s", c.said(st))}
}

// refusal is the error for a no to a message.
func (c *session) refusal(st status) *mail.Error {
	e := &mail.Error{Op: "fetch", Mailbox: mail.Inbox, Scope: mail.ScopeMessage, Cause: mail.CauseRefused,
		Err: fmt.Errorf("the server does not hand it over: %s", c.said(st))}
	switch st.code {
	case "SYS/TEMP", "IN-USE":
		e.Cause, e.Later = mail.CauseNetwork, afterTrouble
	case "":
		if noSuchMessage(st) {
			return vanished()
		}
	}
	return e
}

func vanished() *mail.Error {
	return &mail.Error{Op: "fetch", Mailbox: mail.Inbox, Scope: mail.ScopeMessage, Cause: mail.CauseVanished,
		Err: errors.New("it is not in the maildrop any more")}
}
