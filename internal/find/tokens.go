package find

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const maxWord = 40 // characters of a word that count; what is longer is an address or no word

// A mill takes text apart into words as the index has them, and appends each with a blank behind it.
type mill struct {
	out     []byte
	word    []byte // the word under way
	length  int    // its characters, cut ones included
	pair    rune   // the last character of a run of pairs; 0: none is under way
	lone    bool   // it has not been written as the first of a pair
	breaks  int    // line ends since the last character of a run
	closing bool   // the last character of a run is a word of its own
}

// appendWords appends the words of s to out. Closing is false where a run of pairs may go on behind the end of s, as in a query.
func appendWords(out []byte, s string, closing bool) []byte {
	m := mill{out: out, closing: true}
	for s != "" {
		plain := 0
		for plain < len(s) && s[plain] < utf8.RuneSelf {
			m.ascii(s[plain])
			plain++
		}
		s = s[plain:]
		end := 0
		for end < len(s) && s[end] >= utf8.RuneSelf {
			end++
		}
		m.other(s[:end])
		s = s[end:]
	}
	m.closing = closing
	m.endWord()
	m.endRun()
	return m.out
}

func (m *mill) ascii(c byte) {
	switch {
	case 'A' <= c && c <= 'Z':
		m.letter(rune(c) | 0x20)
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		m.letter(rune(c))
	default:
		m.blank(rune(c))
	}
}

// other takes text without ASCII.
func (m *mill) other(s string) {
	if strings.IndexFunc(s, func(r rune) bool { return simple(r) == unknown }) >= 0 {
		s = decompose(s)
	}
	for _, r := range s {
		if to := simple(r); to == none {
			continue
		} else if to != unknown {
			r = to
		}
		switch kind := kindOf(r); kind {
		case nothing:
		case pairs:
			m.run(r)
		case letter:
			m.letter(fold(r))
		default:
			m.blank(r)
		}
	}
}

// decompose takes accents off, and makes one of all forms of a letter.
func decompose(s string) string {
	apart := norm.NFKD.String(s)
	kept := strings.Map(func(r rune) rune {
		if isAccent(r) {
			return -1
		}
		return r
	}, apart)
	return norm.NFC.String(kept) // what is no accent is part of the letter: Hangul, kana
}

// What simple returns instead of a character.
const (
	unknown = -1 // only decompose tells
	none    = -2 // nothing is left of it
)

// simple returns what decompose makes of a character of the most used scripts, whatever stands around it.
func simple(r rune) rune {
	switch {
	case r < tableEnd:
		return table()[r]
	case 0x4e00 <= r && r <= 0x9fff, 0xac00 <= r && r <= 0xd7a3: // Han, Hangul
		return r
	}
	return unknown
}

const tableEnd = 0x700 // Latin, Greek, Cyrillic, Hebrew, Arabic

var table = sync.OnceValue(func() *[tableEnd]rune {
	var t [tableEnd]rune
	for r := range rune(tableEnd) {
		to := []rune(decompose(string(r)))
		switch len(to) {
		case 0:
			t[r] = none
		case 1:
			t[r] = to[0]
		default:
			t[r] = unknown
		}
	}
	return &t
})

// isAccent is for the marks that people leave out or put in: those of Latin, Greek and Cyrillic, and vowels of Hebrew and
// Arabic. In other scripts they are as good as letters.
func isAccent(r rune) bool {
	return 0x0300 <= r && r <= 0x036f || 0x0591 <= r && r <= 0x05bd || 0x05bf <= r && r <= 0x05c7 ||
		0x0610 <= r && r <= 0x061a || 0x064b <= r && r <= 0x065f || r == 0x0670 || 0x06d6 <= r && r <= 0x06dc || 0x06df <= r && r <= 0x06e8
}

// The kinds of characters.
const (
	blank   = iota
	letter  // or digit
	pairs   // of a script that is cut into pairs
	nothing // it is not there
)

