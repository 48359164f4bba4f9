package postoffice

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
)

func TestIMAPTrouble(t *testing.T) {
	fault := func(f Fault) Trouble { return Trouble{Faults: []Fault{f}} }
	mail := "A: \xe4\n\nx\ry\r\n"
	put := "t APPEND INBOX (\\Seen kW) {11+}\r\n" + mail
	for _, tc := range []struct {
		name    string
		trouble Trouble
		say     []string
		want    string // after LOGIN
		kept    []string
	}{
		{"none", Trouble{}, []string{put}, "t OK [APPENDUID 1 1] APPEND completed|", []string{mail}},
		{"over quota from the second on", fault(Fault{Verb: "APPEND", At: 2, Say: "NO [OVERQUOTA] full"}), []string{put, put, put},
			"t OK [APPENDUID 1 1] APPEND completed|t NO [OVERQUOTA] full|t NO [OVERQUOTA] full|", []string{mail}},
		{"too big", fault(Fault{Verb: "APPEND", Larger: 10, Say: "NO [TOOBIG] too big"}), []string{put, "t APPEND INBOX {1+}\r\nx"},
			"t NO [TOOBIG] too big|t OK [APPENDUID 1 1] APPEND completed|", []string{"x"}},
		{"too big, said early", fault(Fault{Verb: "APPEND", Larger: 10, Early: true, Say: "NO [TOOBIG] too big"}),
			[]string{"t APPEND INBOX {13}", put, "t APPEND INBOX {1}", "x"},
			"t NO [TOOBIG] too big|t NO [TOOBIG] too big|+ go ahead|t OK [APPENDUID 1 1] APPEND completed|", []string{"x"}},
		{"nothing refused that is something", fault(Fault{Verb: "APPEND", Match: func(m Message) bool { return len(m.Octets) == 0 }, Say: "NO empty"}),
			[]string{"t APPEND INBOX {0+}\r\n", put}, "t NO empty|t OK [APPENDUID 1 1] APPEND completed|", []string{mail}},
		{"keywords refused", fault(Fault{Verb: "APPEND", Match: func(m Message) bool { return len(m.Flags) == 2 && m.Flags[1] == "kW" }, Say: "BAD keyword"}),
			[]string{put, "t APPEND INBOX {1+}\r\nx"}, "t BAD keyword|t OK [APPENDUID 1 1] APPEND completed|", []string{"x"}},
		{"keywords not offered", Trouble{Rewrite: NoKeywords.Then(Drop("SELECT", "FLAGS|UID|EXISTS|RECENT"))}, []string{"t SELECT INBOX", "t EXAMINE INBOX"},
			"t OK [READ-WRITE] SELECT completed|* OK [CLOSED] Previous mailbox is now closed|* 0 EXISTS|* 0 RECENT|* OK [UIDVALIDITY 1] UIDs valid|" +
				`* OK [UIDNEXT 1] Predicted next UID|* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)|* OK [PERMANENTFLAGS ()] Permanent flags|t OK [READ-ONLY] EXAMINE completed|`, nil},
		{"in use twice", fault(Fault{Verb: "APPEND", Times: 2, Say: "NO [INUSE] later"}), []string{put, put, put},
			"t NO [INUSE] later|t NO [INUSE] later|t OK [APPENDUID 1 1] APPEND completed|", []string{mail}},
		{"bye at the third command", fault(Fault{At: 3, Say: "* BYE too much", End: FIN}), []string{"t NOOP", "t NOOP"},
			"t OK NOOP completed|* BYE too much|<end>", nil},
		{"silent at the second command", fault(Fault{At: 2, End: Silence}), []string{put}, "", nil},
		{"answer lost, stored", fault(Fault{Verb: "APPEND", Do: Done, End: FIN}), []string{put}, "<end>", []string{mail}},
		{"answer lost, not stored", fault(Fault{Verb: "APPEND", End: RST}), []string{put}, "<end>", nil},
		{"garbage for an answer, stored", fault(Fault{Verb: "APPEND", Do: Done, Say: "* \x00\xff", End: Silence}), []string{put}, "* \x00\xff|", []string{mail}},
		{"bye for an answer, stored", fault(Fault{Verb: "APPEND", Do: Done, Say: "* BYE", End: FIN}), []string{put}, "* BYE|<end>", []string{mail}},
		{"answer lost, stored late", fault(Fault{Verb: "APPEND", Times: 1, Do: Late, After: 90 * time.Minute, Say: "* 0 x"}), []string{put, "t STATUS INBOX (MESSAGES)", "t STATUS INBOX (MESSAGES)"},
			`* 0 x|* STATUS "INBOX" (MESSAGES 0)|t OK STATUS completed|* STATUS "INBOX" (MESSAGES 1)|t OK STATUS completed|`, []string{mail}},
		{"login refused", fault(Fault{Verb: "LOGIN", Say: "NO [UNAVAILABLE] later"}), nil, "t NO [UNAVAILABLE] later|", nil},
		{"login disabled", Trouble{LoginDisabled: true}, nil, "t NO [PRIVACYREQUIRED] TLS is required to authenticate|", nil},
		{"no UIDPLUS", Trouble{Without: []string{"UIDPLUS"}, Rewrite: Drop("SELECT", `^\*`)}, []string{put, "t SELECT INBOX", "t UID EXPUNGE 1"},
			"t OK APPEND completed|t OK [READ-WRITE] SELECT completed|t BAD Unknown command|", []string{mail}},
		{"APPENDUID swapped", Trouble{Rewrite: SwappedAPPENDUID}, []string{put, put}, "t OK [APPENDUID 1 1] APPEND completed|t OK [APPENDUID 2 1] APPEND completed|", []string{mail, mail}},
		{"APPENDUID 0", Trouble{Rewrite: Replace("APPEND", `APPENDUID (\d+) \d+`, "APPENDUID $1 0")}, []string{put}, "t OK [APPENDUID 1 0] APPEND completed|", []string{mail}},
		{"APPENDUID *", Trouble{Rewrite: Replace("APPEND", `APPENDUID (\d+) \d+`, "APPENDUID $1 *")}, []string{put}, "t OK [APPENDUID 1 *] APPEND completed|", []string{mail}},
		{"no UIDNEXT", Trouble{Rewrite: NoUIDNEXT.Then(Drop("EXAMINE", "FLAGS"))}, []string{"t EXAMINE INBOX", "t STATUS INBOX (UIDNEXT UIDVALIDITY)"},
			`* 0 EXISTS|* 0 RECENT|* OK [UIDVALIDITY 1] UIDs valid|t OK [READ-ONLY] EXAMINE completed|* STATUS "INBOX" (UIDVALIDITY 1)|t OK STATUS completed|`, nil},
		{"kept nothing", Trouble{Keep: KeepNothing}, []string{put, put}, "t OK [APPENDUID 1 1] APPEND completed|t OK [APPENDUID 1 2] APPEND completed|", nil},
		{"kept empty", Trouble{Keep: KeepEmpty}, []string{put}, "t OK [APPENDUID 1 1] APPEND completed|", []string{""}},
		{"kept otherwise", Trouble{Keep: Rewriting(DropLoneCR, CRLF, XFor8Bit, AddField("X-Id: 1"))}, []string{put}, "t OK [APPENDUID 1 1] APPEND completed|",
			[]string{"X-Id: 1\r\nA: X\r\n\r\nxy\r\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				me, srv := imapServer(t, tc.trouble)
				got := converse(t, srv, append([]string{"t LOGIN me secret"}, tc.say...)...)
				_, got, _ = strings.Cut(got, "|") // the greeting
				if strings.HasPrefix(got, "t OK [CAPABILITY") {
					_, got, _ = strings.Cut(got, "|")
				}
				if got != tc.want {
					t.Errorf("%q\nwant\n%q", got, tc.want)
				}
				checkKept(t, me, tc.kept)
			})
		})
	}
}

