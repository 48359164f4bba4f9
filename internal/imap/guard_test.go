package imap

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// octets is a connection that reads what a server said, all at once, and takes whatever it is told.
type octets struct {
	net.Conn
	io.Reader
	closed bool
}

func (o *octets) Read(p []byte) (int, error)  { return o.Reader.Read(p) }
func (o *octets) Write(p []byte) (int, error) { return len(p), nil }
func (o *octets) Close() error                { o.closed = true; return nil }

// through has a guard read what a server says after the greeting, in answer to commands, and returns what go-imap
// would see of it and why it ended.
func through(server io.Reader, commands ...string) (seen string, notes []string, err error) {
	g := newGuard(&octets{Reader: io.MultiReader(strings.NewReader("* OK hi\r\n"), server)})
	g.licence = toWrite
	for i, cmd := range commands {
		fmt.Fprintf(g, "T%d %s\r\n", i+1, cmd)
	}
	all, err := io.ReadAll(g)
	_, seen, _ = strings.Cut(string(all), "\r\n")
	if _, again := g.Read(make([]byte, 1)); again != err {
		return seen, nil, fmt.Errorf("the error %v becomes %v", err, again)
	}
	if err == nil || !g.conn.(*octets).closed {
		return seen, nil, errors.New("the connection is still open")
	}
	return seen, g.known().notes, err
}

const (
	fetchHeader = "UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (\"DATE\")])"
	fetchBodies = "UID FETCH 5:6 (UID BODY.PEEK[])"
	fetchBody   = "UID FETCH 5 (UID BODY.PEEK[])"
	fetchUIDs   = "UID FETCH 1:* (UID)"
)

