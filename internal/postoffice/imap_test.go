package postoffice

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/mailhaul/mailhaul/testdata"
)

func imapServer(t *testing.T, trouble Trouble) (*Account, *Server) {
	office := New()
	me := office.Account("me", "secret")
	srv := office.IMAP(trouble)
	t.Cleanup(func() { srv.Close() })
	return me, srv
}

// client logs in with the real go-imap client.
func client(t *testing.T, srv *Server) *imapclient.Client {
	t.Helper()
	conn, err := srv.Dial(context.Background(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	t.Cleanup(func() { c.Close() })
	if err := c.Login("me", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func appendMail(c *imapclient.Client, mailbox, octets string, options *imap.AppendOptions) (*imap.AppendData, error) {
	cmd := c.Append(mailbox, int64(len(octets)), options)
	io.WriteString(cmd, octets)
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	return cmd.Wait()
}

// fetched is one message as a client sees it.
type fetched struct {
	uid   imap.UID
	size  int64
	flags []imap.Flag
	date  time.Time
	parts []string
}

func fetch(t *testing.T, c *imapclient.Client, set imap.NumSet, sections ...*imap.FetchItemBodySection) []fetched {
	t.Helper()
	cmd := c.Fetch(set, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true, BodySection: sections})
	var all []fetched
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		buf, err := m.Collect()
		if err != nil {
			t.Fatal(err)
		}
		f := fetched{uid: buf.UID, size: buf.RFC822Size, flags: buf.Flags, date: buf.InternalDate}
		for _, section := range buf.BodySection {
			f.parts = append(f.parts, string(section.Bytes))
		}
		all = append(all, f)
	}
	if err := cmd.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

var peekAll = &imap.FetchItemBodySection{Peek: true}

func all() imap.UIDSet { return imap.UIDSet{{Start: 1, Stop: 0}} }

func TestIMAPKeepsOctetsFlagsAndDates(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	c := client(t, srv)
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.FixedZone("", -3*3600-1800))
	for i, m := range odd {
		data, err := appendMail(c, Inbox, m, &imap.AppendOptions{Flags: []imap.Flag{`\Seen`, "$FORWARDED", "Work", "a&b"}, Time: when})
		if err != nil || data.UID != imap.UID(i+1) || data.UIDValidity != me.Validity(Inbox) {
			t.Errorf("APPEND of %.60q: %+v, %v", m, data, err)
		}
	}
	if _, err := c.Select(Inbox, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	got := fetch(t, c, all(), peekAll)
	if len(got) != len(odd) || len(me.Messages(Inbox)) != len(odd) {
		t.Fatalf("%d messages fetched, %d kept, want %d", len(got), len(me.Messages(Inbox)), len(odd))
	}
	for i, m := range odd {
		kept, shown := me.Messages(Inbox)[i], got[i]
		if string(kept.Octets) != m || shown.parts[0] != m || shown.size != int64(len(m)) {
			t.Errorf("%.60q is kept as %.60q and shown as %.60q", m, kept.Octets, shown.parts[0])
		}
		if want := []string{`\Seen`, "$FORWARDED", "Work", "a&b"}; !slices.Equal(kept.Flags, want) || len(shown.flags) != 4 {
			t.Errorf("flags %q, shown %q, want %q", kept.Flags, shown.flags, want)
		}
		if _, zone := kept.Received.Zone(); !kept.Received.Equal(when) || zone != -12600 || !shown.date.Equal(when) {
			t.Errorf("date %v, shown %v, want %v", kept.Received, shown.date, when)
		}
	}
}

func TestIMAPSections(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	me.Deliver(Inbox, Message{Octets: []byte("Subject: a\n b\nmessage-id : <x@y>\nno colon\nTo: z\n\nbody\rof\n")})
	c := client(t, srv)
	c.Select(Inbox, nil).Wait()
	header, text := imap.PartSpecifierHeader, imap.PartSpecifierText
	for _, tc := range []struct {
		section imap.FetchItemBodySection
		want    string
	}{
		{imap.FetchItemBodySection{Specifier: header, Peek: true}, "Subject: a\n b\nmessage-id : <x@y>\nno colon\nTo: z\n\n"},
		{imap.FetchItemBodySection{Specifier: text, Peek: true}, "body\rof\n"},
		{imap.FetchItemBodySection{Specifier: header, HeaderFields: []string{"Message-ID", "subject"}, Peek: true}, "Subject: a\n b\nmessage-id : <x@y>\n\r\n"},
		{imap.FetchItemBodySection{Specifier: header, HeaderFieldsNot: []string{"subject"}, Peek: true}, "message-id : <x@y>\nTo: z\n\r\n"},
		{imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 9, Size: 4}, Peek: true}, "a\n b"},
		{imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 900, Size: 4}, Peek: true}, ""},
	} {
		got := fetch(t, c, imap.SeqSetNum(1), &tc.section)
		if len(got) != 1 || got[0].parts[0] != tc.want {
			t.Errorf("%+v: %+v, want %q", tc.section, got, tc.want)
		}
	}
	if flags := me.Messages(Inbox)[0].Flags; len(flags) != 0 {
		t.Errorf("after PEEK: %q", flags)
	}
	fetch(t, c, imap.SeqSetNum(1), &imap.FetchItemBodySection{})
	if flags := me.Messages(Inbox)[0].Flags; !slices.Equal(flags, []string{`\Seen`}) {
		t.Errorf("after BODY[]: %q, want \\Seen", flags)
	}
}

