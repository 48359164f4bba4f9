package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// told is a mailbox in short: `INBOX/inbox+` is subscribed, `(a)` cannot be selected.
func told(boxes []mail.Mailbox) []string {
	var all []string
	for _, mb := range boxes {
		text := mb.Name
		if mb.NoSelect {
			text = "(" + text + ")"
		}
		if mb.Role != mail.RoleNone {
			text += "/" + string(mb.Role)
		}
		if mb.Subscribed {
			text += "+"
		}
		all = append(all, text)
	}
	return all
}

// LIST answers of real servers, and what the source makes of them.
func TestTree(t *testing.T) {
	for name, test := range map[string]struct {
		caps           string
		list, lsub     []string
		namespace      string
		want, commands []string
		notes          []string
	}{
		"Dovecot": {"LIST-EXTENDED SPECIAL-USE LIST-STATUS CONDSTORE", []string{
			`* LIST (\HasNoChildren \Subscribed) "/" INBOX`, `* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3 HIGHESTMODSEQ 4)`,
			`* LIST (\HasChildren \NonExistent) "/" Work`, `* LIST (\HasNoChildren \Subscribed \Sent) "/" Work/Sent`}, nil, "",
			[]string{"INBOX/inbox+", "(Work)", "Work/Sent/sent+"}, []string{`LIST "" "*" RETURN (SUBSCRIBED STATUS () SPECIAL-USE)`}, nil},
		"Courier": {"NAMESPACE", []string{
			`* LIST (\Unmarked \HasChildren) "." "INBOX"`, `* LIST (\HasNoChildren) "." "INBOX.Sent"`, `* LIST (\Noselect) "." shared`, `* LIST () "." shared.us`, `* LIST () "." "#shared.x"`},
			[]string{`* LSUB () "." "INBOX.Sent"`, `* LSUB () "." "INBOX.gone"`, `* LSUB (\Noselect) "." "INBOX"`},
			`* NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))`,
			[]string{"INBOX/inbox", "INBOX.Sent+"}, []string{"NAMESPACE", `LIST "" "*"`, `LSUB "" "*"`},
			[]string{"shows folders of other users, which are left out: shared.", "shows folders of other users, which are left out: #shared."}},
		"Cyrus": {"NAMESPACE", []string{`* LIST () "." INBOX`, `* LIST () "." INBOX.a`, `* LIST () "." user.you`, `* LIST () "." common`}, nil,
			`* NAMESPACE (("INBOX." ".")) (("user." ".")) (("" "."))`, []string{"INBOX/inbox", "INBOX.a"}, nil,
			[]string{"shows folders of other users, which are left out: user.", "shows folders of other users, which are left out"}},
		"namespaces that say nothing": {"NAMESPACE", []string{`* LIST () "/" INBOX`, `* LIST () "/" a`}, nil, "* NAMESPACE NIL NIL NIL", []string{"INBOX/inbox", "a"}, nil, nil},
		"Gmail before RFC 6154": {"XLIST", []string{`* XLIST (\HasNoChildren \Inbox) "/" "Posteingang"`, `* XLIST (\Noselect \HasChildren) "/" "[Gmail]"`,
			`* XLIST (\HasNoChildren \AllMail) "/" "[Gmail]/Alle"`, `* XLIST (\HasNoChildren \Spam) "/" "[Gmail]/Spam"`, `* XLIST (\HasNoChildren \Starred) "/" "[Gmail]/Markiert"`}, nil, "",
			[]string{"INBOX/inbox", "([Gmail])", "[Gmail]/Alle/all", "[Gmail]/Spam/junk", "[Gmail]/Markiert/flagged"}, []string{`XLIST "" "*"`, `LSUB "" "*"`}, nil},
		"\\Inbox, not asked for": {"", []string{`* LIST () "/" INBOX`, `* LIST (\Inbox) "/" Posteingang`}, nil, "", []string{"INBOX/inbox", "Posteingang"}, nil, nil},
		"twice":                  {"", []string{`* LIST (\Noselect) "/" a`, `* LIST () "/" inbox`, `* LIST () "/" a`, `* LIST () "/" INBOX`}, nil, "", []string{"a", "INBOX/inbox"}, nil, nil},
		"names": {"", []string{`* LIST () NIL "R & D"`, `* LIST () "\\" "Entw` + "\xfc" + `rfe"`, `* LIST () "" "Entw&APw-rfe"`, "* LIST () \"/\" {7}\r\na\"b\\c d", `* LIST () "/" "../../etc"`, `* LIST () "/" "` + strings.Repeat("x", 1000) + `"`}, nil, "",
			[]string{"R & D", "Entw\xfcrfe", "Entw&APw-rfe", `a"b\c d`, "../../etc", strings.Repeat("x", 1000)}, nil, nil},
		"names that cannot be said": {"", []string{"* LIST () \"/\" {4}\r\na\r\nb", "* LIST () \"/\" \"a\x00\"", `* LIST () "/" "` + strings.Repeat("x", 1025) + `"`, `* LIST () "/" ok`}, nil, "",
			[]string{"ok"}, nil, []string{"lists folders whose names cannot be said"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{caps: "IMAP4rev1 " + test.caps, answer: func(s *talk, cmd string) bool {
				return on("LIST", saying(append(test.list, "TAG OK done")...))(s, cmd) || on("XLIST", saying(append(test.list, "TAG OK done")...))(s, cmd) ||
					on("LSUB", saying(append(test.lsub, "TAG OK done")...))(s, cmd) || on("NAMESPACE", saying(test.namespace, "TAG OK done"))(s, cmd)
			}}
			src := s.source(t)
			boxes, err := src.Mailboxes(t.Context())
			if got := told(boxes); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("Mailboxes = %q, %v\nwant %q", got, err, test.want)
			}
			if got := src.Notes(); !slices.Equal(got, test.notes) {
				t.Errorf("notes %q, want %q", got, test.notes)
			}
			said := slices.DeleteFunc(s.log(), func(cmd string) bool { return cmd == "CAPABILITY" || strings.HasPrefix(cmd, "LOGIN") })
			for i, cmd := range said {
				if before, after, ok := strings.Cut(cmd, "STATUS ("); ok { // whose items come in any order
					_, after, _ = strings.Cut(after, ")")
					said[i] = before + "STATUS ()" + after
				}
			}
			if test.commands != nil && !slices.Equal(said, test.commands) {
				t.Errorf("said %q, want %q", said, test.commands)
			}
		})
	}
}

