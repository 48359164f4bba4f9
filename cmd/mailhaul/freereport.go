package main

import (
	"fmt"
	"strings"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/parts"
)

// A freeReport says what went, or would go, and how many stay for which reason: listed = goes + gone + the sum of stays.
type freeReport struct {
	Account     string         `json:"account"`
	After       string         `json:"after"`
	DryRun      bool           `json:"dry_run"`
	Listed      int            `json:"listed"`
	ListedBytes int64          `json:"listed_bytes"`
	Goes        int            `json:"goes"` // in a dry run
	GoesBytes   int64          `json:"goes_bytes"`
	Gone        int            `json:"gone"`
	GoneBytes   int64          `json:"gone_bytes"`
	Stays       map[string]int `json:"stays"`
	Settled     int            `json:"settled"` // of an earlier run, of which it was not known that they are gone
	Left        *int           `json:"left,omitempty"`
	LeftBytes   *int64         `json:"left_bytes,omitempty"`
	freed       *backup.Freed
	target      int64
}

// addFreed takes in what became of each message, in the place of what was planned.
func (r *report) addFreed(f backup.Freeing, got *backup.Freed, o *freeOptions) {
	s := &freeReport{Account: f.Account.String(), After: "archived", DryRun: !o.yes, Listed: got.Listed.Messages, ListedBytes: got.Listed.Octets,
		Goes: len(got.Going), GoesBytes: got.GoingOctets(), Gone: got.Gone.Messages, GoneBytes: got.Gone.Octets, Stays: map[string]int{},
		Settled: got.Settled.Messages, freed: got, target: f.Target}
	if len(f.Delivered) > 0 {
		s.After = "delivered"
	}
	for why, n := range got.Stays {
		s.Stays[string(why)] = n.Messages
	}
	if got.Left != nil {
		s.Left, s.LeftBytes = &got.Left.Messages, &got.Left.Octets
	}
	r.Free, r.Failures = s, []failureReport{}
	for _, d := range got.Doubts {
		r.Failures = append(r.Failures, doubtReport(f.Archive, d))
	}
}

func doubtReport(a *archive.Archive, d backup.Doubt) failureReport {
	row := failureReport{Mailbox: d.Ref.Mailbox, Ref: d.Ref.String(), State: "stays", Reason: d.Reason}
	if e, err := a.Entry(d.Entry); err == nil && d.Entry != 0 {
		row.MessageID, row.Date, row.From, row.Subject = e.Header.MessageID, e.Header.Date, e.Header.From, e.Header.Subject
	}
	return row
}

// staysText is what a person is told of why mail stays, in the order it is told.
var staysText = []struct {
	why  backup.Stay
	text string
}{
	{backup.StayNew, "not archived yet"},
	{backup.StayYoung, "not in the archive for long enough (--keep-days)"},
	{backup.StaySmall, "not larger than --larger-than"},
	{backup.StayUndelivered, "not seen at the destination in the last seven days"},
	{backup.StayUnread, "never read at the source, but taken for the same as others (verify --against the source --deep reads them)"},
	{backup.StayMarked, "marked as deleted by another mail program"},
	{backup.StayBelow, "not needed for the target"},
	{backup.StayCeiling, "over what may go in one run (--max)"},
	{backup.StayVanished, "gone by themselves meanwhile"},
	{backup.StayDamaged, "damaged in the archive"},
	{backup.StayUnsure, "perhaps not the same as what is archived"},
	{backup.StayRefused, "not let go by the server"},
	{backup.StayUnknown, "not known to be gone or there"},
	{backup.StayUnreached, "not reached"},
}

// text is the result in a few lines.
func (s *freeReport) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d messages, %s\n", mail.Printable(s.Account), s.Listed, size(s.ListedBytes))
	if s.Settled > 0 {
		fmt.Fprintf(&b, "of an earlier run: %d were gone\n", s.Settled)
	}
	if s.DryRun {
		fmt.Fprintf(&b, "would go: %d messages, %s\n", s.Goes, size(s.GoesBytes))
	} else {
		fmt.Fprintf(&b, "gone: %d messages, %s", s.Gone, size(s.GoneBytes))
		if s.Left != nil {
			fmt.Fprintf(&b, "; %d are left, %s", *s.Left, size(*s.LeftBytes))
		}
		b.WriteByte('\n')
	}
	for _, stay := range staysText {
		if n := s.Stays[string(stay.why)]; n > 0 {
			fmt.Fprintf(&b, "stay: %d %s\n", n, stay.text)
		}
	}
	for _, err := range s.freed.Unable {
		fmt.Fprintf(&b, "left alone: %s\n", mail.Printable(err.Error()))
	}
	if over := s.over(); over > 0 {
		fmt.Fprintf(&b, "the target is missed by %s\n", size(over))
	}
	return b.String()
}

// Lines are the text for a page.
func (s *freeReport) Lines() []string { return strings.Split(strings.TrimSpace(s.text()), "\n") }

