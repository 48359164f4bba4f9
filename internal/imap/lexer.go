package imap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The limits of what a server may send. They are far above what mail servers do, and far below what hurts.
const (
	maxLine    = 16 << 20  // octets of one response, its bodies not counted
	maxText    = 64 << 10  // octets of a line for people, or with a response code
	maxTokens  = 1 << 16   // tokens of one response
	maxLiteral = 64 << 10  // octets of a literal that is no part of a message
	maxHeader  = 1 << 20   // octets kept of the header fields asked for; mail.Summer keeps as many
	maxMessage = 1<<32 - 1 // octets of a message: RFC822.SIZE cannot say more (RFC 3501 §9, number)
	maxNesting = 64
)

// A wireError says how a server broke the protocol so that nothing it sends can be trusted any more.
type wireError string

func (e wireError) Error() string { return string(e) }

// errSyntax is a response that makes no sense but ends where its line ends: it is passed over.
var errSyntax = errors.New("no IMAP syntax")

// A lexer reads the tokens of responses, more kindly than RFC 3501 §9 allows for and never beyond the limits.
type lexer struct {
	r    *bufio.Reader
	left int // octets this response may still have
	told int // tokens it has had
}

func (l *lexer) begin() { l.left, l.told = maxLine, 0 }

type tokenKind byte

const (
	atomToken tokenKind = iota
	stringToken
	listToken
)

// A token is an atom, a string (quoted or literal) or a list.
type token struct {
	kind tokenKind
	text string
	list []token
}

func (t token) isNil() bool { return t.kind == atomToken && strings.EqualFold(t.text, "NIL") }

// number returns a token's value if it is a number of up to 32 bits.
func (t token) number() (uint32, bool) {
	n, err := strconv.ParseUint(t.text, 10, 32)
	return uint32(n), err == nil && t.kind == atomToken
}

func (l *lexer) octet() (byte, error) {
	if l.left <= 0 {
		return 0, wireError(fmt.Sprintf("the server sends a line of more than %d MiB", maxLine>>20))
	}
	b, err := l.r.ReadByte()
	if err != nil {
		return 0, cutOff(err)
	}
	l.left--
	return b, nil
}

// cutOff makes sure that no end of the line passes for the end of anything else: a server ends a session with BYE.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (l *lexer) back() {
	l.r.UnreadByte()
	l.left++
}

func (l *lexer) peek() (byte, error) {
	b, err := l.octet()
	if err == nil {
		l.back()
	}
	return b, err
}

// accept takes the next octet if it is b.
func (l *lexer) accept(b byte) (bool, error) {
	got, err := l.octet()
	if err == nil && got != b {
		l.back()
	}
	return got == b, err
}

func (l *lexer) spaces() error {
	for {
		if ok, err := l.accept(' '); !ok || err != nil {
			return err
		}
	}
}

// atom reads up to a space, a parenthesis or the line's end; it may be empty.
func (l *lexer) atom() (string, error) {
	var b strings.Builder
	for {
		c, err := l.octet()
		if err != nil {
			return "", err
		}
		switch c {
		case ' ', '(', ')', '\r', '\n':
			l.back()
			return b.String(), nil
		}
		b.WriteByte(c)
	}
}

// value reads one token after any spaces.
func (l *lexer) value(depth int) (token, error) {
	if err := l.spaces(); err != nil {
		return token{}, err
	}
	if l.told++; l.told > maxTokens {
		return token{}, wireError(fmt.Sprintf("the server sends a response of more than %d words", maxTokens))
	}
	c, err := l.peek()
	if err != nil {
		return token{}, err
	}
	switch c {
	case '(':
		return l.list(depth + 1)
	case '"':
		text, err := l.quoted()
		return token{kind: stringToken, text: text}, err
	case '{':
		text, err := l.literal()
		return token{kind: stringToken, text: text}, err
	}
	text, err := l.atom()
	if err == nil && text == "" {
		err = errSyntax
	}
	return token{text: text}, err
}

