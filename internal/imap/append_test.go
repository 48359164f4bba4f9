package imap

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// appendAll appends to INBOX what a server answers as told, and returns what became of each, and the last line what
// Append returned.
func appendAll(t *testing.T, s *script, batch ...mail.Outgoing) []string {
	t.Helper()
	c := s.client(t)
	if _, err := c.Select(t.Context(), mail.Inbox); err != nil {
		t.Fatal(err)
	}
	var got outcomes
	err := c.Append(t.Context(), mail.Inbox, batch, got.done)
	c.Close()
	s.running.Wait()
	slices.Sort(got) // what cannot be sent is told before what is under way
	return append(got, describe(err))
}

func three() []mail.Outgoing {
	return []mail.Outgoing{message("a: 1\r\n\r\n1"), message("a: 2\r\n\r\n2"), message("a: 3\r\n\r\n3")}
}

// onAppend answers the n-th APPEND of a script.
func onAppend(n int, do func(s *talk, cmd string)) func(*talk, string) bool {
	seen := 0
	return func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, "APPEND") {
			return false
		}
		if seen++; seen != n {
			return false
		}
		do(s, cmd)
		return true
	}
}

func taking(answer string) func(*talk, string) {
	return func(s *talk, cmd string) {
		s.literal(cmd)
		s.say(s.tag + " " + answer)
	}
}

