package imap

import (
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// How much of a message's flags is sent. A server that refuses flags it said it could store gets fewer of them: that
// the message is there counts more than that it is marked.
const (
	allFlags = iota
	systemFlags
	noFlags
)

// storable returns the flags of a message that are sent with it: those the mailbox can keep (PERMANENTFLAGS). \Deleted
// is never among them, for it would have the next EXPUNGE of anybody take the message away again.
func (s *session) storable(flags mail.Flags, reduced int) (some mail.Flags) {
	for _, f := range flags {
		if !s.keeps(f) || reduced == noFlags || reduced == systemFlags && !f.System() {
			continue
		}
		some = append(some, f)
	}
	return some
}

// keeps reports whether the mailbox claims to keep the flag, and has not refused it.
func (s *session) keeps(f mail.Flag) bool {
	return !f.Is(mail.Deleted) && soundFlag(string(f)) && (s.permanent.Has(f) || s.keywords && !f.System()) && !s.spurned.Has(f)
}

// onWire returns flags as go-imap wants them.
func onWire(flags mail.Flags) (list []imap.Flag) {
	for _, f := range flags {
		list = append(list, imap.Flag(f))
	}
	return list
}

// reducible returns how to send the flags of a message that was refused with those of reduced, if there is a way
// that differs.
func (s *session) reducible(flags mail.Flags, reduced int) (int, bool) {
	sent := len(s.storable(flags, reduced))
	for less := reduced + 1; less <= noFlags; less++ {
		if len(s.storable(flags, less)) < sent {
			return less, true
		}
	}
	return reduced, false
}

// internalDate is the time sent with a message; zero has the server take its own. Times before 1970 and after 2106 come
// from broken clocks, and there are servers that refuse or garble them.
func internalDate(t time.Time) time.Time {
	if t.Unix() <= 0 || t.Unix() >= 1<<32 {
		return time.Time{}
	}
	return t
}
