package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/mailhaul/mailhaul/internal/progress"
)

// TestWatcherCounts guards that what is shown of progress ends where it says it will.
func TestWatcherCounts(t *testing.T) {
	from, to := progress.Source, progress.Destination
	listed := func(h progress.Half, mailbox string, n int) progress.Event {
		return progress.Listed{Half: h, Mailbox: mailbox, Messages: n, Octets: int64(n) * 10}
	}
	moved := func(h progress.Half) progress.Event { return progress.Moved{Half: h, Octets: 10} }
	for _, tc := range []struct {
		why    string
		both   bool
		events []progress.Event
		want   string
		total  int64
		done   int64
	}{
		{"one half", false, []progress.Event{listed(from, "INBOX", 3), moved(from)}, "1/3 messages", 30, 10},
		{"a message on its way", false, []progress.Event{listed(from, "INBOX", 3), progress.Moving{Half: from, Octets: 4}}, "0/3 messages", 30, 4},
		{"and whole", false, []progress.Event{listed(from, "INBOX", 3), progress.Moving{Half: from, Octets: 4}, moved(from)}, "1/3 messages", 30, 10},
		{"cut, and listed again", true, []progress.Event{listed(from, "INBOX", 3), moved(from), progress.Moving{Half: from, Octets: 4},
			progress.Waiting{Half: from}, listed(from, "INBOX", 2)}, "1/3 fetched, 0/3 brought", 60, 10},
		{"another window", true, []progress.Event{listed(from, "INBOX", 1), moved(from), moved(to), listed(from, "INBOX", 1)},
			"1/2 fetched, 1/2 brought", 40, 20},
		{"another folder", false, []progress.Event{listed(from, "INBOX", 2), moved(from), listed(from, "Sent", 1)}, "1/3 messages", 30, 10},
		{"larger than it was said to be", false, []progress.Event{listed(from, "INBOX", 1), progress.Moved{Half: from, Octets: 15}}, "1/1 messages", 15, 15},
	} {
		w := &watcher{both: tc.both}
		for _, e := range tc.events {
			w.count(e)
		}
		if w.messages() != tc.want || w.total != tc.total || w.carried() != tc.done {
			t.Errorf("%s: %s, %d of %d octets; want %s, %d of %d", tc.why, w.messages(), w.carried(), w.total, tc.want, tc.done, tc.total)
		}
	}
}

func TestSize(t *testing.T) {
	for octets, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 31_457_280: "31.5 MB", 5e12: "5.0 TB"} {
		if got := size(octets); got != want {
			t.Errorf("size(%d) = %s, want %s", octets, got, want)
		}
	}
}

// TestWriteJSON guards that a line of JSON holds nothing a terminal would obey, and still says what was said.
func TestWriteJSON(t *testing.T) {
	said := terminalOrders + "\xff\n\U000e0041ä€😀"
	var out bytes.Buffer
	if err := writeJSON(&out, map[string]string{"said": said}); err != nil {
		t.Fatal(err)
	}
	line := out.Bytes()
	for _, r := range string(line[:len(line)-1]) {
		if r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x202e || r == 0xe0041 || r == '\n' {
			t.Errorf("%q holds %q", line, r)
		}
	}
	var back map[string]string
	if err := json.Unmarshal(line, &back); err != nil || back["said"] != terminalOrders+"\ufffd\n\U000e0041ä€😀" {
		t.Errorf("%q reads back as %q, %v", line, back["said"], err)
	}
}
