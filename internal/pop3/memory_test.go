package pop3

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// overTCP returns a Source for a server on loopback that answers RETR by stream.
func overTCP(t testing.TB, answers map[string]string, retr func(io.Writer)) *Source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &script{answers: answers}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { defer c.Close(); p.stream(c, retr) })
		}
	})
	s := New(dial.Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Plain: true}, login("me", canary))
	t.Cleanup(func() { s.Close(); l.Close(); p.running.Wait() })
	return s
}

func (p *script) stream(c net.Conn, retr func(io.Writer)) {
	in := bufio.NewReader(c)
	io.WriteString(c, p.answer(""))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if command := strings.TrimRight(line, "\r\n"); strings.HasPrefix(command, "RETR") {
			retr(c)
		} else {
			io.WriteString(c, p.answer(command))
		}
	}
}

// TestMemory: P8. A message of 256 MiB, half of it one line, needs no more memory than a small one.
func TestMemory(t *testing.T) {
	const size, bound = 256 << 20, 8 << 20
	lines := bytes.Repeat([]byte("..2345678901234567890123456789012345678901234567890123456789012\r\n"), 1<<10)
	line := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	s := overTCP(t, nil, func(w io.Writer) {
		io.WriteString(w, "+OK\r\n")
		for sent := 0; sent < size/2; sent += len(lines) {
			w.Write(lines)
		}
		for sent := 0; sent < size/2; sent += len(line) {
			w.Write(line)
		}
		io.WriteString(w, "\r\n.\r\n")
	})
	items, err := s.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	got, most := int64(0), uint64(0)
	err = s.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
		for buf := make([]byte, 32<<10); ; {
			n, err := r.Read(buf)
			if got += int64(n); got%(1<<20) < int64(n) {
				most = max(most, heap())
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	blocks := (size/2 + len(lines) - 1) / len(lines)
	if want := int64(blocks*(len(lines)-1<<10) + size/2 + 2); err != nil || got != want {
		t.Errorf("read %d octets, %v; want %d", got, err, want)
	}
	if most > before+bound {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, most>>10)
	}
	t.Logf("%d MiB read, the heap grew by %d KiB at most", got>>20, (int64(most)-int64(before))>>10)
}

// heap returns the octets on the heap, garbage among them.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
