package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

// A report is the result of a job, in the form scripts rely on. Its sums hold:
// listed = known + fetched + linked + vanished + failed,
// archived = known + appended + present + merged + refused + failed + left_out + gone, and that of a freeReport.
type report struct {
	Event       string             `json:"event"`
	Command     string             `json:"command"`
	Job         string             `json:"job,omitempty"` // of run
	Exit        int                `json:"exit"`
	Seconds     float64            `json:"seconds"`
	Source      *sourceReport      `json:"source,omitempty"`
	Destination *destinationReport `json:"destination,omitempty"`
	Verified    *verifyReport      `json:"archive,omitempty"`
	Against     *againstReport     `json:"against,omitempty"`
	Free        *freeReport        `json:"free,omitempty"`
	Imported    *importReport      `json:"import,omitempty"`
	Exported    *exportReport      `json:"export,omitempty"`
	Folders     []folderReport     `json:"folders,omitempty"`
	// Dropped counts the messages that were appended, in this run or an earlier one, and are there without the flag.
	Dropped  map[string]int  `json:"dropped_flags,omitempty"`
	Mended   []mendedReport  `json:"mended,omitempty"`
	Failures []failureReport `json:"failures"`
	Findings []findingReport `json:"findings"`
	Merges   []mergeReport   `json:"merges,omitempty"`
	Error    string          `json:"error,omitempty"`
	Hint     string          `json:"hint,omitempty"`
	RunAgain string          `json:"run_again,omitempty"` // when a day's limit was reached: not before
	found    []archive.Finding
}

type sourceReport struct {
	Listed   int   `json:"listed"`
	Known    int   `json:"known"`
	Fetched  int   `json:"fetched"`
	Linked   int   `json:"linked"`
	Vanished int   `json:"vanished"`
	Failed   int   `json:"failed"`
	Bytes    int64 `json:"bytes"`
}

type destinationReport struct {
	Archived int   `json:"archived"`
	Known    int   `json:"known"`
	Appended int   `json:"appended"`
	Present  int   `json:"present"`
	Merged   int   `json:"merged"`
	Refused  int   `json:"refused"`
	Failed   int   `json:"failed"`
	LeftOut  int   `json:"left_out"`
	Gone     int   `json:"gone"`
	Mended   int   `json:"mended"` // of those that were appended or present: as mended copies
	Bytes    int64 `json:"bytes"`
}

type failureReport struct {
	Mailbox   string `json:"mailbox"`
	Ref       string `json:"ref"`
	MessageID string `json:"message_id,omitempty"`
	Date      string `json:"date,omitempty"`
	From      string `json:"from,omitempty"`
	Subject   string `json:"subject,omitempty"`
	State     string `json:"state"`
	Reason    string `json:"reason"`
	half      progress.Half
}

