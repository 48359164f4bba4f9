package pop3

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

func five() []string {
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf("Subject: %d\r\n\r\nbody %d\r\n", i+1, i+1))
	}
	return all
}

func lines(status string, all ...string) string {
	return status + "\r\n" + strings.Join(append(all, "."), "\r\n") + "\r\n"
}

func uids(items []mail.Item) []string {
	var all []string
	for _, item := range items {
		all = append(all, item.Ref.UID)
	}
	return all
}

// TestListingsThatContradict: none is returned short, none is believed, and each is asked twice.
func TestListingsThatContradict(t *testing.T) {
	long := strings.Repeat("9", 30)
	for _, tt := range []struct{ verb, answer, text string }{
		{"STAT", "+OK 6 9\r\n", "STAT counts 6 messages, UIDL shows 5"},
		{"STAT", "+OK 4 9\r\n", "STAT counts 4 messages, UIDL shows more"},
		{"STAT", "+OK 0 0\r\n", "STAT counts 0 messages, UIDL shows more"},
		{"UIDL", lines("+OK", "1 a", "2 b", "4 d", "5 e"), "STAT counts 5 messages, UIDL shows 4"},
		{"UIDL", lines("+OK", "1 a", "2 b", "3 c", "3 d", "5 e"), "UIDL shows number 3 once too often"},
		{"UIDL", lines("+OK", "1 a", "2 b", "3 c", "4 d", "6 e"), "UIDL shows number 5 once too often or too seldom"},
		{"UIDL", lines("+OK", "0 a", "1 b", "2 c", "3 d", "4 e"), "UIDL shows number 0"},
		{"UIDL", lines("+OK", "1 a", "", "2 b", "3 c", "4 d", "5 e"), `UIDL says ""`},
		{"UIDL", lines("+OK", "-7 a", "1 a", "2 b", "3 c", "4 d"), `UIDL says "-7 a"`},
		{"UIDL", lines("+OK", "one a", "2 b", "3 c", "4 d", "5 e"), `UIDL says "one a"`},
		{"UIDL", lines("+OK", long+" a", "2 b", "3 c", "4 d", "5 e"), `UIDL says "999`},
		{"UIDL", lines("+OK", "1a", "2 b", "3 c", "4 d", "5 e"), `UIDL says "1a"`},
		{"UIDL", "+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n5 e\r\n6 f\r\n.\r\n", "UIDL shows more"},
		{"LIST", lines("+OK", "1 10", "2 10", "3 10"), "STAT counts 5 messages, LIST shows 3"},
		{"LIST", lines("+OK", "1 10", "", "3 10", "4 10", "5 10"), `LIST says ""`},
		{"LIST", lines("+OK", "1 10", "2", "3 10", "4 10", "5 10"), `LIST says "2"`},
		{"LIST", lines("+OK", "1 10", "2 -10", "3 10", "4 10", "5 10"), `LIST says "2 -10"`},
		{"LIST", lines("+OK", "1 10", "2 10", "3 10", "4 10", "4 10"), "LIST shows number 4"},
		{"LIST", lines("+OK", "1 10", "2 10", "3 10", "4 10", "5 10", "6 10"), "STAT counts 5 messages, LIST shows more"},
	} {
		for _, capa := range []string{"-ERR\r\n", pipelining} {
			s, p := scripted(t, with(holding(five()...), map[string]string{tt.verb: tt.answer, "CAPA": capa}))
			items, err := s.List(t.Context(), mail.Inbox)
			e := wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, "list INBOX: the server contradicts itself: ")
			if !strings.Contains(e.Error(), tt.text) || items != nil || e.Later == 0 || e.Hint == "" {
				t.Errorf("%q to %s: %d items, %q, want %q", tt.answer, tt.verb, len(items), e, tt.text)
			}
			if p.sessions() != 2 || strings.Contains(p.said(), "QUIT") {
				t.Errorf("%q to %s: %d sessions, want 2; said %q", tt.answer, tt.verb, p.sessions(), p.said())
			}
		}
	}
}

// TestSecondLookHelps: new mail may come in between STAT and UIDL where the server does not lock the maildrop.
func TestSecondLookHelps(t *testing.T) {
	s, server, _ := inOffice(t, postoffice.Trouble{On: postoffice.Only(1), Rewrite: func(command, line string) []string {
		if command == "STAT" {
			return []string{"+OK 4 9"}
		}
		return []string{line}
	}}, []byte("one"), []byte("two"), []byte("three"))
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil || len(items) != 3 || server.Count("QUIT") != 0 {
		t.Errorf("List = %d items, %v", len(items), err)
	}
	s, _, _ = inOffice(t, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "UIDL", Times: 1, Say: "+OK", End: postoffice.FIN}}}, []byte("one"))
	if _, err = s.List(t.Context(), mail.Inbox); err == nil {
		t.Error("a listing that is cut off is no listing")
	}
}

