package postoffice

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// converse says one line after the other, each when the server has been silent for an hour, and returns all the
// server said: | for CRLF, and <end> if it ended the line. It needs a synctest bubble.
func converse(t *testing.T, srv *Server, lines ...string) string {
	conn := dial(t, srv).Conn
	var all strings.Builder
	buf := make([]byte, 4096)
	listen := func() bool {
		for {
			conn.SetReadDeadline(time.Now().Add(time.Hour))
			n, err := conn.Read(buf)
			all.Write(buf[:n])
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return true
			}
			if err != nil {
				all.WriteString("<end>")
				return false
			}
		}
	}
	on := listen()
	for _, line := range lines {
		if on {
			io.WriteString(conn, line+"\r\n")
			on = listen()
		}
	}
	return strings.ReplaceAll(all.String(), "\r\n", "|")
}

func TestPOP3Trouble(t *testing.T) {
	three := []string{"A: 1\r\n\r\n", "B: \xe4\r\n\r\n", "C: 3\r\n\r\na\n.\nb\r\n"}
	fault := func(f Fault) Trouble { return Trouble{Faults: []Fault{f}} }
	const in = "USER me\nPASS secret\n"
	for _, tc := range []struct {
		name    string
		trouble Trouble
		say     string
		want    string
	}{
		{"none", Trouble{}, in + "UIDL", "+OK send PASS|+OK 3 messages|+OK listing follows|1 u1|2 u2|3 u3|.|"},
		{"in use once", fault(Fault{Verb: "PASS", Times: 1, Say: "-ERR [IN-USE] locked"}), in + in,
			"+OK send PASS|-ERR [IN-USE] locked|+OK send PASS|+OK 3 messages|"},
		{"login delay, then the line", fault(Fault{Verb: "PASS", Say: "-ERR [LOGIN-DELAY] wait", End: FIN}), in,
			"+OK send PASS|-ERR [LOGIN-DELAY] wait|<end>"},
		{"greeting refused", fault(Fault{Verb: "GREETING", Say: "-ERR go away", End: FIN}), "", "-ERR go away|<end>"},
		{"RETR 2 refused", fault(Fault{Verb: "RETR", At: 2, Times: 1, Say: "-ERR [SYS/TEMP] later"}), in + "RETR 1\nRETR 1\nRETR 1",
			"+OK send PASS|+OK 3 messages|+OK 8 octets|A: 1||.|-ERR [SYS/TEMP] later|+OK 8 octets|A: 1||.|"},
		{"one message refused for good", fault(Fault{Verb: "RETR", Match: func(m Message) bool { return m.UIDL == "u2" }, Say: "-ERR broken"}),
			in + "RETR 2\nRETR 1\nRETR 2", "+OK send PASS|+OK 3 messages|-ERR broken|+OK 8 octets|A: 1||.|-ERR broken|"},
		{"large ones refused", fault(Fault{Verb: "RETR", Larger: 8, Say: "-ERR too large"}), in + "RETR 3\nRETR 1",
			"+OK send PASS|+OK 3 messages|-ERR too large|+OK 8 octets|A: 1||.|"},
		{"silent at the third command", fault(Fault{At: 3, End: Silence}), in + "NOOP\nNOOP", "+OK send PASS|+OK 3 messages|"},
		{"QUIT done, not answered", fault(Fault{Verb: "QUIT", Do: Done, End: FIN}), in + "DELE 1\nQUIT", "+OK send PASS|+OK 3 messages|+OK marked deleted|<end>"},
		{"no UIDL", Trouble{Without: []string{"UIDL"}}, in + "UIDL", "+OK send PASS|+OK 3 messages|-ERR unknown command, or not now|"},
		{"no TOP", Trouble{Without: []string{"TOP"}}, in + "TOP 1 0", "+OK send PASS|+OK 3 messages|-ERR unknown command, or not now|"},
		{"no CAPA", Trouble{Without: []string{"CAPA"}}, "CAPA", "-ERR unknown command, or not now|"},
		{"line missing in UIDL", Trouble{Rewrite: Drop("UIDL", "^2 ")}, in + "UIDL", "+OK send PASS|+OK 3 messages|+OK listing follows|1 u1|3 u3|.|"},
		{"line missing in LIST", Trouble{Rewrite: Drop("LIST", "^2 ")}, in + "LIST", "+OK send PASS|+OK 3 messages|+OK listing follows|1 8|3 17|.|"},
		{"empty and same UIDLs", Trouble{Rewrite: Replace("UIDL", "^1 .*", "1 ").Then(Replace("UIDL", "^3 .*", "3 u2"))}, in + "UIDL",
			"+OK send PASS|+OK 3 messages|+OK listing follows|1 |2 u2|3 u2|.|"},
		{"STAT disagrees", Trouble{Rewrite: Replace("STAT", `^\+OK 3`, "+OK 4")}, in + "STAT", "+OK send PASS|+OK 3 messages|+OK 4 33|"},
		{"blank status", Trouble{Rewrite: Replace("DELE", ".*", "")}, in + "DELE 1", "+OK send PASS|+OK 3 messages||"},
		{"bare LF", Trouble{BareLF: true}, in + "RETR 3", "+OK send PASS|+OK 3 messages|+OK 15 octets|C: 3||a\n.\nb|.|"},
		{"dots", Trouble{}, in + "RETR 3", "+OK send PASS|+OK 3 messages|+OK 17 octets|C: 3||a|..|b|.|"},
		{"substitute", Trouble{Substitute: true}, in + "TOP 2 0", "+OK send PASS|+OK 3 messages|+OK top of message follows|" +
			"From: Mail Delivery Subsystem <postmaster@localhost>|Subject: Cannot display Unicode content|MIME-Version: 1.0|Content-Type: message/global||.|"},
		{"no substitute after UTF8", Trouble{Substitute: true}, "UTF8\n" + in + "TOP 2 0",
			"+OK UTF8 enabled|+OK send PASS|+OK 3 messages|+OK top of message follows|B: \xe4||.|"},
		{"window", Trouble{Window: 2}, in + "UIDL", "+OK send PASS|+OK 2 messages|+OK listing follows|1 u1|2 u2|.|"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := pop3Server(t, tc.trouble, three...)
				got := converse(t, srv, strings.FieldsFunc(tc.say, func(r rune) bool { return r == '\n' })...)
				got = strings.TrimPrefix(got, "+OK POP3 at your service|")
				if got != tc.want {
					t.Errorf("%q\nwant\n%q", got, tc.want)
				}
			})
		})
	}
}