// login speaks IMAP by hand up to the login.
func (r *raw) loginIMAP() *raw {
	r.line()
	r.do("LOGIN me secret")
	return r
}

// do sends a command and returns the lines of its answer, the last without its tag. Literals are lines too.
func (r *raw) do(command string) []string {
	r.send("t %s", command)
	return r.answer()
}

func (r *raw) answer() []string {
	var lines []string
	for {
		line := r.line()
		rest, last := strings.CutPrefix(line, "t ")
		lines = append(lines, rest)
		if last || strings.HasSuffix(line, ">") {
			return lines
		}
	}
}

func last(lines []string) string { return lines[len(lines)-1] }

func TestIMAPConversation(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	me.CreateMailbox("Entw&APw-rfe", `\Drafts`)
	me.CreateMailbox(`odd "name" \ & `+"\xe4 \xc3\xa4", "")
	me.CreateMailbox("[Gmail]", `\Noselect`)
	me.CreateMailbox("[Gmail]/Sent", `\Sent`)
	for i := range 5 {
		me.Deliver(Inbox, Message{Octets: fmt.Appendf(nil, "Subject: %d\r\n\r\nx\r\n", i+1)})
	}
	c := dial(t, srv).loginIMAP()
	for _, tc := range []struct{ say, want string }{
		{`LIST "" *`, `* LIST (\HasNoChildren) "/" "INBOX"` + "\n" +
			`* LIST (\HasNoChildren \Drafts) "/" "Entw&APw-rfe"` + "\n" +
			`* LIST (\HasNoChildren) "/" "odd \"name\" \\ & ` + "\xe4 \xc3\xa4\"\n" +
			`* LIST (\HasChildren \Noselect) "/" "[Gmail]"` + "\n" +
			`* LIST (\HasNoChildren \Sent) "/" "[Gmail]/Sent"` + "\nOK LIST completed"},
		{`LIST "" ""`, `* LIST (\Noselect) "/" ""` + "\nOK LIST completed"},
		{`LIST "" Entw&APw-%`, `* LIST (\HasNoChildren \Drafts) "/" "Entw&APw-rfe"` + "\nOK LIST completed"},
		{`STATUS "odd \"name\" \\ & ` + "\xe4 \xc3\xa4" + `" (MESSAGES UIDVALIDITY)`, `* STATUS "odd \"name\" \\ & ` + "\xe4 \xc3\xa4" + `" (MESSAGES 0 UIDVALIDITY 3)` + "\nOK STATUS completed"},
		{"NAMESPACE", `* NAMESPACE (("" "/")) NIL NIL` + "\nOK NAMESPACE completed"},
		{"EXAMINE INBOX", "* 5 EXISTS\n* 0 RECENT\n* OK [UIDVALIDITY 1] UIDs valid\n* OK [UIDNEXT 6] Predicted next UID\n" +
			`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)` + "\n* OK [PERMANENTFLAGS ()] Permanent flags\nOK [READ-ONLY] EXAMINE completed"},
		{"STORE 1 +FLAGS (x)", "NO [READ-ONLY] the mailbox was opened by EXAMINE"},
		{"SELECT [Gmail]", "* OK [CLOSED] Previous mailbox is now closed\nNO [NONEXISTENT] no such mailbox"},
		{"SELECT inbox", "* 5 EXISTS\n* 0 RECENT\n* OK [UIDVALIDITY 1] UIDs valid\n* OK [UIDNEXT 6] Predicted next UID\n" +
			`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)` + "\n" + `* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] Permanent flags` + "\nOK [READ-WRITE] SELECT completed"},
		{"UID FETCH 9:* (UID)", "* 5 FETCH (UID 5)\nOK UID FETCH completed"},
		{"UID FETCH 2:3,5 (UID)", "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 5 FETCH (UID 5)\nOK UID FETCH completed"},
		{`UID STORE 2,4 +FLAGS (\Deleted kW)`, `* 2 FETCH (UID 2 FLAGS (\Deleted kW))` + "\n" + `* 4 FETCH (UID 4 FLAGS (\Deleted kW))` + "\nOK UID STORE completed"},
		{`STORE 4 -FLAGS.SILENT kw`, "OK STORE completed"},
		{"UID SEARCH DELETED", "* SEARCH 2 4\nOK UID SEARCH completed"},
		{"SEARCH HEADER Subject 3", "* SEARCH 3\nOK SEARCH completed"},
		{"UID SEARCH RETURN (COUNT) NOT KEYWORD kW", `* ESEARCH (TAG "t") UID COUNT 4` + "\nOK UID SEARCH completed"},
		{"UID EXPUNGE 1:3", "* 2 EXPUNGE\nOK UID EXPUNGE completed"},
		{"COPY 1 Entw&APw-rfe", "OK [COPYUID 2 1 1] COPY completed"},
		{"EXPUNGE", "* 3 EXPUNGE\nOK EXPUNGE completed"},
		{"CREATE Neu/", "OK CREATE completed"},
		{"CREATE Neu", "NO [ALREADYEXISTS] the mailbox exists"},
		{"RENAME [Gmail]/Sent Neu/Sent", "OK RENAME completed"},
		{"RENAME Neu Alt", "OK RENAME completed"},
		{"SUBSCRIBE Alt", "OK SUBSCRIBE completed"},
		{`LSUB "" Alt*`, `* LSUB (\HasNoChildren \Sent) "/" "Alt/Sent"` + "\n" + `* LSUB (\HasChildren) "/" "Alt"` + "\nOK LSUB completed"},
		{"DELETE Alt/Sent", "OK DELETE completed"},
		{"FETCH 1 (ENVELOPE)", "NO [CANNOT] mail is not parsed here"},
		{"CLOSE", "OK CLOSE completed"},
		{"LOGOUT", "* BYE Logging out\nOK LOGOUT completed"},
	} {
		if got := strings.Join(c.do(tc.say), "\n"); got != tc.want {
			t.Errorf("%s:\n%s\nwant\n%s", tc.say, got, tc.want)
		}
	}
	if got := me.Mailboxes(); !slices.Equal(got, []string{Inbox, "Entw&APw-rfe", `odd "name" \ & ` + "\xe4 \xc3\xa4", "[Gmail]", "Alt"}) {
		t.Errorf("mailboxes %q", got)
	}
	if !slices.Contains(srv.Commands(), "LOGIN me ***") {
		t.Errorf("log %q", srv.Commands())
	}
}

