package trial

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// Words are how a protocol goes in clear.
type Words struct {
	Command      string // all that may be said, without its line end
	Greeting, OK string // lines without their ends
	no, bye      string
	injected     string // an answer that would be believed if it were said under TLS
	Again        string // what is asked first under TLS
}

// The words of the two protocols.
var (
	POP3Words = Words{
		Command: "STLS", Greeting: "+OK ready", OK: "+OK begin", no: "-ERR no such command", bye: "-ERR too many sessions",
		injected: "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n", Again: "CAPA",
	}
	IMAPWords = Words{
		Command: "M1 STARTTLS", Greeting: "* OK ready", OK: "M1 OK begin", no: "M1 BAD what?", bye: "* BYE too many sessions",
		injected: "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", Again: "CAPABILITY",
	}
)

// A clearCase is one way not to begin TLS well.
type clearCase struct {
	name  string
	serve func(line net.Conn, town clearTown)
	cause mail.Cause
	says  string // in the error
}

func hostile(w Words) []clearCase {
	cases := append(greetings(w), answers(w)...)
	return append(cases, handshakes(w)...)
}

// greetings are servers that go wrong before they are asked for anything.
func greetings(w Words) []clearCase {
	greet := func(text string) func(net.Conn, clearTown) {
		return func(c net.Conn, _ clearTown) { io.WriteString(c, text) }
	}
	return []clearCase{
		{"silence", greet(""), mail.CauseNetwork, "did not greet on port"},
		{"hangs up", hangUp, mail.CauseNetwork, "hung up"},
		{"turned away", func(c net.Conn, _ clearTown) { say(c, w.bye); c.Close() }, mail.CauseNetwork, "too many sessions"},
		{"PREAUTH", greet("* PREAUTH welcome back\r\n"), preauthCause(w), "PREAUTH"},
		{"another protocol", greet("220 mail.trial.example ESMTP\r\n"), mail.CauseProtocol, `greets with "220 mail`},
		{"the other of the two", greet(map[bool]string{true: "* OK hello\r\n", false: "+OK hello\r\n"}[w.Command == "STLS"]), mail.CauseProtocol, "greets with"},
		{"octets", greet("\x00\xff\x1b[2J\r\n"), mail.CauseProtocol, `greets with "\x00\xff\x1b[2J"`},
		{"an empty line", greet("\r\n"), mail.CauseProtocol, `greets with ""`},
		{"no more than OK", greet("OK\r\n"), mail.CauseProtocol, `greets with "OK"`},
		{"OK and no space", greet(w.Greeting[:len(w.Greeting)-6] + "AY\r\n"), mail.CauseProtocol, "greets with"},
		{"endless line", func(c net.Conn, _ clearTown) { endless(c, w.Greeting, 0) }, mail.CauseProtocol, "a line of more than 4096 octets"},
		{"line that drips", func(c net.Conn, _ clearTown) { endless(c, w.Greeting, 7*time.Second) }, mail.CauseNetwork, "did not greet on port"},
		{"two greetings", greet(w.Greeting + "\r\n" + w.Greeting + "\r\n"), mail.CauseCertificate, "said more in clear behind its greeting"},
		{"consent before it is asked", greet(w.Greeting + "\r\n" + w.OK + "\r\n"), mail.CauseCertificate, "said more in clear behind its greeting"},
		{"half a line more", greet(w.Greeting + "\r\n*"), mail.CauseCertificate, "said more in clear behind its greeting"},
		{"TLS at once", greet("\x15\x03\x01\x00\x02\x02\x0a"), mail.CauseCertificate, "speaks TLS from the first octet"},
	}
}

func preauthCause(w Words) mail.Cause {
	if w.Command == "STLS" { // where it is no word at all
		return mail.CauseProtocol
	}
	return mail.CauseCertificate
}