// TestListingsToAccept: odd, but nothing is missing.
func TestListingsToAccept(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"out of order":      {"UIDL": lines("+OK", "5 uid5", "1 uid1", "3 uid3", "2 uid2", "4 uid4"), "LIST": lines("+OK", "2 2", "1 1", "5 5", "4 4", "3 3")},
		"several spaces":    {"UIDL": lines("+OK", "1   uid1", "2 \t uid2", "3  uid3", " 4 uid4", "05 uid5")},
		"more in LIST":      {"LIST": lines("+OK", "1 1 x", "2 2 octets", "3 3", "4 4", "5 99999999999999999")},
		"more in STAT":      {"STAT": "+OK 5 100 and something\r\n"},
		"no octets in STAT": {"STAT": "+OK 5\r\n"},
		"status texts":      {"UIDL": lines("+OK 5 uids", "1 uid1", "2 uid2", "3 uid3", "4 uid4", "5 uid5"), "LIST": lines("+ok\t5 messages (9 octets)", "1 1", "2 2", "3 3", "4 4", "5 5")},
	} {
		s, _ := scripted(t, with(holding(five()...), answers))
		items, err := s.List(t.Context(), mail.Inbox)
		if want := []string{"uid1", "uid2", "uid3", "uid4", "uid5"}; err != nil || !slices.Equal(uids(items), want) {
			t.Errorf("%s: List = %q, %v; want %q", name, uids(items), err, want)
		}
		for _, item := range items {
			if item.Size < 1 || item.Size > maxSize || item.Ref.Mailbox != mail.Inbox || item.Ref.Validity != 0 {
				t.Errorf("%s: List shows %+v", name, item)
			}
		}
		if whole, err := readAll(t, s); err != nil || !slices.Equal(whole, five()) {
			t.Errorf("%s: read %q, %v", name, whole, err)
		}
	}
}

// TestSameUIDL: messages that share a UIDL are told apart, and no UIDL can look like another's second occurrence.
func TestSameUIDL(t *testing.T) {
	s, _ := scripted(t, with(holding(five()...), map[string]string{"UIDL": lines("+OK", "1 a", "2 b", "3 a", "4 a", "5 b")}))
	items, err := s.List(t.Context(), mail.Inbox)
	if want := []string{"a", "b", "a\x002", "a\x003", "b\x002"}; err != nil || !slices.Equal(uids(items), want) {
		t.Errorf("List = %q, %v; want %q", uids(items), err, want)
	}
	if whole, err := readAll(t, s); err != nil || !slices.Equal(whole, five()) {
		t.Errorf("read %q, %v; want each message", whole, err)
	}
}

// TestWithoutUIDLs: where a UIDL is missing or of no use, all keys are made of header and size, and stay the same.
func TestWithoutUIDLs(t *testing.T) {
	all := append(five(), five()[2]) // the sixth is the third once more
	for name, answer := range map[string]string{
		"no UIDL": "-ERR unknown command\r\n", "no UIDL, no reason": "-ERR\r\n",
		"an empty one": lines("+OK", "1 a", "2 b", "3", "4 d", "5 e", "6 f"), "spaces only": lines("+OK", "1 a", "2 b", "3  ", "4 d", "5 e", "6 f"),
		"an endless one": lines("+OK", "1 a", "2 "+strings.Repeat("u", 2000), "3 c", "4 d", "5 e", "6 f"),
		"a NUL in one":   lines("+OK", "1 a", "2 a\x002", "3 a", "4 d", "5 e", "6 f"),
	} {
		for _, capa := range []string{"-ERR\r\n", pipelining} {
			answers := with(holding(all...), map[string]string{"UIDL": answer, "CAPA": capa})
			for i, m := range all {
				head, _, _ := strings.Cut(m, "\r\n\r\n")
				answers[fmt.Sprintf("TOP %d 0", i+1)] = "+OK\r\n" + stuffed(head+"\r\n\r\n")
			}
			s, _ := scripted(t, answers)
			items, err := s.List(t.Context(), mail.Inbox)
			if err != nil || len(items) != len(all) {
				t.Fatalf("%s: List = %d items, %v", name, len(items), err)
			}
			sum, _ := mail.SumOf(strings.NewReader(all[2]))
			third := fmt.Sprintf("top:%s:%d", sum.HeadDigest, len(all[2]))
			if items[2].Ref.UID != third || items[5].Ref.UID != third+"\x002" {
				t.Errorf("%s: List = %q; want %q third, and its second occurrence last", name, uids(items), third)
			}
			s.Close()
			if whole, err := readAll(t, s); err != nil || !slices.Equal(whole, all) {
				t.Errorf("%s: read %q, %v", name, whole, err)
			}
		}
	}
}

