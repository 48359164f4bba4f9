package postoffice

import (
	"bufio"
	"fmt"
	"strings"
)

// POP3 returns a POP3 server (RFC 1939, with RFC 2449, 3206 and 6856). It drops what a client sends ahead behind
// PASS, as Courier does, and behind any command without PIPELINING.
//
// The capabilities a Trouble can take away are CAPA, TOP, UIDL, UTF8, PIPELINING and STLS. AUTH=NAME in With is a mechanism
// of SASL, for AUTH (RFC 5034).
func (o *Office) POP3(t Trouble) *Server { return newServer(o, t, pop3Porch, talkPOP3) }

// A pop3 is one session.
type pop3 struct {
	*conn
	in      *bufio.Reader
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
	p := &pop3{conn: c, in: bufio.NewReader(c.wire), out: bufio.NewWriterSize(c.wire, 64<<10), command: "GREETING"}
	defer p.leave()
	if c.crowd {
		p.status("%s", pop3Porch.crowd)
		p.out.Flush()
		return
	}
	if !c.greeted {
		p.suffer("GREETING", nil, func() { p.status("%s", pop3Porch.greeting) })
	}
	for !p.over {
		line, err := p.in.ReadString('\n')
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
	p.command = redacted(verb, line)
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
		"USER": p.doUSER, "PASS": p.doPASS, "AUTH": p.doAUTH, "UTF8": p.doUTF8, "CAPA": p.doCAPA, "QUIT": p.doQUIT,
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
