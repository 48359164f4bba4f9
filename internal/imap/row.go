package imap

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// A row is a FETCH response under way (RFC 3501 §7.4.2). go-imap is given it with the UID first, for it files a row
// by the UID it knows when the first literal comes: a server that says UID after BODY, as Exchange may, would lose
// every message. Small items and header fields are collected to that end; bodies are streamed.
type row struct {
	shown
	header *string // the header fields asked for, as go-imap is to read them
	spoilt bool    // it is not for go-imap
	begun  bool    // its beginning and a body are on their way to go-imap
	of     *command
	held   bool // they wait for their turn
}

// What is shown of a message in one row, its octets apart.
type shown struct {
	seq, uid uint32
	flagged  bool // FLAGS was there
	flags    []string
	sized    bool // RFC822.SIZE was there, whatever it said
	size     int64
	received time.Time // zero: not told, or no time
	identity string    // with its name before it; see mail.Item
}

// maxItemName is more than the name of an item has, its list of header fields included.
const maxItemName = 4096

const dateTime = "_2-Jan-2006 15:04:05 -0700" // RFC 3501 §9, date-time

func (g *guard) fetch(seq uint32) error {
	if err := g.lex.spaces(); err != nil {
		return err
	}
	open, err := g.lex.accept('(')
	if err == nil && !open {
		err = errSyntax
	}
	if err != nil {
		return err
	}
	return g.items(&row{shown: shown{seq: seq}})
}

// afterBody goes on with a row whose body is streamed but for the last octet, which go-imap gets when the whole
// row has proved sound: so the end of a body is never seen before that.
func (g *guard) afterBody() error {
	r := g.row
	g.row = nil
	last, err := g.lex.r.ReadByte()
	if err != nil {
		return err
	}
	g.buf = append(g.buf, last)
	return g.tail(r)
}

// tail reads what stands after a body.
func (g *guard) tail(r *row) error {
	err := g.items(r)
	if errors.Is(err, errSyntax) {
		return wireError("the server sends a message and then what is no IMAP")
	}
	return err
}

// items reads the items of a row up to its end, or up to a body that can be streamed.
func (g *guard) items(r *row) error {
	for {
		name, err := g.lex.itemName()
		if err != nil {
			return err
		}
		if name == "" {
			return g.endRow(r)
		}
		if isSection(name) {
			streaming, err := g.section(r, name)
			if streaming || err != nil {
				return err
			}
			continue
		}
		v, err := g.lex.value(0)
		if err != nil {
			return err
		}
		if err := g.item(r, name, v); err != nil {
			return err
		}
	}
}

// itemName reads the name of the next item in upper case, with its section if it has one; "" at the row's end.
func (l *lexer) itemName() (string, error) {
	if err := l.spaces(); err != nil {
		return "", err
	}
	if end, err := l.accept(')'); end || err != nil {
		return "", err
	}
	name, err := l.atom()
	for err == nil && len(name) < maxItemName && strings.Count(name, "[") > strings.Count(name, "]") {
		var c byte
		if c, err = l.octet(); err != nil {
			break
		}
		if c == '\r' || c == '\n' {
			l.back()
			return "", errSyntax
		}
		var more string
		more, err = l.atom()
		name += string(c) + more
	}
	if err == nil && (name == "" || len(name) >= maxItemName) {
		err = errSyntax
	}
	return strings.ToUpper(name), err
}

// isSection reports whether the item is a message or a part of one, whose literal may be of any size.
func isSection(name string) bool {
	return strings.HasPrefix(name, "BODY[") || strings.HasPrefix(name, "BINARY[") ||
		name == "RFC822" || name == "RFC822.HEADER" || name == "RFC822.TEXT"
}

// item takes a small item. What go-imap could not read is left out of the row.
func (g *guard) item(r *row, name string, v token) error {
	switch name {
	case "UID":
		uid, _ := v.number()
		return g.foundUID(r, uid)
	case "FLAGS":
		r.flagged, r.flags = true, flagNames(v.list)
	case "INTERNALDATE":
		t, err := time.Parse(dateTime, v.text)
		if err != nil || t.Year() <= 1 {
			g.note("shows times of arrival that are none")
			return nil
		}
		r.received = t
	case "RFC822.SIZE":
		n, err := strconv.ParseInt(v.text, 10, 64)
		if r.sized = true; err != nil || n < 0 {
			g.note("shows sizes that are none")
			return nil
		}
		r.size = n
	case emailID, gmailID:
		r.identity = identity(name, v)
	}
	return nil
}

func (g *guard) foundUID(r *row, uid uint32) error {
	switch {
	case !soundUID(uid):
		g.note("shows UIDs that are none")
		r.spoilt = true
	case r.uid != 0 && r.uid != uid && r.begun:
		return wireError("the server sends another message than the one it was asked for")
	case r.uid != 0 && r.uid != uid:
		r.spoilt = true
	}
	if r.begun && r.spoilt {
		return wireError("the server sends a message without a UID")
	}
	r.uid = uid
	return nil
}