// answers are servers that go wrong when they are asked for TLS.
func answers(w Words) []clearCase {
	answer := func(text string) func(net.Conn, clearTown) {
		return func(c net.Conn, _ clearTown) { asked(c, w); io.WriteString(c, text) }
	}
	cases := []clearCase{
		{"capability stripped, and the command too", answer(w.no + "\r\n"), mail.CauseCertificate, "does not begin TLS when asked to"},
		{"no, with orders to the terminal", answer(w.no + "\x1b]0;x\x07\r\n"), mail.CauseCertificate, "does not begin TLS when asked to"},
		{"bye for an answer", answer(w.bye + "\r\n"), byeCause(w), ""},
		{"silence when asked", answer(""), mail.CauseNetwork, "did not answer"},
		{"hangs up when asked", func(c net.Conn, _ clearTown) { asked(c, w); c.Close() }, mail.CauseNetwork, "hung up"},
		{"garbage", answer("what\x00?\r\n"), mail.CauseProtocol, "answers STLS with"},
		{"an empty line when asked", answer("\r\n"), mail.CauseProtocol, `with ""`},
		{"the tag of another", answer("A1 OK begin\r\n"), mail.CauseProtocol, "with"},
		{"go ahead", answer("+ go ahead\r\n"), mail.CauseProtocol, "with"},
		{"endless answer", func(c net.Conn, _ clearTown) { asked(c, w); endless(c, w.OK, 0) }, mail.CauseProtocol, "a line of more than 4096 octets"},
		{"answer that drips", func(c net.Conn, _ clearTown) { asked(c, w); endless(c, w.OK, 7*time.Second) }, mail.CauseNetwork, "did not answer"},
		{"logged in when asked", answer("M1 PREAUTH\r\n"), mail.CauseProtocol, "with"},
		{"injected before the OK", answer("* CAPABILITY IMAP4rev1\r\n" + w.OK + "\r\n"), mail.CauseProtocol, "with"},
		{"injected behind the OK", answer(w.OK + "\r\n" + w.injected), mail.CauseCertificate, "said more in clear behind its consent to TLS"},
		{"an octet behind the OK", answer(w.OK + "\r\n+"), mail.CauseCertificate, "said more in clear behind its consent to TLS"},
		{"a handshake behind the OK", answer(w.OK + "\r\n\x16\x03\x03"), mail.CauseCertificate, "said more in clear behind its consent to TLS"},
	}
	for i := range cases {
		cases[i].says = strings.ReplaceAll(cases[i].says, "STLS", strings.TrimPrefix(w.Command, "M1 "))
	}
	return cases
}

func byeCause(w Words) mail.Cause {
	if w.Command == "STLS" {
		return mail.CauseCertificate // it is a no
	}
	return mail.CauseProtocol
}

