package postoffice

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// POP3 returns a POP3 server (RFC 1939, with RFC 2449, 3206 and 6856). It drops what a client sends ahead behind
// PASS, as Courier does, and behind any command without PIPELINING.
//
// The capabilities a Trouble can take away are CAPA, TOP, UIDL, UTF8 and PIPELINING.
func (o *Office) POP3(t Trouble) *Server { return newServer(o, t, talkPOP3) }

// A pop3 is one session.
type pop3 struct {
	*conn
	out     *bufio.Writer
	command string // the one being answered, with its password replaced
	muted   bool   // it is done, but not answered

	user    string
	utf8    bool
	account *Account // nil before the login
	drop    []*entry // the maildrop as it was then
	over    bool
}

type entry struct {
	*stored
	deleted, retrieved bool
}

func talkPOP3(c *conn) {
	p := &pop3{conn: c, out: bufio.NewWriterSize(c.wire, 64<<10), command: "GREETING"}
	defer p.leave()
	if c.crowd {
		p.status("-ERR [SYS/TEMP] too many connections")
		p.out.Flush()
		return
	}
	p.suffer("GREETING", nil, func() { p.status("+OK POP3 at your service") })
	in := bufio.NewReader(c.wire)
	for !p.over {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		p.obey(strings.TrimRight(line, "\r\n"))
	}
}

func (p *pop3) leave() {
	if p.account != nil {
		<-p.account.lock
	}
}

func (p *pop3) obey(line string) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	p.command = line
	if verb == "PASS" {
		p.command = "PASS ***"
	}
	p.heard(p.command)
	p.suffer(verb, p.meant(verb, arg), func() { p.do(verb, arg) })
}

// meant returns the message a command is about, if it hands one over.
func (p *pop3) meant(verb, arg string) *Message {
	if verb == "RETR" || verb == "TOP" {
		if e := p.entry(arg); e != nil {
			return &e.Message
		}
	}
	return nil
}

// suffer does what is due, or what befalls it.
func (p *pop3) suffer(verb string, m *Message, due func()) {
	defer p.out.Flush()
	if e := p.now().Endless; e != "" && e == verb {
		p.endless()
		return
	}
	var size int64
	if m != nil {
		size = int64(len(m.Octets))
	}
	f := p.fault(verb, false, size, m)
	if f == nil {
		due()
		return
	}
	if f.Do == Done {
		p.muted = true
		due()
		p.muted = false
	}
	if f.Say != "" {
		p.status("%s", f.Say)
	}
	p.out.Flush()
	p.end(f.End)
}

func (p *pop3) endless() {
	p.out.WriteString("+OK ")
	for {
		if _, err := p.out.WriteString("and so on "); err != nil || p.ending() {
			return
		}
	}
}

// status says a status line. It is the moment at which a server that takes no commands ahead forgets them.
func (p *pop3) status(format string, args ...any) {
	if !p.has("PIPELINING") || strings.HasPrefix(p.command, "PASS") {
		p.forget()
	}
	p.say(fmt.Sprintf(format, args...))
}

func (p *pop3) say(line string) {
	if p.muted {
		return
	}
	for _, line := range p.rewritten(p.command, line) {
		p.out.WriteString(line + "\r\n")
	}
}

func (p *pop3) do(verb, arg string) {
	commands := map[string]func(string){
		"USER": p.doUSER, "PASS": p.doPASS, "UTF8": p.doUTF8, "CAPA": p.doCAPA, "QUIT": p.doQUIT,
	}
	if p.account != nil {
		commands = map[string]func(string){
			"STAT": p.doSTAT, "LIST": p.doLIST, "UIDL": p.doUIDL, "RETR": p.doRETR, "TOP": p.doTOP, "DELE": p.doDELE,
			"RSET": p.doRSET, "NOOP": p.doNOOP, "CAPA": p.doCAPA, "QUIT": p.doQUIT,
		}
	}
	do := commands[verb]
	if do == nil || !p.has(verb) {
		p.status("-ERR unknown command, or not now")
		return
	}
	do(arg)
}

func (p *pop3) doCAPA(string) {
	p.status("+OK capabilities follow")
	for _, c := range []string{"USER", "TOP", "UIDL", "UTF8", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "EXPIRE NEVER"} {
		if p.has(c) {
			p.say(c)
		}
	}
	p.say(".")
}

func (p *pop3) doUTF8(string) {
	p.utf8 = true
	p.status("+OK UTF8 enabled")
}

func (p *pop3) doUSER(name string) {
	p.user = name
	p.status("+OK send PASS")
}

// patience is how long a login waits for another session to let the maildrop go. The session of a client that has
// just closed its connection needs a moment to end.
const patience = 100 * time.Millisecond

func (p *pop3) doPASS(password string) {
	account := p.srv.office.login(p.user, password)
	if account == nil {
		p.status("-ERR [AUTH] wrong user or password")
		return
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case account.lock <- struct{}{}:
	case <-wait.C:
		p.status("-ERR [IN-USE] the maildrop is locked by another session")
		return
	}
	p.account, p.drop = account, account.maildrop(p.now().Window)
	p.status("+OK %d messages", len(p.drop))
}