// Five thousand folders, forty levels deep, cost two commands; more than anyone has are not believed.
func TestTreeLarge(t *testing.T) {
	s, server, me := sourceInOffice(t, postoffice.Trouble{With: []string{"CONDSTORE", "OBJECTID"}})
	deep := strings.Repeat("d/", 39) + "e"
	me.CreateMailbox(deep, "")
	for i := range 5000 {
		me.CreateMailbox(fmt.Sprintf("folder %d", i), "")
	}
	boxes, err := s.Mailboxes(t.Context())
	if err != nil || len(boxes) != 5002 || boxes[1].Name != deep {
		t.Fatalf("%d mailboxes, %v", len(boxes), err)
	}
	statuses, err := s.Statuses(t.Context(), boxes)
	if err != nil || len(statuses) != 5002 || statuses[deep] != (mail.Status{Validity: 2, Next: 1, ModSeq: 1, ID: "F2"}) {
		t.Errorf("%d statuses, %+v, %v", len(statuses), statuses[deep], err)
	}
	if said := server.Commands(); server.Count("LIST") != 1 || server.Count("STATUS") != 0 {
		t.Errorf("said %q", said)
	}
	many := &script{answer: on("LIST", func(s *talk, _ string) {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(s.conn, "* LIST () \"/\" f%d\r\n", i); err != nil {
				return
			}
		}
	})}
	_, err = many.source(t).Mailboxes(t.Context())
	if got := describe(err); got != "account protocol: list folders: the server lists more than 20000 folders" {
		t.Errorf("Mailboxes: %s", got)
	}
}
