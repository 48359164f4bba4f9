package imap

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// shownCaps is all that go-imap is told of the server's capabilities. More would have it speak the dialects of
// IMAP4rev2 to servers that announce it and were never asked to; less would have it hold back a literal until the
// server says "+", which is the guard's business (see command). MOVE is there because without it go-imap says COPY, STORE and
// EXPUNGE instead.
const shownCaps = "CAPABILITY IMAP4rev1 LITERAL- MOVE"

// response reads one response. What makes no sense, or was not asked for, is passed over.
func (g *guard) response() error {
	c, err := g.lex.octet()
	switch {
	case err != nil:
		return err
	case !g.greet && c != '*':
		g.lex.back()
		text, _ := g.lex.line()
		return wireError("the server does not greet as an IMAP server does: " + parseRespText(text).said())
	case c == '\r' || c == '\n':
		g.lex.back()
		g.note("sends empty lines")
		return g.lex.skip()
	case c == '+':
		return g.continuation()
	case c == '*':
		return g.untagged()
	}
	g.lex.back()
	return g.tagged()
}

func (g *guard) untagged() error {
	if err := g.count(); err != nil {
		return err
	}
	err := g.lex.spaces()
	if err != nil {
		return err
	}
	word, err := g.lex.atom()
	if err != nil {
		return err
	}
	mark := len(g.buf)
	if err = g.data(strings.ToUpper(word)); errors.Is(err, errSyntax) {
		g.buf = g.buf[:mark]
		g.note("sends lines that are no IMAP")
		return g.lex.skip()
	}
	return err
}

// count ends a session in which the server talks and talks.
func (g *guard) count() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.facts.chatter++; g.facts.chatter > maxChatter {
		return wireError("the server talks without end")
	}
	return nil
}

func (g *guard) data(word string) error {
	if !g.greet && word != "OK" && word != "PREAUTH" && word != "BYE" {
		return wireError("the server does not greet as an IMAP server does")
	}
	switch word {
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		return g.untaggedStatus(word)
	case "CAPABILITY":
		line, err := g.lex.line()
		g.learnCaps(line)
		g.emit("* " + shownCaps + "\r\n")
		return err
	case "LIST", "LSUB", "XLIST":
		return g.listed(word)
	case "STATUS":
		return g.mailboxStatus()
	case "FLAGS":
		return g.flags()
	case "QUOTA":
		return g.quota()
	case "QUOTAROOT":
		return g.quotaRoot()
	case "NAMESPACE":
		return g.namespace()
	case "MYRIGHTS":
		return g.myRights()
	}
	if n, ok := (token{text: word}).number(); ok {
		return g.numbered(n)
	}
	return g.lex.skip()
}

// numbered reads "n EXISTS", "n EXPUNGE" and "n FETCH"; others say nothing that is needed.
func (g *guard) numbered(n uint32) error {
	t, err := g.lex.value(0)
	if err != nil {
		return err
	}
	switch word := strings.ToUpper(t.text); word {
	case "FETCH":
		return g.fetch(n)
	case "EXISTS", "EXPUNGE":
		if err := g.lex.lineEnd(); err != nil {
			return err
		}
		if word == "EXISTS" {
			g.learn(func(f *facts) { f.opening.exists = true })
		} else if n == 0 {
			return nil
		} else {
			g.learn(func(f *facts) { f.expunged++ })
		}
		g.emit("* ", strconv.FormatUint(uint64(n), 10), " ", word, "\r\n")
		return nil
	}
	return g.lex.skip()
}

// listed reads a LIST response (RFC 3501 §7.2.2). Attributes and delimiters that go-imap cannot read are mended.
func (g *guard) listed(word string) error {
	attrs, err := g.lex.value(0)
	if err != nil {
		return err
	}
	delim, err := g.lex.value(0)
	if err != nil {
		return err
	}
	name, err := g.mailboxName()
	if err != nil {
		return err
	}
	if err := g.lex.skip(); err != nil || word != g.listing() { // what RFC 5258 may add
		return err
	}
	if checkName(name) != nil {
		g.note("lists folders whose names cannot be said")
		return nil
	}
	g.emit("* LIST ", flagList(attrs.list), " ", separator(delim), " ", quote(alias(name)), "\r\n")
	return nil
}

// mailboxName reads a mailbox as the server spells it. An unquoted name may hold anything but a space.
func (g *guard) mailboxName() (string, error) {
	t, err := g.lex.value(0)
	if err == nil && t.kind == listToken {
		err = errSyntax
	}
	return t.text, err
}

