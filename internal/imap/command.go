package imap

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
)

// A command is one that go-imap has sent.
type command struct {
	tag, name string
	byUID     bool
	refusal   error  // why it may not be sent
	verb      string // of a LIST: what it is sent as, and answered
	fetching
	turn
	letter    *letter
	exchange  *exchange // of an AUTHENTICATE
	challenge string    // what stood behind the last "+"
	goAhead   chan bool // told whether its literal, or its answer to a challenge, may be sent
}

// A fetching is what a FETCH asks for.
type fetching struct {
	want    want
	section string // of a body
	set     uidSet
	uid     uint32            // the one UID it asks for, 0 if it asks for several
	take    func(shown) error // takes the rows, if they are not for go-imap
}

// A turn is how far a FETCH of messages has come.
type turn struct {
	left int64  // how many messages have not come
	held []byte // what has come of them before their turn
	end  string // so has the answer that ends it
	over bool   // go-imap was told that it is done
}

// want is what of a message a FETCH asks for beside small items.
type want int

const (
	wantNothing want = iota
	wantUID          // small items only
	wantHeader
	wantBody
)

// namesMailbox is the set of commands whose strings are mailbox names. LOGIN is not among them: what a password
// looks like is nobody's business.
var namesMailbox = map[string]bool{
	"SELECT": true, "EXAMINE": true, "CREATE": true, "SUBSCRIBE": true, "UNSUBSCRIBE": true, "LIST": true, "STATUS": true,
	"APPEND": true, "GETQUOTAROOT": true, "MOVE": true, "MYRIGHTS": true,
}

// Write sends what go-imap says, command by command. When sending fails it goes on as if it had not: the server's
// last words, which tell why, are still to be read, and go-imap would close the connection at once. See trouble.
func (g *guard) Write(p []byte) (int, error) {
	n := len(p)
	if err := g.failure(); err != nil {
		return 0, err
	}
	for len(p) > 0 {
		if g.inside > 0 {
			part := p[:min(int64(len(p)), g.inside)]
			g.inside -= int64(len(part))
			g.send(part)
			p = p[len(part):]
			continue
		}
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			g.line = append(g.line, p...)
			break
		}
		line := append(g.line, p[:end]...)
		p, g.line = p[end:], g.line[:0]
		g.command(string(line))
	}
	return n, nil
}

func (g *guard) send(p []byte) {
	if g.mute || g.refused {
		return
	}
	if _, err := g.w.Write(p); err != nil {
		g.muted(err)
	}
}

func (g *guard) flush() {
	if g.mute {
		return
	}
	if err := g.w.Flush(); err != nil {
		g.muted(err)
	}
}

func (g *guard) muted(err error) {
	g.mute = true
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.writeErr == nil {
		g.writeErr = err
	}
}

// command sends one line of a command; the first of them registers it. A literal at the end of the line waits for
// the server's "+" unless the server announced that it need not (RFC 7888). Then go-imap need never know: it is
// told that no literal of its own has to wait.
func (g *guard) command(line string) {
	c := g.register(line)
	if c.refusal != nil {
		g.fail(c.refusal)
		return
	}
	if c.exchange != nil {
		g.converse(c)
		return
	}
	line = g.extend(c, line)
	if namesMailbox[c.name] {
		line = unaliasLine(line)
	}
	text, size, literal := cutLiteral(line)
	switch {
	case !literal:
		g.send([]byte(line))
		g.flush()
		g.refused = false
		g.current = nil
	case c.letter != nil:
		g.deliver(c, text)
	default:
		g.announce(c, text, size, g.mayHurry(size))
		g.inside = size
	}
}

// post has the next APPEND carry l.
func (g *guard) post(l *letter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.letter = l
}

