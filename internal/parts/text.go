package parts

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding"
)

// ErrBinary says that what calls itself text is none.
var ErrBinary = errors.New("it is called text, and is none")

// ReadText reads a part that is text, up to limit octets of it, and returns it as UTF-8 with LF line ends. HTML comes as
// its text; with links, each is followed by where it leads. The error is ErrBinary, or that of the reader.
func ReadText(p Part, body io.Reader, limit int64, links bool) (string, error) {
	octets, err := io.ReadAll(io.LimitReader(body, limit))
	if err != nil {
		return "", err
	}
	charset := p.Charset
	if isBinary(octets) && !isUTF16(strings.ToLower(charset)) {
		return "", ErrBinary
	}
	if charset == "" && p.Type == "text/html" {
		charset = htmlCharset(octets)
	}
	text := lineEnds.Replace(Decode(charset, octets))
	if p.Type == "text/html" {
		return htmlText(text, links), nil
	}
	return text, nil
}

// isBinary reports whether there is more than an oddity here and there among octets that no text has.
func isBinary(octets []byte) bool {
	look := octets[:min(len(octets), 4096)]
	odd := 0
	for _, c := range look {
		if c < 0x20 && bytes.IndexByte([]byte("\t\n\f\r\x0e\x0f\x1b"), c) < 0 {
			odd++
		}
	}
	return odd*20 > len(look)
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// htmlCharset returns what an HTML document says of itself near its beginning.
func htmlCharset(octets []byte) string {
	head := bytes.ToLower(octets[:min(len(octets), 2048)])
	_, after, found := bytes.Cut(head, []byte("charset="))
	if !found {
		return ""
	}
	after = bytes.TrimLeft(after, `"' `)
	end := bytes.IndexAny(after, `"'/> ;`)
	if end < 0 || encodingOf(string(after[:end])) == encoding.Encoding(nil) {
		return ""
	}
	return string(after[:end])
}

// An htmlWriter collects the text of a document, with white space as a browser has it, about.
type htmlWriter struct {
	b        strings.Builder
	space    bool // a blank is to come before the next word
	breaks   int  // line ends are to come before it
	pre      int
	hidden   int
	hiding   string // the element that hides
	href     string
	linkFrom int // where the text of the link begins
	links    bool
}

// maxTag is how long a tag or a text may be to be read: what is longer is cut.
const maxTag = 1 << 20

// htmlText returns the text of an HTML document. It reads any octets.
func htmlText(s string, links bool) string {
	w := htmlWriter{links: links}
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(maxTag)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(w.b.String())
		case html.TextToken:
			if w.hidden == 0 {
				w.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			w.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.end(string(name))
		}
	}
}

var hides = map[string]bool{"script": true, "style": true, "template": true, "noscript": false, "title": true, "select": true}

// breaksAt is how many line ends stand around an element.
var breaksAt = map[string]int{"p": 2, "div": 1, "br": 1, "tr": 1, "li": 1, "ul": 1, "ol": 1, "table": 1, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2,
	"blockquote": 1, "pre": 1, "hr": 1, "header": 1, "footer": 1, "section": 1, "article": 1, "center": 1, "dd": 1, "dt": 1, "form": 1, "address": 1}

func (w *htmlWriter) start(z *html.Tokenizer) {
	tag, more := z.TagName()
	name := string(tag)
	attributes := map[string]string{}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		attributes[string(key)] = string(value)
	}
	if w.hidden > 0 {
		if name == w.hiding {
			w.hidden++
		}
		return
	}
	if hides[name] {
		w.hidden, w.hiding = 1, name
		return
	}
	w.endLine(name)
	switch name {
	case "td", "th":
		w.space = true
	case "li":
		w.before()
		w.b.WriteString("- ")
	case "hr":
		w.text("----------")
		w.breaks = 1
	case "pre":
		w.pre++
	case "img":
		if alt := strings.TrimSpace(attributes["alt"]); alt != "" {
			w.text("[" + alt + "]")
		}
	case "a":
		w.href, w.linkFrom = strings.TrimSpace(attributes["href"]), w.b.Len()
	}
}

func (w *htmlWriter) end(name string) {
	if w.hidden > 0 {
		if name == w.hiding {
			w.hidden--
		}
		return
	}
	switch name {
	case "pre":
		w.pre = max(0, w.pre-1)
	case "a":
		w.link()
	}
	w.endLine(name)
}

// link says where the link that ends leads, unless its text does.
func (w *htmlWriter) link() {
	href := w.href
	w.href = ""
	if !w.links || !strings.Contains(href, ":") || w.linkFrom > w.b.Len() {
		return
	}
	text := strings.TrimSpace(w.b.String()[w.linkFrom:])
	target := strings.TrimPrefix(href, "mailto:")
	if text == "" && !strings.HasPrefix(href, "http") || strings.TrimSuffix(text, "/") == strings.TrimSuffix(target, "/") {
		return
	}
	w.space = true
	w.text("<" + target + ">")
}

func (w *htmlWriter) endLine(name string) {
	if n := breaksAt[name]; n > w.breaks {
		w.breaks = n
	} else if name == "br" {
		w.breaks++
	}
}

// text writes the words of s with single blanks between them, or s as it is inside pre.
func (w *htmlWriter) text(s string) {
	s = visible(s)
	if w.pre > 0 {
		w.before()
		w.b.WriteString(s)
		return
	}
	words := strings.Fields(s)
	if len(words) == 0 {
		w.space = w.space || s != ""
		return
	}
	w.space = w.space || strings.ContainsAny(s[:1], " \t\r\n")
	for i, word := range words {
		w.space = w.space || i > 0
		w.before()
		w.b.WriteString(word)
	}
	w.space = strings.ContainsAny(s[len(s)-1:], " \t\r\n")
}

// visible returns s without what HTML is padded with: characters that are not seen. Where a joiner is part of how a word is
// written, it stays.
func visible(s string) string {
	var before rune
	return strings.Map(func(r rune) rune {
		was := before
		before = r
		switch r {
		case 0xa0, 0x2007, 0x202f:
			return ' '
		case 0xad, 0x34f, 0x200b, 0x2060, 0xfeff:
			return -1
		case 0x200c, 0x200d:
			if was < 0x0590 || 0x1100 <= was && was < 0x2100 || !unicode.IsLetter(was) && !unicode.IsMark(was) && was < 0x2100 {
				return -1
			}
		}
		return r
	}, s)
}

// before writes the white space that is to come first.
func (w *htmlWriter) before() {
	if w.b.Len() > 0 && w.breaks > 0 {
		w.b.WriteString(strings.Repeat("\n", min(w.breaks, 2)))
	} else if w.b.Len() > 0 && w.space {
		w.b.WriteByte(' ')
	}
	w.breaks, w.space = 0, false
}
