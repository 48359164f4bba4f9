package mbox

import (
	"testing"
	"time"
)

func TestParseFromLine(t *testing.T) {
	for _, tt := range []struct {
		line, sender, date string // the date in UTC, "" for none
		zoned              bool
	}{
		{"From alice@example.org Sat Jan  3 01:05:34 1996", "alice@example.org", "1996-01-03T01:05:34Z", false},
		{"From - Mon Jan 05 10:00:00 2015", "-", "2015-01-05T10:00:00Z", false},
		{"From 1828754568043628583@xxx Mon Apr 07 14:31:02 +0000 2025", "1828754568043628583@xxx", "2025-04-07T14:31:02Z", true},
		{"From ???@??? Mon Dec 01 12:00:00 1997", "???@???", "1997-12-01T12:00:00Z", false},
		{"From a@b Sat Jan  3 01:05 MET DST 1996", "a@b", "1996-01-03T01:05:00Z", false},
		{"From a@b Sat Jan  3 01:05:34 1996 +0200", "a@b", "1996-01-02T23:05:34Z", true},
		{"From a@b Sat Jan  3 01:05:34 1996 remote from relay", "a@b", "1996-01-03T01:05:34Z", false},
		{"From a@b Fri, 05 Jan 2001 10:00:00 -0330", "a@b", "2001-01-05T13:30:00Z", true},
		{"From John Q. Public Thu Feb 29 00:00:00 GMT 2024", "John Q. Public", "2024-02-29T00:00:00Z", true},
		{"From Mon Jan  5 10:00:00 2015", "", "2015-01-05T10:00:00Z", false},
		{"From MAILER-DAEMON", "MAILER-DAEMON", "", false},
		{"From Monday on, Jan 5 at 10:00, in 2015 we will", "Monday on, Jan 5 at 10:00, in 2015 we will", "", false},
		{"From the year 2015 on, Mar 3 is free", "the year 2015 on, Mar 3 is free", "", false},
		{"From a@b Sat Jan 99 01:05:34 1996", "a@b Sat Jan 99 01:05:34 1996", "", false},
		{"From a@b Sat Jan 3 25:05:34 1996", "a@b Sat Jan 3 25:05:34 1996", "", false},
		{"From ", "", "", false},
	} {
		f, ok := ParseFromLine([]byte(tt.line))
		date := ""
		if !f.Date.IsZero() {
			date = f.Date.UTC().Format(time.RFC3339)
		}
		if !ok || f.Sender != tt.sender || date != tt.date || f.Zoned != tt.zoned {
			t.Errorf("ParseFromLine(%q) = %q %q %t %t, want %q %q %t", tt.line, f.Sender, date, f.Zoned, ok, tt.sender, tt.date, tt.zoned)
		}
	}
	for _, line := range []string{"from a@b Sat Jan  3 01:05:34 1996", "From:", ">From a", ""} {
		if _, ok := ParseFromLine([]byte(line)); ok {
			t.Errorf("%q is taken for a From_ line", line)
		}
	}
}