// What a server may say to the second of three messages, and what becomes of all of them then (faults.md C4, E 34).
func TestAppendAnswers(t *testing.T) {
	const rest = "2 uid 0"
	for name, test := range map[string]struct {
		do   func(s *talk, cmd string)
		want []string
	}{
		"APPENDUID":                     {taking("OK [APPENDUID 7 11] done"), []string{"0 uid 0", "1 uid 11", rest, "ok"}},
		"APPENDUID of another validity": {taking("OK [APPENDUID 8 11] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID below UIDNEXT":       {taking("OK [APPENDUID 7 9] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID swapped":             {taking("OK [APPENDUID 11 7] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID *":                   {taking("OK [APPENDUID 7 *] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID without a UID":       {taking("OK [APPENDUID 7] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID of a set":            {taking("OK [APPENDUID 7 11:12] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"APPENDUID too large":           {taking("OK [APPENDUID 7 99999999999] done"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"OK without text":               {taking("OK"), []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"NO": {taking("NO no such message"), []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: no such message", rest, "ok"}},
		"NO without text": {taking("NO"), []string{"0 uid 0", "1 message refused: append to INBOX: the server says: NO", rest, "ok"}},
		"NO in place of +": {func(s *talk, cmd string) { s.say(s.tag + " NO [CANNOT] not this") }, []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: not this", rest, "ok"}},
		"TOOBIG": {taking("NO [TOOBIG] over quota size"), []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: over quota size", rest, "ok"}},
		"BAD after the literal": {taking("BAD invalid header"), []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: invalid header", rest, "ok"}},
		"+ twice": {func(s *talk, cmd string) {
			s.say("+ go ahead")
			taking("OK done")(s, cmd)
		}, []string{"0 uid 0", "1 uid 0", rest, "ok"}},
		"+ then NO": {func(s *talk, cmd string) {
			s.say("+ go ahead", s.tag+" NO changed my mind")
			size, _ := announced(cmd)
			io.CopyN(io.Discard, s.br, int64(size)+2)
		}, []string{"0 uid 0", "1 message refused: append to INBOX: the server says: changed my mind", rest, "ok"}},
		"NO and the connection closed": {func(s *talk, cmd string) {
			taking("NO not this")(s, cmd)
			s.conn.Close()
		}, []string{"0 uid 0", "1 message refused: append to INBOX: the server says: not this", rest, "ok"}},
		"OVERQUOTA": {taking("NO [OVERQUOTA] full"), []string{"0 uid 0", rest,
			"account quota: append to INBOX: the server says: full"}},
		"over quota in words": {taking("NO Over quota"), []string{"0 uid 0", rest,
			"account quota: append to INBOX: the server says: Over quota"}},
		"UNAVAILABLE": {taking("NO [UNAVAILABLE] wait 90 seconds"), []string{"0 uid 0", rest,
			"session network later 1m30s: append to INBOX: the server says: wait 90 seconds"}},
		"SERVERBUG": {taking("NO [SERVERBUG] oops"), []string{"0 uid 0",
			"1 message network later 1m0s: append to INBOX: the server says: oops", rest, "ok"}},
		"LIMIT": {taking("NO [LIMIT] too much of it"), []string{"0 uid 0",
			"1 message network later 1m0s: append to INBOX: the server says: too much of it", rest, "ok"}},
		"throttled, and hung up": {func(s *talk, cmd string) {
			taking("BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds")(s, cmd)
			s.conn.Close()
		}, []string{"0 uid 0", "session network later 4m59.961s: append to INBOX: the server says: Request is throttled. Suggested Backoff Time: 299961 milliseconds"}},
		"OVERQUOTA, and hung up": {func(s *talk, cmd string) {
			taking("NO [OVERQUOTA] full")(s, cmd)
			s.conn.Close()
		}, []string{"0 uid 0", "account quota: append to INBOX: the server says: full"}},
		"OVERQUOTA for bandwidth": {taking("NO [OVERQUOTA] Account exceeded command or bandwidth limits."), []string{"0 uid 0", rest,
			"account quota later 1h0m0s: append to INBOX: the server says: Account exceeded command or bandwidth limits."}},
		"NOPERM":       {taking("NO [NOPERM] not yours"), []string{"0 uid 0", rest, "mailbox refused: append to INBOX: the server says: not yours"}},
		"TRYCREATE":    {taking("NO [TRYCREATE] gone"), []string{"0 uid 0", rest, "mailbox vanished: append to INBOX: the server says: gone"}},
		"CONTACTADMIN": {taking("NO [CONTACTADMIN] call us"), []string{"0 uid 0", rest, "account other: append to INBOX: the server says: call us"}},
		"virus": {taking("NO 5.7.1 rejected: virus found, try again without it"), []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: 5.7.1 rejected: virus found, try again without it", rest, "ok"}},
		"Microsoft's largest": {taking("NO Maximum size of appendable message has been exceeded."), []string{"0 uid 0",
			"1 message refused: append to INBOX: the server says: Maximum size of appendable message has been exceeded.", rest, "ok"}},
		"the end of the line": {func(s *talk, cmd string) {
			s.literal(cmd)
			s.conn.Close()
		}, []string{"0 uid 0", "1 session network unsure later 1s: append to INBOX: imap.example.org hung up",
			"session network later 1s: append to INBOX: imap.example.org hung up"}},
		"the end before +": {func(s *talk, _ string) { s.conn.Close() }, []string{"0 uid 0",
			"session network later 1s: append to INBOX: imap.example.org hung up"}},
		"BYE": {func(s *talk, cmd string) {
			s.literal(cmd)
			s.say("* BYE Too many connections")
			s.conn.Close()
		}, []string{"0 uid 0",
			"1 session network unsure later 1m0s: append to INBOX: the server ended the session: Too many connections",
			"session network later 1m0s: append to INBOX: the server ended the session: Too many connections"}},
		"garbage": {func(s *talk, cmd string) {
			s.literal(cmd)
			s.say("hello there")
		}, []string{"0 uid 0", "1 session protocol unsure later 5s: append to INBOX: the server sends what is no IMAP: hello THERE ",
			"session protocol later 5s: append to INBOX: the server sends what is no IMAP: hello THERE "}},
		"OK before the literal": {func(s *talk, _ string) { s.say(s.tag + " OK sure") }, []string{"0 uid 0",
			"session protocol later 5s: append to INBOX: the server accepts a message before it was sent"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{answer: onAppend(2, test.do)}
			got := appendAll(t, s, three()...)
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("Append =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// A UID that is named twice names one message only.
func TestAppendUIDTwice(t *testing.T) {
	s := &script{answer: func(s *talk, cmd string) bool {
		if strings.HasPrefix(cmd, "APPEND") {
			taking("OK [APPENDUID 7 11] done")(s, cmd)
			return true
		}
		return false
	}}
	if got := strings.Join(appendAll(t, s, three()...), ", "); got != "0 uid 11, 1 uid 0, 2 uid 0, ok" {
		t.Errorf("Append = %s", got)
	}
}

func TestAppendFlags(t *testing.T) {
	flags := []string{`\Seen`, `\Deleted`, `\Flagged`, "work", "two words", `$Forwarded`}
	for name, test := range map[string]struct {
		permanent string // what SELECT says
		refuse    string // flags that make it say BAD
		want      []string
	}{
		"all keywords":   {`* OK [PERMANENTFLAGS (\Seen \Flagged \Deleted \*)] x`, "-", []string{`$Forwarded \Flagged \Seen work`}},
		"named keywords": {`* OK [PERMANENTFLAGS (\Seen $Forwarded)] x`, "-", []string{`$Forwarded \Seen`}},
		"none":           {`* OK [PERMANENTFLAGS ()] x`, "-", []string{""}},
		"only FLAGS":     {`* OK x`, "-", []string{`\Flagged \Seen`}},
		"no to keywords": {`* OK [PERMANENTFLAGS (\Seen \Flagged \*)] x`, "work", []string{`$Forwarded \Flagged \Seen work`, `\Flagged \Seen`}},
		"no to all": {`* OK [PERMANENTFLAGS (\Seen \Flagged \*)] x`, "Seen",
			[]string{`$Forwarded \Flagged \Seen work`, `\Flagged \Seen`, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []string
			s := &script{answer: func(s *talk, cmd string) bool {
				switch {
				case strings.HasPrefix(cmd, "SELECT"):
					s.say("* 3 EXISTS", `* FLAGS (\Seen \Flagged)`, test.permanent, "* OK [UIDVALIDITY 7] v", s.tag+" OK done")
				case strings.HasPrefix(cmd, "UID FETCH"), strings.HasPrefix(cmd, "FETCH"):
					s.say("* 3 FETCH (UID 9)", s.tag+" OK done")
				case strings.HasPrefix(cmd, "APPEND"):
					_, list, found := strings.Cut(cmd, "(")
					list, _, _ = strings.Cut(list, ")")
					if !found {
						list = ""
					}
					sent = append(sent, list)
					answer := "OK done"
					if strings.Contains(list, test.refuse) {
						answer = "BAD what?"
					}
					taking(answer)(s, cmd)
				default:
					return false
				}
				return true
			}}
			if got := appendAll(t, s, message("x", flags...)); strings.Join(got, ", ") != "0 uid 0, ok" {
				t.Errorf("Append = %q", got)
			}
			if strings.Join(sent, "|") != strings.Join(test.want, "|") {
				t.Errorf("flags sent: %q, want %q", sent, test.want)
			}
		})
	}
}

// breaking is a source that ends, or fails, or goes on, after so many octets.
func breaking(announced, real int64, err error) mail.Outgoing {
	m := message("")
	m.Octets = announced
	m.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, real), failing{err})), nil
	}
	return m
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A message that is not as long as was announced must not reach the server in any form, and costs nobody else
// anything: go-imap would fill it up with the commands that follow.
func TestAppendBrokenSource(t *testing.T) {
	broken := errors.New("input/output error")
	for name, m := range map[string]mail.Outgoing{
		"short": breaking(100, 60, io.EOF), "long": breaking(100, 101, io.EOF), "fails": breaking(100, 60, broken),
		"short and large": breaking(3<<20, 2<<20, io.EOF), "long and large": breaking(3<<20, 3<<20+1, io.EOF),
		"fails and large": breaking(3<<20, 1<<20, broken), "empty but not": breaking(0, 1, io.EOF),
		"cannot be opened": {Octets: 1, Open: func() (io.ReadCloser, error) { return nil, broken }},
	} {
		for _, caps := range []string{"IMAP4rev1", "IMAP4rev1 LITERAL+"} {
			s := &script{caps: caps}
			batch := three()
			batch[1] = m
			got := appendAll(t, s, batch...)
			if len(got) != 4 || got[0] != "0 uid 0" || !strings.HasPrefix(got[1], "1 local: ") || got[2] != "2 uid 0" || got[3] != "ok" {
				t.Errorf("%s, %s: Append = %q", name, caps, got)
			}
			if strings.Join(s.stored, "|") != "a: 1\r\n\r\n1|a: 3\r\n\r\n3" {
				t.Errorf("%s, %s: the server stored %.80q", name, caps, s.stored)
			}
		}
	}
}

// With LITERAL+ the messages of a batch do not wait for the answers; without, each asks for consent. Large ones
// always do.
func TestAppendInFlight(t *testing.T) {
	for caps, want := range map[string]string{
		"IMAP4rev1": "{9} {5000} {9437184} {9}", "IMAP4rev1 LITERAL+": "{9+} {5000+} {9437184} {9+}",
		"IMAP4rev1 LITERAL-": "{9+} {5000} {9437184} {9+}",
	} {
		s := &script{caps: caps}
		got := appendAll(t, s, message("a: 1\r\n\r\n1"), message(strings.Repeat("x", 5000)),
			message(strings.Repeat("y", 9<<20)), message("a: 4\r\n\r\n4"))
		if strings.Join(got, ", ") != "0 uid 0, 1 uid 0, 2 uid 0, 3 uid 0, ok" {
			t.Errorf("%s: Append = %q", caps, got)
		}
		var marks []string
		for _, cmd := range s.log() {
			if strings.HasPrefix(cmd, "APPEND") {
				marks = append(marks, cmd[strings.LastIndexByte(cmd, '{'):])
			}
		}
		if strings.Join(marks, " ") != want {
			t.Errorf("%s: literals %q, want %s", caps, marks, want)
		}
	}
}

// Answers that come only when the whole batch has arrived show that it is under way at once; and after a cut, those
// that were sent are unsure, each.
func TestAppendTogether(t *testing.T) {
	for _, answered := range []int{0, 1, 3} {
		var tags []string
		s := &script{caps: "IMAP4rev1 LITERAL+", answer: func(s *talk, cmd string) bool {
			if !strings.HasPrefix(cmd, "APPEND") {
				return false
			}
			tags = append(tags, s.tag)
			s.literal(cmd)
			if len(tags) == 3 {
				for i, tag := range tags[:answered] {
					s.say(tag + " OK [APPENDUID 7 " + string("123"[i]) + "1] done")
				}
				s.conn.Close()
			}
			return true
		}}
		got := appendAll(t, s, three()...)
		for i := range 3 {
			want := string("012"[i]) + " session network unsure"
			if i < answered {
				want = string("012"[i]) + " uid " + string("123"[i]) + "1"
			}
			if len(got) != 4 || !strings.HasPrefix(got[i], want) {
				t.Fatalf("%d answered: Append = %q", answered, got)
			}
		}
	}
}

// A mailbox that was numbered anew between two sessions is not what intents were written for.
func TestAppendRenumbered(t *testing.T) {
	validity := "7"
	s := &script{}
	s.answer = func(s *talk, cmd string) bool {
		switch {
		case strings.HasPrefix(cmd, "SELECT"):
			s.say("* 0 EXISTS", "* OK [UIDVALIDITY "+validity+"] v", "* OK [UIDNEXT 1] n", s.tag+" OK done")
		case strings.HasPrefix(cmd, "APPEND"):
			validity = "8"
			taking("NO not this")(s, cmd)
			s.conn.Close()
		default:
			return false
		}
		return true
	}
	got := appendAll(t, s, three()...)
	want := "0 message refused: append to INBOX: the server says: not this|" +
		"mailbox protocol: append to INBOX: the server has given the folder a new UIDVALIDITY since it was opened"
	if strings.Join(got, "|") != want {
		t.Errorf("Append = %q", got)
	}
}

func TestAppendLimit(t *testing.T) {
	s := &script{caps: "IMAP4rev1 APPENDLIMIT=10"}
	got := appendAll(t, s, message("small"), message("larger than it"), message("small"))
	want := "0 uid 0|1 message refused: append to INBOX: the server takes messages of up to 10 octets|2 uid 0|ok"
	if strings.Join(got, "|") != want {
		t.Errorf("Append = %q", got)
	}
}

// The date is the INTERNALDATE with its zone; what no server can say is left to it.
func TestAppendDate(t *testing.T) {
	s := &script{}
	a, b := message("a"), message("b")
	a.Received = a.Received.In(mailZone)
	b.Received = b.Received.AddDate(-900, 0, 0)
	appendAll(t, s, a, b)
	var cmds []string
	for _, cmd := range s.log() {
		if strings.HasPrefix(cmd, "APPEND") {
			cmds = append(cmds, cmd)
		}
	}
	if strings.Join(cmds, "|") != `APPEND INBOX " 9-Sep-2001 07:16:40 +0530" {1}|APPEND INBOX {1}` {
		t.Errorf("commands %q", cmds)
	}
}

// Octets go out as they are.
func TestAppendOctets(t *testing.T) {
	all := make([]byte, 1<<16)
	for i := range all {
		all[i] = byte(i * 7)
	}
	s := &script{caps: "IMAP4rev1 LITERAL+"}
	large := bytes.Repeat(all, 48)
	appendAll(t, s, message(string(all)), message(string(large)))
	if len(s.stored) != 2 || s.stored[0] != string(all) || s.stored[1] != string(large) {
		t.Error("the octets stored are not those sent")
	}
}

// Where each message has to be asked for, the question for the next goes with the octets of the one before: one way there
// and back for each. A server that waits for it before it answers gets it.
func TestAppendAsksAhead(t *testing.T) {
	batch := []mail.Outgoing{message("0"), message("1"), message("2"), message("3")}
	nth := 0
	s := &script{answer: func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, "APPEND") {
			return false
		}
		s.literal(cmd)
		if nth++; nth < len(batch) {
			s.br.Peek(1)
		}
		s.say(s.tag + " OK done")
		return true
	}}
	want := []string{"0 uid 0", "1 uid 0", "2 uid 0", "3 uid 0", "ok"}
	if got := appendAll(t, s, batch...); !slices.Equal(got, want) {
		t.Errorf("Append = %v", got)
	}
}

// A "+" before its time is not taken for the consent to the next message, which may be refused instead, and nothing is
// asked ahead any more.
func TestAppendEarlyConsent(t *testing.T) {
	nth, ahead := 0, 0
	s := &script{answer: func(s *talk, cmd string) bool {
		if !strings.HasPrefix(cmd, "APPEND") {
			return false
		}
		if nth++; nth == 2 {
			s.say(s.tag + " NO not this")
			return true
		}
		s.literal(cmd)
		if nth == 1 {
			s.br.Peek(1) // the next is announced
			s.say("+ and once more")
		} else if s.br.Buffered() > 0 {
			ahead++
		}
		s.say(s.tag + " OK done")
		return true
	}}
	got := appendAll(t, s, message("0"), message("zz STATUS x"), message("2"), message("3"), message("4"))
	want := []string{"0 uid 0", "1 message refused: append to INBOX: the server says: not this", "2 uid 0", "3 uid 0", "4 uid 0", "ok"}
	if !slices.Equal(got, want) || ahead > 0 || slices.Contains(s.commands, "STATUS x") {
		t.Errorf("Append = %v, %d asked ahead; the server was told %q", got, ahead, s.commands)
	}
}
