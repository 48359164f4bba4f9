package dial

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// An Upgrade is the command by which a connection that begins in clear changes to TLS; "" is none.
type Upgrade string

// The upgrades there are.
const (
	STLS     Upgrade = "STLS"     // of POP3 (RFC 2595 §4)
	STARTTLS Upgrade = "STARTTLS" // of IMAP (RFC 3501 §6.2.1)
)

// maxClear is the longest line that is read in clear; RFC 2449 §4 has 512 octets.
const maxClear = 4 << 10

// tag is that of the one command which is sent over IMAP in clear.
const tag = "M1"

// A clear is a conversation before TLS: a greeting, one command and its answer. Anybody may have said what is heard in
// it. So none of it is kept, capabilities are not even asked for, and there is no way on but TLS.
type clear struct {
	server Server
	in     *bufio.Reader
	remedy string // for a line that ends here
}

// askForTLS takes the line to where the handshake begins. It may take as long as the connection may, in all.
func (s Server) askForTLS(ctx context.Context, w *wire) error {
	stop := context.AfterFunc(ctx, func() { w.abort() })
	defer stop()
	until := time.Now().Add(s.maxConnect())
	w.until.Store(&until)
	defer w.until.Store(nil)
	c := &clear{server: s, in: bufio.NewReaderSize(w, maxClear), remedy: s.muteHint()}
	if err := c.greeting(); err != nil {
		return err
	}
	c.remedy = s.aroundHint()
	if _, err := io.WriteString(w, s.StartTLS.command()); err != nil {
		return c.cut("took no "+string(s.StartTLS), err)
	}
	return c.consent()
}

// greeting reads the greeting, and nothing may stand behind it.
func (c *clear) greeting() error {
	first, err := c.in.Peek(1)
	if err == nil && isTLSRecord(first[0]) {
		return c.speaksTLS()
	}
	line, err := c.line("did not greet", err)
	if err != nil {
		return err
	}
	switch c.server.StartTLS.greets(line) {
	case saysYes:
		return c.quiet("its greeting")
	case saysNo:
		return c.turnedAway(line)
	case saysLoggedIn:
		return c.loggedIn()
	}
	return c.senseless("greets with", line)
}

// consent reads the answer to the command. What stands behind it in clear would be taken for said under TLS (as in
// CVE-2011-0411).
func (c *clear) consent() error {
	line, err := c.line("did not answer "+string(c.server.StartTLS), nil)
	if err != nil {
		return err
	}
	switch c.server.StartTLS.answers(line) {
	case saysYes:
		return c.quiet("its consent to TLS")
	case saysNo:
		return c.refused(line)
	}
	return c.senseless("answers "+string(c.server.StartTLS)+" with", line)
}

// line reads one line without its end; err is what went wrong already.
func (c *clear) line(failing string, err error) (string, error) {
	var line []byte
	if err == nil {
		line, err = c.in.ReadSlice('\n')
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", c.endless()
	case err != nil:
		return "", c.cut(failing, err)
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// quiet returns an error if more was said than one line.
func (c *clear) quiet(behind string) error {
	if n := c.in.Buffered(); n > 0 {
		more, _ := c.in.Peek(n)
		return c.injected(behind, string(more))
	}
	return nil
}

// isTLSRecord reports whether b begins a record (RFC 8446 §5.1) that a server would begin with: an alert or a handshake.
func isTLSRecord(b byte) bool { return b == 21 || b == 22 }

// A verdict is what a line in clear amounts to.
type verdict int

const (
	saysNothing verdict = iota
	saysYes
	saysNo
	saysLoggedIn // without a login (PREAUTH, RFC 3501 §7.1.4)
)

func (u Upgrade) command() string {
	if u == STLS {
		return "STLS\r\n"
	}
	return tag + " STARTTLS\r\n"
}

func (u Upgrade) greets(line string) verdict {
	if u == STLS {
		return indicator(line)
	}
	return condition(line, "*")
}

func (u Upgrade) answers(line string) verdict {
	if u == STLS {
		return indicator(line)
	}
	if v := condition(line, tag); v != saysLoggedIn {
		return v
	}
	return saysNothing
}

// indicator reads the beginning of a POP3 status line (RFC 1939 §3).
func indicator(line string) verdict {
	word, _, _ := strings.Cut(line, " ")
	word, _, _ = strings.Cut(word, "\t")
	switch strings.ToUpper(word) {
	case "+OK":
		return saysYes
	case "-ERR":
		return saysNo
	}
	return saysNothing
}

// condition reads the beginning of an IMAP status response (RFC 3501 §7.1) that has the tag.
func condition(line, tag string) verdict {
	got, rest, _ := strings.Cut(line, " ")
	word, _, _ := strings.Cut(rest, " ")
	if got != tag {
		return saysNothing
	}
	switch strings.ToUpper(word) {
	case "OK":
		return saysYes
	case "NO", "BAD", "BYE":
		return saysNo
	case "PREAUTH":
		return saysLoggedIn
	}
	return saysNothing
}

// blank is the greeting that Read begins with in place of the one that was read in clear.
func (u Upgrade) blank() string {
	return map[Upgrade]string{STLS: "+OK\r\n", STARTTLS: "* OK\r\n"}[u]
}

// scheme is how the protocol is called in an account; with an s behind it, it is with TLS from the first octet.
func (u Upgrade) scheme() string {
	return map[Upgrade]string{STLS: "pop3", STARTTLS: "imap"}[u]
}

// instead is what to write to have TLS from the first octet.
func (u Upgrade) instead() string {
	return fmt.Sprintf("write %ss:// in place of %s://", u.scheme(), u.scheme())
}

// TurnedAway is in the error for a server that greeted by sending us away: what it said, in clear, so that perhaps
// somebody else has said it.
type TurnedAway struct{ Line string }

func (a TurnedAway) Error() string { return mail.Printable(a.Line) }