// over returns how much more than the target is left, or would be.
func (s *freeReport) over() int64 {
	left := s.ListedBytes - s.GoesBytes - s.GoneBytes
	if s.target == 0 || left < s.target {
		return 0
	}
	return left - s.target + 1
}

// adviseFree says what to do about what stays, if it is one thing.
func (r *report) adviseFree(o *freeOptions, from, dir string, delivered []mail.Account) {
	if r.Free == nil {
		return
	}
	switch stays := r.Free.freed.Stays; {
	case stays[backup.StayUnknown].Messages > 0:
		r.Hint = "run the same command again: it finds out first what became of them"
	case stays[backup.StayDamaged].Messages > 0:
		r.Hint = fmt.Sprintf("mailhaul verify %s --repair --source %s fetches what is damaged again", quoteArg(dir), quoteArg(from))
	case stays[backup.StayUndelivered].Messages > 0 && len(delivered) > 0:
		r.Hint = adviseVerify(dir, delivered)
	case stays[backup.StayNew].Messages > 0 && r.Free.Goes+r.Free.Gone == 0:
		r.Hint = fmt.Sprintf("mailhaul backup %s %s brings what is not archived yet", quoteArg(from), quoteArg(dir))
	case stays[backup.StayCeiling].Messages > 0 && o.target.octets > 0:
		r.Hint = "raise --max to reach the target in one run"
	}
	for _, way := range r.Free.freed.Ways {
		if hint := trashHints[way]; hint != "" && r.Free.Goes+r.Free.Gone > 0 && r.Hint == "" {
			r.Hint = hint
		}
	}
}

// adviseVerify says how to look at each of the destinations for what is not known to be there.
func adviseVerify(dir string, delivered []mail.Account) string {
	var commands []string
	for _, d := range delivered {
		commands = append(commands, fmt.Sprintf("mailhaul verify %s --against %s", quoteArg(dir), quoteArg("imaps://"+d.User+"@"+d.Host)))
	}
	return strings.Join(commands, ", and ") + " looks for them there; --after archived leaves that out"
}

// trashHints say when there is more room, where mail does not go for good.
var trashHints = map[mail.Removal]string{
	mail.RemovalTrash: "it goes to the trash there; the room is free when that is emptied",
	mail.RemovalEverywhere: "it goes to the trash there, out of all folders that show it, for they are labels; the room is free when the trash is emptied, " +
		"which Gmail does after 30 days",
}

// A goingRow is a message that goes, in the form scripts rely on.
type goingRow struct {
	Event     string `json:"event"` // "goes"
	Mailbox   string `json:"mailbox"`
	Ref       string `json:"ref"`
	Bytes     int64  `json:"bytes"` // as the server counts
	MessageID string `json:"message_id,omitempty"`
	Date      string `json:"date,omitempty"`
	From      string `json:"from,omitempty"`
	Subject   string `json:"subject,omitempty"`
	received  string
}

func (g *goingRow) text() string {
	return fmt.Sprintf("%s  %s  %9s  %s  %s", mail.Printable(mail.NameText(g.Mailbox)), g.received, size(g.Bytes),
		mail.Printable(parts.DecodeField(g.From)), mail.Printable(parts.DecodeField(g.Subject)))
}

// showGoing lists what is to go.
func (t *terminal) showGoing(a *archive.Archive, plan *backup.Freed) error {
	if t.quiet && !t.json {
		return nil
	}
	for _, l := range plan.Going {
		e, err := a.Entry(l.Entry)
		if err != nil {
			return err
		}
		row := goingRow{"goes", l.Item.Ref.Mailbox, l.Item.Ref.String(), l.Item.Size, e.Header.MessageID, e.Header.Date, e.Header.From, e.Header.Subject,
			e.Received.Format("2006-01-02")}
		if t.json {
			writeJSON(t.out, row)
		} else {
			fmt.Fprintln(t.out, row.text())
		}
	}
	return nil
}

// A freedStatus is what was taken out of one account.
type freedStatus struct {
	Event    string `json:"event"`
	Account  string `json:"account"`
	Messages int    `json:"messages"`
	Octets   int64  `json:"octets"`
	Last     string `json:"last,omitempty"`
	Unknown  int    `json:"unknown"` // whether they are gone
}

func (t *terminal) showFreed(a *archive.Archive) error {
	all, err := a.FreedAmounts()
	for _, f := range all {
		s := freedStatus{"freed", f.Account.String(), f.Messages, f.Octets, stamp(f.Last), f.Open}
		if t.json {
			writeJSON(t.out, s)
			continue
		}
		fmt.Fprintf(t.out, "%s: %d messages, %s, removed by free", mail.Printable(s.Account), s.Messages, size(s.Octets))
		if s.Last != "" {
			fmt.Fprintf(t.out, ", last %s", s.Last)
		}
		if s.Unknown > 0 {
			fmt.Fprintf(t.out, "; of %d more it is not known, and free finds out", s.Unknown)
		}
		fmt.Fprintln(t.out)
	}
	return err
}