func TestWithoutUIDLsAndTOP(t *testing.T) {
	s, _ := scripted(t, with(holding(five()...), map[string]string{"UIDL": "-ERR\r\n", "TOP": "-ERR never heard of it\r\n"}))
	_, err := s.List(t.Context(), mail.Inbox)
	if e := wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, "neither UIDL nor TOP (never heard of it)"); e.Hint == "" {
		t.Error("nobody says what to do")
	}
	s, _ = scripted(t, with(holding(five()...), map[string]string{"UIDL": "-ERR\r\n", "TOP 3 0": "-ERR lost it\r\n"}))
	_, err = s.List(t.Context(), mail.Inbox)
	wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, "refuses TOP of message 3: lost it")
}

// TestPassingTrouble: [SYS/TEMP] does not mean that the server has no UIDLs.
func TestPassingTrouble(t *testing.T) {
	for _, verb := range []string{"STAT", "UIDL", "LIST", "TOP"} {
		s, _ := scripted(t, map[string]string{"UIDL": "-ERR\r\n", verb: "-ERR [SYS/TEMP] busy\r\n"})
		_, err := s.List(t.Context(), mail.Inbox)
		if e := wantError(t, err, mail.ScopeSession, mail.CauseNetwork, "[SYS/TEMP] busy"); e.Later == 0 {
			t.Errorf("%s: not worth another try", verb)
		}
	}
	for _, verb := range []string{"STAT", "LIST"} {
		s, _ := scripted(t, map[string]string{verb: "-ERR no\r\n"})
		_, err := s.List(t.Context(), mail.Inbox)
		wantError(t, err, mail.ScopeMailbox, mail.CauseProtocol, "the server refuses "+verb+": no")
	}
}

// TestEmptyMaildrop: some servers have nothing to list then.
func TestEmptyMaildrop(t *testing.T) {
	s, _ := scripted(t, map[string]string{"STAT": "+OK 0 0\r\n", "UIDL": "-ERR no messages\r\n", "LIST": "-ERR no messages\r\n"})
	if items, err := s.List(t.Context(), mail.Inbox); err != nil || len(items) != 0 {
		t.Errorf("List = %v, %v", items, err)
	}
}

func TestOneMailbox(t *testing.T) {
	s, p := scripted(t, nil)
	_, err := s.List(t.Context(), "Sent")
	wantError(t, err, mail.ScopeMailbox, mail.CauseUsage, "list Sent: POP3 has one mailbox")
	if _, err := s.List(t.Context(), "Inbox"); err != nil || p.sessions() != 1 {
		t.Errorf("List(Inbox): %v", err)
	}
}

// TestLongHeader: TOP is not collected either, and its end counts.
func TestLongHeader(t *testing.T) {
	head := "Subject: " + strings.Repeat("x", 3<<20) + "\r\n"
	s, _ := scripted(t, map[string]string{"UIDL": "-ERR\r\n", "TOP": "+OK\r\n" + head + ".\r\n"})
	items, err := s.List(t.Context(), mail.Inbox)
	sum, _ := mail.SumOf(bytes.NewReader([]byte(head)))
	if want := fmt.Sprintf("top:%s:9", sum.HeadDigest); err != nil || items[0].Ref.UID != want {
		t.Errorf("List = %q, %v; want %q", uids(items), err, want)
	}
}

// TestManyMessages: a large maildrop is listed and its messages found again.
func TestManyMessages(t *testing.T) {
	const n = 30_000
	uidl, list := []string{}, []string{}
	for i := range n {
		uidl = append(uidl, fmt.Sprintf("%d %016x", i+1, i/2)) // each twice
		list = append(list, fmt.Sprintf("%d 2048", i+1))
	}
	s, _ := scripted(t, map[string]string{
		"STAT": fmt.Sprintf("+OK %d 9\r\n", n), "UIDL": lines("+OK", uidl...), "LIST": lines("+OK", list...),
		fmt.Sprintf("RETR %d", n): "+OK\r\nthe last\r\n.\r\n",
	})
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil || len(items) != n {
		t.Fatalf("List = %d items, %v", len(items), err)
	}
	if got := fetchAll(t, s, items[n-1:]); got[0] != "the last\r\n" {
		t.Errorf("Fetch of the last = %q", got)
	}
}
