package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// What a server counts and does not show makes the mailbox partial; nothing of it is taken for gone then.
func TestPartial(t *testing.T) {
	hide := func(uids ...uint32) func(postoffice.Message) bool {
		return func(m postoffice.Message) bool {
			for _, uid := range uids {
				if m.UID == uid {
					return true
				}
			}
			return false
		}
	}
	const counts = "partial: the server counts %d messages in the folder and shows %d, "
	for _, with := range [][]string{{"CONDSTORE"}, nil} {
		for _, test := range []struct {
			name string
			hide func(postoffice.Message) bool
			want string // of five at first, and then with two more
		}{
			{"one of the old", hide(2), "new 1[] 3[] 4[] 5[] 6[] 7[], flags, " + fmt.Sprintf(counts, 7, 6) + "7 messages"},
			{"the first and the last of the old", hide(1, 5), "new 2[] 3[] 4[] 6[] 7[], flags, " + fmt.Sprintf(counts, 7, 5) + "7 messages"},
			{"the first of the new", hide(6), "new 7[], flags, " + fmt.Sprintf(counts, 7, 6) + "7 messages"},
			{"all of the new", hide(6, 7), "new, flags, " + fmt.Sprintf(counts, 7, 5) + "7 messages"},
		} {
			s, _, me := sourceInOffice(t, postoffice.Trouble{With: with, Hide: test.hide})
			fill(me, 5)
			var since mail.Status // which is kept only of a mailbox that is shown whole
			if first := mustChange(t, s, since); first.Partial == "" {
				since = first.Status
			}
			fill(me, 2)
			ch := mustChange(t, s, since)
			if with == nil {
				ch.Flags = nil // all of them
			}
			if got := tale(ch); got != test.want {
				t.Errorf("%s %v: %s\nwant %s", test.name, with, got, test.want)
			}
		}
	}
}

// Exactly as many as some providers show at most are too many to be all.
func TestCeiling(t *testing.T) {
	const hidden = "the server shows exactly %d messages of the folder, as many as some providers show at most: older ones may be hidden"
	for _, test := range []struct {
		host  string
		count uint32
		want  string
	}{
		{"imap.example.org", 9_999, ""}, {"imap.example.org", 10_001, ""}, {"imap.mail.yahoo.com", 1_000, ""},
		{"imap.example.org", 10_000, fmt.Sprintf(hidden, 10_000)},
		{"imap.mail.yahoo.com", 10_000, fmt.Sprintf(hidden, 10_000) + "; export.imap.mail.yahoo.com shows more"},
		{"export.imap.mail.yahoo.com", 100_000, fmt.Sprintf(hidden, 100_000)},
	} {
		if got := ceiling(test.host, test.count); got != test.want {
			t.Errorf("ceiling(%q, %d) = %q, want %q", test.host, test.count, got, test.want)
		}
	}
	s := rows(10_000, none).source(t)
	ch := mustChange(t, s, mail.Status{})
	if len(ch.New) != 10_000 || ch.Partial != fmt.Sprintf(hidden, 10_000) {
		t.Errorf("%d messages, %q", len(ch.New), ch.Partial)
	}
	_, err := s.List(t.Context(), mail.Inbox)
	if got, want := describe(err), "mailbox protocol: list INBOX: "+fmt.Sprintf(hidden, 10_000); got != want {
		t.Errorf("List: %s, want %s", got, want)
	}
}

// Large mailboxes come in parts; what a server leaves out of its answers is asked for until all is there.
func TestManyMessages(t *testing.T) {
	for name, test := range map[string]struct {
		trouble postoffice.Trouble
		most    int // commands
	}{
		"whole":                    {postoffice.Trouble{}, 3},
		"the first thousand":       {postoffice.Trouble{AtOnce: 1000}, 6},
		"a thousand, by the book":  {postoffice.Trouble{With: []string{"MESSAGELIMIT=1000"}}, 6},
		"a thousand, said by none": {postoffice.Trouble{With: []string{"MESSAGELIMIT=1000"}, Rewrite: postoffice.Replace("", ` MESSAGELIMIT=1000`, "")}, 7},
		"others' flags between":    {postoffice.Trouble{Unasked: true}, 3},
	} {
		s, server, me := sourceInOffice(t, test.trouble)
		fill(me, 5000)
		me.Expunge(mail.Inbox, 2000)
		me.Expunge(mail.Inbox, 2001)
		ch := mustChange(t, s, mail.Status{})
		if len(ch.New) != 4998 || ch.Partial != "" {
			t.Errorf("%s: %d messages, %q", name, len(ch.New), ch.Partial)
		}
		for i := 1; i < len(ch.New); i++ {
			if uidOf(ch.New[i]) <= uidOf(ch.New[i-1]) || ch.New[i].Size == 0 || ch.New[i].Received.IsZero() {
				t.Fatalf("%s: %+v behind %+v", name, ch.New[i], ch.New[i-1])
			}
		}
		if n := server.Count("UID FETCH") + server.Count("FETCH"); n > test.most {
			t.Errorf("%s: %d commands", name, n)
		}
	}
}