// handshakes are servers that agree to TLS and then go wrong.
func handshakes(w Words) []clearCase {
	agree := func(then func(net.Conn, clearTown)) func(net.Conn, clearTown) {
		return func(c net.Conn, town clearTown) { asked(c, w); say(c, w.OK); then(c, town) }
	}
	shake := func(config func(clearTown) *tls.Config) func(net.Conn, clearTown) {
		return agree(func(c net.Conn, town clearTown) { tls.Server(c, config(town)).Handshake() })
	}
	secured := func(then func(*tls.Conn)) func(net.Conn, clearTown) {
		return agree(func(c net.Conn, town clearTown) {
			if t := tls.Server(c, town.sound()); t.Handshake() == nil {
				then(t)
			}
		})
	}
	return []clearCase{
		{"silence after OK", agree(func(net.Conn, clearTown) {}), mail.CauseNetwork, "did not finish the TLS handshake within 30 s"},
		{"hangs up after OK", agree(hangUp), mail.CauseNetwork, "hung up during the TLS handshake"},
		{"goes on in clear", agree(func(c net.Conn, _ clearTown) { hello(c); io.WriteString(c, w.injected) }), mail.CauseCertificate, "and went on in clear"},
		{"injected between OK and TLS", agree(func(c net.Conn, town clearTown) {
			hello(c)
			io.WriteString(c, w.injected)
			tls.Server(c, town.sound()).Handshake()
		}), mail.CauseCertificate, "and went on in clear"},
		{"a web server", agree(func(c net.Conn, _ clearTown) { hello(c); io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }),
			mail.CauseCertificate, "and went on in clear"},
		{"refuses to shake hands", agree(func(c net.Conn, _ clearTown) { hello(c); io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x28") }),
			mail.CauseCertificate, "has no way to encrypt that is safe enough"},
		{"a certificate for another name", shake(func(town clearTown) *tls.Config { return town.ca.Server("other.trial.example") }),
			mail.CauseCertificate, "the certificate of " + ClearHost + " is for other.trial.example"},
		{"expired certificate", shake(func(town clearTown) *tls.Config { return town.ca.Expired(ClearHost) }), mail.CauseCertificate, "expired on"},
		{"a stranger's certificate", shake(func(town clearTown) *tls.Config { return town.stranger.Server(ClearHost) }), mail.CauseCertificate, "vouches for"},
		{"its own certificate", shake(func(clearTown) *tls.Config { return postoffice.SelfSigned(ClearHost) }), mail.CauseCertificate, "vouches for"},
		{"old TLS", shake(func(town clearTown) *tls.Config {
			config := town.sound()
			config.MaxVersion = tls.VersionTLS11
			return config
		}), mail.CauseCertificate, "speaks no TLS of version 1.2 or better"},
		{"wants a certificate, TLS 1.2", shake(func(town clearTown) *tls.Config { return wanting(town, tls.VersionTLS12) }),
			mail.CauseCertificate, "lets in only who has a certificate"},
		{"wants a certificate, TLS 1.3", shake(func(town clearTown) *tls.Config { return wanting(town, tls.VersionTLS13) }),
			mail.CauseCertificate, "lets in only who has a certificate"},
		{"TLS, then hangs up", secured(func(t *tls.Conn) { t.Close() }), mail.CauseNetwork, "hung up"},
		{"TLS, then silence", secured(func(*tls.Conn) {}), mail.CauseNetwork, "said nothing for"},
		{"TLS, then in clear below", secured(func(t *tls.Conn) { io.WriteString(t.NetConn(), w.injected) }), mail.CauseNetwork, "the line to"},
		{"what was learnt before TLS is asked again", func(c net.Conn, town clearTown) { askedAgain(c, town, w) }, mail.CauseNetwork, "hung up"},
	}
}

// askedAgain is a server that announces in clear, in the greeting and in its consent, what a client could do; under
// TLS it listens for one command only, and tells by falling silent if it is not the one that asks again.
func askedAgain(c net.Conn, town clearTown, w Words) {
	capabilities := " [CAPABILITY IMAP4rev1 AUTH=PLAIN] "
	say(c, w.Greeting+capabilities)
	readLine(c)
	say(c, strings.Replace(w.OK, " begin", capabilities, 1))
	t := tls.Server(c, town.sound())
	if t.Handshake() == nil && strings.HasSuffix(readLine(t), w.Again) {
		c.Close()
	}
}

func wanting(town clearTown, version uint16) *tls.Config {
	config := town.sound()
	config.ClientAuth, config.MinVersion, config.MaxVersion = tls.RequireAnyClientCert, version, version
	return config
}

// lure listens until the client goes, and welcomes every login in clear that it hears.
func (w Words) lure(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		fields := append(strings.Fields(line), "", "")
		tag, verb := "+OK", fields[0]
		if w.Command != "STLS" {
			tag, verb = fields[0]+" OK", fields[1]
		}
		switch verb {
		case "CAPA":
			say(c, "-ERR")
		case "CAPABILITY":
			say(c, "* CAPABILITY IMAP4rev1\r\n"+tag)
		case "USER", "PASS", "AUTH", "LOGIN", "AUTHENTICATE":
			say(c, tag+" welcome")
		}
	}
}

func hangUp(c net.Conn, _ clearTown) { c.Close() }

func say(c net.Conn, line string) { io.WriteString(c, line+"\r\n") }

// asked greets well and waits to be asked for TLS.
func asked(c net.Conn, w Words) {
	say(c, w.Greeting)
	readLine(c)
}

// hello waits for the client to begin the handshake.
func hello(c net.Conn) { bufio.NewReaderSize(c, 4096).Peek(5) }

// readLine reads no octet more than the line, and returns it without its end.
func readLine(c io.Reader) string {
	var line []byte
	for octet := make([]byte, 1); ; line = append(line, octet[0]) {
		if _, err := c.Read(octet); err != nil || octet[0] == '\n' {
			return strings.TrimRight(string(line), "\r")
		}
	}
}

// endless says a line that does not end, until the client goes, or has had more of it than anybody should take.
func endless(c net.Conn, line string, pause time.Duration) {
	octets := line + " "
	for range 16 << 10 {
		if _, err := fmt.Fprint(c, octets); err != nil {
			return
		}
		octets = "x"
		time.Sleep(pause)
	}
}