// register returns the command that a line begins or goes on with.
func (g *guard) register(line string) *command {
	if g.current != nil {
		return g.current
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := parseCommand(line)
	c.refusal = g.licence.refuse(c, line)
	switch c.name {
	case "AUTHENTICATE":
		c.exchange, g.exchange = g.exchange, nil
	case "APPEND":
		c.letter, g.letter = g.letter, nil
	case "LIST":
		c.verb, g.verb = cmp.Or(g.verb, "LIST"), ""
	case "FETCH":
		if c.left = c.set.size(); c.want == wantUID {
			c.take = g.take
		}
	}
	if c.name == "SELECT" || c.name == "EXAMINE" {
		g.facts.opening = opening{}
	}
	g.pending = append(g.pending, c)
	g.current = c
	return c
}

func parseCommand(line string) *command {
	words := strings.Fields(line)
	for len(words) < 4 {
		words = append(words, "")
	}
	c := &command{tag: words[0], name: words[1]}
	if c.name == "UID" {
		c.name, c.byUID = words[2], true
		c.uid, _ = token{text: words[3]}.number()
		c.set = parseSet(words[3])
	}
	switch {
	case c.name != "FETCH":
	case strings.Contains(line, "BODY.PEEK[]"):
		c.want, c.section = wantBody, "BODY[]"
	case strings.Contains(line, "BODY.PEEK[HEADER]"):
		c.want, c.section = wantBody, "BODY[HEADER]"
	case strings.Contains(line, "BODY.PEEK[HEADER"):
		c.want = wantHeader
	default:
		c.want = wantUID
	}
	return c
}

// cutLiteral takes {n} or {n+} and the line's end off a line.
func cutLiteral(line string) (text string, size int64, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return "", 0, false
	}
	n, ok := token{text: strings.TrimSuffix(line[open+1:len(line)-1], "+")}.number()
	return line[:open], int64(n), ok
}

// mayHurry reports whether a literal of this size can be sent without waiting for the server's consent. A large one
// asks first, although LITERAL+ would allow it: a server that refuses has to swallow the octets otherwise.
func (g *guard) mayHurry(size int64) bool {
	const worthAsking = 8 << 20
	caps := g.known().caps
	return caps.has("LITERAL+") && size <= worthAsking || caps.has("LITERAL-") && size <= 4096
}

// announce sends the line that ends in a literal and returns when its octets may be sent, or when the server has
// refused them, which sets refused for the rest of the command.
func (g *guard) announce(c *command, text string, size int64, hurry bool) {
	if hurry {
		g.send(literalMark(text, size, "+"))
		return
	}
	g.await(c)
	g.send(literalMark(text, size, ""))
	if g.flush(); g.mute {
		return
	}
	g.refused = !<-c.goAhead
}

func literalMark(text string, size int64, plus string) []byte {
	return fmt.Appendf(nil, "%s{%d%s}\r\n", text, size, plus)
}

// await has the reading side tell when the server says "+" or refuses. It is called before the server can.
func (g *guard) await(c *command) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.goAhead = make(chan bool, 1)
	g.waiting = c
	if g.err != nil {
		g.resume(false)
	}
}

// resume ends the wait for "+". The caller holds mu.
func (g *guard) resume(goAhead bool) {
	if g.waiting != nil {
		g.waiting.goAhead <- goAhead
		g.waiting = nil
	}
}

// deliver sends an APPEND with its message. go-imap has announced an empty one in its place: it would wait for "+"
// before every message above 4 KB, close the connection when the server answers NO instead, and fill up a message
// that turns out short with the commands that follow.
func (g *guard) deliver(c *command, text string) {
	l := c.letter
	g.announce(c, text, l.size, l.hurry)
	if g.refused || g.mute {
		return
	}
	l.started = true
	buf := make([]byte, min(l.size, readAhead))
	for left := l.size; left > 0 && !g.mute; {
		n, err := l.source.Read(buf)
		if left -= int64(n); left > 0 && err != nil {
			l.err = err
			g.muted(err)
			return
		}
		l.whole.Store(left == 0 && len(l.enclosed) == 0) // before the last octets leave: the answer may be here at once
		g.send(buf[:n])
	}
	g.deliverEnclosed(l)
	l.whole.Store(!g.mute)
}
