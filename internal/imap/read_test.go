package imap

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// item is a message of INBOX of a script.
func item(uid uint32) mail.Item {
	return mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, Validity: 7, UID: fmt.Sprint(uid)}, Size: 3}
}

// fetchAll returns what Fetch hands over, as "5 abc" or "5 ERROR", and the last what it returned.
func fetchAll(t *testing.T, s *script, uids ...uint32) []string {
	t.Helper()
	var items []mail.Item
	for _, uid := range uids {
		items = append(items, item(uid))
	}
	var got []string
	err := s.client(t).Fetch(t.Context(), items, func(it mail.Item, r io.Reader) error {
		p, err := io.ReadAll(r)
		text := string(p)
		if err != nil {
			text = describe(err)
		}
		got = append(got, it.Ref.UID+" "+text)
		if e := new(mail.Error); errors.As(err, &e) && e.Scope == mail.ScopeMessage {
			return nil
		}
		return err
	})
	return append(got, describe(err))
}

// bodies answers every UID FETCH: show tells the line for a UID, given whether it was asked for alone; "" shows
// nothing of it.
func bodies(show func(uid int, alone bool) string, final string) *script {
	return &script{answer: on("UID FETCH", func(s *talk, cmd string) {
		uids := uidsIn(strings.Fields(cmd)[2])
		for _, uid := range uids {
			if line := show(uid, len(uids) == 1); line != "" {
				s.say(fmt.Sprintf("* %d FETCH (%s)", uid-4, line))
			}
		}
		s.say(s.tag + " " + final)
	})}
}

func uidsIn(set string) (uids []int) {
	for _, part := range strings.Split(set, ",") {
		var lo, hi int
		if n, _ := fmt.Sscanf(part, "%d:%d", &lo, &hi); n == 1 {
			hi = lo
		}
		for ; lo <= hi; lo++ {
			uids = append(uids, lo)
		}
	}
	return uids
}

func body3(uid int) string { return fmt.Sprintf("UID %d BODY[] {3}\r\n%03d", uid, uid) }