// What others do while a mailbox is looked at: a listing is one of some moment.
func TestLookDuring(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(me *postoffice.Account)
		want      string
	}{
		"expunged":         {func(me *postoffice.Account) { me.Expunge(mail.Inbox, 2) }, "new 1[] 3[] 4[] 5[], flags, 4 messages"},
		"arrived":          {func(me *postoffice.Account) { fill(me, 1) }, "new 1[] 2[] 3[] 4[] 5[], flags, 5 messages"},
		"expunged and new": {func(me *postoffice.Account) { me.Expunge(mail.Inbox, 5); fill(me, 1) }, "new 1[] 2[] 3[] 4[] 6[], flags, 5 messages"},
	} {
		once := false
		var me *postoffice.Account
		s, _, me := sourceInOffice(t, postoffice.Trouble{OnCommand: func(_ int, command string) {
			if strings.HasPrefix(command, "UID FETCH") && !once {
				once = true
				test.meanwhile(me)
			}
		}})
		fill(me, 5)
		if got := tale(mustChange(t, s, mail.Status{})); got != test.want {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
	}
}

// A NO spoils what was not shown, and nothing else.
func TestLookRefused(t *testing.T) {
	for name, test := range map[string]struct {
		fault postoffice.Fault
		want  string
	}{
		"to everything": {postoffice.Fault{Verb: "UID FETCH", Say: "NO [CANNOT] read this"}, "mailbox refused: list INBOX: the server says: read this"},
		"once":          {postoffice.Fault{Verb: "UID FETCH", Times: 1, Say: "NO [CANNOT] read this"}, "ok"},
		"busy":          {postoffice.Fault{Verb: "UID FETCH", Say: "NO [UNAVAILABLE] try again"}, "session network later 1m0s: list INBOX: the server says: try again"},
		"BAD":           {postoffice.Fault{Verb: "UID FETCH", Times: 1, Say: "BAD what?"}, "ok"},
	} {
		faults := []postoffice.Fault{test.fault}
		if test.fault.Times == 0 {
			faults = append(faults, postoffice.Fault{Verb: "FETCH", Say: test.fault.Say})
		}
		s, _, me := sourceInOffice(t, postoffice.Trouble{Faults: faults})
		fill(me, 5)
		items, err := s.List(t.Context(), mail.Inbox)
		if got := describe(err); got != test.want || err == nil && len(items) != 5 {
			t.Errorf("%s: %d messages, %s; want %s", name, len(items), got, test.want)
		}
	}
}

// A server that lists without end, or flags without end, is stopped.
func TestLookFlood(t *testing.T) {
	for row, want := range map[string]string{
		"* %d FETCH (UID %d FLAGS () RFC822.SIZE 1)\r\n": "more messages than the folder holds",
		"* %d FETCH (FLAGS ())\r\n":                      "more messages than the folder holds",
		"* %d FETCH (UID 0 FLAGS ())\r\n":                "talks without end",
	} {
		s := &script{answer: on("UID FETCH", func(s *talk, _ string) {
			for uid := 1; ; uid++ {
				args := []any{uid, uid}[:strings.Count(row, "%d")]
				if _, err := fmt.Fprintf(s.conn, row, args...); err != nil {
					return
				}
			}
		})}
		_, err := s.source(t).List(t.Context(), mail.Inbox)
		if got := describe(err); !strings.HasPrefix(got, "session protocol") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", row, got)
		}
	}
}

