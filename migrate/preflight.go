package migrate

import (
	"context"
	"fmt"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A Preview is what Run would do.
type Preview struct {
	Folders  []Prospect
	Warnings []string // what will not fit, for a person
}

// A Prospect is one mailbox of the archive, and where it would go.
type Prospect struct {
	Step
	All     archive.Amount // what is archived
	Waiting archive.Amount // what is to be brought
	Refused int            // messages that the destination refused before
}

// Preview finds out what Run would do, and changes nothing: not the archive, which may be open for reading only, and
// not the destination, of which no mailbox is opened. An error about folders, as Map returns it, comes with all that
// was found out.
func (j Job) Preview(ctx context.Context) (Preview, error) {
	var p Preview
	source, err := j.archiveTree()
	if err != nil {
		return p, err
	}
	destination, err := j.destinationTree(ctx)
	if err != nil {
		return p, err
	}
	room, err := j.Destination.Room(ctx)
	if err != nil {
		return p, err
	}
	steps, mapErr := Map(source, destination, j.Rules)
	if p.Folders, err = j.prospects(steps); err != nil {
		return p, err
	}
	if p.Warnings, err = j.warnings(room, p.Folders); err != nil {
		return p, err
	}
	return p, mapErr
}

func (j Job) prospects(steps []Step) ([]Prospect, error) {
	boxes, err := j.Archive.Mailboxes()
	if err != nil {
		return nil, err
	}
	waiting, err := j.Archive.Waiting(j.Account, j.wanted())
	if err != nil {
		return nil, err
	}
	counts, err := j.Archive.MailboxCounts(j.Account)
	if err != nil {
		return nil, err
	}
	all := make(map[string]archive.Amount)
	for _, mb := range boxes {
		all[mb.Name] = archive.Amount{Messages: mb.Messages, Octets: mb.Octets}
	}
	var prospects []Prospect
	for _, s := range steps {
		name := s.From.Name
		prospects = append(prospects, Prospect{Step: s, All: all[name], Waiting: waiting[name], Refused: counts[name][archive.Refused]})
	}
	return prospects, nil
}

// maxTooLarge is how many messages of one mailbox are named that are too large.
const maxTooLarge = 20

// warnings says what will not fit: more than the quota leaves, and single messages that the server takes none of.
func (j Job) warnings(room mail.Room, folders []Prospect) ([]string, error) {
	var total archive.Amount
	var warnings []string
	for _, f := range folders {
		if !f.brings() {
			continue
		}
		total.Messages += f.Waiting.Messages
		total.Octets += f.Waiting.Octets
		if limit := room.LargestFor(f.To.Name); limit >= 0 && f.Waiting.Messages > 0 {
			found, err := j.tooLarge(f.From, limit)
			if err != nil {
				return nil, err
			}
			warnings = append(warnings, found...)
		}
	}
	if w := Shortage(room, total); w != "" {
		warnings = append([]string{w}, warnings...)
	}
	return warnings, nil
}

// Shortage says what of an amount the room is too small for, "" if it is not.
func Shortage(room mail.Room, amount archive.Amount) string {
	switch {
	case room.Octets >= 0 && amount.Octets > room.Octets:
		return fmt.Sprintf("the quota there leaves %s, and %s are to come", size(room.Octets), size(amount.Octets))
	case room.Messages >= 0 && int64(amount.Messages) > room.Messages:
		return fmt.Sprintf("the quota there leaves %d messages, and %d are to come", room.Messages, amount.Messages)
	}
	return ""
}

// tooLarge names the messages of a mailbox that are waiting and larger than limit.
func (j Job) tooLarge(mb mail.Mailbox, limit int64) (named []string, err error) {
	entries, err := j.Archive.Larger(j.Account, j.wanted(), mb.Name, limit, maxTooLarge+1)
	for i, e := range entries {
		if i == maxTooLarge {
			named = append(named, fmt.Sprintf("and more of %s", textOf(mb)))
			break
		}
		named = append(named, fmt.Sprintf("too large: %s in %s, and the server takes %s: %s, %s, %s", size(e.Octets), textOf(mb),
			size(limit), orNo(e.Header.Date, "date"), orNo(e.Header.From, "sender"), orNo(e.Header.Subject, "subject")))
	}
	return named, err
}

func orNo(text, what string) string {
	if text == "" {
		return "no " + what
	}
	return text
}

// size writes octets for a person.
func size(n int64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// preflight warns before the first message of what will not fit.
func (r *run) preflight(ctx context.Context) error {
	err := r.persist(ctx, func() (err error) {
		r.room, err = r.Destination.Room(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var steps []Step
	for _, s := range r.layout.steps {
		steps = append(steps, s)
	}
	folders, err := r.prospects(steps)
	if err != nil {
		return err
	}
	warnings, err := r.warnings(r.room, folders)
	for _, w := range warnings {
		r.note(w)
	}
	r.short = len(warnings) > 0
	r.tellWaiting(folders)
	return err
}

// tellWaiting tells of what there is to do.
func (r *run) tellWaiting(folders []Prospect) {
	var total archive.Amount
	for _, f := range folders {
		if f.brings() {
			total.Messages += f.Waiting.Messages
			total.Octets += f.Waiting.Octets
		}
	}
	if total.Messages > 0 {
		r.Watch.Tell(progress.Listed{Half: progress.Destination, Messages: total.Messages, Octets: total.Octets})
	}
}

// watchRoom warns, once, when the archive has come to hold more than there is room for.
func (r *run) watchRoom() error {
	if r.short || r.room.Octets < 0 && r.room.Messages < 0 {
		return nil
	}
	messages, octets, err := r.Archive.ToBring(r.Account, r.wanted())
	if err != nil {
		return err
	}
	left := r.room
	if left.Octets >= 0 {
		left.Octets = max(left.Octets-r.octets, 0)
	}
	if w := Shortage(left, archive.Amount{Messages: messages, Octets: octets}); w != "" {
		r.short = true
		r.note(w)
	}
	return nil
}
