package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

func awkwardReport() *report {
	r := newReport("migrate")
	r.addSource(backup.Report{Listed: 3, Fetched: 3})
	r.addDestination(migrate.Report{Archived: 3, Appended: 2, Refused: 1, Mendable: true,
		Mended:  []migrate.Mended{{Ref: mail.Ref{Mailbox: "Work", UID: "y"}, MessageID: "=<b>", What: "1 NUL octet left out"}},
		Dropped: map[mail.Flag]int{"=<i>": 12, `\Deleted`: 1}, Failures: []migrate.Failure{{
			Ref: mail.Ref{Mailbox: "INBOX", UID: "x"}, State: migrate.StateRefused, Reason: "\x1b[31mno",
			Header: mail.Header{Subject: `=HYPERLINK("http://evil.example")`, From: "<script>alert(1)</script>"}}}})
	r.Merges = []mergeReport{{Mailbox: "INBOX", Ref: "INBOX/y", MessageID: "=<\x1b>", To: "Entw&APw-rfe", Kept: 7, By: migrate.ByID}}
	r.Folders = []folderReport{{Name: "Entw&APw-rfe", Messages: 3, There: 2, Refused: 1}}
	return r
}

func written(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	var f reportFile
	if err := f.Set(file); err != nil {
		t.Fatal(err)
	}
	if err := f.write(awkwardReport()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s: %v, %v; it is nobody else's to read", name, info.Mode(), err)
	}
	octets, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(octets)
}

// TestReportPageIsHarmless guards that what mail says cannot become part of the page, and that it fetches nothing.
func TestReportPageIsHarmless(t *testing.T) {
	page := written(t, "r.html")
	for _, bad := range []string{"<script", "\x1b", "src=", "href=", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, good := range []string{"&lt;script&gt;", "Entwürfe", `width="66.67%"`, "refused", "exit status", "UID 7 in Entwürfe", "=&lt;i&gt; of 12, \\Deleted of 1", "1 NUL octet left out", "=&lt;b&gt;", "--repair"} {
		if !strings.Contains(page, good) {
			t.Errorf("the page does not hold %q", good)
		}
	}
}

func TestReportCSVHoldsNoFormula(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(written(t, "r.CSV"))).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatal(rows, err)
	}
	for _, cell := range slices.Concat(rows[1:]...) {
		if cell != "" && strings.ContainsAny(cell[:1], "=+-@") || strings.ContainsAny(cell, "\x1b\n") {
			t.Errorf("the cell %q", cell)
		}
	}
}

func TestReportJSONIsTheReport(t *testing.T) {
	var r report
	if err := json.Unmarshal([]byte(written(t, "r.json")), &r); err != nil || len(r.Failures) != 1 || len(r.Merges) != 1 || len(r.Folders) != 1 || len(r.Mended) != 1 || r.Destination.Mended != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReportFileNeedsAForm(t *testing.T) {
	var f reportFile
	if err := f.Set("report.txt"); err == nil {
		t.Error("a report in the form of .txt")
	}
}
