package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestDovecotLimits moves real mail under a limit that each run raises: no run carries more, what the ledger has noted is
// what passed on the wire below TLS, to the octet but for farewells, and in the end every message is there once.
func TestDovecotLimits(t *testing.T) {
	const least, step = 350_000, 60_000 // none of the messages is larger than the first limit
	s := dovecot.Start(t, dovecot.Options{})
	all := realMail(t)
	for _, m := range all {
		s.Deliver(t, "old@haul.example", mail.Inbox, m, nil, time.Unix(1_000_000_000, 0))
	}
	m := newMove(t, s)
	args := m.args
	status := exitQuota
	for n := int64(1); status == exitQuota; n++ {
		if n > 20 {
			t.Fatal("it takes 20 runs")
		}
		limit := least + n*step
		m.args = append(args[:len(args):len(args)], "--daily-upload", strconv.FormatInt(limit, 10)+"B", "--bwlimit", "20M", "--max-rate", "500")
		var rep report
		status, rep = m.run(t)
		up, pop := m.imap.octets(), m.pop3.octets()
		passed := [2]int64{archive.Down: up[1] + pop[1], archive.Up: up[0] + pop[0]}
		got := noted(t, m.archive, "127.0.0.1")
		t.Logf("run %d: exit %d, %d appended, %d known; %d of %d octets went up, noted %v of %v", n, status, rep.Destination.Appended, rep.Destination.Known, up[0], limit, got, passed)
		if rep.Source.Listed != len(all) || rep.Source.Failed != 0 || status == exitQuota && rep.RunAgain == "" {
			t.Errorf("run %d: %+v, run again %q", n, rep.Source, rep.RunAgain)
		}
		if up[0] > limit+aside {
			t.Errorf("run %d: %d octets went up, allowed are %d", n, up[0], limit)
		}
		for way := range got {
			if missing := passed[way] - got[way]; missing < -farewells || missing > n*farewells { // a farewell may be said to who has gone
				t.Errorf("run %d: %d octets of way %d are noted, and %d passed", n, got[way], way, passed[way])
			}
		}
	}
	if status != exitDone {
		t.Errorf("it ended with %d", status)
	}
	t.Log(compareMail(t, all, imapInbox(t, s, "new@haul.example", "")))
	m.args = args
	m.again(t, len(all))
}

// farewells is what passes in a run after the last note: QUIT, a LOGOUT for each session, and their answers.
const farewells = 600
