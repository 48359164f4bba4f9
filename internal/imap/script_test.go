package imap

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// canary is the password of every test; no error may hold it.
const canary = "CANARY-7f3a"

// A script is a server in memory that does what most do, but for what answer does.
type script struct {
	greeting string // "" is an ordinary one
	caps     string // "" is IMAP4rev1 only
	// answer deals with a command, given without its tag, and reports whether it has; the octets of an APPEND are
	// still to be read then.
	answer func(s *talk, cmd string) bool

	mu       sync.Mutex
	commands []string
	conns    int
	stored   []string // what was appended
	running  sync.WaitGroup
}

// A talk is one connection of a script.
type talk struct {
	*script
	conn net.Conn
	br   *bufio.Reader
	tag  string
	nth  int // of the connections
}

func (s *script) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.mu.Lock()
	s.conns++
	t := &talk{script: s, conn: server, br: bufio.NewReader(intake(server)), nth: s.conns}
	s.mu.Unlock()
	s.running.Go(t.run)
	return client, nil
}

// intake reads what the client sends at once, whatever the server is at: a line has buffers, a net.Pipe has not.
func intake(conn net.Conn) io.Reader {
	const parts, size = 16, 4 << 10
	full, free := make(chan []byte, parts), make(chan []byte, parts+1)
	for range parts + 1 {
		free <- make([]byte, size)
	}
	go func() {
		defer close(full)
		for p := range free {
			n, err := conn.Read(p[:size])
			if full <- p[:n]; err != nil {
				return
			}
		}
	}()
	var part, rest []byte
	return readFunc(func(p []byte) (int, error) {
		for len(rest) == 0 {
			if part != nil {
				free <- part
			}
			if part = <-full; part == nil {
				return 0, io.EOF
			}
			rest = part
		}
		n := copy(p, rest)
		rest = rest[n:]
		return n, nil
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func (t *talk) run() {
	defer t.conn.Close()
	t.say(or(t.greeting, "* OK ready"))
	for {
		line, err := t.br.ReadString('\n')
		if err != nil {
			return
		}
		tag, cmd, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		t.tag = tag
		t.mu.Lock()
		t.commands = append(t.commands, cmd)
		t.mu.Unlock()
		if t.answers(cmd) {
			continue
		}
		if !t.ordinary(cmd) {
			return
		}
	}
}

func (t *talk) answers(cmd string) bool {
	defer t.log() // so that what the script remembers of one connection is known to the next
	return t.answer != nil && t.answer(t, cmd)
}

func (t *talk) ordinary(cmd string) bool {
	switch verb, _, _ := strings.Cut(cmd, " "); verb {
	case "CAPABILITY":
		t.say("* CAPABILITY " + or(t.caps, "IMAP4rev1"))
	case "SELECT", "EXAMINE":
		t.say("* 3 EXISTS", `* FLAGS (\Seen \Answered)`, `* OK [PERMANENTFLAGS (\Seen \Answered \*)] kept`,
			"* OK [UIDVALIDITY 7] v", "* OK [UIDNEXT 10] n")
	case "LIST":
		t.say(`* LIST (\HasNoChildren) "/" INBOX`)
	case "APPEND":
		octets, whole := t.literal(cmd)
		if !whole {
			return false
		}
		t.store(octets)
	case "LOGOUT":
		t.say("* BYE bye", t.tag+" OK done")
		return false
	}
	t.say(t.tag + " OK done")
	return true
}

func (t *talk) say(lines ...string) { t.raw(strings.Join(lines, "\r\n") + "\r\n") }

func (t *talk) raw(s string) { io.WriteString(t.conn, s) }

// literal takes the message of an APPEND and the line's end after it.
func (t *talk) literal(cmd string) (octets string, whole bool) {
	size, hurry := announced(cmd)
	if !hurry {
		t.say("+ go ahead")
	}
	p := make([]byte, size)
	if _, err := io.ReadFull(t.br, p); err != nil {
		return "", false
	}
	_, err := t.br.ReadString('\n')
	return string(p), err == nil
}

// announced reads {n} or {n+} at the end of a command.
func announced(cmd string) (size int, hurry bool) {
	text := strings.TrimSuffix(cmd[strings.LastIndexByte(cmd, '{')+1:], "}")
	text, hurry = strings.CutSuffix(text, "+")
	size, _ = strconv.Atoi(text)
	return size, hurry
}

func (s *script) store(octets string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = append(s.stored, octets)
}

func (s *script) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func password(context.Context) (string, error) { return canary, nil }

// server is how to connect to the script.
func (s *script) server() dial.Server {
	return dial.Server{Host: "imap.example.org", Port: 143, Plain: true, Idle: 30 * time.Second, Dialer: s.dial}
}

// client returns a Client of the script. When the test is over, it is closed and nothing of both runs any more.
func (s *script) client(t testing.TB) *Client {
	t.Helper()
	c := New(s.server(), mail.Login{User: "me", Password: password})
	t.Cleanup(func() {
		c.Close()
		s.running.Wait()
	})
	return c
}

func message(octets string, flags ...string) mail.Outgoing {
	return mail.Outgoing{
		Flags: mail.MakeFlags(flags...), Received: time.Unix(1_000_000_000, 0).UTC(), Octets: int64(len(octets)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(octets)), nil },
	}
}

// outcomes collects what Append reports, as text: "0 uid 11", "1 ERROR".
type outcomes []string

func (o *outcomes) done(i int, got mail.Stored, err error) {
	if err != nil {
		*o = append(*o, fmt.Sprintf("%d %s", i, describe(err)))
		return
	}
	*o = append(*o, fmt.Sprintf("%d uid %d", i, got.UID))
}

// describe is an error in short: scope, cause, what is special, and its words.
func describe(err error) string {
	if err == nil {
		return "ok"
	}
	e, ok := err.(*mail.Error)
	if !ok {
		return "local: " + err.Error()
	}
	var b bytes.Buffer
	fmt.Fprint(&b, [...]string{"none", "message", "mailbox", "session", "account"}[e.Scope], " ",
		[...]string{"other", "login", "network", "certificate", "quota", "refused", "vanished", "protocol", "usage"}[e.Cause])
	if e.Unsure {
		fmt.Fprint(&b, " unsure")
	}
	if e.Later > 0 {
		fmt.Fprint(&b, " later ", e.Later)
	}
	return b.String() + ": " + e.Error()
}

var mailZone = time.FixedZone("", 5*3600+1800)