func kindOf(r rune) int {
	switch {
	case r == 0x200c || r == 0x200d || r == 0x0640 || r == 0x00ad || r == 0x2060 || r == 0xfeff || 0xfe00 <= r && r <= 0xfe0f:
		return nothing // joiners, tatweel, soft hyphen, variants
	case unicode.In(r, unicode.Bidi_Control):
		return nothing
	case r >= 0x0e00 && isPaired(r):
		return pairs
	case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r):
		return letter
	}
	return blank
}

// isPaired is for scripts without blanks between words, and for Hangul, which hangs endings on them.
func isPaired(r rune) bool {
	if !unicode.IsLetter(r) && !unicode.IsMark(r) {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == 'ー'
}

// joins are for letters that are typed one for the other.
var joins = map[rune]rune{
	'ى': 'ي', 'ی': 'ي', 'ې': 'ي', 'ے': 'ي', 'ک': 'ك', 'ڪ': 'ك', 'ة': 'ه', 'ە': 'ه', 'ہ': 'ه', 'ھ': 'ه', 'ٱ': 'ا',
	'ς': 'σ', 'ı': 'i', 'ø': 'o', 'ł': 'l', 'đ': 'd', 'ħ': 'h',
}

func fold(r rune) rune {
	r = unicode.ToLower(r)
	if unicode.IsDigit(r) {
		return digit(r)
	}
	if to := joins[r]; to != 0 {
		return to
	}
	return r
}

// digit returns the ASCII digit: those of every script stand together, from zero on.
func digit(r rune) rune {
	n := rune(0)
	for n < 9 && unicode.IsDigit(r-n-1) {
		n++
	}
	return '0' + n
}

func (m *mill) letter(r rune) {
	m.endRun()
	if r == 'ß' {
		m.letter('s')
		r = 's'
	}
	if m.length++; m.length <= maxWord {
		m.word = utf8.AppendRune(m.word, r)
	}
}

// blank ends a word. A run goes on behind the end of a line, where lines are broken anywhere.
func (m *mill) blank(r rune) {
	m.endWord()
	if m.pair == 0 {
		return
	}
	if r == '\n' {
		m.breaks++
	}
	wraps := r == '\n' || r == '\r' || m.breaks > 0 && (r == ' ' || r == '\t' || r == '>')
	if !wraps || m.breaks > 1 || unicode.Is(unicode.Hangul, m.pair) {
		m.endRun()
	}
}

func (m *mill) endWord() {
	if m.length > 0 {
		m.out = append(append(m.out, m.word...), ' ')
		m.word, m.length = m.word[:0], 0
	}
}

// run takes the next character of a run of pairs.
func (m *mill) run(r rune) {
	m.endWord()
	if m.pair != 0 {
		m.out = utf8.AppendRune(utf8.AppendRune(m.out, m.pair), r)
		m.out = append(m.out, ' ')
	}
	m.lone = m.pair == 0
	m.pair, m.breaks = r, 0
}

// endRun writes the last character of a run as a word of its own, so that it begins one as all others do.
func (m *mill) endRun() {
	if m.pair != 0 && (m.closing || m.lone) {
		m.out = append(utf8.AppendRune(m.out, m.pair), ' ')
	}
	m.pair, m.breaks, m.lone = 0, 0, false
}

// phrase returns the expression of FTS5 for words that follow one another, the last of which may only begin so; "" if there
// is none in the text.
func phrase(text string, prefix bool) string {
	tokens := strings.TrimSpace(string(appendWords(nil, text, false)))
	if tokens == "" {
		return ""
	}
	last := tokens[strings.LastIndexByte(tokens, ' ')+1:]
	if r, size := utf8.DecodeRuneInString(last); prefix || size == len(last) && isPaired(r) {
		return `"` + tokens + `" *`
	}
	return `"` + tokens + `"`
}
