package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const statusHelp = `Status says what is in ARCHIVE: per account what went over the wire in the last 24
hours, what the last verification found and what free has removed, per folder the
messages, and per destination what is still to be brought and what was refused.
It uses no network and takes no lock.
`

func newStatusCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:               "status ARCHIVE",
		Short:             "say what is in an archive, what is pending and what was refused",
		Long:              statusHelp,
		Args:              exactArgs("ARCHIVE"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return runStatus(t, args[0])
		},
	}
}

// A folderStatus is one folder of the archive, or one folder seen from one destination.
type folderStatus struct {
	Event       string    `json:"event"` // "folder"
	Name        string    `json:"name"`
	Role        mail.Role `json:"role"`
	Messages    int       `json:"messages"`
	Octets      int64     `json:"octets"`
	Gone        int       `json:"gone"` // of the messages: the source shows them no more
	LastRun     string    `json:"last_run"`
	Destination string    `json:"destination,omitempty"`
	Pending     int       `json:"pending"`
	Refused     int       `json:"refused"`
	Mended      int       `json:"mended"` // there as mended copies
	Damaged     int       `json:"damaged"`
	Imported    int       `json:"imported,omitempty"` // of the messages: they came from files
}

func runStatus(t *terminal, dir string) error {
	a, err := archive.View(dir)
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	folders, err := foldersOf(a)
	if err != nil {
		return err
	}
	if err := cmp.Or(t.showTraffic(a), t.showVerified(a), t.showFreed(a), t.showImports(a)); err != nil {
		return err
	}
	for _, f := range folders {
		if t.json {
			writeJSON(t.out, f)
		} else {
			fmt.Fprintln(t.out, f.text())
		}
	}
	return nil
}

// A trafficStatus is what went over the wire of one account in the last 24 hours.
type trafficStatus struct {
	Event    string `json:"event"`
	Account  string `json:"account"`
	Received int64  `json:"received"` // octets
	Sent     int64  `json:"sent"`
	RunAgain string `json:"run_again,omitempty"` // a run has stopped at a limit: not before
	until    time.Time
}

func (t *terminal) showTraffic(a *archive.Archive) error {
	now := clock()
	accounts, err := a.Carried(now)
	if err != nil {
		return err
	}
	for _, acct := range accounts {
		s, err := trafficOf(a, acct, now)
		if err != nil {
			return err
		}
		if t.json {
			writeJSON(t.out, s)
		} else {
			fmt.Fprintln(t.out, s.text(now))
		}
	}
	return nil
}

func trafficOf(a *archive.Archive, acct mail.Account, now time.Time) (trafficStatus, error) {
	s := trafficStatus{Event: "traffic", Account: acct.String()}
	hours, err := a.Traffic(acct, now)
	if err != nil {
		return s, err
	}
	for _, h := range hours {
		s.Received += h.Octets[archive.Down]
		s.Sent += h.Octets[archive.Up]
	}
	halts, err := a.Halts(acct, now)
	for _, h := range halts {
		if h.Until.After(s.until) {
			s.until, s.RunAgain = h.Until, stamp(h.Until)
		}
	}
	return s, err
}

func (s trafficStatus) text(now time.Time) string {
	text := fmt.Sprintf("%s: %s received and %s sent in the last 24 hours", mail.Printable(s.Account), size(s.Received), size(s.Sent))
	if !s.until.IsZero() {
		text += "; a limit was reached, run again after " + clockText(s.until, now)
	}
	return text
}

// foldersOf returns one row for each folder and destination, or for each folder where there is no destination yet. A
// name in the tree that holds no mail has none.
func foldersOf(a *archive.Archive) ([]folderStatus, error) {
	mailboxes, err := a.Mailboxes()
	if err != nil {
		return nil, err
	}
	destinations, err := a.Destinations()
	if err != nil {
		return nil, err
	}
	brought := make([]map[string]map[archive.State]int, len(destinations))
	mended := make([]map[string]int, len(destinations))
	for i, d := range destinations {
		if brought[i], err = a.MailboxCounts(d.Account); err != nil {
			return nil, err
		}
		if mended[i], err = a.MendedCounts(d.Account); err != nil {
			return nil, err
		}
	}
	nowhere, err := a.MailboxCounts(mail.Account{}) // where nothing was brought, all that is gone counts
	if err != nil {
		return nil, err
	}
	var rows []folderStatus
	for _, mb := range mailboxes {
		if mb.NoSelect && mb.Messages == 0 {
			continue
		}
		row := folderStatus{Event: "folder", Name: mb.Name, Role: mb.Role, Messages: mb.Messages, Octets: mb.Octets, LastRun: stamp(mb.Ran),
			Gone: nowhere[mb.Name][archive.Gone], Damaged: mb.Damaged, Imported: mb.Imported}
		if len(destinations) == 0 {
			rows = append(rows, row)
		}
		for i, d := range destinations {
			c := brought[i][mb.Name]
			row.Destination = d.Account.String()
			row.Pending, row.Refused, row.Mended = c[archive.Pending]+c[archive.Intended], c[archive.Refused], mended[i][mb.Name]
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (f folderStatus) text() string {
	s := fmt.Sprintf("%s: %d messages, %s", mail.Printable(mail.NameText(f.Name)), f.Messages, size(f.Octets))
	if f.LastRun != "" {
		s += ", last run " + f.LastRun
	}
	if f.Imported > 0 {
		s += fmt.Sprintf(", %d from files", f.Imported)
	}
	if f.Gone > 0 {
		s += fmt.Sprintf(", %d gone from the source", f.Gone)
	}
	if f.Damaged > 0 {
		s += fmt.Sprintf(", %d damaged", f.Damaged)
	}
	if f.Destination != "" {
		s += fmt.Sprintf("; to %s: %d pending, %d refused", mail.Printable(f.Destination), f.Pending, f.Refused)
		if f.Mended > 0 {
			s += fmt.Sprintf(", %d there as mended copies", f.Mended)
		}
	}
	return s
}