// What the guard makes of responses: what go-imap is given is on the right.
func TestGuardMends(t *testing.T) {
	entwuerfe := quote(alias("Entwürfe"))
	for _, test := range []struct{ name, cmd, server, want string }{
		{"LIST", "LIST", `* LIST (\HasNoChildren) "/" "Work"` + "\r\n", `* LIST (\HasNoChildren) "/" ` + quote(alias("Work")) + "\r\n"},
		{"LIST INBOX", "LIST", `* LIST () "/" inBox` + "\r\n", `* LIST () "/" "INBOX"` + "\r\n"},
		{"LIST with raw UTF-8", "LIST", `* LIST () "/" "Entwürfe"` + "\r\n", `* LIST () "/" ` + entwuerfe + "\r\n"},
		{"LIST with a raw &", "LIST", `* LIST () "/" "R & D"` + "\r\n", `* LIST () "/" ` + quote(alias("R & D")) + "\r\n"},
		{"LIST with Latin-1", "LIST", "* LIST () \"/\" \"Entw\xfcrfe\"\r\n", `* LIST () "/" ` + quote(alias("Entw\xfcrfe")) + "\r\n"},
		{"LIST with a literal", "LIST", "* LIST () \"/\" {4}\r\na\"b\\\r\n", `* LIST () "/" ` + quote(alias(`a"b\`)) + "\r\n"},
		{"LIST without delimiter", "LIST", "* LIST () nil a\r\n* LIST () \"\" b\r\n",
			"* LIST () NIL " + quote(alias("a")) + "\r\n* LIST () NIL " + quote(alias("b")) + "\r\n"},
		{"LIST with odd attributes", "LIST", `* LIST (\Has]x \Sent \\Marked "\\Junk") "." a` + "\r\n", `* LIST (\Sent \Marked \Junk) "." ` + quote(alias("a")) + "\r\n"},
		{"LIST extended", "LIST", `* LIST () "." a ("CHILDINFO" ("SUBSCRIBED"))` + "\r\n", `* LIST () "." ` + quote(alias("a")) + "\r\n"},
		{"LIST with a line end", "LIST", "* LIST () \".\" {3}\r\na\r\n\r\n", ""},
		{"LIST without a name", "LIST", "* LIST () \".\"\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"LIST with an open string", "LIST", "* LIST () \".\" \"a\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"unknown untagged", "NOOP", "* VANISHED (EARLIER) 1:5\r\n* XYZZY {3}\r\na\nb rest\r\n* 3 RECENT\r\n* SEARCH 4294967295\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"blank lines", "NOOP", "\r\n\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"nothing behind *", "NOOP", "* \r\n*\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"stray +", "NOOP", "+ \r\n+ idling\r\n+\r\n* 1 EXISTS\r\n", "* 1 EXISTS\r\n"},
		{"EXPUNGE 0", "NOOP", "* 0 EXPUNGE\r\n* 2 expunge\r\n", "* 2 EXPUNGE\r\n"},
		{"empty code", "NOOP", "* OK [] hello\r\nT1 OK [] done\r\n", "* OK hello\r\nT1 OK done\r\n"},
		{"Exchange's code", "NOOP", `T1 OK [Error="Microsoft.Exchange [x]" y="z"] done` + "\r\n", "T1 OK done\r\n"},
		{"codes kept", "NOOP", "* OK [UIDNEXT 5] n\r\n* OK [UIDVALIDITY 0] v\r\n* OK [UIDNEXT *] n\r\nT1 NO [OVERQUOTA] full\r\n",
			"* OK [UIDNEXT 5] n\r\n* OK v\r\n* OK n\r\nT1 NO [OVERQUOTA] full\r\n"},
		{"PERMANENTFLAGS", "SELECT a", `* OK [PERMANENTFLAGS (\Seen a]b "q" \*)] x` + "\r\n", `* OK [PERMANENTFLAGS (\Seen \*)] x` + "\r\n"},
		{"FLAGS", "SELECT a", "* FLAGS (\\Seen \\\\Draft \"quoted\" {3}\r\nlit x]y)\r\n", `* FLAGS (\Seen \Draft quoted lit)` + "\r\n"},
		{"rights", "MYRIGHTS INBOX", "* MYRIGHTS inbox \"lrs wI{te\"\r\n* MYRIGHTS {1}\r\na lr\r\n* MYRIGHTS a (l r)\r\n* MYRIGHTS a\r\n",
			"* MYRIGHTS \"INBOX\" \"lrswte\"\r\n* MYRIGHTS \"" + alias("a") + "\" \"lr\"\r\n* MYRIGHTS \"" + alias("a") + "\" \"\"\r\n"},
		{"capabilities", "CAPABILITY", "* CAPABILITY IMAP4rev2 LITERAL+ UTF8=ONLY\r\n", "* " + shownCaps + "\r\n"},
		{"STATUS", "STATUS a (MESSAGES)", "* STATUS \"a\" (MESSAGES 5 UIDNEXT 4294967296 SIZE 7 APPENDLIMIT NIL X (1 2))\r\n", "* STATUS " + quote(alias("a")) + " (MESSAGES 5 SIZE 7)\r\n"},
		{"QUOTA", "GETQUOTAROOT INBOX", "* QUOTAROOT INBOX \"\" x\r\n* QUOTA \"\" (STORAGE 10 512 MESSAGE x y)\r\n", "* QUOTAROOT \"INBOX\" \"\" \"x\"\r\n* QUOTA \"\" (STORAGE 10 512)\r\n"},

		{"a listing", fetchHeader, "* 3 FETCH (UID 5 FLAGS (\\Seen) BODY[HEADER.FIELDS (DATE)] {4}\r\na\r\nb)\r\n",
			"* 3 FETCH (UID 5 FLAGS (\\Seen) BODY[HEADER] {4}\r\na\r\nb)\r\n"},
		{"UID behind the header", fetchHeader, "* 3 FETCH (BODY[HEADER.FIELDS (\"DATE\")] {1}\r\nx FLAGS () UID 5)\r\n",
			"* 3 FETCH (UID 5 FLAGS () BODY[HEADER] {1}\r\nx)\r\n"},
		{"header as a string or NIL", fetchHeader, "* 3 FETCH (UID 5 BODY[HEADER.FIELDS (DATE)] \"x\")\r\n* 4 FETCH (UID 6 BODY[HEADER.FIELDS (DATE)] NIL)\r\n",
			"* 3 FETCH (UID 5 BODY[HEADER] {1}\r\nx)\r\n* 4 FETCH (UID 6 BODY[HEADER] {0}\r\n)\r\n"},
		{"odd items", fetchHeader, "* 3 FETCH (UID 5 X-GM-MSGID 17 X-GM-LABELS (\"\\\\Inbox\" {1}\r\na) MODSEQ (5) RFC822.SIZE -1 RFC822.SIZE 12 ENVELOPE (NIL \"a\" ((NIL))) BODY[HEADER.FIELDS (DATE)] {0}\r\n)\r\n",
			"* 3 FETCH (UID 5 RFC822.SIZE 12 BODY[HEADER] {0}\r\n)\r\n"},
		{"bad dates", fetchUIDs, "* 1 FETCH (UID 1 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\")\r\n* 2 FETCH (UID 2 INTERNALDATE NIL)\r\n* 3 FETCH (UID 3 INTERNALDATE \"\")\r\n* 4 FETCH (UID 4 INTERNALDATE \"Mon, 7 Feb 1994 21:52:25 -0800\")\r\n* 5 FETCH (UID 5 INTERNALDATE \"01-Jan-0001 00:00:00 +0000\")\r\n* 6 FETCH (UID 6 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")\r\n",
			"* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n* 5 FETCH (UID 5)\r\n* 6 FETCH (UID 6 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")\r\n"},
		{"UIDs that are none", fetchUIDs, "* 1 FETCH (UID 4294967295)\r\n* 2 FETCH (UID 0)\r\n* 3 FETCH (UID 4294967296)\r\n* 4 FETCH (UID x)\r\n* 5 FETCH (FLAGS ())\r\n* 6 FETCH (UID 6 UID 7)\r\n", ""},
		{"flags unasked", fetchHeader, "* 3 FETCH (UID 5 FLAGS (\\Seen))\r\n", ""},
		{"flags unasked, nothing fetched", "NOOP", "* 3 FETCH (UID 5 FLAGS (\\Seen))\r\n* 3 FETCH (FLAGS (\\Seen))\r\n", ""},

		{"bodies", fetchBodies, "* 3 FETCH (UID 5 BODY[] {3}\r\na)\r)\r\n* 4 FETCH (UID 6 BODY[] {0}\r\n)\r\n",
			"* 3 FETCH (UID 5 BODY[] {3}\r\na)\r)\r\n* 4 FETCH (UID 6 BODY[] {0}\r\n)\r\n"},
		{"a body of one octet", fetchBody, "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n", "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n"},
		{"a body as a string or NIL", fetchBodies, "* 3 FETCH (UID 5 BODY[] \"a\\\"b\")\r\n* 4 FETCH (UID 6 BODY[] NIL)\r\n",
			"* 3 FETCH (UID 5 BODY[] {3}\r\na\"b)\r\n* 4 FETCH (UID 6 BODY[] NIL)\r\n"},
		{"items behind the body", fetchBodies, "* 3 FETCH (UID 5 BODY[] {1}\r\na UID 5 FLAGS (\\Seen) X-Y \"z\")\r\n", "* 3 FETCH (UID 5 BODY[] {1}\r\na FLAGS (\\Seen))\r\n"},
		{"UID behind the body of many", fetchBodies, "* 3 FETCH (BODY[] {1}\r\na UID 5)\r\n* 4 FETCH (UID 6 BODY[] {1}\r\nb)\r\n", "* 4 FETCH (UID 6 BODY[] {1}\r\nb)\r\n"},
		{"UID behind the body of one", fetchBody, "* 3 FETCH (BODY[] {1}\r\na UID 5)\r\n", "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n"},
		{"flags before the body", fetchBodies, "* 3 FETCH (UID 5 FLAGS ())\r\n* 3 FETCH (FLAGS () UID 5 BODY[] ~{1}\r\na)\r\n", "* 3 FETCH (UID 5 FLAGS () BODY[] {1}\r\na)\r\n"},
		{"parts nobody asked for", fetchBodies, "* 3 FETCH (UID 5 RFC822.HEADER {70000}\r\n" + strings.Repeat("x", 70000) + " BODY[TEXT]<0> {1}\r\nx BODY[] {1}\r\na)\r\n", "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n"},
		{"a line without CR", fetchUIDs, "* 1 FETCH (UID 1)\n* 2 FETCH (UID 2) \r\n", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen, _, err := through(strings.NewReader(test.server), test.cmd)
			if seen != test.want || err != io.ErrUnexpectedEOF {
				t.Errorf("go-imap sees\n%q, %v\nwant\n%q", seen, err, test.want)
			}
		})
	}
}

// What ends a session, at once and for good.
func TestGuardRefuses(t *testing.T) {
	for _, test := range []struct {
		name, cmd string
		server    io.Reader
		want      string
	}{
		{"an endless line", "NOOP", io.MultiReader(strings.NewReader("* OK "), zeros{}), "text of more than 64 KiB"},
		{"an endless line of data", "NOOP", io.MultiReader(strings.NewReader("* SEARCH "), zeros{}), "line of more than 16 MiB"},
		{"an endless atom", "NOOP", io.MultiReader(strings.NewReader("* LIST ("), zeros{}), "line of more than 16 MiB"},
		{"an endless tag", "NOOP", zeros{}, "line of more than 16 MiB"},
		{"an endless item", fetchUIDs, strings.NewReader("* 1 FETCH (BODY[" + strings.Repeat("[ ", 1<<23)), "line of more than 16 MiB"},
		{"endless literals", fetchUIDs, strings.NewReader("* 1 FETCH (X (" + strings.Repeat("{65536}\r\n"+strings.Repeat("x", 65536)+" ", 300)), "line of more than 16 MiB"},
		{"too many words", fetchUIDs, strings.NewReader("* FLAGS (" + strings.Repeat("() ", 1<<20)), "words"},
		{"parentheses", "NOOP", strings.NewReader("* 1 FETCH (X " + strings.Repeat("(", 4<<20)), "nests lists"},
		{"a large literal", "LIST", strings.NewReader("* LIST () \"/\" {65537}\r\n"), "literal"},
		{"a large literal passed over", "LIST", strings.NewReader("* XYZZY {65537}\r\n"), "literal"},
		{"a literal without end", "LIST", strings.NewReader("* LIST () \"/\" {9000000000000000000}\r\n"), "literal"},
		{"a message of more than 4 GiB", fetchBody, strings.NewReader("* 1 FETCH (UID 5 BODY[] {4294967296}\r\n"), "literal"},
		{"chatter", "NOOP", strings.NewReader(strings.Repeat("* OK still here\r\n", maxChatter+1)), "without end"},
		{"an unknown tag", "NOOP", strings.NewReader("T7 OK done\r\n"), "no IMAP"},
		{"an unknown answer", "NOOP", strings.NewReader("T1 YES done\r\n"), "no IMAP"},
		{"another message", fetchBody, strings.NewReader("* 3 FETCH (BODY[] {1}\r\na UID 6)\r\n"), "another message"},
		{"a message and then garbage", fetchBody, strings.NewReader("* 3 FETCH (UID 5 BODY[] {1}\r\na garbage\r\n"), "no IMAP"},
		{"a body cut off", fetchBody, strings.NewReader("* 3 FETCH (UID 5 BODY[] {5}\r\nabc"), "unexpected EOF"},
		{"a body cut off at its end", fetchBody, strings.NewReader("* 3 FETCH (UID 5 BODY[] {5}\r\nabcde"), "unexpected EOF"},
		{"a line cut off", fetchBody, strings.NewReader("* 3 FETCH (UID 5 BODY[] {1}\r\na)"), "unexpected EOF"},
		{"a header cut off", fetchHeader, strings.NewReader("* 3 FETCH (UID 5 BODY[HEADER.FIELDS (DATE)] {5}\r\nabc"), "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen, _, err := through(test.server, test.cmd)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the guard says %v, want %q", err, test.want)
			}
			if strings.Contains(seen, ")\r\n") || strings.HasSuffix(seen, "abcde") {
				t.Errorf("go-imap sees %.80q", seen)
			}
		})
	}
}

func TestGuardGreeting(t *testing.T) {
	for greeting, want := range map[string]string{
		"+OK POP3 ready\r\n": "does not greet as an IMAP server does: +OK POP3 ready",
		"220 smtp\r\n":       "does not greet as an IMAP server does: 220 smtp",
		"* 3 EXISTS\r\n":     "does not greet as an IMAP server does",
		"":                   "unexpected EOF",
	} {
		g := newGuard(&octets{Reader: strings.NewReader(greeting)})
		if _, err := g.Read(make([]byte, 100)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %q: %v, want %q", greeting, err, want)
		}
	}
}

// The worst a server can send costs little memory.
func TestGuardMemory(t *testing.T) {
	for name, server := range map[string]io.Reader{
		"words":   strings.NewReader("* FLAGS (" + strings.Repeat("a ", 7<<20)),
		"line":    io.MultiReader(strings.NewReader("* LIST ("), zeros{}),
		"caps":    strings.NewReader("* CAPABILITY " + strings.Repeat("a ", 7<<20)),
		"literal": io.MultiReader(strings.NewReader("* 1 FETCH (UID 5 BODY[] {900000000}\r\n"), io.LimitReader(zeros{}, 100<<20)),
	} {
		var before, after runtime.MemStats
		g := newGuard(&octets{Reader: io.MultiReader(strings.NewReader("* OK hi\r\n"), server)})
		fmt.Fprintf(g, "T1 %s\r\n", fetchBody)
		runtime.ReadMemStats(&before)
		io.Copy(io.Discard, g)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
			t.Errorf("%s: %d MiB allocated", name, used>>20)
		}
	}
}

// What goes out: names as the server spells them, and only where names stand.
func TestGuardSends(t *testing.T) {
	for _, test := range []struct{ cmd, want string }{
		{"SELECT " + quote(alias("Entwürfe")), `SELECT "Entwürfe"`},
		{"SELECT " + quote(alias(`a"b\c`)), `SELECT "a\"b\\c"`},
		{"STATUS " + quote(alias("a")) + " (MESSAGES)", `STATUS "a" (MESSAGES)`},
		{`LIST "" "*"`, `LIST "" "*"`},
		{`LOGIN "me" ` + quote(alias("x")), `LOGIN "me" ` + quote(alias("x"))},
	} {
		var sent strings.Builder
		g := newGuard(writer{&octets{Reader: strings.NewReader("")}, &sent})
		g.licence = toWrite
		fmt.Fprintf(g, "T1 %s\r\n", test.cmd)
		if sent.String() != "T1 "+test.want+"\r\n" {
			t.Errorf("sent %q, want %q", sent.String(), test.want)
		}
	}
}

type writer struct {
	*octets
	w io.Writer
}

func (w writer) Write(p []byte) (int, error) { return w.w.Write(p) }

func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		"* LIST (\\HasNoChildren) \"/\" \"R & D\"\r\nT1 OK done\r\n", "* STATUS {1}\r\na (MESSAGES 5)\r\n+ x\r\n",
		"* 3 FETCH (UID 5 FLAGS (\\Seen) BODY[HEADER.FIELDS (DATE)] {4}\r\na\r\nb)\r\n", "* OK [Error=\"a]b\"] x\r\n",
		"* 3 FETCH (BODY[] {3}\r\nabc UID 5 X (((())))) \r\nT2 NO [APPENDUID 1 *]\r\n", "* BYE [ALERT] go\r\n* QUOTA \"\" (A 1 2)\r\n",
		"* OK [PERMANENTFLAGS (\\Seen a]b \\*)] x\r\n* FLAGS (a \"b\" {1}\r\nc)\r\n* QUOTAROOT INBOX \"\" a\r\n* 1 EXISTS\r\n",
	} {
		f.Add(seed, byte(0))
		f.Add(seed, byte(1))
	}
	f.Fuzz(func(t *testing.T, server string, kind byte) {
		commands := []string{fetchHeader, fetchBodies, fetchBody, fetchUIDs, `SELECT "a"`}
		seen, _, err := through(strings.NewReader(server), commands[int(kind)%len(commands)], "NOOP")
		var broke wireError
		if err != io.ErrUnexpectedEOF && !errors.As(err, &broke) {
			t.Errorf("the session ends with %v", err)
		}
		if len(seen) > 3*len(server)+1000 {
			t.Errorf("%d octets become %d", len(server), len(seen))
		}
	})
}

func FuzzRespText(f *testing.F) {
	f.Add(`[APPENDUID 1 2] x`)
	f.Add(`[Error="a\"]b" c] x`)
	f.Fuzz(func(t *testing.T, s string) {
		out := parseRespText(s).String()
		if again := parseRespText(out).String(); parseRespText(out).code != "" && again != out {
			t.Errorf("%q becomes %q and then %q", s, out, again)
		}
	})
}
