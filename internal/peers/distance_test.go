//go:build unix

package peers

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A distance is a way to a server that takes RTT there and back, and limits nothing: what is on its way has no bound.
// The handshake is paid for too.
type distance struct {
	to  string
	rtt time.Duration
	// plain: the server has no LITERAL+ as far as the client can see, so that every message costs it a wait.
	plain bool
}

// listen serves the distance at the address it returns until the test ends.
func (d distance) listen(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(c.(*net.TCPConn))
		}
	}()
	return l.Addr().String()
}

func (d distance) serve(near *net.TCPConn) {
	defer near.Close()
	up := newQueue(d.rtt / 2)
	go up.fill(near)
	// The handshake of a near server is over at once: that of a far one, and the client's first octet, take three
	// halves before the server can know of it.
	time.Sleep(3 * d.rtt / 2)
	c, err := net.Dial("tcp", d.to)
	if err != nil {
		return
	}
	defer c.Close()
	far := c.(*net.TCPConn)
	down := newQueue(d.rtt / 2)
	if d.plain {
		go down.fill(withoutLiteralPlus(far))
	} else {
		go down.fill(far)
	}
	var both sync.WaitGroup
	both.Go(func() { up.empty(far) })
	both.Go(func() { down.empty(near) })
	both.Wait()
}

// A queue holds what is on its way in one direction.
type queue struct {
	delay  time.Duration
	mu     sync.Mutex
	more   *sync.Cond
	chunks []chunk
}

// A chunk is what was read at once; without octets it is the end.
type chunk struct {
	due    time.Time
	octets []byte
}

func newQueue(delay time.Duration) *queue {
	q := &queue{delay: delay}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(octets []byte) {
	q.mu.Lock()
	q.chunks = append(q.chunks, chunk{time.Now().Add(q.delay), octets})
	q.mu.Unlock()
	q.more.Signal()
}

func (q *queue) take() (c chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunks) == 0 {
		q.more.Wait()
	}
	c, q.chunks = q.chunks[0], q.chunks[1:]
	return c
}

func (q *queue) fill(r io.Reader) {
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			q.put(bytes.Clone(buf[:n]))
		}
		if err != nil {
			q.put(nil)
			return
		}
	}
}

// empty writes all to c when it is due, and the end too; what c does not take is lost.
func (q *queue) empty(c *net.TCPConn) {
	lost := false
	for {
		next := q.take()
		if next.octets == nil {
			c.CloseWrite()
			return
		}
		time.Sleep(time.Until(next.due))
		if !lost {
			_, err := c.Write(next.octets)
			lost = err != nil
		}
	}
}

// withoutLiteralPlus reads what an IMAP server says, but for LITERAL+ among its capabilities.
func withoutLiteralPlus(r io.Reader) io.Reader {
	return &stripper{lines: bufio.NewReaderSize(r, 256<<10), begins: true}
}

type stripper struct {
	lines  *bufio.Reader
	begins bool // a line begins here
	rest   []byte
}

func (s *stripper) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		line, err := s.lines.ReadSlice('\n')
		if len(line) == 0 {
			return 0, err
		}
		if s.begins && (bytes.HasPrefix(line, []byte("* CAPABILITY ")) || bytes.Contains(line[:min(len(line), 40)], []byte(" OK [CAPABILITY "))) {
			line = bytes.ReplaceAll(line, []byte(" LITERAL+"), nil)
		}
		s.begins = err == nil
		s.rest = line
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// TestDistance guards that all comes through a distance, both ways and to the end, and no sooner than it may.
func TestDistance(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.Copy(c, c)
		c.Close()
	}()
	const rtt = 20 * time.Millisecond
	start := time.Now()
	c, err := net.Dial("tcp", distance{to: l.Addr().String(), rtt: rtt}.listen(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if took := time.Since(start); err != nil || !bytes.Equal(got, sent) || took < 2*rtt {
		t.Errorf("%d of %d octets came back after %s: %v", len(got), len(sent), took, err)
	}
}

func TestWithoutLiteralPlus(t *testing.T) {
	for _, tt := range []struct{ said, want string }{
		{"* OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE] ready\r\n", "* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"},
		{"* CAPABILITY IMAP4rev1 LITERAL+\r\n", "* CAPABILITY IMAP4rev1\r\n"},
		{"a2 OK [CAPABILITY LITERAL+ X] in\r\nrest", "a2 OK [CAPABILITY X] in\r\nrest"},
		{"mail about LITERAL+ and CAPABILITY\r\n", "mail about LITERAL+ and CAPABILITY\r\n"},
		{"", ""},
	} {
		got, err := io.ReadAll(withoutLiteralPlus(bytes.NewReader([]byte(tt.said))))
		if string(got) != tt.want || err != nil {
			t.Errorf("%q came through as %q, %v, want %q", tt.said, got, err, tt.want)
		}
	}
}