func TestIMAPTellsWhatOthersDo(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	for range 3 {
		me.Deliver(Inbox, Message{})
	}
	c := dial(t, srv).loginIMAP()
	c.do("SELECT INBOX")
	me.Expunge(Inbox, 2)
	me.Deliver(Inbox, Message{})
	if got := c.do("NOOP"); !slices.Equal(got, []string{"* 2 EXPUNGE", "* 3 EXISTS", "OK NOOP completed"}) {
		t.Errorf("NOOP: %q", got)
	}
	if got := c.do("FETCH 1:* (UID)"); !slices.Equal(got, []string{"* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 4)", "OK FETCH completed"}) {
		t.Errorf("FETCH: %q", got)
	}
	me.Renumber(Inbox, 77)
	if got := c.do("NOOP"); !slices.Equal(got, []string{"* 1 EXPUNGE", "* 1 EXPUNGE", "* 1 EXPUNGE", "* 3 EXISTS", "OK NOOP completed"}) {
		t.Errorf("NOOP: %q", got)
	}
	if got := c.do("STATUS INBOX (UIDVALIDITY UIDNEXT)"); got[0] != `* STATUS "INBOX" (UIDNEXT 4 UIDVALIDITY 77)` {
		t.Errorf("STATUS: %q", got)
	}
}