// section takes a message or a part of one: the header fields and the whole message are what is asked for. It
// reports whether the row goes on after a body has been streamed.
func (g *guard) section(r *row, name string) (streaming bool, err error) {
	f := g.fetching()
	text, size, literal, err := g.lex.nstring()
	switch {
	case err != nil:
		return false, err
	case name == f.section && f.want == wantBody && !r.begun:
		return g.bodyOf(r, f, text, size, literal)
	case strings.HasPrefix(name, "BODY[HEADER") && f.want == wantHeader && !strings.Contains(name, "]<"):
		if literal {
			text, err = g.lex.head(size)
		}
		r.header = &text
		return false, err
	case literal:
		return false, g.lex.discard(size)
	}
	return false, nil
}

// nstring reads NIL, which is no text, or a quoted string, or the size of a literal that follows.
func (l *lexer) nstring() (text string, size int64, literal bool, err error) {
	if err := l.spaces(); err != nil {
		return "", 0, false, err
	}
	if _, err := l.accept('~'); err != nil { // literal8 (RFC 3516)
		return "", 0, false, err
	}
	c, err := l.peek()
	if err == nil && c == '{' {
		size, err = l.literalSize(maxMessage)
		return "", size, true, err
	}
	if err != nil {
		return "", 0, false, err
	}
	v, err := l.value(0)
	if err == nil && v.kind == atomToken && !v.isNil() {
		err = errSyntax
	}
	if v.kind == atomToken {
		return "", -1, false, err
	}
	return v.text, int64(len(v.text)), false, err
}

// head reads a literal of header fields and keeps as much of it as is kept of any header.
func (l *lexer) head(size int64) (string, error) {
	p := make([]byte, min(size, maxHeader))
	if _, err := io.ReadFull(l.r, p); err != nil {
		return "", cutOff(err)
	}
	return string(p), l.discard(size - int64(len(p)))
}

// bodyOf begins the row for go-imap and streams the body. A row that has not told its UID yet can only be the
// message asked for if one was asked for; in an answer to several it is passed over, and the message is asked for
// alone later, because it is missing.
func (g *guard) bodyOf(r *row, f fetching, text string, size int64, literal bool) (streaming bool, err error) {
	if r.uid == 0 {
		r.uid = f.uid
	}
	if r.uid == 0 {
		g.note(uidLast)
	}
	var turn bool
	if r.of, turn = g.asking(r.uid); r.of != nil && !turn && g.held+size > maxHeld {
		g.learn(func(f *facts) { f.outOfTurn = true })
		r.spoilt = true
	}
	if r.spoilt = r.spoilt || r.of == nil; r.spoilt {
		if literal {
			return false, g.lex.discard(size)
		}
		return false, nil
	}
	if !turn {
		return true, g.hold(r, text, size, literal)
	}
	g.beginBody(r, text, size)
	if literal && size > 0 {
		g.body, g.row = size-1, r
		return true, nil
	}
	return true, g.tail(r)
}

func (g *guard) beginBody(r *row, text string, size int64) {
	g.beginRow(r)
	r.begun = true
	if size < 0 {
		g.emit(" ", r.of.section, " NIL")
		return
	}
	g.emit(" ", r.of.section, " {", strconv.FormatInt(size, 10), "}\r\n", text)
}

func (g *guard) beginRow(r *row) {
	g.emit("* ", strconv.FormatUint(uint64(r.seq), 10), " FETCH (UID ", strconv.FormatUint(uint64(r.uid), 10))
	g.emitItems(r)
}

// emitItems gives go-imap what it has not been given of the row yet.
func (g *guard) emitItems(r *row) {
	if r.flagged {
		g.emit(" FLAGS ", soundFlags(r.flags))
	}
	if !r.received.IsZero() {
		g.emit(" INTERNALDATE ", quote(r.received.Format(dateTime)))
	}
	if r.sized {
		g.emit(" RFC822.SIZE ", strconv.FormatInt(r.size, 10))
	}
	r.shown = shown{seq: r.seq, uid: r.uid}
}

// endRow ends a row. It is for go-imap only if it has what was asked for: a change of flags that the server tells
// unasked would take the place of the message with that UID.
func (g *guard) endRow(r *row) error {
	if err := g.lex.lineEnd(); err != nil {
		return err
	}
	if r.begun {
		g.emitItems(r)
		g.emit(")\r\n")
		if !r.held {
			g.came(r.of)
		}
		return nil
	}
	f := g.fetching()
	if r.uid == 0 {
		r.uid = f.uid
	}
	if r.spoilt {
		return nil
	}
	if f.take != nil {
		g.learn(func(f *facts) { f.chatter-- })
		return f.take(r.shown)
	}
	if r.uid == 0 || f.want != wantUID && (f.want != wantHeader || r.header == nil) {
		return nil
	}
	g.learn(func(f *facts) { f.chatter-- })
	g.beginRow(r)
	if r.header != nil {
		g.emit(" BODY[HEADER] {", strconv.Itoa(len(*r.header)), "}\r\n", *r.header)
	}
	g.emit(")\r\n")
	return nil
}