// maildrop returns what a POP3 session is shown: the INBOX, or a window's worth of what was not popped yet.
func (a *Account) maildrop(window int) []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	var drop []*entry
	for _, s := range a.mailbox(Inbox).mail {
		if window > 0 && (s.popped || len(drop) == window) {
			continue
		}
		drop = append(drop, &entry{stored: s})
	}
	return drop
}

// entry returns the message of that number, nil if there is none or it is marked deleted.
func (p *pop3) entry(arg string) *entry {
	arg, _, _ = strings.Cut(arg, " ")
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > len(p.drop) || p.drop[n-1].deleted {
		return nil
	}
	return p.drop[n-1]
}

func (p *pop3) doSTAT(string) {
	count, octets := 0, 0
	for _, e := range p.drop {
		if !e.deleted {
			count++
			octets += p.size(e)
		}
	}
	p.status("+OK %d %d", count, octets)
}

func (p *pop3) doLIST(arg string) {
	p.listing(arg, func(e *entry) string { return strconv.Itoa(p.size(e)) })
}

func (p *pop3) doUIDL(arg string) { p.listing(arg, func(e *entry) string { return e.UIDL }) }

func (p *pop3) listing(arg string, about func(*entry) string) {
	if arg != "" {
		if e := p.entry(arg); e != nil {
			p.status("+OK %s %s", arg, about(e))
			return
		}
		p.status("-ERR no such message")
		return
	}
	p.status("+OK listing follows")
	for i, e := range p.drop {
		if !e.deleted {
			p.say(fmt.Sprintf("%d %s", i+1, about(e)))
		}
	}
	p.say(".")
}

func (p *pop3) doRETR(arg string) {
	e := p.entry(arg)
	if e == nil {
		p.status("-ERR no such message")
		return
	}
	e.retrieved = true
	p.status("+OK %d octets", p.size(e))
	p.body(p.shown(e))
}

func (p *pop3) doTOP(arg string) {
	_, count, _ := strings.Cut(arg, " ")
	e := p.entry(arg)
	n, err := strconv.Atoi(count)
	if e == nil || err != nil || n < 0 {
		p.status("-ERR no such message")
		return
	}
	p.status("+OK top of message follows")
	p.body(top(p.shown(e), n))
}

func (p *pop3) doDELE(arg string) {
	e := p.entry(arg)
	if e == nil {
		p.status("-ERR no such message")
		return
	}
	e.deleted = true
	p.status("+OK marked deleted")
}

func (p *pop3) doRSET(string) {
	for _, e := range p.drop {
		e.deleted = false
	}
	p.status("+OK")
}

func (p *pop3) doNOOP(string) { p.status("+OK") }

func (p *pop3) doQUIT(string) {
	if p.account != nil {
		p.account.update(p.drop)
	}
	p.over = true
	p.status("+OK bye")
}

// update is the UPDATE state (RFC 1939 §6).
func (a *Account) update(drop []*entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := make(map[*stored]bool)
	for _, e := range drop {
		e.popped = e.popped || e.retrieved
		gone[e.stored] = e.deleted
	}
	a.mailbox(Inbox).remove(func(s *stored) bool { return gone[s] })
}

// body sends a message in lines, dots doubled, and its end.
func (p *pop3) body(shown []byte) {
	if p.muted {
		return
	}
	if bytes.HasPrefix(shown, []byte(".")) {
		p.out.WriteByte('.')
	}
	for {
		before, after, found := bytes.Cut(shown, []byte("\r\n."))
		p.out.Write(before)
		if !found {
			break
		}
		p.out.WriteString("\r\n..")
		shown = after
	}
	p.out.WriteString(".\r\n")
}

func (p *pop3) size(e *entry) int { return len(inLines(e.Octets, p.now().BareLF)) }

func (p *pop3) shown(e *entry) []byte {
	t := p.now()
	if t.Substitute && !p.utf8 && has8Bit(header(e.Octets)) {
		return substitute(e.Octets)
	}
	return inLines(e.Octets, t.BareLF)
}

// inLines returns a message as POP3 shows it: every line ends in CRLF, the last one too, and nothing else changes.
// With bareLF, line ends within stay as they are.
func inLines(octets []byte, bareLF bool) []byte {
	if !bareLF {
		octets = toCRLF(octets)
	}
	if len(octets) > 0 && !bytes.HasSuffix(octets, []byte("\r\n")) {
		octets = append(bytes.Clone(octets), "\r\n"...)
	}
	return octets
}

// top returns the header of a message in lines, the empty line, and n lines of the body.
func top(shown []byte, n int) []byte {
	end := len(header(shown))
	for ; n > 0 && end < len(shown); n-- {
		line := bytes.IndexByte(shown[end:], '\n')
		if line < 0 {
			return shown
		}
		end += line + 1
	}
	return shown[:end]
}

// substitute is what Courier hands over instead of mail that a client could not show.
func substitute(octets []byte) []byte {
	notice := "From: Mail Delivery Subsystem <postmaster@localhost>\r\n" +
		"Subject: Cannot display Unicode content\r\n" +
		"MIME-Version: 1.0\r\n" +
		"Content-Type: message/global\r\n\r\n"
	return inLines(append([]byte(notice), octets...), false)
}
