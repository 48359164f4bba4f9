package mail

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"
)

// maxEncodedLine is the longest line of base64 and quoted-printable (RFC 2045 §6.7, §6.8).
const maxEncodedLine = 76

// takeLine takes the next piece of the source's line, all of it if it is not very long.
func (m *Mending) takeLine() error {
	piece, err := m.src.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
		return err
	}
	text, ended := bytes.CutSuffix(piece, crlf)
	if err == bufio.ErrBufferFull {
		err = nil
		if text[len(text)-1] == '\r' { // which is the line end's
			text = text[:len(text)-1]
			m.src.UnreadByte()
		}
	}
	if !m.within && len(piece)+len(m.line) > 0 {
		m.parts.take(concat(m.line, text[:min(len(text), maxLine)]))
	}
	m.put(text)
	m.within = !ended
	if ended || err == io.EOF {
		m.endLine(ended)
	}
	return err
}

func concat(a, b []byte) []byte {
	if len(a) == 0 {
		return b
	}
	return append(a[:len(a):len(a)], b...)
}

// put adds text to the line under way, which is broken where it has become too long.
func (m *Mending) put(text []byte) {
	for len(text) > 0 {
		if len(m.line) == maxLine {
			m.breakLine()
		}
		n := min(maxLine-len(m.line), len(text))
		m.line = append(m.line, text[:n]...)
		text = text[n:]
	}
}

func (m *Mending) breakLine() {
	switch {
	case m.header || m.parts.header:
		m.foldLine()
	case m.parts.encoding == encodingBase64 || m.parts.encoding == encodingQuoted:
		m.breakEncoded()
	default:
		m.breakText()
	}
	m.broken = true
}

// foldLine folds a header line before white space, behind which there is text already: a line of white space alone
// would end the header for some.
func (m *Mending) foldLine() {
	start := len(m.line) - len(bytes.TrimLeft(m.line, " \t"))
	if start == len(m.line) {
		m.line = m.line[:1]
		return
	}
	at := bytes.LastIndexAny(m.line[start:], " \t") + start
	if at > start {
		m.emit(at, "")
		return
	}
	m.hard = true
	m.emit(wholeRunes(m.line), "")
	m.line = append([]byte{' '}, m.line...)
}

// breakText breaks behind white space, which stays at the end of the line.
func (m *Mending) breakText() {
	start := len(m.line) - len(bytes.TrimLeft(m.line, " \t"))
	if at := bytes.LastIndexAny(m.line[start:], " \t") + start; at > start {
		m.emit(at+1, "")
		return
	}
	m.hard = true
	m.emit(wholeRunes(m.line), "")
}

// wholeRunes returns how many octets of a full line there are up to a character that is not whole.
func wholeRunes(line []byte) int {
	for i := len(line) - 1; i >= len(line)-utf8.UTFMax; i-- {
		if utf8.RuneStart(line[i]) {
			if !utf8.FullRune(line[i:]) {
				return i
			}
			break
		}
	}
	return len(line)
}

// breakEncoded breaks all that is too long for a line of its encoding.
func (m *Mending) breakEncoded() {
	for len(m.line) > maxEncodedLine {
		if m.parts.encoding == encodingBase64 {
			m.emit(maxEncodedLine, "")
			continue
		}
		at := maxEncodedLine - 1
		if i := bytes.LastIndexByte(m.line[at-2:at], '='); i >= 0 { // =C3 stays together
			at += i - 2
		}
		m.emit(at, "=")
	}
}

// emit gives out n octets of the line under way as a line.
func (m *Mending) emit(n int, soft string) {
	m.out = append(append(append(m.out, m.line[:n]...), soft...), crlf...)
	m.line = append(m.line[:0], m.line[n:]...)
}

// endLine gives out the line under way, with an end or without.
func (m *Mending) endLine(ended bool) {
	inHeader := m.header || m.parts.header
	if m.broken {
		m.countBroken(inHeader)
		if !inHeader && (m.parts.encoding == encodingBase64 || m.parts.encoding == encodingQuoted) {
			m.breakEncoded()
		}
	}
	blank := m.broken && inHeader && len(bytes.TrimLeft(m.line, " \t")) == 0
	if !ended && m.header && len(m.line) > 0 {
		m.counts[noLineEnd]++
		ended = true
	}
	if !blank {
		m.out = append(m.out, m.line...)
		if ended {
			m.out = append(m.out, crlf...)
		}
	}
	m.line, m.broken, m.hard = m.line[:0], false, false
}

func (m *Mending) countBroken(inHeader bool) {
	kind := longText
	switch {
	case inHeader && m.hard:
		kind = longToken
	case inHeader:
		kind = longField
	case m.parts.encoding == encodingBase64:
		kind = longBase64
	case m.parts.encoding == encodingQuoted:
		kind = longQuoted
	case m.hard:
		kind = longWord
	}
	m.counts[kind]++
}