// Flags as servers have them (E32): system flags whatever else is there, and keywords of every kind.
func TestOddFlags(t *testing.T) {
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, " k%d", i)
	}
	for list, want := range map[string]string{
		`\Seen \Recent $Junk`:      `[$Junk \Seen]`,
		`\\Seen \sEEn \Flagged`:    `[\Flagged \Seen]`,
		`a]b "quoted" "two words"`: `[a]b quoted]`,
		`NIL \*`:                   `[NIL]`,
		"{3}\r\nlit \\Answered":    `[\Answered lit]`,
		"\xfcml\xe4ut \\Draft":     `[\Draft]`,
	} {
		s := oneMessage(`UID 1 RFC822.SIZE 9 FLAGS (` + list + `)`)
		items, err := s.source(t).List(t.Context(), mail.Inbox)
		if err != nil || len(items) != 1 || fmt.Sprint(items[0].Flags) != want {
			t.Errorf("%s: %v, %v; want %s", list, items, err, want)
		}
	}
	items, err := oneMessage(`UID 1 RFC822.SIZE 9 FLAGS (\Seen`+many.String()+`)`).source(t).List(t.Context(), mail.Inbox)
	if err != nil || len(items[0].Flags) != maxFlags || !items[0].Flags.Has(mail.Seen) {
		t.Errorf("many flags: %v", err)
	}
}

func oneMessage(row string) *script {
	return &script{answer: func(s *talk, cmd string) bool {
		return on("EXAMINE", saying("* 1 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 2] n", "TAG OK done"))(s, cmd) ||
			on("UID FETCH", saying("* 1 FETCH ("+row+")", "TAG OK done"))(s, cmd)
	}}
}

// INTERNALDATEs that are none (E31) leave the time open, and nothing else.
func TestOddDates(t *testing.T) {
	for date, want := range map[string]string{
		`"17-Jul-1996 02:44:25 -0700"`: "17-Jul-1996 02:44:25 -0700", `" 7-Feb-2106 06:28:16 +0000"`: " 7-Feb-2106 06:28:16 +0000",
		`"00-Jan-0000 00:00:00 +0000"`: "", "NIL": "", `""`: "", `"Mon, 7 Feb 1994 21:52:25 -0800"`: "", `"01-Jan-0001 00:00:00 +0000"`: "",
	} {
		items, err := oneMessage("UID 1 RFC822.SIZE 9 FLAGS () INTERNALDATE "+date).source(t).List(t.Context(), mail.Inbox)
		if err != nil || len(items) != 1 || items[0].Size != 9 {
			t.Errorf("%s: %v, %v", date, items, err)
			continue
		}
		got := items[0].Received
		if got.IsZero() != (want == "") || !got.IsZero() && got.Format(dateTime) != want {
			t.Errorf("%s: %v", date, got)
		}
	}
}

// Messages that a server cannot list, and says NO at, do not keep the others from being listed, and are found by few
// commands; where it tells their UIDs, whoever reads them hears why.
func TestLookIsolates(t *testing.T) {
	for name, test := range map[string]struct {
		uids     bool // it tells the UIDs of all
		code     string
		broken   []int
		listed   int
		partial  string
		commands int
	}{
		"one":               {true, "[SERVERBUG]", []int{1500}, 3000, "", 40},
		"three":             {true, "", []int{1, 2, 3000}, 3000, "", 60},
		"without their UID": {false, "[CANNOT]", []int{7}, 2999, "the server counts 3000 messages in the folder and shows 2999; the server says: it is broken", 40},
	} {
		s := &script{answer: func(s *talk, cmd string) bool {
			words := strings.Fields(cmd)
			switch words[0] {
			case "EXAMINE":
				s.say("* 3000 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 3001] n", s.tag+" OK done")
				return true
			case "UID":
				words = words[1:]
			case "FETCH":
			default:
				return false
			}
			for _, n := range uidsIn(strings.Replace(words[1], "*", "3000", 1)) {
				if slices.Contains(test.broken, n) && (!test.uids || strings.Contains(cmd, "SIZE")) {
					s.say(s.tag + " NO " + test.code + " it is broken")
					return true
				}
				s.say(fmt.Sprintf("* %d FETCH (UID %d RFC822.SIZE 9 FLAGS ())", n, n))
			}
			s.say(s.tag + " OK done")
			return true
		}}
		src := s.source(t)
		ch, err := src.Changes(t.Context(), mail.Inbox, mail.Status{})
		if err != nil || len(ch.New) != test.listed || ch.Partial != test.partial {
			t.Errorf("%s: %d messages, %q, %v", name, len(ch.New), ch.Partial, err)
		}
		if n := len(s.log()); n > test.commands {
			t.Errorf("%s: %d commands", name, n)
		}
	}
}
