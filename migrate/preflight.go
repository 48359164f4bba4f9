package migrate

import (
	"context"
	"fmt"
	"slices"

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
	if j.MergeByID {
		twins, err := j.twins(p.Folders)
		if err != nil {
			return p, err
		}
		p.Warnings = append(p.Warnings, twins...)
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
		p := Prospect{Step: s, All: all[name], Waiting: waiting[name], Refused: counts[name][archive.Refused]}
		switch {
		case s.Rest:
			p.Waiting, err = j.onlyThere(s, viewsOf(slices.Values(steps)))
		case len(s.SentFrom) > 0 && len(prospects) > 0: // the step before is that of the rest
			p.Waiting, err = j.sentWaiting(s)
			rest := &prospects[len(prospects)-1].Waiting
			rest.Messages, rest.Octets = rest.Messages-p.Waiting.Messages, rest.Octets-p.Waiting.Octets
		}
		if err != nil {
			return nil, err
		}
		prospects = append(prospects, p)
	}
	return prospects, nil
}

// onlyThere sums up what is to be brought of a view of all mail.
func (j Job) onlyThere(s Step, views []string) (sum archive.Amount, err error) {
	alone, err := j.Archive.Alone(j.Account, j.wanted(), s.From.Name, views)
	for _, octets := range alone {
		sum.Messages++
		sum.Octets += octets
	}
	return sum, err
}

// sentWaiting sums up what is to be brought that the owner has sent.
func (j Job) sentWaiting(s Step) (sum archive.Amount, err error) {
	for after := int64(0); ; {
		page, err := j.Archive.Pending(j.Account, j.wanted(), s.From.Name, after, 1000)
		if err != nil || len(page) == 0 {
			return sum, err
		}
		for _, e := range page {
			if after = e.ID; isFrom(e.Header.From, s.SentFrom) {
				sum.Messages++
				sum.Octets += e.Octets
			}
		}
	}
}

// maxTooLarge is how many messages of one mailbox are named that are too large.
const maxTooLarge = 20

// warnings says what will not fit: more than the quota leaves, and single messages that the server takes none of.
func (j Job) warnings(room mail.Room, folders []Prospect) ([]string, error) {
	var total archive.Amount
	var warnings []string
	for _, f := range folders {
		if f.LeftOut {
			continue
		}
		total.Messages += f.Waiting.Messages
		total.Octets += f.Waiting.Octets
		if limit := room.LargestFor(f.To.Name); limit >= 0 && f.Waiting.Messages > 0 {
			found, err := j.tooLarge(f, limit)
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
func (j Job) tooLarge(f Prospect, limit int64) (named []string, err error) {
	if f.Rest || len(f.SentFrom) > 0 { // what is too large for both is named once; the rest, the server will say
		return nil, nil
	}
	mb := f.From
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
	err := r.persist(ctx, r.hands[0], func() (err error) {
		r.room, err = r.Destination.Room(ctx)
		return err
	})
	if err != nil {
		return err
	}
	folders, err := r.prospects(slices.Collect(r.layout.all()))
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
		if !f.LeftOut {
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
	waiting, err := r.Archive.Waiting(r.Account, r.wanted())
	if err != nil {
		return err
	}
	var come archive.Amount
	for name, steps := range r.layout.steps {
		if s := steps[0]; !s.LeftOut && !s.Rest {
			come.Messages += waiting[name].Messages
			come.Octets += waiting[name].Octets
		}
	}
	left := r.room
	if left.Octets >= 0 {
		left.Octets = max(left.Octets-r.octets, 0)
	}
	if w := Shortage(left, come); w != "" {
		r.short = true
		r.note(w)
	}
	return nil
}
