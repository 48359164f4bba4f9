package main

import (
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// hintRepair is said where something was refused that could be mended.
const hintRepair = "some of what was refused is malformed: --repair brings a mended copy of it; the archive keeps what it has"

// A mendedReport is a message that is at the destination as a mended copy, since this run.
type mendedReport struct {
	Mailbox   string `json:"mailbox"`
	Ref       string `json:"ref"`
	MessageID string `json:"message_id,omitempty"`
	What      string `json:"what"`
}

func (r *report) addMended(m migrate.Report) {
	r.Destination.Mended = len(m.Mended)
	for _, c := range m.Mended {
		r.Mended = append(r.Mended, mendedReport{Mailbox: c.Ref.Mailbox, Ref: c.Ref.String(), MessageID: c.MessageID, What: c.What})
	}
	if m.Mendable {
		r.Hint = hintRepair
	}
}

// mendedText lists them for a person.
func (r *report) mendedText() string {
	var b strings.Builder
	for i, c := range r.Mended {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more mended; --json lists them all\n", len(r.Mended)-i)
			break
		}
		name := failureReport{Mailbox: c.Mailbox, Ref: c.Ref, MessageID: c.MessageID}.name()
		fmt.Fprintf(&b, "mended: %s: %s\n", mail.Printable(name), c.What)
	}
	return b.String()
}