type findingReport struct {
	Kind      string `json:"kind"`
	Mailbox   string `json:"mailbox"`
	Path      string `json:"path,omitempty"`
	MessageID string `json:"message_id,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// kindPartial is the finding that the source shows only a part of a folder.
const kindPartial = "partial"

func newReport(command string) *report {
	return &report{Event: "report", Command: command, Failures: []failureReport{}, Findings: []findingReport{}}
}

func (r *report) addSource(b backup.Report) {
	r.addPartial(b)
	r.Source = &sourceReport{Listed: b.Listed, Known: b.Known, Fetched: b.Fetched, Linked: b.Linked,
		Vanished: b.Vanished, Failed: b.Failed, Bytes: b.Octets}
	for _, f := range b.Failures {
		r.Failures = append(r.Failures, failureReport{Mailbox: f.Ref.Mailbox, Ref: f.Ref.String(), State: f.State, Reason: f.Reason, half: progress.Source})
	}
}

func (r *report) addPartial(b backup.Report) {
	for _, p := range b.Partial {
		r.Findings = append(r.Findings, findingReport{Kind: kindPartial, Mailbox: p.Mailbox, Reason: p.Reason})
	}
}

func (r *report) addDestination(m migrate.Report) {
	r.Destination = &destinationReport{Archived: m.Archived, Known: m.Known, Appended: m.Appended, Present: m.Present,
		Merged: m.Merged, Refused: m.Refused, Failed: m.Failed, LeftOut: m.LeftOut, Gone: m.Gone, Bytes: m.Octets}
	r.addMended(m)
	for f, n := range m.Dropped {
		if r.Dropped == nil {
			r.Dropped = make(map[string]int)
		}
		r.Dropped[string(f)] += n
	}
	for _, f := range m.Failures {
		h := f.Header
		r.Failures = append(r.Failures, failureReport{Mailbox: f.Ref.Mailbox, Ref: f.Ref.String(), MessageID: h.MessageID,
			Date: h.Date, From: h.From, Subject: h.Subject, State: f.State, Reason: f.Reason, half: progress.Destination})
	}
	for _, one := range m.Merges {
		r.Merges = append(r.Merges, newMergeReport(one))
	}
	for _, f := range m.Findings {
		r.Findings = append(r.Findings, findingReport{Kind: f.Kind, Mailbox: f.Ref.Mailbox, MessageID: f.MessageID, Reason: f.Reason})
	}
}

// conclude sets the exit status by what the report says and by why the job ended, which is nil if it ended by
// itself, prints the report and writes it to file, if that is not "", and returns what run is to end with.
func (t *terminal) conclude(r *report, began time.Time, acceptRefused bool, file reportFile, err error) error {
	status := []int{exitStatus(err)}
	if r.incomplete(acceptRefused) {
		status = append(status, exitIncomplete)
	}
	for _, f := range r.Findings {
		if f.Kind == kindPartial {
			status = append(status, exitPartial)
		} else {
			status = append(status, exitDiffers)
		}
	}
	r.Exit, r.Seconds = worst(status...), time.Since(began).Seconds()
	if err != nil {
		r.blame(err)
	}
	if ferr := file.write(r); ferr != nil {
		r.Exit, err = worst(r.Exit, exitFailed), errors.Join(err, ferr)
	}
	t.showReport(r)
	if err == nil && r.Hint != "" && !t.json {
		t.sayf("hint: %s", r.Hint)
	}
	return reported{r.Exit, err}
}

func (t *terminal) showReport(r *report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Job, t.last = t.job, r
	switch {
	case t.json:
		writeJSON(t.out, r)
	case t.job == "":
		fmt.Fprint(t.out, r.text())
	case r.text() != "" && (!t.quiet || r.Exit != exitDone): // at night nobody wants to hear that all is well
		fmt.Fprintf(t.out, "%s:\n%s", t.job, r.text())
	}
}

// blame notes why the job ended early; of several reasons the first.
func (r *report) blame(err error) {
	all := causes(err)
	r.Error, r.Hint = all[0].Error(), hintFor(all[0])
	var halt limitReached
	for _, e := range all {
		if errors.As(e, &halt) {
			r.RunAgain = max(r.RunAgain, stamp(halt.Until)) // both halves may go on then
		}
	}
}

// incomplete reports whether a message is not where it should be.
func (r *report) incomplete(acceptRefused bool) bool {
	if s := r.Source; s != nil && s.Failed > 0 || r.Free != nil && r.Free.freed.Incomplete() {
		return true
	}
	if x := r.Exported; x != nil && x.Damaged > 0 {
		return true
	}
	if i := r.Imported; i != nil && len(i.Incomplete) > 0 {
		return true
	}
	d := r.Destination
	return d != nil && (d.Failed > 0 || d.Refused > 0 && !acceptRefused)
}

// maxListed is how many failures are named to a person; all of them stand in the report of --json.
const maxListed = 20

// text is the report for people. Of a half that ended before it came to anything there is nothing to say.
func (r *report) text() string {
	var b strings.Builder
	if r.Verified != nil {
		b.WriteString(r.Verified.text())
	}
	if r.Against != nil {
		b.WriteString(r.Against.text())
	}
	if r.Free != nil && (r.Free.Listed > 0 || r.Error == "") {
		b.WriteString(r.Free.text())
	}
	if s := r.Source; s != nil && (s.Listed > 0 || r.Error == "") {
		fmt.Fprintf(&b, "source:      %d listed: %s (%s)\n", s.Listed, counts(
			"known", s.Known, "fetched", s.Fetched, "linked", s.Linked, "vanished", s.Vanished, "failed", r.named(progress.Source), "not reached", s.Failed-r.named(progress.Source)), size(s.Bytes))
	}
	if r.Exported != nil && (r.Exported.Messages > 0 || r.Error == "") {
		b.WriteString(r.Exported.text())
	}
	if r.Imported != nil {
		b.WriteString(r.Imported.text())
	}
	if d := r.Destination; d != nil && (d.Archived > 0 || r.Error == "") {
		fmt.Fprintf(&b, "destination: %d archived: %s (%s)\n", d.Archived, counts(
			"known", d.Known, "appended", d.Appended, "present", d.Present, "merged", d.Merged, "refused", d.Refused,
			"failed", r.named(progress.Destination), "not reached", d.Failed-r.named(progress.Destination), "left out", d.LeftOut, "gone", d.Gone), size(d.Bytes))
	}
	if len(r.Dropped) > 0 {
		fmt.Fprintf(&b, "flags not kept there: %s\n", droppedText(r.Dropped))
	}
	b.WriteString(r.mendedText())
	for i, f := range r.Failures {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more; --json lists them all\n", len(r.Failures)-i)
			break
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", f.State, mail.Printable(f.name()), mail.Printable(f.Reason))
	}
	for i, f := range r.Findings {
		if i == maxListed && r.Command == "verify" {
			fmt.Fprintf(&b, "and %d more; --json lists them all\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", f.Kind, mail.Printable(f.Mailbox+" "+cmp.Or(f.MessageID, f.Path)), mail.Printable(f.Reason))
	}
	return b.String()
}

// droppedText names the flags and how many messages are without them, the most first.
func droppedText(dropped map[string]int) string {
	flags := slices.Collect(maps.Keys(dropped))
	slices.SortFunc(flags, func(x, y string) int { return cmp.Or(dropped[y]-dropped[x], strings.Compare(x, y)) })
	var some []string
	for i, f := range flags {
		if i == maxListed {
			some = append(some, fmt.Sprintf("and %d more", len(flags)-i))
			break
		}
		some = append(some, fmt.Sprintf("%s of %d", mail.Printable(f), dropped[f]))
	}
	return strings.Join(some, ", ")
}

// named counts the failed ones that the run came to; the others it was stopped before.
func (r *report) named(half progress.Half) (n int) {
	for _, f := range r.Failures {
		if f.half == half && f.State == migrate.StateFailed {
			n++
		}
	}
	return n
}

func (f failureReport) name() string {
	if f.MessageID == "" {
		return f.Ref
	}
	return f.Mailbox + " " + f.MessageID
}

// counts lists what is not zero; of nothing at all it says so.
func counts(pairs ...any) string {
	var some []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i+1].(int); n > 0 {
			some = append(some, fmt.Sprintf("%d %s", n, pairs[i]))
		}
	}
	if len(some) == 0 {
		return "nothing to do"
	}
	return strings.Join(some, ", ")
}
