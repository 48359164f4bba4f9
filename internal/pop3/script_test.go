package pop3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A script is a server that says what it is told to: the answer to a command is found under the command ("RETR 2"),
// else under its verb, else it is what a server with one message would say. Answers are said as they are, so that
// they end in CRLF only if they should; the greeting is under "".
type script struct {
	answers map[string]string
	serve   func(net.Conn) // instead, if set

	running sync.WaitGroup
	mu      sync.Mutex
	dialed  int
	heard   []string
}

var modest = map[string]string{
	"": "+OK\r\n", "CAPA": "-ERR\r\n", "USER": "+OK\r\n", "PASS": "+OK\r\n", "NOOP": "+OK\r\n", "QUIT": "+OK\r\n", "UTF8": "+OK\r\n",
	"STAT": "+OK 1 9\r\n", "UIDL": "+OK\r\n1 one\r\n.\r\n", "LIST": "+OK\r\n1 9\r\n.\r\n", "RETR": "+OK\r\nA: b\r\n\r\n.\r\n", "TOP": "+OK\r\nA: b\r\n\r\n.\r\n",
}

const pipelining = "+OK\r\nPIPELINING\r\n.\r\n"

// scripted returns a Source for a script; the server is over when the test is.
func scripted(t testing.TB, answers map[string]string) (*Source, *script) {
	t.Helper()
	p := &script{answers: answers}
	s := at(t, p.dial)
	t.Cleanup(func() { s.Close(); p.running.Wait() })
	return s, p
}

func (p *script) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.mu.Lock()
	p.dialed++
	p.mu.Unlock()
	p.running.Go(func() {
		defer far.Close()
		if p.serve != nil {
			p.serve(far)
			return
		}
		p.talk(far)
	})
	return near, nil
}

func (p *script) talk(c net.Conn) {
	in := bufio.NewReader(c)
	for command := ""; ; {
		if _, err := io.WriteString(c, p.answer(command)); err != nil || command == "QUIT" {
			return
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command = strings.TrimRight(line, "\r\n")
		p.mu.Lock()
		p.heard = append(p.heard, command)
		p.mu.Unlock()
	}
}

func (p *script) answer(command string) string {
	verb, _, _ := strings.Cut(command, " ")
	for _, from := range []map[string]string{p.answers, modest} {
		for _, key := range []string{command, verb} {
			if answer, ok := from[key]; ok {
				return answer
			}
		}
	}
	return "-ERR what?\r\n"
}

// said returns the commands heard so far.
func (p *script) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.heard, "\n")
}

func (p *script) sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialed
}

// with returns the answers of base with others on top.
func with(base map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{base, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// holding are the answers of a server with these messages, dots not doubled yet.
func holding(messages ...string) map[string]string {
	answers := map[string]string{}
	uidl, list := "+OK\r\n", "+OK\r\n"
	for i, m := range messages {
		uidl += fmt.Sprintf("%d uid%d\r\n", i+1, i+1)
		list += fmt.Sprintf("%d %d\r\n", i+1, len(m))
		answers[fmt.Sprintf("RETR %d", i+1)] = "+OK\r\n" + stuffed(m)
	}
	answers["STAT"], answers["UIDL"], answers["LIST"] = fmt.Sprintf("+OK %d 9\r\n", len(messages)), uidl+".\r\n", list+".\r\n"
	return answers
}

// stuffed is a message on the wire, by the letter of RFC 1939: a dot that follows CRLF is doubled, and CRLF . CRLF
// ends it. A missing last CRLF is added.
func stuffed(m string) string {
	if m != "" && !strings.HasSuffix(m, "\r\n") {
		m += "\r\n"
	}
	if strings.HasPrefix(m, ".") {
		m = "." + m
	}
	return strings.ReplaceAll(m, "\r\n.", "\r\n..") + ".\r\n"
}

// readAll lists and fetches everything; the messages that came are whole.
func readAll(t testing.TB, s *Source) (whole []string, err error) {
	t.Helper()
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil {
		return nil, err
	}
	err = s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if err == nil {
			whole = append(whole, string(octets))
		}
		return err
	})
	return whole, err
}

// wantError checks an error of the package, and that it holds no password and nothing that harms a terminal.
func wantError(t testing.TB, err error, scope mail.Scope, cause mail.Cause, text string) *mail.Error {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v (%T), want a *mail.Error", err, err)
	}
	if e.Scope != scope || e.Cause != cause || !strings.Contains(e.Error(), text) {
		t.Errorf("error = %q, scope %d, cause %d; want %q, scope %d, cause %d", e, e.Scope, e.Cause, text, scope, cause)
	}
	for _, said := range []string{e.Error(), e.Hint, fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e.Err)} {
		if strings.Contains(said, canary) {
			t.Errorf("the password is in %q", said)
		}
	}
	if strings.ContainsAny(e.Error()+e.Hint, "\x1b\r\n\a") {
		t.Errorf("error = %q is not fit for a terminal", e)
	}
	return e
}
