package main

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestDovecotStartTLS moves real mail by pop3:// and imap:// at a Dovecot that lets nobody log in without TLS, first
// with the certificate's authority and then by the pin that check has shown. In clear goes one command on each
// connection, and nothing else.
func TestDovecotStartTLS(t *testing.T) {
	s := dovecot.Start(t, dovecot.Options{TLSRequired: true})
	all := realMail(t)
	for _, m := range all {
		s.Deliver(t, "old@haul.example", mail.Inbox, m, nil, time.Unix(1_000_000_000, 0))
	}
	m := newMove(t, s)
	pop3, imap := newTap(t, s.POP3, "STLS\r\n"), newTap(t, s.IMAP, "M1 STARTTLS\r\n")
	m.args[1] = "pop3://old@haul.example@" + pop3.addr + "?ca=" + s.CAFile
	m.args[2] = "imap://new@haul.example@" + imap.addr + "?ca=" + s.CAFile
	status, rep := m.run(t)
	if status != exitDone || rep.Source.Fetched != len(all) || rep.Destination.Appended != len(all) {
		t.Fatalf("it ended with %d: %+v, %+v", status, rep.Source, rep.Destination)
	}
	var shown [][]byte
	for _, m := range s.Messages(t, "new@haul.example", mail.Inbox) {
		shown = append(shown, m.Octets)
	}
	t.Logf("%d messages; %s", len(all), compareMail(t, all, shown))

	for i, arg := range m.args[1:3] {
		account, _, _ := strings.Cut(arg, "?")
		m.args[1+i] = account + "?pin=" + pinShown(t, m.bin, arg)
	}
	status, rep = m.run(t)
	if status != exitDone || rep.Source.Known != len(all) || rep.Destination.Known != len(all) || rep.Destination.Appended != 0 {
		t.Errorf("by the pins, it ended with %d: %+v, %+v", status, rep.Source, rep.Destination)
	}
	pop3.check(t)
	imap.check(t)
}

// pinShown returns the pin that check shows of the account's server.
func pinShown(t *testing.T, bin, account string) string {
	t.Helper()
	p := newProcess(bin, "check", account)
	p.cmd.Env = append(p.cmd.Env, "MAILHAUL_PASSWORD="+dovecot.Password)
	if status, err := p.finish(); status != exitDone || err != nil {
		t.Fatalf("check ended with %d, %v: %s", status, err, &p.err)
	}
	for line := range strings.Lines(p.out.String()) {
		if pin, found := strings.CutPrefix(line, "pin "); found {
			return strings.TrimSpace(pin)
		}
	}
	t.Fatalf("check shows no pin:\n%s", &p.out)
	return ""
}

// A tap hands octets on to a port, as from another machine, and keeps what goes there.
type tap struct {
	addr, command string

	mu    sync.Mutex
	heard []*bytes.Buffer // on each connection
}

func newTap(t *testing.T, port int, command string) *tap {
	t.Helper()
	p := &tap{command: command}
	p.addr = between(t, port, dovecot.FromElsewhere, func(s, c net.Conn) {
		go hand(s, c, p.ear())
		go hand(c, s, io.Discard)
	})
	return p
}

func hand(to, from net.Conn, ear io.Writer) {
	io.Copy(to, io.TeeReader(from, ear))
	to.Close()
	from.Close()
}

// ear returns what the next connection is heard with.
func (p *tap) ear() io.Writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, new(bytes.Buffer))
	return locked{&p.mu, p.heard[len(p.heard)-1]}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// check checks that nothing but the command was said before TLS, and no name ever.
func (p *tap) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, heard := range p.heard {
		clear, _, secured := bytes.Cut(heard.Bytes(), []byte{22, 3})
		if string(clear) != p.command || !secured || bytes.Contains(heard.Bytes(), []byte("haul.example")) {
			t.Errorf("connection %d: %q in clear, and TLS %t", i, clear, secured)
		}
	}
	t.Logf("%d connections, each with %q in clear", len(p.heard), p.command)
	if len(p.heard) == 0 {
		t.Error("nobody came this way")
	}
}
