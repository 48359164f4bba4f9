package imap

import (
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// An early is a FETCH of what is new in a mailbox, sent behind the command that opens it, without waiting for the answer:
// a round trip less for each mailbox. What it shows counts only if the mailbox turns out to be what it was thought to be;
// else that is asked again.
type early struct {
	from uint32
	cmd  *imapclient.FetchCommand
	rows []shown
	err  error
}

// maxEarly is how many rows are kept of an answer: some may have come since the mailbox was counted.
const maxEarly = maxWindow + maxArrivals

// askEarly asks for what is new since then, if it can be thought to be little; else it returns nil.
func (s *session) askEarly(mailbox string, since mail.Status) *early {
	e := &early{from: max(since.Next, 1)}
	now := s.told[mailbox]
	few := uint64(now.Messages) <= s.window() || e.from > 1 && uint64(now.Next) <= uint64(e.from)+s.window()
	if now.Messages == 0 || !few {
		return nil
	}
	s.guard.speak(func(d *dialect) { d.take = e.take })
	defer s.guard.speak(func(d *dialect) { d.take = nil })
	e.cmd = s.imap.Fetch(uidRange(uint64(e.from), 0), wholeItem)
	return e
}

// take takes a row, in the goroutine that reads.
func (e *early) take(m shown) error {
	if len(e.rows) <= maxEarly {
		e.rows = append(e.rows, m)
	}
	return nil
}

func (e *early) wait() {
	if e != nil {
		e.err = e.cmd.Close()
	}
}

// answers reports whether it has shown what there is from a UID on.
func (e *early) answers(from uint32) bool {
	return e != nil && e.err == nil && e.from == from && len(e.rows) <= maxEarly
}