func TestWindowMovesOnAtQuitOnly(t *testing.T) {
	mail := []string{"A: 1\r\n\r\n", "A: 2\r\n\r\n", "A: 3\r\n\r\n"}
	_, srv := pop3Server(t, Trouble{Window: 2}, mail...)
	shown := func(quit bool) string {
		c := dial(t, srv).login()
		c.ask("UIDL")
		all := strings.Join(c.lines(), " ")
		if strings.HasPrefix(c.ask("RETR 1"), "+OK") {
			c.body()
		}
		if quit {
			c.ask("QUIT")
		}
		c.Close()
		return all
	}
	for i, step := range []struct {
		quit bool
		want string
	}{{false, "1_u1 2_u2"}, {true, "1_u1 2_u2"}, {true, "1_u2 2_u3"}, {true, "1_u3"}, {true, ""}} {
		if got := shown(step.quit); got != step.want {
			t.Errorf("session %d shows %q, want %q", i+1, got, step.want)
		}
	}
}

func TestAForgedEndIsSentAsItIs(t *testing.T) {
	forged := "A: 1\n\nx\n.\n+OK forged\n"
	_, srv := pop3Server(t, Trouble{BareLF: true}, forged)
	c := dial(t, srv).login()
	c.ask("RETR 1")
	if got := string(c.body()); got != forged+"\r\n" {
		t.Errorf("body %q", got)
	}
}

func TestEndlessLine(t *testing.T) {
	_, pop := pop3Server(t, Trouble{Endless: "GREETING"}, cutMail)
	_, imap := imapServer(t, Trouble{Endless: "LOGIN"})
	for _, srv := range []*Server{pop, imap} {
		c := dial(t, srv)
		if srv == imap {
			c.line()
			c.send("t LOGIN me secret")
		}
		buf := make([]byte, 1<<20)
		if n, err := io.ReadFull(c.in, buf); err != nil || strings.Contains(string(buf), "\n") {
			t.Errorf("%d octets of %.20q, %v", n, buf, err)
		}
		c.Close()
	}
}

func TestOnCommand(t *testing.T) {
	var heard []string
	me, srv := pop3Server(t, Trouble{}, cutMail, cutMail)
	srv.SetTrouble(Trouble{OnCommand: func(conn int, command string) {
		heard = append(heard, fmt.Sprint(conn, " ", command))
		if command == "RETR 2" {
			me.Expunge(Inbox, 1)
		}
	}})
	c := dial(t, srv).login()
	c.ask("RETR 2")
	c.body()
	if want := []string{"1 USER me", "1 PASS ***", "1 RETR 2"}; !slices.Equal(heard, want) || len(me.Messages(Inbox)) != 1 {
		t.Errorf("heard %q, want %q", heard, want)
	}
	srv.Close()
}
