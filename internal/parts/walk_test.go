package parts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/testdata"
)

// outline returns the parts of a message, a line each: number, type, name and the beginning of what is in it.
func outline(t *testing.T, message string) string {
	t.Helper()
	var b strings.Builder
	err := Walk(strings.NewReader(strings.ReplaceAll(message, "\n", "\r\n")), func(p Part, body io.Reader) error {
		if p.IsMessage() && p.Number != "" && !strings.HasSuffix(p.Number, ".") {
			fmt.Fprintf(&b, "%s %s\n", p.Number, p.Type)
			return nil
		}
		octets, err := io.ReadAll(body)
		if p.Number == "" || strings.HasSuffix(p.Number, ".") {
			fmt.Fprintf(&b, "%s<%s>\n", p.Number, p.Header.Get("Subject"))
			return err
		}
		fmt.Fprintf(&b, "%s %s %q %q", p.Number, p.Type, p.Name, octets)
		if p.Nth > 0 {
			fmt.Fprintf(&b, " %d %s", p.Nth, p.Among)
		}
		fmt.Fprintln(&b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// TestWalk guards that the parts of sound and of broken messages are found, numbered as IMAP does.
func TestWalk(t *testing.T) {
	for _, tt := range []struct{ why, message, want string }{
		{"no MIME", "Subject: a\n\nbody\n", "<a>\n1 text/plain \"\" \"body\\r\\n\"\n"},
		{"nothing", "", "<>\n1 text/plain \"\" \"\"\n"},
		{"only a header", "Subject: a\n", "<a>\n1 text/plain \"\" \"\"\n"},
		{"mbox line", "From x y\nSubject: =?utf-8?q?=C3=A4?=\n\n", "<ä>\n1 text/plain \"\" \"\"\n"},
		{"alternatives in a mixed one", "Content-Type: multipart/mixed; boundary=\"a b\"\n\npre\n--a b\nContent-Type: multipart/alternative; boundary=c\n\n" +
			"--c\n\nplain\n--c\nContent-Type: text/html\n\n<p>\n--c--\n\n--a b\nContent-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\nRA==\n--a b--\npost\n",
			"<>\n1.1 text/plain \"\" \"plain\" 1 in 1.\n1.2 text/html \"\" \"<p>\" 2 in 1.\n2 application/pdf \"x.pdf\" \"ABCD\"\n"},
		{"an alternative with its pictures", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: text/html\n\ny\n--c\nContent-Type: image/png\n\nz\n--c--\n--b--\n",
			"<>\n1 text/plain \"\" \"x\" 1 in \n2.1 text/html \"\" \"y\" 2 in \n2.2 image/png \"\" \"z\" 2 in \n"},
		{"a message in it", "Subject: out\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--\n",
			"<out>\n1 message/rfc822\n1.<in>\n1.1 text/plain \"\" \"x\"\n"},
		{"a forwarded one", "Content-Type: message/rfc822\n\nSubject: in\n\nhello", "<>\n1 message/rfc822\n1.<in>\n1.1 text/plain \"\" \"hello\"\n"},
		{"no end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo", "<>\n1 text/plain \"\" \"one\"\n2 text/plain \"\" \"two\"\n"},
		{"an end too early for the outer", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n",
			"<>\n1.1 text/plain \"\" \"one\"\n2 text/plain \"\" \"two\"\n"},
		{"one boundary begins like the other", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n", "<>\n1.1 text/plain \"\" \"one\"\n"},
		{"no boundary", "Content-Type: multipart/mixed\n\n--xyz\n\none\n--xyz--\n", "<>\n1 text/plain \"\" \"one\"\n"},
		{"no part", "Content-Type: multipart/mixed; boundary=b\n\njust text\n", "<>\n1 text/plain \"\" \"just text\\r\\n\"\n"},
		{"names", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename*0*=utf-8''na%C3%AFve%20; filename*1=file.txt\n\n1\n" +
			"--b\nContent-Type: text/plain; name=\"=?koi8-r?B?8NLJ18XU?=\"\n\n2\n--b\nContent-Disposition: inline; filename=\"a\\\"b;c.txt\"\n\n3\n--b--\n",
			"<>\n1 text/plain \"naïve file.txt\" \"1\"\n2 text/plain \"Привет\" \"2\"\n3 text/plain \"a\\\"b;c.txt\" \"3\"\n"},
		{"quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\n\na=3Db= \n=C3=A4=ZZ=\n", "<>\n1 text/plain \"\" \"a=b\u00e4=ZZ\"\n"},
		{"base64 with rubbish", "Content-Transfer-Encoding: base64\n\nQU!JD=\nRA==\nQ\n", "<>\n1 text/plain \"\" \"ABCD\"\n"},
	} {
		if got := outline(t, tt.message); got != tt.want {
			t.Errorf("%s:\n%swant\n%s", tt.why, got, tt.want)
		}
	}
}

// TestWalkBounds guards that what is too deep or too much ends, and that the reader's own error is the one that is told.
func TestWalkBounds(t *testing.T) {
	var deep strings.Builder
	for n := range 200 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", n, n)
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 50_000)
	messages := strings.Repeat("Content-Type: message/rfc822\n\n", 500)
	fields := strings.Repeat("X: y\n", 100_000) + "Subject: " + strings.Repeat("z", 10<<20) + "\n\nbody"
	for _, message := range []string{deep.String(), many, messages, fields} {
		n := 0
		if err := Walk(strings.NewReader(message), func(p Part, _ io.Reader) error { n += 1 + len(p.Header)/1000; return nil }); err != nil || n > 2*maxParts {
			t.Errorf("%.40q: %d parts, %v", message, n, err)
		}
	}
	broken := errors.New("broken")
	if err := Walk(io.MultiReader(strings.NewReader("Subject: a\n\nb"), iotest.ErrReader(broken)), func(_ Part, body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	}); err != broken {
		t.Errorf("%v, want the reader's error", err)
	}
}

// TestHTML guards what is left of a document: the words, in lines, and where links lead; nothing hidden, nothing run.
func TestHTML(t *testing.T) {
	for in, want := range map[string]string{
		"<p>one<p>two &amp; three": "one\n\ntwo & three",
		"a<br>b<br><br>c":          "a\nb\n\nc",
		"<style>x{}</style><script>alert(1)</script>y<!-- z -->": "y",
		"<title>no</title><b>bo</b>ld  \n text":                  "bold text",
		"<ul><li>a<li>b</ul>":                                    "- a\n- b",
		"<table><tr><td>a<td>b<tr><td>c</table>":                 "a b\nc",
		`<a href="https://x.example/">here</a>`:                  "here <https://x.example/>",
		`<a href="https://x.example/">https://x.example</a>`:     "https://x.example",
		`<a href="mailto:a@b.example">a@b.example</a>`:           "a@b.example",
		`<a href="javascript:alert(1)"></a>z`:                    "z",
		`<img src=x alt="a picture">`:                            "[a picture]",
		"<pre>a\n  b</pre>":                                      "a\n  b",
		"pad&zwnj;&nbsp;&#8203;ding می&zwnj;خواهم":               "pad ding می\u200cخواهم",
		"<div><div>a</div></div><div>b</div>":                    "a\nb",
		"<script>never closed":                                   "",
		"unclosed <b":                                            "unclosed",
		"&#x1b;[31m":                                             "\x1b[31m",
		"":                                                       "",
	} {
		if got := htmlText(in, true); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestReadText guards that the character set is found where it stands, and that pictures are not read.
func TestReadText(t *testing.T) {
	for _, tt := range []struct{ kind, charset, in, want string }{
		{"text/html", "", "<meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
		{"text/plain", "utf-8", "a\r\nb\rc\n", "a\nb\nc\n"},
		{"text/csv", "", "H\xe4nde,2\r\n", "Hände,2\n"},
	} {
		got, err := ReadText(Part{Type: tt.kind, Charset: tt.charset}, strings.NewReader(tt.in), 1000, false)
		if got != tt.want || err != nil {
			t.Errorf("%q: %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	if _, err := ReadText(Part{Type: "text/plain"}, strings.NewReader("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x01\x00"), 1000, false); err != ErrBinary {
		t.Errorf("a picture: %v", err)
	}
}

// FuzzWalk guards that no message keeps a reader from its end, and that all that comes of it is text.
func FuzzWalk(f *testing.F) {
	for _, m := range testdata.Messages() {
		if len(m.Octets) < 20_000 {
			f.Add(m.Octets)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		err := Walk(bytes.NewReader(message), func(p Part, body io.Reader) error {
			for _, field := range p.Header {
				if text := field.Text(); !utf8.ValidString(text) && utf8.ValidString(field.Value) {
					t.Errorf("%q is no text", text)
				}
			}
			if !utf8.ValidString(p.Name) && utf8.Valid(message) {
				t.Errorf("the name %q is no text", p.Name)
			}
			if !p.IsText() {
				return nil
			}
			text, err := ReadText(p, body, 100_000, true)
			if err == ErrBinary {
				return nil
			}
			if !utf8.ValidString(text) && utf8.Valid(message) {
				t.Errorf("%q is no text", text)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