func checkKept(t *testing.T, me *Account, want []string) {
	t.Helper()
	var got []string
	for _, m := range me.Messages(Inbox) {
		got = append(got, string(m.Octets))
	}
	if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func TestStoredAfterTheNextLook(t *testing.T) {
	me, srv := imapServer(t, Trouble{Faults: []Fault{{Verb: "APPEND", Do: AfterLook, End: FIN}}})
	first := dial(t, srv).loginIMAP()
	first.do("SELECT INBOX")
	if got := first.do("APPEND INBOX {1+}\r\nx"); got[0] != "<EOF>" {
		t.Errorf("APPEND: %q", got)
	}
	second := dial(t, srv).loginIMAP()
	second.do("SELECT INBOX")
	checkKept(t, me, nil)
	if got := second.do("UID FETCH 1:* (UID)"); got[0] != "OK UID FETCH completed" {
		t.Errorf("it is there at the first look: %q", got)
	}
	checkKept(t, me, []string{"x"})
	if got := second.do("UID FETCH 1:* (UID)"); got[0] != "* 1 EXISTS" {
		t.Errorf("second look: %q", got)
	}
}

// TestTheRealClientMeetsTrouble is what the house's own adapter builds on: go-imap's client sees refusals as errors
// of the server and lost answers as a lost line.
func TestTheRealClientMeetsTrouble(t *testing.T) {
	_, srv := imapServer(t, Trouble{Faults: []Fault{
		{Verb: "APPEND", Times: 1, Say: "NO [OVERQUOTA] full"}, {Verb: "APPEND", At: 2, Do: Done, End: RST},
	}})
	c := client(t, srv)
	_, err := appendMail(c, Inbox, "x", nil)
	if e, ok := err.(*imap.Error); !ok || e.Code != imap.ResponseCodeOverQuota || e.Type != imap.StatusResponseTypeNo {
		t.Errorf("APPEND 1: %v", err)
	}
	if _, err := appendMail(c, Inbox, "x", nil); err == nil {
		t.Error("APPEND 2 was answered")
	}
}
