package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "embed"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A reportFile is where the report is to be written as well, as HTML, CSV or JSON by its ending; "" is nowhere.
type reportFile string

var reportForms = map[string]func(*report) ([]byte, error){".html": (*report).html, ".csv": (*report).csv, ".json": (*report).jsonFile}

func (f *reportFile) addFlag(flags *pflag.FlagSet) {
	flags.Var(f, "report", "write the report to `FILE` too: a page (.html), the failures (.csv) or all of it (.json)")
}

func (f *reportFile) String() string { return string(*f) }
func (f *reportFile) Type() string   { return "FILE" }

// Set refuses a file whose form nobody can tell, before the work begins.
func (f *reportFile) Set(name string) error {
	if reportForms[strings.ToLower(filepath.Ext(name))] == nil {
		return fmt.Errorf("%q ends neither in .html nor in .csv or .json", name)
	}
	*f = reportFile(name)
	return nil
}

// write puts the report in the place of the file at once: whoever looks sees the old one or the new one.
func (f reportFile) write(r *report) error {
	if f == "" {
		return nil
	}
	octets, err := reportForms[strings.ToLower(filepath.Ext(string(f)))](r)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".mailhaul-report-") // 0600: it names people and what they wrote about
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(octets)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// A folderReport is one folder of the archive: how much there is, and what became of it at the destination.
type folderReport struct {
	Name     string `json:"name"`
	Messages int    `json:"messages"`
	Bytes    int64  `json:"bytes"`
	There    int    `json:"there"` // appended, present or merged, in this run or before
	Refused  int    `json:"refused"`
	Pending  int    `json:"pending"`
	Damaged  int    `json:"damaged"`
}

// addFolders adds a row for each folder of the archive, if anybody will see them, for all mail is counted for it; dest is nil
// where there is no destination.
func (t *terminal) addFolders(r *report, a *archive.Archive, dest *mail.Account, file reportFile) error {
	if !t.json && file == "" {
		return nil
	}
	mailboxes, err := a.Mailboxes()
	if err != nil {
		return err
	}
	var counts map[string]map[archive.State]int
	if dest != nil {
		if counts, err = a.MailboxCounts(*dest); err != nil {
			return err
		}
	}
	for _, mb := range mailboxes {
		c := counts[mb.Name]
		r.Folders = append(r.Folders, folderReport{Name: mb.Name, Messages: mb.Messages, Bytes: mb.Octets, Damaged: mb.Damaged,
			There:   c[archive.Done] + c[archive.Present] + c[archive.Merged],
			Refused: c[archive.Refused], Pending: c[archive.Pending] + c[archive.Intended]})
	}
	return nil
}

func (r *report) jsonFile() ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, r)
	return b.Bytes(), err
}

// csv lists what could not be carried, or not as it was, and what was merged, a line each.
func (r *report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"state", "folder", "date", "from", "subject", "message_id", "ref", "reason"})
	for _, f := range r.Failures {
		w.Write(cells(f.State, f.Mailbox, f.Date, f.From, f.Subject, f.MessageID, f.Ref, f.Reason))
	}
	for _, m := range r.Mended {
		w.Write(cells("mended", m.Mailbox, "", "", "", m.MessageID, m.Ref, m.What))
	}
	for _, f := range r.Findings {
		w.Write(cells(f.Kind, f.Mailbox, "", "", "", f.MessageID, f.Path, f.Reason))
	}
	for _, f := range slices.Sorted(maps.Keys(r.Dropped)) {
		w.Write(cells("unflagged", "", "", "", "", "", "", fmt.Sprintf("%d messages are there without the flag %s", r.Dropped[f], f)))
	}
	for _, m := range r.Merges {
		w.Write(cells("merged", m.Mailbox, "", "", "", m.MessageID, m.Ref, m.Reason()))
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// cells makes foreign text fit for a spreadsheet, which takes what begins with one of these for a formula.
func cells(texts ...string) []string {
	for i, s := range texts {
		s = mail.Printable(s)
		if s != "" && strings.ContainsAny(s[:1], "=+-@\t") {
			s = "'" + s
		}
		texts[i] = s
	}
	return texts
}

//go:embed report.html
var reportPage string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"size": size, "printable": mail.Printable, "name": mail.NameText,
	"percent": func(part, whole int) string { return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(max(whole, 1))) },
	"dropped": droppedText,
	"sum":     func(a, b int) int { return a + b },
}).Parse(reportPage))

// html is a page that stands by itself: no script, and nothing fetched from anywhere.
func (r *report) html() ([]byte, error) {
	var b bytes.Buffer
	err := reportTemplate.Execute(&b, struct {
		*report
		Made string
		Took time.Duration
	}{r, time.Now().Format("2006-01-02 15:04 -0700"), time.Duration(r.Seconds * float64(time.Second)).Round(time.Second / 10)})
	return b.Bytes(), err
}