// list reads a list. Its depth is bounded, because whoever reads it afterwards may do so by recursion: four million
// parentheses end a process of go-imap's for good.
func (l *lexer) list(depth int) (token, error) {
	t := token{kind: listToken}
	if depth > maxNesting {
		return t, wireError(fmt.Sprintf("the server nests lists more than %d deep", maxNesting))
	}
	l.octet() // the parenthesis
	for {
		if err := l.spaces(); err != nil {
			return t, err
		}
		if end, err := l.accept(')'); end || err != nil {
			return t, err
		}
		v, err := l.value(depth)
		if err != nil {
			return t, err
		}
		t.list = append(t.list, v)
	}
}

func (l *lexer) quoted() (string, error) {
	var b strings.Builder
	l.octet() // the quote
	for {
		c, err := l.octet()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			return b.String(), nil
		case '\\':
			if c, err = l.octet(); err != nil {
				return "", err
			}
		}
		if c == '\r' || c == '\n' {
			l.back()
			return "", errSyntax
		}
		b.WriteByte(c)
	}
}

// literal reads a literal that is no part of a message; its octets count as the line's.
func (l *lexer) literal() (string, error) {
	n, err := l.literalSize(maxLiteral)
	if err != nil {
		return "", err
	}
	if l.left -= int(n); l.left < 0 {
		l.left = 0
		_, err := l.octet()
		return "", err
	}
	p := make([]byte, n)
	_, err = io.ReadFull(l.r, p)
	return string(p), cutOff(err)
}

// literalSize reads {n} and the line's end after it (RFC 3501 §4.3); the octets of the literal come next.
func (l *lexer) literalSize(limit int64) (int64, error) {
	l.octet() // the brace
	text, err := l.atom()
	if err != nil {
		return 0, err
	}
	digits, closed := strings.CutSuffix(text, "}")
	n, err := strconv.ParseUint(strings.TrimSuffix(digits, "+"), 10, 64)
	if !closed || errors.Is(err, strconv.ErrSyntax) {
		return 0, errSyntax
	}
	if err != nil || n > uint64(limit) {
		return 0, wireError(fmt.Sprintf("the server announces a literal of %s octets, more than %d", digits, limit))
	}
	return int64(n), l.lineEnd()
}

// lineEnd takes the line's end, with spaces or without CR before it.
func (l *lexer) lineEnd() error {
	for {
		c, err := l.octet()
		switch {
		case err != nil || c == '\n':
			return err
		case c != ' ' && c != '\r':
			l.back()
			return errSyntax
		}
	}
}

// line reads the rest of the line without its end. Only what people and response codes say is read this way.
func (l *lexer) line() (string, error) {
	var b strings.Builder
	for {
		part, err := l.r.ReadSlice('\n')
		if b.Len()+len(part) > maxText {
			return "", wireError(fmt.Sprintf("the server sends a text of more than %d KiB", maxText>>10))
		}
		b.Write(part)
		if err == nil {
			return strings.TrimRight(b.String(), "\r\n"), nil
		}
		if err != bufio.ErrBufferFull {
			return "", cutOff(err)
		}
	}
}

// skip passes over the rest of a response and the literals in it, and keeps nothing.
func (l *lexer) skip() error {
	for {
		end, err := l.skipLine()
		if err != nil {
			return err
		}
		open := strings.LastIndexByte(end, '{')
		if open < 0 || !strings.HasSuffix(end, "}") {
			return nil
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(end[open+1:len(end)-1], "+"), 10, 64)
		if err != nil {
			return nil
		}
		if n > maxLiteral {
			return wireError(fmt.Sprintf("the server announces a literal of %d octets, more than %d", n, maxLiteral))
		}
		if err := l.discard(int64(n)); err != nil {
			return err
		}
	}
}

// skipLine returns the last few octets of the line it passes over.
func (l *lexer) skipLine() (end string, err error) {
	const few = 32
	for {
		part, err := l.r.ReadSlice('\n')
		if l.left -= len(part); l.left < 0 {
			l.left = 0
			_, err := l.octet()
			return "", err
		}
		end += string(part[max(0, len(part)-few):])
		end = end[max(0, len(end)-few):]
		if err == nil {
			return strings.TrimRight(end, "\r\n"), nil
		}
		if err != bufio.ErrBufferFull {
			return "", cutOff(err)
		}
	}
}

func (l *lexer) discard(n int64) error {
	_, err := io.CopyN(io.Discard, l.r, n)
	return cutOff(err)
}
