package imap

import "strings"

// untaggedStatus reads "* OK …" and its kin, the greeting among them (RFC 3501 §7.1).
func (g *guard) untaggedStatus(word string) error {
	line, err := g.lex.line()
	if err != nil {
		return err
	}
	t := parseRespText(line)
	g.hear(word, t)
	code := t.String()
	if !g.greet {
		g.greet = true
		g.learn(func(f *facts) { f.greeting = t.said() })
		code = "[" + shownCaps + "] " + t.text // or go-imap asks for them by itself, in a goroutine of its own
	}
	g.emit("* ", word, " ", code, "\r\n")
	return nil
}

// hear remembers what the server said, for go-imap tells nobody.
func (g *guard) hear(word string, t respText) {
	if t.code == "CAPABILITY" {
		g.learnCaps(t.args)
	}
	g.learn(func(f *facts) {
		switch {
		case f.opening.hear(t):
			return
		case word == "BYE":
			f.bye = &t
		case word == "OK" && t.code != "ALERT":
			return
		}
		f.said = append(f.said, t.said())
		f.said = f.said[max(0, len(f.said)-maxSaid):]
	})
}

// hear reports whether the code is about the mailbox being opened.
func (o *opening) hear(t respText) bool {
	switch t.code {
	case "PERMANENTFLAGS":
		o.permanent = true
	case "HIGHESTMODSEQ": // RFC 7162 §3.1.2.1
		o.modSeq = modSeq(t.args)
	case "MAILBOXID": // RFC 8474 §4.1
		o.id = objectID(t.args)
	default:
		return false
	}
	return true
}

func (g *guard) learnCaps(list string) {
	caps := parseCaps(list)
	g.learn(func(f *facts) { f.caps = caps })
}

// continuation reads "+ …" (RFC 3501 §7.5). It is for whoever waits for it, when everything sent before has its answer:
// some servers send one too many, and it must not be taken for the consent to the next message.
func (g *guard) continuation() error {
	if err := g.count(); err != nil {
		return err
	}
	line, err := g.lex.line()
	if err != nil {
		return err
	}
	g.mu.Lock()
	waiting := g.waiting
	if waiting != nil && g.pending[0] == waiting {
		waiting.challenge = strings.TrimLeft(line, " ")
		g.resume(true)
	} else {
		waiting = nil
		g.facts.early = true
	}
	g.mu.Unlock()
	if waiting == nil {
		g.note("sends command continuation requests that nothing waits for")
	}
	return nil
}

// tagged reads the answer that ends a command.
func (g *guard) tagged() error {
	tag, err := g.lex.atom()
	if err != nil {
		return err
	}
	word, err := g.lex.value(0)
	if err != nil && err != errSyntax {
		return err
	}
	line, err := g.lex.line()
	if err != nil {
		return err
	}
	cond := strings.ToUpper(word.text)
	c, waits := g.answered(tag)
	if c == nil || cond != "OK" && cond != "NO" && cond != "BAD" {
		return wireError("the server sends what is no IMAP: " + respText{text: tag + " " + cond + " " + line}.said())
	}
	if c.over {
		return nil
	}
	if cond == "OK" && c.letter != nil && !c.letter.whole.Load() {
		return wireError("the server accepts a message before it was sent")
	}
	t := parseRespText(line)
	if t.code == "CAPABILITY" {
		g.learnCaps(t.args)
	}
	if c.name == "SELECT" && t.code == "READ-ONLY" {
		g.learn(func(f *facts) { f.opening.readOnly = true })
	}
	if t.code == "APPENDUID" && c.letter != nil && len(c.letter.enclosed) > 0 {
		c.letter.validity, c.letter.uids = appendUIDs(t.args, 1+len(c.letter.enclosed))
	}
	text := t.String()
	if cond == "OK" && (c.name == "LOGIN" || c.name == "AUTHENTICATE") {
		text = "[" + shownCaps + "] " + t.text
	}
	if waits {
		c.end = tag + " " + cond + " " + text + "\r\n"
		return nil
	}
	g.emit(tag, " ", cond, " ", text, "\r\n")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
	return nil
}

// answered takes the command of this tag off those that are pending, unless its answer has to wait for its turn, and
// out of its wait for "+".
func (g *guard) answered(tag string) (c *command, waits bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.facts.chatter = 0
	for i, c := range g.pending {
		if c.tag != tag {
			continue
		}
		if waits = g.waits(c); !waits {
			g.pending = append(g.pending[:i:i], g.pending[i+1:]...)
		}
		if g.waiting == c {
			g.resume(false)
		}
		c.take = nil // which may hold a long listing
		return c, waits
	}
	return nil, false
}
