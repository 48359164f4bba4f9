// Package progress holds the events a long job tells of itself. Whoever watches makes a bar, lines or JSON of
// them; the job does not know.
package progress

import (
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Watch is told events as they happen, one at a time. A nil Watch means nobody is watching.
type Watch func(Event)

// Tell tells w the event, if anybody is watching.
func (w Watch) Tell(e Event) {
	if w != nil {
		w(e)
	}
}

// An Event is one of the types below.
type Event interface{ event() }

// A Half says which half of the work an event is about.
type Half string

// The two halves, and what is none.
const (
	Source      Half = "source"      // from the source into the archive
	Destination Half = "destination" // from the archive to the destination
	Archive     Half = "archive"     // neither: the archive alone
)

type (
	// Listed: a mailbox was looked through; this much of it is to be moved.
	Listed struct {
		Half     Half
		Mailbox  string
		Messages int
		Octets   int64
	}
	// Moving: so many octets more of some message went over the wire. Moved tells when it is whole.
	Moving struct {
		Half   Half
		Octets int64
	}
	// Moved: one message went over the wire. It is not safe yet.
	Moved struct {
		Half   Half
		Octets int64
	}
	// Archived: a batch is on disk and in the ledger.
	Archived struct {
		Mailbox  string
		Messages int
		Octets   int64
	}
	// Confirmed: a batch is at the destination, and the ledger knows.
	Confirmed struct {
		Mailbox           string
		Appended, Present int
		Octets            int64
	}
	// Failed: one message could not be carried, for now or for good.
	Failed struct {
		Half   Half
		Ref    mail.Ref
		State  string // "refused", "failed" or "vanished"
		Reason string
	}
	// Waiting: nothing happens for this long, on purpose.
	Waiting struct {
		Half Half
		For  time.Duration
		Why  string
	}
	// Note: something a person may want to know, and need not act on.
	Note struct {
		Half Half
		Text string
	}
)

func (Listed) event()    {}
func (Moving) event()    {}
func (Moved) event()     {}
func (Archived) event()  {}
func (Confirmed) event() {}
func (Failed) event()    {}
func (Waiting) event()   {}
func (Note) event()      {}