func TestFetch(t *testing.T) {
	const vanished = "message vanished: read INBOX: the server does not show the message any more"
	all := []string{"5 005", "6 006", "7 007", "ok"}
	for name, test := range map[string]struct {
		script *script
		want   []string
	}{
		"as it should be": {bodies(func(uid int, _ bool) string { return body3(uid) }, "OK done"), all},
		"one vanished": {bodies(func(uid int, _ bool) string {
			if uid == 6 {
				return ""
			}
			return body3(uid)
		}, "OK done"), []string{"5 005", "6 " + vanished, "7 007", "ok"}},
		"the last vanished": {bodies(func(uid int, _ bool) string {
			if uid == 7 {
				return ""
			}
			return body3(uid)
		}, "OK done"), []string{"5 005", "6 006", "7 " + vanished, "ok"}},
		"UID behind the body": {bodies(func(uid int, _ bool) string { return fmt.Sprintf("BODY[] {3}\r\n%03d FLAGS () UID %d", uid, uid) }, "OK done"), all},
		"flags first": {bodies(func(uid int, _ bool) string {
			return fmt.Sprintf("UID %d FLAGS (\\Seen))\r\n* %d FETCH (%s", uid, uid-4, body3(uid))
		}, "OK done"), all},
		"only alone": {bodies(func(uid int, alone bool) string {
			if !alone {
				return ""
			}
			return body3(uid)
		}, "OK done"), all},
		"NO to many": {&script{answer: on("UID FETCH", func(s *talk, cmd string) {
			if set := strings.Fields(cmd)[2]; strings.ContainsAny(set, ":,") {
				s.say(s.tag + " BAD Maximum call stack size exceeded")
			} else {
				s.say("* 1 FETCH ("+body3(uidsIn(set)[0])+")", s.tag+" OK done")
			}
		})}, all},
		"NO to one": {&script{answer: on("UID FETCH", func(s *talk, cmd string) {
			set := strings.Fields(cmd)[2]
			if slices.Contains(uidsIn(set), 6) {
				s.say(s.tag + " NO cannot read that")
				return
			}
			for _, uid := range uidsIn(set) {
				s.say("* 1 FETCH (" + body3(uid) + ")")
			}
			s.say(s.tag + " OK done")
		})}, []string{"5 005", "6 message refused: read INBOX: the server says: cannot read that", "7 007", "ok"}},
		"empty": {bodies(func(uid int, _ bool) string {
			if uid == 6 {
				return "UID 6 BODY[] {0}\r\n"
			}
			return body3(uid)
		}, "OK done"), []string{"5 005", "6 message protocol: read INBOX: the server shows the message as empty", "7 007", "ok"}},
		"NIL": {bodies(func(uid int, _ bool) string {
			if uid == 6 {
				return "UID 6 BODY[] NIL"
			}
			return body3(uid)
		}, "OK done"), []string{"5 005", "6 message protocol: read INBOX: the server shows the message without its octets", "7 007", "ok"}},
		"no octets at all": {bodies(func(uid int, _ bool) string { return fmt.Sprintf("UID %d", uid) }, "OK done"),
			[]string{"5 " + vanished, "6 " + vanished, "7 " + vanished, "ok"}},
		"others too": {bodies(func(uid int, _ bool) string { return body3(uid) + ")\r\n* 90 FETCH (" + body3(uid+90) }, "OK done"), all},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fetchAll(t, test.script, 5, 6, 7); !slices.Equal(got, test.want) {
				t.Errorf("Fetch =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// Any order, repetitions, and a mailbox that was numbered anew.
func TestFetchOrder(t *testing.T) {
	s := bodies(func(uid int, _ bool) string { return body3(uid) }, "OK done")
	if got := strings.Join(fetchAll(t, s, 7, 5, 5, 6), ", "); got != "7 007, 5 005, 5 005, 6 006, ok" {
		t.Errorf("Fetch = %s", got)
	}
	s = &script{}
	old := item(5)
	old.Ref.Validity = 6
	err := s.client(t).Fetch(t.Context(), []mail.Item{old}, func(mail.Item, io.Reader) error { return nil })
	if !strings.HasPrefix(describe(err), "mailbox vanished: ") {
		t.Errorf("Fetch under an old UIDVALIDITY: %v", err)
	}
}

// A message is never taken for whole when the line was cut, wherever in the answer.
func TestFetchCut(t *testing.T) {
	answer := "* 1 FETCH (UID 5 BODY[] {3}\r\n005)\r\n* 2 FETCH (UID 6 BODY[] {3}\r\n006 FLAGS ())\r\nT5 OK done\r\n"
	for at := range len(answer) {
		s := &script{answer: on("UID FETCH", func(s *talk, _ string) {
			s.raw(strings.ReplaceAll(answer, "T5", s.tag)[:at])
			s.conn.Close()
		})}
		for _, got := range fetchAll(t, s, 5, 6) {
			if !slices.Contains([]string{"5 005", "6 006"}, got) && !strings.Contains(got, "session network later 1s: read INBOX: ") {
				t.Errorf("cut at %d: %s", at, got)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	for name, test := range map[string]struct {
		lines []string
		want  string
	}{
		"all":              {[]string{"* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 10] n", "TAG OK done"}, "{7 10 3"},
		"no UIDNEXT":       {[]string{"* 3 EXISTS", "* OK [UIDVALIDITY 7] v", "TAG OK done"}, "{7 43 3"},
		"none, no UIDNEXT": {[]string{"* 0 EXISTS", "* OK [UIDVALIDITY 7] v", "TAG OK done"}, "{7 1 0"},
		"no UIDVALIDITY":   {[]string{"* 3 EXISTS", "* OK [UIDNEXT 10] n", "TAG OK done"}, "mailbox protocol"},
		"UIDVALIDITY 0":    {[]string{"* 3 EXISTS", "* OK [UIDVALIDITY 0] v", "* OK [UIDNEXT 10] n", "TAG OK done"}, "mailbox protocol"},
		"no EXISTS":        {[]string{"* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 10] n", "TAG OK done"}, "mailbox protocol"},
		"NO":               {[]string{"TAG NO [NONEXISTENT] no such mailbox"}, "mailbox vanished: open INBOX: the folder is not there any more: the server says: no such mailbox"},
	} {
		s := &script{answer: func(s *talk, cmd string) bool {
			return on("SELECT", saying(test.lines...))(s, cmd) || on("FETCH 3 ", saying("* 3 FETCH (UID 42)", "TAG OK done"))(s, cmd)
		}}
		status, err := s.client(t).Select(t.Context(), mail.Inbox)
		got := fmt.Sprint("{", status.Validity, status.Next, status.Messages)
		if err != nil {
			got = describe(err)
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: Select = %s, want %s", name, got, test.want)
		}
	}
}

// rows answers a listing of n messages with UIDs 1 to n, but for those that hide says.
func rows(n int, hide func(uid int, cmd string) bool) *script {
	return &script{answer: func(s *talk, cmd string) bool {
		if strings.HasPrefix(cmd, "SELECT") || strings.HasPrefix(cmd, "EXAMINE") {
			s.say(fmt.Sprintf("* %d EXISTS", n), "* OK [UIDVALIDITY 7] v", fmt.Sprintf("* OK [UIDNEXT %d] n", n+1), s.tag+" OK done")
			return true
		}
		if !strings.HasPrefix(cmd, "UID FETCH") {
			return false
		}
		lo, hi := 1, n
		fmt.Sscanf(strings.Replace(strings.Fields(cmd)[2], "*", fmt.Sprint(n), 1), "%d:%d", &lo, &hi)
		if !strings.Contains(cmd, ":") || hi < lo { // one UID, or n:* beyond the last
			hi = max(lo, hi)
			lo = min(lo, n)
		}
		var b strings.Builder
		for uid := lo; uid <= min(hi, n); uid++ {
			if !hide(uid, cmd) {
				fmt.Fprintf(&b, "* %d FETCH (FLAGS (\\Seen \\Recent) UID %d RFC822.SIZE 10 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <%03d>\r\n\r\n)\r\n", uid, uid, uid%1000)
			}
		}
		s.raw(b.String())
		s.say(s.tag + " OK done")
		return true
	}}
}

func none(int, string) bool { return false }

func TestList(t *testing.T) {
	for name, test := range map[string]struct {
		script      *script
		from        uint32
		first, want int
		err         string
	}{
		"all":         {rows(5, none), 1, 1, 5, "ok"},
		"from":        {rows(5, none), 4, 4, 2, "ok"},
		"nothing new": {rows(5, none), 6, 0, 0, "ok"}, // 6:* shows 5
		"far beyond":  {rows(5, none), 4000000000, 0, 0, "ok"},
		"none at all": {rows(0, none), 1, 0, 0, "ok"},
		"windows":     {rows(5001, none), 1, 1, 5001, "ok"},
		"left out once": {rows(5, func(uid int, cmd string) bool {
			return uid == 3 && strings.Contains(cmd, "1:*") && strings.Contains(cmd, "HEADER")
		}), 1, 1, 5, "ok"},
		"left out behind": {rows(5, func(uid int, cmd string) bool {
			return uid == 4 && strings.Contains(cmd, "3:*") && strings.Contains(cmd, "HEADER")
		}), 3, 3, 3, "ok"},
		"counted, not there": {rows(5, func(uid int, _ string) bool { return uid == 5 }), 1, 1, 4, "ok"},
		"never shown": {rows(5, func(uid int, cmd string) bool { return uid == 3 && strings.Contains(cmd, "HEADER") }), 1, 0, 0,
			"mailbox protocol: list INBOX: the server counts messages in the folder that it does not list"},
	} {
		t.Run(name, func(t *testing.T) {
			var items []mail.Item
			err := test.script.client(t).List(t.Context(), mail.Inbox, test.from, func(some []mail.Item) { items = append(items, some...) })
			slices.SortFunc(items, func(a, b mail.Item) int { return cmp.Compare(uidOf(a), uidOf(b)) })
			if err != nil {
				items = nil // they count when it has come to its end
			}
			if describe(err) != test.err || len(items) != test.want {
				t.Fatalf("List = %d items, %s; want %d, %s", len(items), describe(err), test.want, test.err)
			}
			for i, it := range items {
				last := uint32(test.first + i)
				if test.want > 1 && name != "counted, not there" && uidOf(it) != last {
					t.Fatalf("item %d is %v", i, it.Ref)
				}
				if it.Header.MessageID != fmt.Sprintf("<%03d>", last%1000) || it.Size != 10 || !it.Flags.Equal(mail.MakeFlags(`\Seen`)) ||
					it.Received.Format(dateTime) != "17-Jul-1996 02:44:25 -0700" || it.Ref.Validity != 7 {
					t.Fatalf("item %d is %+v", i, it)
				}
			}
		})
	}
}

// A listing is asked for in parts, however sparse the UIDs are.
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		messages, next, from uint32
		want                 string
	}{
		{100, 4000000000, 1, "1:*"},
		{10000, 10001, 1, "1:2000 2001:4000 4001:6000 6001:8000 8001:*"},
		{10000, 10001, 9000, "9000:*"},
		{4000, 4000000001, 1, "1:2000000000 2000000001:*"},
		{10000, 10001, 4000000000, "4000000000:*"},
		{1000000, 4294967294, 4294967290, "4294967290:*"},
	} {
		s := &session{status: mail.Status{Messages: test.messages, Next: test.next}}
		var got []string
		for _, set := range s.windowsOf(uint64(test.from), 0, 0) {
			got = append(got, set.String())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("windows from %d of %d below %d: %s, want %s", test.from, test.messages, test.next, strings.Join(got, " "), test.want)
		}
	}
}

// A server that lists without end is stopped.
func TestListFlood(t *testing.T) {
	s := &script{answer: on("UID FETCH", func(s *talk, _ string) {
		for uid := 1; ; uid++ {
			if _, err := fmt.Fprintf(s.conn, "* 1 FETCH (UID %d BODY[HEADER.FIELDS (DATE)] {0}\r\n)\r\n", uid); err != nil {
				return
			}
		}
	})}
	err := s.client(t).List(t.Context(), mail.Inbox, 1, func([]mail.Item) {})
	if got := describe(err); !strings.HasPrefix(got, "session protocol") || !strings.Contains(got, "more messages than the folder holds") {
		t.Errorf("List: %s", got)
	}
}
