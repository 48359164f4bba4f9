package postoffice

import (
	"strings"
	"testing"
)

// What the server has beside what imapserver has, and what it does wrong in showing mail.
func TestIMAPBeyond(t *testing.T) {
	all := []string{"CONDSTORE", "OBJECTID", "X-GM-EXT-1", "XLIST", "ID"}
	second := func(m Message) bool { return m.UID == 2 }
	const body = "UID FETCH 1:3 (UID BODY.PEEK[])"
	const rest = "* 1 FETCH (UID 1 BODY[] {1}|a)|"
	for _, tc := range []struct {
		name    string
		trouble Trouble
		say     []string
		want    string
	}{
		{"opening", Trouble{With: all, Rewrite: Drop("EXAMINE", "FLAGS|RECENT")}, []string{"EXAMINE INBOX (CONDSTORE)"},
			"* 3 EXISTS|* OK [UIDVALIDITY 1] UIDs valid|* OK [HIGHESTMODSEQ 5] Highest|* OK [MAILBOXID (F1)] Ok|* OK [UIDNEXT 4] Predicted next UID|OK [READ-ONLY] EXAMINE completed"},
		{"not there", Trouble{}, []string{"EXAMINE INBOX (CONDSTORE)", "STATUS INBOX (HIGHESTMODSEQ)", "ID NIL", `XLIST "" *`},
			"BAD [CLIENTBUG] Syntax error: expected CRLF, got \"(\"|BAD Unknown STATUS data item|BAD Unknown command|BAD Unknown command"},
		{"STATUS", Trouble{With: all}, []string{"STATUS INBOX (MESSAGES HIGHESTMODSEQ MAILBOXID)"}, `* STATUS "INBOX" (MESSAGES 3 HIGHESTMODSEQ 5 MAILBOXID (F1))|OK STATUS completed`},
		{"LIST-STATUS", Trouble{With: all}, []string{`LIST "" * RETURN (SPECIAL-USE STATUS (MAILBOXID UIDNEXT))`},
			`* LIST (\HasNoChildren) "/" "INBOX"|* STATUS "INBOX" (UIDNEXT 4 MAILBOXID (F1))|* LIST (\HasNoChildren \Sent) "/" "Sent"|* STATUS "Sent" (UIDNEXT 1 MAILBOXID (F2))|OK LIST completed`},
		{"XLIST", Trouble{With: all}, []string{`XLIST "" S*`}, `* XLIST (\HasNoChildren \Sent) "/" "Sent"|OK LIST completed`},
		{"ID", Trouble{With: all}, []string{`ID ("name" "x")`}, "* ID NIL|OK NOOP completed"},
		{"CHANGEDSINCE", Trouble{With: all}, []string{"+EXAMINE INBOX", "FETCH 1:* (FLAGS) (CHANGEDSINCE 4)"}, `* 2 FETCH (FLAGS (\Seen) MODSEQ (5))|OK FETCH completed`},
		{"EMAILID", Trouble{With: all}, []string{"+EXAMINE INBOX", "FETCH 1 (EMAILID BODY.PEEK[])"}, "* 1 FETCH (BODY[] {1}|a EMAILID (Mca978112ca1bbdcafac2))|OK FETCH completed"},
		{"X-GM-MSGID", Trouble{With: all}, []string{"+EXAMINE INBOX", "FETCH 1 (UID X-GM-MSGID)"}, "* 1 FETCH (UID 1 X-GM-MSGID 7299139317422481125)|OK FETCH completed"},
		{"body first", Trouble{BodyFirst: true}, []string{"+EXAMINE INBOX", "UID FETCH 2 (UID FLAGS BODY.PEEK[])"}, `* 2 FETCH (BODY[] {1}|b UID 2 FLAGS (\Seen))|OK UID FETCH completed`},
		{"unasked", Trouble{Unasked: true}, []string{"+EXAMINE INBOX", "UID FETCH 1 (UID RFC822.SIZE)"}, "* 1 FETCH (UID 1 FLAGS ())|* 1 FETCH (UID 1 RFC822.SIZE 1)|OK UID FETCH completed"},
		{"hollow", Trouble{Hollow: second}, []string{"+EXAMINE INBOX", "UID FETCH 1:3 (BODY.PEEK[] UID)"}, rest + "* 2 FETCH (UID 2 BODY[] NIL)|* 3 FETCH (UID 3 BODY[] {1}|c)|OK UID FETCH completed"},
		{"hidden", Trouble{Hide: second}, []string{"+EXAMINE INBOX", "UID FETCH 1:3 (UID)"}, "* 1 FETCH (UID 1)|* 3 FETCH (UID 3)|OK UID FETCH completed"},
		{"two at once", Trouble{AtOnce: 2}, []string{"+EXAMINE INBOX", "UID FETCH 1:3 (UID)"}, "* 1 FETCH (UID 1)|* 2 FETCH (UID 2)|OK UID FETCH completed"},
		{"two at once, by the book", Trouble{With: []string{"MESSAGELIMIT=2"}}, []string{"+EXAMINE INBOX", "UID FETCH 1:3 (UID)"}, "* 2 FETCH (UID 2)|* 3 FETCH (UID 3)|OK [MESSAGELIMIT 2 2] the rest another time"},
		{"no at a message", Trouble{Faults: []Fault{{Verb: "UID FETCH", Match: second, Say: "NO [SERVERBUG] broken"}}}, []string{"+EXAMINE INBOX", body, "UID FETCH 2 (UID)"},
			rest + "NO [SERVERBUG] broken|* 2 FETCH (UID 2)|OK UID FETCH completed"},
		{"the end at a message", Trouble{Faults: []Fault{{Verb: "UID FETCH", Match: second, End: FIN}}}, []string{"+EXAMINE INBOX", body}, rest + "<EOF>"},
		{"the end before", Trouble{Faults: []Fault{{Verb: "UID FETCH", Match: second, Early: true, End: FIN}}}, []string{"+EXAMINE INBOX", body}, "<EOF>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			me, srv := imapServer(t, tc.trouble)
			me.CreateMailbox("Sent", `\Sent`)
			for _, octets := range []string{"a", "b", "c"} {
				me.Deliver(Inbox, Message{Octets: []byte(octets)})
			}
			me.SetFlags(Inbox, 2, `\Seen`)
			c := dial(t, srv).loginIMAP()
			var got []string
			for _, command := range tc.say {
				command, silent := strings.CutPrefix(command, "+")
				if lines := c.do(command); !silent {
					got = append(got, lines...)
				}
			}
			if got := strings.Join(got, "|"); got != tc.want {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestIMAPOthers(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	me.Share("user/")
	me.CreateMailbox("a", "")
	me.Subscribe("a", false)
	me.Rename("a", "b")
	me.CreateMailbox("gone", "")
	me.DeleteMailbox("gone")
	c := dial(t, srv).loginIMAP()
	for command, want := range map[string]string{
		"NAMESPACE": `* NAMESPACE (("" "/")) (("user/" "/")) NIL|OK NAMESPACE completed`,
		`LIST "" *`: `* LIST (\HasNoChildren) "/" "INBOX"|* LIST (\HasNoChildren) "/" "b"|OK LIST completed`,
		`LSUB "" *`: `* LSUB (\HasNoChildren) "/" "INBOX"|OK LSUB completed`,
		"EXAMINE a": "NO [NONEXISTENT] no such mailbox",
	} {
		if got := strings.Join(c.do(command), "|"); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

// What takes mail away, and what it leaves.
func TestIMAPRemoval(t *testing.T) {
	mark := `+UID STORE 1 +FLAGS.SILENT (\Deleted)`
	for _, tc := range []struct {
		name    string
		trouble Trouble
		say     []string
		want    string
		kept    string // of INBOX, All and Trash
	}{
		{"UID EXPUNGE", Trouble{}, []string{mark, "UID EXPUNGE 1,2"}, "* 1 EXPUNGE|OK UID EXPUNGE completed", "b c,a b c,"},
		{"greedy", Trouble{Greedy: true}, []string{mark, "UID EXPUNGE 1"}, "* 1 EXPUNGE|* 2 EXPUNGE|OK UID EXPUNGE completed", "b,a b c,"},
		{"MOVE", Trouble{With: []string{"MOVE"}}, []string{"UID MOVE 1 Trash"}, "* OK [COPYUID 3 1 1] COPY completed|* 1 EXPUNGE|OK UID MOVE completed", "b c,a b c,a"},
		{"MOVE to nowhere", Trouble{With: []string{"MOVE"}}, []string{"UID MOVE 1 Bin"}, "NO [TRYCREATE] no such mailbox", "a b c,a b c,"},
		{"no MOVE", Trouble{}, []string{"UID MOVE 1 Trash"}, "BAD Unknown command", "a b c,a b c,"},
		{"labels, marked", Trouble{Labels: true}, []string{mark, "NOOP"}, "OK NOOP completed", "b c,a b c,"},
		{"labels, moved", Trouble{Labels: true, With: []string{"MOVE"}}, []string{"+UID MOVE 1 Trash"}, "", "b c,b c,a"},
		{"lost", Trouble{Faults: []Fault{{Verb: "UID EXPUNGE", Do: Done, End: FIN}}}, []string{mark, "UID EXPUNGE 1"}, "<EOF>", "b c,a b c,"},
		{"not done", Trouble{Faults: []Fault{{Verb: "UID EXPUNGE", Say: "OK"}}}, []string{mark, "UID EXPUNGE 1"}, "OK", "a b c,a b c,"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			me, srv := imapServer(t, tc.trouble)
			me.CreateMailbox("All", `\All`)
			me.CreateMailbox("Trash", `\Trash`)
			for _, octets := range []string{"a", "b", "c"} {
				me.Deliver(Inbox, Message{Octets: []byte(octets)})
				me.Deliver("All", Message{Octets: []byte(octets)})
			}
			if !tc.trouble.Labels {
				me.SetFlags(Inbox, 3, `\Deleted`)
			}
			c := dial(t, srv).loginIMAP()
			c.do("SELECT INBOX")
			var got []string
			for _, command := range tc.say {
				command, silent := strings.CutPrefix(command, "+")
				if lines := c.do(command); !silent {
					got = append(got, lines...)
				}
			}
			if got := strings.Join(got, "|"); got != tc.want {
				t.Errorf("%s\nwant\n%s", got, tc.want)
			}
			var kept []string
			for _, name := range []string{Inbox, "All", "Trash"} {
				var all []string
				for _, m := range me.Messages(name) {
					all = append(all, string(m.Octets))
				}
				kept = append(kept, strings.Join(all, " "))
			}
			if got := strings.Join(kept, ","); got != tc.kept {
				t.Errorf("kept %q, want %q", got, tc.kept)
			}
		})
	}
}
