package pop3

import (
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/knadh/go-pop3"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// gateOf returns a gate on these octets, after which the line is cut.
func gateOf(octets []byte, chunk func(io.Reader) io.Reader) *gate {
	return newGate(reading{r: io.MultiReader(chunk(bytes.NewReader(octets)), iotest.ErrReader(io.ErrUnexpectedEOF))}, func(text string) string { return text })
}

type reading struct {
	net.Conn
	r io.Reader
}

func (c reading) Read(p []byte) (int, error) { return c.r.Read(p) }

var chunks = []func(io.Reader) io.Reader{
	func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
}

// FuzzBody: any message comes out of its stuffed form as it was, whatever the pieces it arrives and is read in, and
// the next status line is the server's.
func FuzzBody(f *testing.F) {
	for _, m := range []string{"", "\r\n", ".", ".\r\n", "..\r\n", "\r\n.\r\n", "a\r\n.b\r\n", "\n.\n+OK\r\n", "\r.\r\n", "\r\n.\n", "\r\r\n.\r\r\n", ".\r", "\r\n.\r", "\x00", "no end"} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		want := string(m)
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		wire := []byte(stuffed(string(m)) + "+OK next\r\n")
		for _, chunk := range chunks {
			for _, read := range chunks {
				g := gateOf(wire, chunk)
				got, err := io.ReadAll(read(newBody(g, false)))
				if err != nil || string(got) != want {
					t.Fatalf("%q came out as %q, %v; want %q", wire, got, err, want)
				}
				if err := g.readStatus(); err != nil || g.last.text != "next" {
					t.Fatalf("after %q: %+v, %v", wire, g.last, err)
				}
			}
		}
	})
}

// slowBody is RFC 1939 §3 once more, in the simplest form: lines end in CRLF, and "." alone is the end.
func slowBody(wire []byte) (body []byte, whole bool) {
	for _, line := range bytes.SplitAfter(wire, []byte("\r\n")) {
		if string(line) == ".\r\n" {
			return body, true
		}
		body = append(body, bytes.TrimPrefix(line, []byte("."))...)
	}
	return body, false
}

// FuzzWire: whatever the server sends, a body is whole only at CRLF . CRLF.
func FuzzWire(f *testing.F) {
	for _, w := range []string{".\r\n", "a\r\n.\r\n", "a\n.\n", "a\r\n.\r", "a\r\n..\r\n.\r\nrest", ".a\r\n.\r\n", "\r\n", ".", "..\r\n", "\r.\r\n.\r\n"} {
		f.Add([]byte(w))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		want, whole := slowBody(wire)
		for _, chunk := range chunks {
			got, err := io.ReadAll(newBody(gateOf(wire, chunk), false))
			if whole != (err == nil) || whole && !bytes.Equal(got, want) {
				t.Fatalf("%q: %q, %v; want %q, whole: %t", wire, got, err, want, whole)
			}
			if !bytes.HasPrefix(want, got) {
				t.Fatalf("%q: began as %q, want %q", wire, got, want)
			}
		}
	})
}

var statusLine = regexp.MustCompile(`(?is)^(\+OK|-ERR)([ \t\[].*)?$`)

// FuzzStatus: go-pop3 is given what it understands, and thinks of it what we think.
func FuzzStatus(f *testing.F) {
	for _, line := range []string{"+OK", "+OK hi", "-ERR", "-ERR no", "-ERR [IN-USE] no", "-ERR[SYS/TEMP]no", "+ok\tx", "", "+OKx", "+ ", "-ERR []", "+OK\x00", "+OK [", "+OK \r", "-ERR ]"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsRune(line, '\n') || len(line) > maxLine-2 {
			return
		}
		wire := append(slices.Clone(line), "\r\n"...)
		g := gateOf(wire, chunks[0])
		conn, err := pop3.New(pop3.Opt{Dialer: g}).NewConn()
		fit := statusLine.Match(line)
		if g.last == nil {
			if fit || conn != nil || err == nil {
				t.Fatalf("%q is no status: %v", line, err)
			}
			return
		}
		if !fit || g.last.ok != (err == nil) || g.last.ok != (line[0] == '+') {
			t.Fatalf("%q is %+v, and to go-pop3 %v", line, g.last, err)
		}
		if len(g.rest) > 0 || g.in.Buffered() > 0 {
			t.Fatalf("%q: go-pop3 left %q and %d octets", line, g.rest, g.in.Buffered())
		}
	})
}

// FuzzListing: a listing that is accepted names each message once.
func FuzzListing(f *testing.F) {
	for _, l := range []string{".\r\n", "1 a\r\n2 b\r\n.\r\n", "2 b\r\n1 a\r\n.\r\n", "1 a\r\n\r\n.\r\n", "1\r\n2 b\r\n.\r\n", "1 a\n2 b\r\n.\r\n", "1 .\r\n2 \x00\r\n.\r\n", "..1 a\r\n.\r\n"} {
		f.Add([]byte(l), 2)
	}
	f.Fuzz(func(t *testing.T, wire []byte, n int) {
		if n < 0 || n > 1000 {
			return
		}
		all, err := listing(gateOf(wire, chunks[0]), "UIDL", n, func(rest []byte) (string, bool) { return string(rest), true })
		if err != nil {
			if !errors.As(err, new(*mail.Error)) && err != io.ErrUnexpectedEOF {
				t.Fatalf("%q: %v (%T)", wire, err, err)
			}
			return
		}
		text, _, _ := bytes.Cut(append([]byte("\r\n"), wire...), []byte("\r\n.\r\n"))
		if len(all) != n || bytes.Count(text, []byte("\r\n")) != n {
			t.Fatalf("%q: %d entries, want %d", wire, len(all), n)
		}
	})
}

// FuzzSession: a server that says anything at all leads to mail or to an error, and never to QUIT after an error.
func FuzzSession(f *testing.F) {
	ok := "+OK\r\n"
	login := ok + "-ERR\r\n" + ok + ok
	for _, s := range []string{
		login + "-ERR\r\n+OK 1 9\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 9\r\n.\r\n+OK\r\nx\r\n.\r\n",
		login + pipelining + "+OK 2 9\r\n+OK\r\n1 a\r\n2 a\r\n.\r\n+OK\r\n1 9\r\n2 9\r\n.\r\n+OK\r\nx\r\n.\r\n-ERR no\r\n",
		login + "-ERR\r\n+OK 1 9\r\n-ERR\r\n+OK\r\n1 9\r\n.\r\n+OK\r\nA: b\r\n\r\n.\r\n+OK\r\nA: b\r\n\r\nx\r\n.\r\n",
		"-ERR [IN-USE] no\r\n", "\r\n", login + "-ERR\r\n+OK 0 0\r\n+OK\r\n.\r\n+OK\r\n.\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		s, p := scripted(t, nil)
		p.serve = func(c net.Conn) {
			go io.Copy(io.Discard, c)
			c.Write(said)
		}
		if _, err := readAll(t, s); err != nil && !errors.As(err, new(*mail.Error)) {
			t.Fatalf("%q: %v (%T)", said, err, err)
		}
	})
}
