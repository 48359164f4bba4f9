package find

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Query says which messages are meant. The zero value means all of them.
type Query struct {
	text string
	root term // nil: everything
}

// String returns the query as it was written.
func (q Query) String() string { return q.text }

// Textual reports whether the query asks for something that only the index knows.
func (q Query) Textual() bool { return q.root != nil && q.root.textual() }

// A QueryError says what is wrong with a query, and how to say it right.
type QueryError struct {
	Word   string // as it stands in the query; "": the query as a whole
	Why    string
	Remedy string
}

func (e *QueryError) Error() string {
	if e.Word == "" {
		return e.Why
	}
	return fmt.Sprintf("%q: %s", e.Word, e.Why)
}

const (
	maxQuery = 10_000 // octets
	maxTerms = 500
	maxDepth = 50 // of parentheses
)

// Parse reads a query. Its errors are *QueryError.
//
//	word                     in the text, the subject, an address, or the name of an attachment
//	"several words"          one after the other
//	wor*                     any word that begins so
//	from: to: cc: subject: file:   only there; to: is for To, Cc and Bcc, file: for names of attachments
//	folder:NAME              in that folder, with * for anything; without case
//	after: before: date:     received then, in local time: 2024, 2024-03 or 2024-03-15; after: includes the day
//	larger: smaller:         than so many octets, or 500K, 10M, 1G
//	has:attachment
//	is:WORD                  unread, read, flagged, answered, forwarded, draft, deleted, gone
//	keyword:NAME             has that keyword
//	id:MESSAGE-ID
//	number:N                 the message with that number in lists
//
// All must be true. A - or NOT before a term excludes, OR between two terms means either, parentheses group; OR binds more
// closely than the blank. What has blanks in it is quoted: folder:"Sent Items".
func Parse(text string) (Query, error) {
	q := Query{text: text}
	if len(text) > maxQuery || !utf8.ValidString(text) {
		return q, &QueryError{"", "the query is too long, or no text", "a query has " + strconv.Itoa(maxQuery) + " octets of UTF-8 at most"}
	}
	p := &parser{rest: text}
	root, err := p.all(0)
	if err == nil && p.rest != "" {
		err = &QueryError{")", "there is no ( for it", "take it away, or put it in quotes to look for words"}
	}
	if err != nil {
		return q, err
	}
	q.root = root
	return q, nil
}

type parser struct {
	rest  string
	terms int
}

// skip passes over blanks.
func (p *parser) skip() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

// all reads terms up to the end or a ")", which it leaves. It returns nil for none.
func (p *parser) all(depth int) (term, error) {
	var terms []term
	for {
		p.skip()
		if p.rest == "" || p.rest[0] == ')' {
			return allOf(terms), nil
		}
		t, err := p.either(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
}

// either reads terms with OR between them.
func (p *parser) either(depth int) (term, error) {
	var terms []term
	for {
		t, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
		if !p.keyword("OR") {
			return anyOf(terms), nil
		}
	}
}

// keyword reads a word in capitals that stands for itself.
func (p *parser) keyword(word string) bool {
	p.skip()
	rest, found := strings.CutPrefix(p.rest, word)
	if !found || rest != "" && !unicode.IsSpace(rune(rest[0])) && rest[0] != '(' && rest[0] != ')' {
		return false
	}
	p.rest = rest
	p.skip()
	return true
}

// term reads one term, with what negates it.
func (p *parser) term(depth int) (term, error) {
	p.keyword("AND")
	if p.rest == "OR" || strings.HasPrefix(p.rest, "OR ") || p.rest == "" || p.rest[0] == ')' {
		return nil, &QueryError{"", "something is missing beside an AND, OR, NOT or -",
			`write both sides, as in: alice OR bob; to look for the word itself, write "or" in small letters`}
	}
	if p.terms++; p.terms > maxTerms || depth > maxDepth {
		return nil, &QueryError{"", "the query has too many terms", "ask for less at a time"}
	}
	if p.keyword("NOT") {
		return p.negated(depth)
	}
	if len(p.rest) > 1 && p.rest[0] == '-' && !unicode.IsSpace(rune(p.rest[1])) {
		p.rest = p.rest[1:]
		return p.negated(depth)
	}
	if p.rest[0] == '(' {
		return p.group(depth)
	}
	return p.word()
}

func (p *parser) negated(depth int) (term, error) {
	t, err := p.term(depth + 1)
	return not{t}, err
}

func (p *parser) group(depth int) (term, error) {
	p.rest = p.rest[1:]
	t, err := p.all(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.rest == "" {
		return nil, &QueryError{"(", "there is no ) for it", "close it, or put it in quotes to look for words"}
	}
	p.rest = p.rest[1:]
	if t == nil {
		return nil, &QueryError{"()", "nothing is in it", "take it away"}
	}
	return t, nil
}

// word reads a word, a phrase, or a term with a field.
func (p *parser) word() (term, error) {
	field, ok := p.field()
	before := p.rest
	value, quoted, err := p.value()
	if err != nil {
		return nil, err
	}
	whole := before[:len(before)-len(p.rest)]
	if ok {
		whole = field + ":" + whole
	}
	if ok && value == "" {
		return nil, &QueryError{whole, "nothing stands behind it", "write it without a blank: " + field + ":" + examples[field]}
	}
	return makeTerm(strings.ToLower(field), value, quoted, whole)
}

// field reads a name and the colon behind it. An address of the web has none, neither has a time.
func (p *parser) field() (string, bool) {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if end <= 0 || p.rest[end] != ':' || strings.HasPrefix(p.rest[end:], "://") {
		return "", false
	}
	name := p.rest[:end]
	p.rest = p.rest[end+1:]
	return name, true
}

// value reads up to a blank or a parenthesis, or what stands in quotes.
func (p *parser) value() (value string, quoted bool, err error) {
	for _, q := range [][2]string{{`"`, `"`}, {"“", "”"}, {"„", "“"}, {"«", "»"}} {
		inside, found := strings.CutPrefix(p.rest, q[0])
		if !found {
			continue
		}
		value, rest, closed := strings.Cut(inside, q[1])
		if !closed {
			return "", true, &QueryError{p.rest, "the quotation mark is not closed", "put one at the end of the words that belong together"}
		}
		p.rest = rest
		if rest != "" && rest[0] == '*' {
			return "", true, &QueryError{q[0] + value + q[1] + "*", "a * is for single words", "leave the quotation marks or the * out"}
		}
		return value, true, nil
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' })
	if end < 0 {
		end = len(p.rest)
	}
	value, p.rest = p.rest[:end], p.rest[end:]
	return value, false, nil
}