// mailboxStatus reads a STATUS response (RFC 3501 §7.2.4).
func (g *guard) mailboxStatus() error {
	name, err := g.mailboxName()
	if err != nil {
		return err
	}
	items, err := g.lex.value(0)
	if err != nil {
		return err
	}
	if err := g.lex.lineEnd(); err != nil {
		return err
	}
	g.learnStatus(name, items.list)
	var pairs []string
	for l := items.list; len(l) >= 2; l = l[2:] {
		item := strings.ToUpper(l[0].text)
		n, err := strconv.ParseInt(l[1].text, 10, 64)
		switch item {
		case "MESSAGES", "APPENDLIMIT":
			if _, ok := l[1].number(); !ok {
				continue
			}
		case "SIZE":
		default:
			continue
		}
		if err == nil && n >= 0 {
			pairs = append(pairs, item+" "+l[1].text)
		}
	}
	g.emit("* STATUS ", quote(alias(name)), " (", strings.Join(pairs, " "), ")\r\n")
	return nil
}

func (g *guard) flags() error {
	flags, err := g.lex.value(0)
	if err != nil {
		return err
	}
	if err := g.lex.lineEnd(); err != nil {
		return err
	}
	g.emit("* FLAGS ", flagList(flags.list), "\r\n")
	return nil
}

// quota reads a QUOTA response (RFC 9208 §4.2.1): root, and for each resource its name, use and limit.
func (g *guard) quota() error {
	root, err := g.lex.value(0)
	if err != nil {
		return err
	}
	list, err := g.lex.value(0)
	if err != nil {
		return err
	}
	if err := g.lex.lineEnd(); err != nil {
		return err
	}
	var resources []string
	for l := list.list; len(l) >= 3; l = l[3:] {
		_, err1 := strconv.ParseInt(l[1].text, 10, 64)
		_, err2 := strconv.ParseInt(l[2].text, 10, 64)
		if name := strings.ToUpper(l[0].text); isCode(name) && err1 == nil && err2 == nil {
			resources = append(resources, name+" "+l[1].text+" "+l[2].text)
		}
	}
	g.emit("* QUOTA ", quote(root.text), " (", strings.Join(resources, " "), ")\r\n")
	return nil
}

// quotaRoot reads a QUOTAROOT response (RFC 9208 §4.2.2).
func (g *guard) quotaRoot() error {
	name, err := g.mailboxName()
	if err != nil {
		return err
	}
	roots := ""
	for {
		if err := g.lex.lineEnd(); !errors.Is(err, errSyntax) {
			g.emit("* QUOTAROOT ", quote(alias(name)), roots, "\r\n")
			return err
		}
		root, err := g.lex.value(0)
		if err != nil {
			return err
		}
		roots += " " + quote(root.text)
	}
}

// namespace reads a NAMESPACE response (RFC 2342 §5): the owner's, other users' and shared ones, each NIL or a list
// of prefixes and delimiters.
func (g *guard) namespace() error {
	var kinds [3]token
	for i := range kinds {
		var err error
		if kinds[i], err = g.lex.value(0); errors.Is(err, errSyntax) {
			break
		} else if err != nil {
			return err
		}
	}
	if err := g.lex.skip(); err != nil {
		return err
	}
	g.emit("* NAMESPACE ", prefixes(kinds[0]), " ", prefixes(kinds[1]), " ", prefixes(kinds[2]), "\r\n")
	return nil
}

// myRights reads a MYRIGHTS response (RFC 4314 §3.8).
func (g *guard) myRights() error {
	name, err := g.mailboxName()
	if err != nil {
		return err
	}
	rights, err := g.lex.value(0)
	if err != nil {
		return err
	}
	if err := g.lex.lineEnd(); err != nil {
		return err
	}
	g.emit("* MYRIGHTS ", quote(alias(name)), " ", quote(strings.Map(rightOnly, rights.text)), "\r\n")
	return nil
}

func rightOnly(c rune) rune {
	if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
		return c
	}
	return -1
}

func prefixes(kind token) string {
	var all []string
	for _, n := range kind.list {
		if len(n.list) >= 2 && checkName("x"+n.list[0].text) == nil {
			all = append(all, "("+quote(aliasPrefix+hex.EncodeToString([]byte(n.list[0].text)))+" "+separator(n.list[1])+")")
		}
	}
	if len(all) == 0 {
		return "NIL"
	}
	return "(" + strings.Join(all, "") + ")"
}

// separator writes a delimiter so that go-imap can read it; what cannot be one is none.
func separator(delim token) string {
	if r := []rune(delim.text); !delim.isNil() && len(r) == 1 && r[0] >= ' ' && r[0] < 0x7f {
		return quote(delim.text)
	}
	return "NIL"
}

func (g *guard) learn(what func(*facts)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	what(&g.facts)
}
