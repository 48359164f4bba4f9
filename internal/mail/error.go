package mail

import (
	"strings"
	"time"
)

// Scope says how much else an error spoils, which is all that the code above an adapter needs to decide whether
// to go on: note the message, leave the mailbox, dial again, or stop.
type Scope int

// From the smallest to the largest.
const (
	ScopeMessage Scope = iota + 1 // this message cannot be had or given; the session is sound
	ScopeMailbox                  // nothing more from or to this mailbox now
	ScopeSession                  // the connection is gone or out of step; a new one may do
	ScopeAccount                  // nothing more from this account in this run
)

// Cause says what kind of trouble it is, which decides the exit status and the words.
type Cause int

// The causes.
const (
	CauseOther       Cause = iota
	CauseLogin             // the account refused the login
	CauseNetwork           // unreachable, cut, silent, or busy: worth running again
	CauseCertificate       // TLS: the server could not prove its name, or speaks no TLS
	CauseQuota             // a quota or limit was reached
	CauseRefused           // the server said a definite no to this message
	CauseVanished          // the message is no longer there
	CauseProtocol          // the server broke the protocol
	CauseUsage             // the account is written wrongly
)

// An Error is what an adapter makes of anything that goes wrong with an account. It is classified once, at the
// border, and never parsed again.
type Error struct {
	Op      string // what was being done, in a mail user's words: "log in", "append"
	Mailbox string // where, if it was in a mailbox
	Scope   Scope
	Cause   Cause
	Later   time.Duration // worth trying again after this pause; 0: not worth it
	Unsure  bool          // an APPEND or a removal that the server may have done
	Hint    string        // what the person can do about it, or ""
	Err     error         // never nil
}

// Error is one line: what was done, where, and what the other side said. The hint is not part of it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Mailbox != "" {
		b.WriteString(" " + e.Mailbox)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
