package mail

import (
	"strings"
	"testing"
	"time"
)

func TestParseHeader(t *testing.T) {
	for _, tc := range []struct {
		head, id, subject string
	}{
		{"Message-ID: <a@b>\r\nSubject: hi\r\n\r\nSubject: body", "<a@b>", "hi"},
		{"message-id:\r\n <a@b>\r\n", "<a@b>", ""},
		{"Message-Id : <a@b> (added by postmaster)\n", "<a@b>", ""},
		{"Message-ID: <a b\r\n\t@c>\r\n", "<ab@c>", ""},
		{"Message-ID: 102.10200000000105\n", "102.10200000000105", ""},
		{"Message-ID: <first@x>\nMessage-ID: <second@x>\n", "<first@x>", ""},
		{"From someone Mon Jan  1 00:00:00 2001\nMessage-ID: <a@b>\n", "<a@b>", ""},
		{" a header that begins by continuing\nMessage-ID: <a@b>\n", "<a@b>", ""},
		{"no colon here\nMessage-ID: <a@b>\nSubject: one\n two\n\tthree\n", "<a@b>", "one two three"},
		{"Message-ID: <>\n", "<>", ""},
		{"\nMessage-ID: <in@body>\n", "", ""},
		{"", "", ""},
		{"\x00\x00\n:\n:x\nMessage-ID:\n", "", ""},
	} {
		h := ParseHeader([]byte(tc.head))
		if h.MessageID != tc.id || h.Subject != tc.subject {
			t.Errorf("ParseHeader(%q) = %q, %q; want %q, %q", tc.head, h.MessageID, h.Subject, tc.id, tc.subject)
		}
	}
}

func TestKeysSurviveWhatServersDo(t *testing.T) {
	sent := ParseHeader([]byte("Message-ID: <b@example.[Српски]>\r\nSubject: Ž and\r\n more\r\n"))
	shown := ParseHeader([]byte("Message-ID: <b@example.[XXXXXXXXXXXX]>\r\nSubject: XX and more\r\n"))
	a, b := sent.Keys(), shown.Keys()
	if len(a) != 2 || len(b) != 2 || a[0] != b[0] || a[1] != b[1] {
		t.Errorf("keys %q and %q differ", a, b)
	}
	if keys := (Header{}).Keys(); len(keys) != 0 {
		t.Errorf("a header without fields has keys %q", keys)
	}
}

func TestArrived(t *testing.T) {
	for _, tc := range []struct{ head, want string }{
		{"Received: from a by b; Tue, 3 Mar 2020 10:00:00 +0100\nReceived: x; Mon, 2 Mar 2020 10:00:00 +0100\nDate: Sun, 1 Mar 2020 10:00:00 +0100\n", "2020-03-03T10:00:00+01:00"},
		{"Received: from a by b\nDate: Sun, 1 Mar 2020 10:00:00 -0500 (EST)\n", "2020-03-01T10:00:00-05:00"},
		{"Date: Whenever\n", ""},
		{"Date: Mon, 1 Jan 0102 00:00:00 +0000\n", ""},
		{"Date: Mon, 1 Jan 3609 00:00:00 +0000\n", ""},
		{"", ""},
	} {
		got := ParseHeader([]byte(tc.head)).Arrived()
		if tc.want == "" && !got.IsZero() || tc.want != "" && got.Format(time.RFC3339) != tc.want {
			t.Errorf("Arrived(%q) = %v, want %s", tc.head, got, tc.want)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte("Message-ID: <a@b>\r\nDate: x\r\n\r\n"))
	f.Add([]byte("To: " + strings.Repeat("x", 70_000) + "\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		h := ParseHeader(head)
		h.Arrived()
		h.Keys()
		if len(h.MessageID) > maxMessageID || len(h.Date+h.From+h.To+h.Subject) > 4*maxField {
			t.Errorf("a header of %d octets gives %d", len(head), len(h.MessageID+h.Date+h.From+h.To+h.Subject))
		}
	})
}

func TestFlags(t *testing.T) {
	f := MakeFlags(`\SEEN`, `\Recent`, "$forwarded", `\Seen`, "work", "Work", "T")
	if f.Maildir() != "PS" || len(f) != 4 || !f.Has(Seen) || f.Has(`\Recent`) {
		t.Errorf("MakeFlags = %q with letters %q", f, f.Maildir())
	}
	if k := f.Keywords(); len(k) != 2 {
		t.Errorf("Keywords = %q, want T and work", k)
	}
	if got := MaildirFlags("SPa"); !got.Equal(MakeFlags(`\Seen`, "$Forwarded")) {
		t.Errorf(`MaildirFlags("SPa") = %q`, got)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 漢":        "plain ä 漢",
		"\x1b[2Jx\r\n":     `\x1b[2Jx\x0d\x0a`,
		"\xff\u0085\u202e": `\xff\u0085\u202e`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestEndlessFold: a header of the largest size in lines of the smallest must not take minutes.
func TestEndlessFold(t *testing.T) {
	lines := maxHead / len("\r\n b")
	h := ParseHeader([]byte("Subject: a" + strings.Repeat("\r\n b", lines) + "\r\nMessage-ID: <x@y>\r\n\r\n"))
	if want := ("a" + strings.Repeat(" b", lines))[:maxField]; h.Subject != want || h.MessageID != "<x@y>" {
		t.Errorf("Subject of %d octets, want %d; Message-ID %q", len(h.Subject), len(want), h.MessageID)
	}
}
