package postoffice

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
)

// ListenStartTLS is as Listen, but that the connection begins in clear and changes to TLS by STARTTLS or STLS. Until
// then only that, capabilities and a farewell are to be had. Faults can befall GREETING and any command; Without can
// take STARTTLS or STLS away. What is said in clear is no part of Traffic, and a Cut does not count it.
func (s *Server) ListenStartTLS(config *tls.Config) (addr string, err error) {
	return s.listen(func(c net.Conn) {
		if w := s.register(c, c); w != nil {
			w.later = config
			go s.serve(w)
		}
	})
}

// A porch is where one stands before TLS: its commands, and what is said there. TAG stands for the tag, if there are
// tags.
type porch struct {
	command, ask, quit   string
	tagged               bool
	greeting, crowd      string
	list                 string // the answer to ask
	begin, refusal, done string
}

var pop3Porch = porch{
	command: "STLS", ask: "CAPA", quit: "QUIT",
	greeting: "+OK POP3 at your service", crowd: "-ERR [SYS/TEMP] too many connections",
	list: "+OK capabilities follow\r\nSTLS\r\n.", begin: "+OK begin TLS", refusal: "-ERR only with TLS", done: "+OK bye",
}

var imapPorch = porch{
	command: "STARTTLS", ask: "CAPABILITY", quit: "LOGOUT", tagged: true,
	greeting: "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] IMAP at your service", crowd: "* BYE too many connections",
	list: "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nTAG OK done", begin: "TAG OK begin TLS",
	refusal: "TAG NO [PRIVACYREQUIRED] only with TLS", done: "* BYE bye\r\nTAG OK done",
}

// A visitor is a connection on the porch.
type visitor struct {
	porch
	*conn
	in        *bufio.Reader
	tag, verb string // of the command under way
}

// open talks on the porch until TLS has begun, and reports whether it has.
func (p porch) open(c *conn, config *tls.Config) bool {
	c.greeted = true
	if !c.has(p.command) {
		without := strings.NewReplacer(" STARTTLS", "", "STLS\r\n", "")
		p.greeting, p.list = without.Replace(p.greeting), without.Replace(p.list)
	}
	v := &visitor{porch: p, conn: c, in: bufio.NewReader(c.line), verb: "GREETING", tag: "*"}
	if c.crowd {
		v.say(p.crowd)
		return false
	}
	if !v.suffers() {
		v.say(p.greeting)
	}
	for v.hear() {
		switch {
		case v.suffers():
		case v.verb == p.command && c.has(p.command):
			v.say(p.begin)
			return v.secure(config)
		case v.verb == p.quit:
			v.say(p.done)
			return false
		case v.verb == p.ask:
			v.say(p.list)
		default:
			v.say(p.refusal)
		}
	}
	return false
}

// hear reads a command.
func (v *visitor) hear() bool {
	line, err := v.in.ReadString('\n')
	if err != nil {
		return false
	}
	command := strings.TrimRight(line, "\r\n")
	if v.tagged {
		v.tag, command, _ = strings.Cut(command, " ")
	}
	v.verb = verbOf(command)
	v.heard(redacted(v.verb, command))
	return true
}

func (v *visitor) say(text string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "TAG", v.tag), "\r\n") {
		for _, said := range v.rewritten(v.verb, line) {
			io.WriteString(v.line, said+"\r\n")
		}
	}
}

// suffers reports whether a fault befell what was to be said.
func (v *visitor) suffers() bool {
	f := v.fault(v.verb, false, 0, nil)
	if f == nil {
		return false
	}
	switch {
	case f.Say == "":
	case v.tagged && !strings.HasPrefix(f.Say, "*"):
		v.say(v.tag + " " + f.Say)
	default:
		v.say(f.Say)
	}
	v.end(f.End)
	return true
}

// secure shakes hands. What a client sent ahead in clear must not count as said under TLS.
func (v *visitor) secure(config *tls.Config) bool {
	if v.in.Buffered() > 0 {
		return false
	}
	t := tls.Server(v.line, config)
	v.wire.Conn = t
	return t.Handshake() == nil
}