func TestIMAPLiterals(t *testing.T) {
	for _, tc := range []struct {
		without []string
		send    string
		want    []string
	}{
		{nil, "t APPEND INBOX {1}", []string{"+ go ahead"}},
		{nil, "t APPEND INBOX {5000+}\r\n" + strings.Repeat("x", 5000), []string{"t OK [APPENDUID 1 1] APPEND completed"}},
		{[]string{"LITERAL+"}, "t APPEND INBOX {5+}\r\nhello", []string{"t OK [APPENDUID 1 1] APPEND completed"}},
		{[]string{"LITERAL+"}, "t APPEND INBOX {5000+}", []string{"t BAD no such literals here", "<EOF>"}},
		{[]string{"LITERAL+", "LITERAL-"}, "t APPEND INBOX {5+}", []string{"t BAD no such literals here", "<EOF>"}},
		{nil, "t SELECT {5}", []string{"+ go ahead"}},
		{nil, "t STATUS {5+}\r\nINBOX (MESSAGES)", []string{`* STATUS "INBOX" (MESSAGES 0)`}},
		{nil, "t AUTHENTICATE PLAIN", []string{"t BAD [CLIENTBUG] This command is only valid in the not authenticated state"}},
		{nil, "t IDLE\r\nDONE", []string{"+ idling", "t OK IDLE completed"}},
	} {
		_, srv := imapServer(t, Trouble{Without: tc.without})
		c := dial(t, srv).loginIMAP()
		c.send("%s", tc.send)
		for _, want := range tc.want {
			if got := c.line(); got != want {
				t.Errorf("without %q, %.40q: %q, want %q", tc.without, tc.send, got, want)
			}
		}
	}
}

func TestIMAPCapabilities(t *testing.T) {
	for _, tc := range []struct {
		without []string
		want    string
	}{
		{nil, "IMAP4rev1 SASL-IR UNSELECT ENABLE IDLE NAMESPACE UIDPLUS ESEARCH LIST-EXTENDED LIST-STATUS STATUS=SIZE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LITERAL+"},
		{[]string{"LITERAL+", "UIDPLUS", "NAMESPACE", "SPECIAL-USE", "CREATE-SPECIAL-USE", "CHILDREN", "ESEARCH", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE"},
			"IMAP4rev1 SASL-IR LITERAL- UNSELECT ENABLE IDLE"},
	} {
		me, srv := imapServer(t, Trouble{Without: tc.without})
		me.CreateMailbox("Sent", `\Sent`)
		c := dial(t, srv)
		c.line()
		if got := c.do("LOGIN me secret")[0]; got != "OK [CAPABILITY "+tc.want+"] Logged in" {
			t.Errorf("LOGIN: %s", got)
		}
		if got := c.do("CAPABILITY")[0]; got != "* CAPABILITY "+tc.want {
			t.Errorf("CAPABILITY: %s", got)
		}
		if got := c.do(`LIST "" Sent`)[0]; strings.Contains(got, `\Sent`) != (tc.without == nil) {
			t.Errorf("without %q: %s", tc.without, got)
		}
		if got := c.do("APPEND INBOX {1+}\r\nx")[0]; strings.Contains(got, "APPENDUID") != (tc.without == nil) {
			t.Errorf("without %q: %s", tc.without, got)
		}
		if got := last(c.do("NAMESPACE")); strings.HasPrefix(got, "OK") != (tc.without == nil) {
			t.Errorf("without %q: %s", tc.without, got)
		}
	}
}

func TestIMAPNamespace(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	me.SetNamespace("INBOX.", '.')
	c := dial(t, srv).loginIMAP()
	if got := c.do("CREATE Sent")[0]; got != "NO [CANNOT] names begin with INBOX." {
		t.Errorf("CREATE Sent: %s", got)
	}
	c.do("CREATE INBOX.Sent")
	if got := c.do("NAMESPACE")[0]; got != `* NAMESPACE (("INBOX." ".")) NIL NIL` {
		t.Error(got)
	}
	if got := c.do(`LIST "" "%"`); got[0] != `* LIST (\HasChildren) "." "INBOX"` || len(got) != 2 {
		t.Errorf("LIST: %q", got)
	}
	me.SetNamespace("", 0)
	if got := c.do(`LIST "" *`)[1]; got != `* LIST (\HasNoChildren) NIL "INBOX.Sent"` {
		t.Error(got)
	}
}

func TestRealMailOverBothProtocols(t *testing.T) {
	me, srv := imapServer(t, Trouble{})
	mail := testdata.Messages()
	c := client(t, srv)
	for _, m := range mail {
		if _, err := appendMail(c, Inbox, string(m.Octets), nil); err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
	}
	c.Select(Inbox, nil).Wait()
	over := fetch(t, c, all(), peekAll)
	pop := srv.office.POP3(Trouble{})
	defer pop.Close()
	r := dial(t, pop).login()
	for i, m := range mail {
		kept := me.Messages(Inbox)[i].Octets
		if !bytes.Equal(kept, m.Octets) || over[i].parts[0] != string(m.Octets) {
			t.Errorf("%s is altered over IMAP", m.Name)
		}
		r.ask("RETR %d", i+1)
		if got, want := string(r.body()), shownBy(string(m.Octets)); got != want {
			t.Errorf("%s is altered over POP3", m.Name)
		}
	}
}
