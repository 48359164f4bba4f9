package main

import (
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// A folderRow is one folder as folders shows it, in the form scripts rely on: a count is null where nobody knows it.
type folderRow struct {
	Event    string    `json:"event"`
	Name     string    `json:"name"` // as it is on the wire
	Role     mail.Role `json:"role"`
	Messages *int64    `json:"messages"`
	Octets   *int64    `json:"octets"`
	LastRun  string    `json:"last_run,omitempty"`
	Damaged  int       `json:"damaged,omitempty"`

	Pending       *int  `json:"pending,omitempty"` // messages to be brought to the destination
	PendingOctets int64 `json:"pending_octets,omitempty"`
	Refused       int   `json:"refused,omitempty"`

	To      string `json:"to,omitempty"`
	New     bool   `json:"new,omitempty"`
	LeftOut bool   `json:"left_out,omitempty"`
	Part    bool   `json:"part,omitempty"` // only some of it goes there; why says which
	Clash   bool   `json:"clash,omitempty"`
	Why     string `json:"why,omitempty"`

	step *migrate.Step
}

func newFolderRow(mb mail.Mailbox) folderRow {
	return folderRow{Event: "folder", Name: mb.Name, Role: mb.Role}
}

func accountRow(mb imap.MailboxReport) folderRow {
	row := newFolderRow(mb.Mailbox)
	row.count(mb.Messages, mb.Octets)
	return row
}

// count takes in counts, of which a negative one is not known.
func (r *folderRow) count(messages, octets int64) {
	if messages >= 0 {
		r.Messages = &messages
	}
	if octets >= 0 {
		r.Octets = &octets
	}
}

// goes takes in where the folder goes.
func (r *folderRow) goes(s migrate.Step) {
	r.step = &s
	r.LeftOut, r.Why, r.Clash = s.LeftOut, s.Why, s.Clash
	r.Part = s.Rest || len(s.SentFrom) > 0
	if !r.LeftOut {
		r.To, r.New = s.To.Name, s.New
	}
}

func (r *folderRow) text() string {
	name := mail.Printable(mail.NameText(r.Name))
	if r.Part {
		name = "a part of " + name
	}
	switch {
	case r.step == nil && r.Role != mail.RoleNone && r.Role != mail.RoleInbox:
		name += " (" + string(r.Role) + ")"
	case r.step == nil:
	case r.LeftOut:
		name += " is left out"
	case r.New:
		name += " -> " + mail.Printable(mail.NameText(r.To)) + " (new)"
	default:
		name += " -> " + mail.Printable(mail.NameText(r.To))
	}
	parts := []string{name + ": " + r.counts()}
	if r.LastRun != "" {
		parts = append(parts, "last run "+r.LastRun)
	}
	if r.Damaged > 0 {
		parts = append(parts, fmt.Sprintf("%d damaged", r.Damaged))
	}
	if r.Refused > 0 {
		parts = append(parts, fmt.Sprintf("%d refused", r.Refused))
	}
	if r.Why != "" {
		parts = append(parts, mail.Printable(r.Why))
	}
	return strings.Join(parts, "; ")
}

func (r *folderRow) counts() string {
	if r.Messages == nil {
		return "not counted"
	}
	s := fmt.Sprintf("%d messages", *r.Messages)
	if *r.Messages == 1 {
		s = "1 message"
	}
	if r.Octets != nil {
		s += ", " + size(*r.Octets)
	}
	if r.Pending != nil && !r.LeftOut && int64(*r.Pending) != *r.Messages {
		s += fmt.Sprintf(", %d of them to bring", *r.Pending)
	}
	return s
}

// show prints what was found: the folders, and what will not fit.
func (t *terminal) show(o outlook) {
	for i := range o.folders {
		if t.json {
			writeJSON(t.out, o.folders[i])
		} else {
			fmt.Fprintln(t.out, o.folders[i].text())
		}
	}
	for _, w := range o.warnings {
		t.warn(w)
	}
}

func (t *terminal) warn(text string) {
	if t.json {
		writeJSON(t.out, map[string]string{"event": "warning", "text": text})
		return
	}
	t.line(mail.Printable(text))
}
