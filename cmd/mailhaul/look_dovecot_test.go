package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestSelectAtDovecot has one folder, one month and one mail of a Dovecot brought back to it, each time nothing else, and
// twice without doubles; words are found in what it holds.
func TestSelectAtDovecot(t *testing.T) {
	s := dovecot.Start(t, dovecot.Options{})
	t.Setenv("MAILHAUL_PASSWORD", dovecot.Password)
	account := func(user string) string {
		return fmt.Sprintf("imaps://%s@127.0.0.1:%d?ca=%s", url.PathEscape(user), s.IMAPS, url.QueryEscape(s.CAFile))
	}
	n, cyrillic := 0, mail.EncodeUTF7("Папка")
	for _, folder := range []string{mail.Inbox, "Work", cyrillic} {
		for month := range 4 {
			n++
			octets := fmt.Appendf(nil, "From: a%d@haul.example\r\nSubject: letter %d\r\nMessage-ID: <%d@haul.example>\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4 number%d\r\n", n, n, n, n)
			s.Deliver(t, "old@haul.example", folder, octets, mail.MakeFlags(`\Seen`)[:month%2], time.Date(2024, time.Month(1+month), 10, 12, 0, 0, 0, time.Local))
		}
	}
	dir := filepath.Join(t.TempDir(), "mail")
	must := func(args ...string) string {
		t.Helper()
		status, out, said := tell(args...)
		if status != exitDone {
			t.Fatalf("%v ended with %d and said:\n%s%s", args, status, out, said)
		}
		return out
	}
	must("backup", account("old@haul.example"), dir)
	if out := must("search", dir, "привет folder:папка is:unread"); strings.Count(out, "\n") != 2 {
		t.Errorf("found:\n%s", out)
	}
	there := func(folder string) int { return len(s.Messages(t, "new@haul.example", folder)) }
	want := map[string]int{}
	for _, step := range []struct {
		query string
		adds  map[string]int
	}{
		{"number7 from:a7", map[string]int{"Work": 1}},
		{"folder:Папка", map[string]int{cyrillic: 4}},
		{"date:2024-02", map[string]int{mail.Inbox: 1, "Work": 1}},
		{"is:unread", map[string]int{mail.Inbox: 2, "Work": 1}},
	} {
		for folder, n := range step.adds {
			want[folder] += n
		}
		for range 2 {
			must("restore", dir, account("new@haul.example"), "--select", step.query)
			for _, folder := range []string{mail.Inbox, "Work", cyrillic} {
				if want[folder] == 0 && folder != mail.Inbox {
					continue // which need not be there
				}
				if got := there(folder); got != want[folder] {
					t.Errorf("%s: %d in %s, want %d", step.query, got, folder, want[folder])
				}
			}
		}
	}
	must("restore", dir, account("new@haul.example"))
	if got := there(mail.Inbox) + there("Work") + there(cyrillic); got != n {
		t.Errorf("%d of %d messages are there in the end", got, n)
	}
}
