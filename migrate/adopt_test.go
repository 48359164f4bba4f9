package migrate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/migrate"
)

// alterations are what becomes of mail that gets to a destination by another way: a server or a tool in between.
var alterations = []struct {
	why    string
	ours   func(string) string // made of one that nobody has altered yet, as theirs
	theirs func(string) string
}{
	{"the same octets", same, same},
	{"LF line ends", same, func(m string) string { return strings.ReplaceAll(m, "\r\n", "\n") }},
	{"runs of CR levelled", func(m string) string { return strings.ReplaceAll(m, "two\r\n", "two\r\r\r\n") }, same},
	{"a last line end added", cutLast, same},
	{"a last line end cut off", same, cutLast},
	{"Received and another field added", same, func(m string) string {
		return "Received: from a by b (postfix) with ESMTP\r\n\tid 4711; Wed, 6 Mar 2024 11:00:00 +0100\r\nX-Spam-Status: No\r\n" + m
	}},
	{"a field folded anew", same, func(m string) string {
		return strings.Replace(m, "Subject: a subject of", "Subject: a subject\r\n of", 1)
	}},
	{"fields in another order", same, func(m string) string {
		first, rest, _ := strings.Cut(m, "\r\n")
		return strings.Replace(rest, "\r\n\r\n", "\r\n"+first+"\r\n\r\n", 1)
	}},
	{"8-bit octets of the header made X", func(m string) string { return strings.Replace(m, "a subject", "\xe4 subject", 1) },
		func(m string) string { return strings.Replace(m, "a subject", "X subject", 1) }},
	{"the Message-ID replaced", same, func(m string) string { return strings.Replace(m, "@adopted", "@exchange", 1) }},
	{"without a Message-ID, a field added", noID, func(m string) string { return "Status: RO\r\n" + noID(m) }},
	{"LF line ends, a field added, and the last line end cut off", same, func(m string) string {
		return strings.ReplaceAll("X-UID: 7\r\n"+cutLast(m), "\r\n", "\n")
	}},
}

func same(m string) string    { return m }
func cutLast(m string) string { return strings.TrimSuffix(m, "\r\n") }
func noID(m string) string {
	return m[:strings.Index(m, "Message-ID")] + m[strings.Index(m, "Subject"):]
}

func adopted(i int) string {
	return fmt.Sprintf("Date: Tue, 5 Mar 2024 10:%02d:%02d +0100\r\nFrom: a%d@x.example\r\nTo: b@x.example\r\n"+
		"Message-ID: <%d@adopted.example>\r\nSubject: a subject of %d\r\n\r\nline one\r\nline two\r\n\r\nthe end of %d\r\n", i/60%60, i%60, i, i, i, i)
}

// A cast is mail on both sides: in the archive, and of that what is at the destination beforehand, as it got there.
type cast struct{ ours, theirs [][]byte }

// awkwardCast is 200 messages that are there in altered form, 50 pairs of one Message-ID and different content, and 20
// messages without a Message-ID.
func awkwardCast() (c cast) {
	for i := range 200 {
		alter := alterations[i%len(alterations)]
		c.ours, c.theirs = append(c.ours, []byte(alter.ours(adopted(i)))), append(c.theirs, []byte(alter.theirs(adopted(i))))
	}
	for i := range 50 {
		id := fmt.Sprintf("%d@pair.example", i)
		c.ours = append(c.ours, withID(id, fmt.Sprint("one of ", i)), withID(id, fmt.Sprint("another of ", i)))
	}
	for i := range 20 {
		c.ours = append(c.ours, withID("", fmt.Sprint("nameless ", i)))
	}
	return c
}

// TestAlteredMailIsAdopted guards P8 and P7: what is there is recognised however it got there, what shares a Message-ID is
// not dropped for it, and nothing is sent again when the ledger is lost.
func TestAlteredMailIsAdopted(t *testing.T) {
	c := awkwardCast()
	elsewhen := time.Unix(1e9, 0)
	t.Run("postoffice", func(t *testing.T) {
		for _, without := range [][]string{nil, {"UIDPLUS"}} {
			acct, srv := office(t, postoffice.Trouble{Without: without})
			deliver(acct, c.theirs...)
			c.adopt(t, fmt.Sprintf("without %v", without), func() migrate.Destination { return client(srv) },
				func() [][]byte { return shown(acct) })
			if n := srv.Count("APPEND"); n != 120 {
				t.Errorf("without %v: %d APPENDs in all, want 120", without, n)
			}
		}
	})
	t.Run("Dovecot", func(t *testing.T) {
		s := dovecot.Shared(t)
		for _, m := range c.theirs {
			s.Deliver(t, "adopting", mail.Inbox, m, nil, elsewhen)
		}
		c.adopt(t, "Dovecot", func() migrate.Destination { return dovecotClient(s, "adopting") }, func() (all [][]byte) {
			for _, m := range s.Messages(t, "adopting", mail.Inbox) {
				all = append(all, m.Octets)
			}
			return all
		})
	})
}

// adopt runs three times, the last time without the ledger, and compares what is there in between.
func (c cast) adopt(t *testing.T, what string, dst func() migrate.Destination, there func() [][]byte) {
	t.Helper()
	p := push{dir: filled(t, c.ours...), pause: noWait}
	for _, tc := range []struct {
		run                      string
		known, present, appended int
	}{
		{"first", 0, 200, 120}, {"again", 320, 0, 0}, {"the ledger lost", 0, 320, 0},
	} {
		if tc.run == "the ledger lost" {
			forget(t, p.dir)
		}
		p.dst = dst()
		rep, err := p.run(t.Context())
		if err != nil || rep.Known != tc.known || rep.Present != tc.present || rep.Appended != tc.appended || rep.Archived != 320 {
			t.Errorf("%s, %s: %+v, %v", what, tc.run, rep, err)
		}
		now := there()
		pairs, nameless, different := 0, 0, map[mail.Digest]bool{}
		for _, m := range now {
			sum, err := mail.SumOf(bytes.NewReader(m))
			if err != nil {
				t.Fatal(err)
			}
			different[sum.BodyDigest] = true
			if strings.HasSuffix(sum.Header.MessageID, "@pair.example>") {
				pairs++
			} else if strings.HasPrefix(sum.Header.Subject, "nameless") {
				nameless++
			}
		}
		t.Logf("%s, %s: %d known, %d present, %d appended; %d there, of them %d of pairs, %d nameless", what, tc.run,
			rep.Known, rep.Present, rep.Appended, len(now), pairs, nameless)
		if len(now) != 320 || len(different) != 320 || pairs != 100 || nameless != 20 {
			t.Errorf("%s, %s: %d there, %d of them different", what, tc.run, len(now), len(different))
		}
	}
}
