package imap

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// BenchmarkFetch fetches 256 messages over loopback, and gives the time as a multiple of what reading the same octets
// from the socket takes.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []int{2_000, 75_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkFetch(b, size) })
	}
}

func benchmarkFetch(b *testing.B, size int) {
	const messages = 4 * fetchBatch
	octets := strings.Repeat(strings.Repeat("y", 76)+"\r\n", size/78)
	s := overTCP(b, octets)
	var items []mail.Item
	for uid := range uint32(messages) {
		it := item(uid + 1)
		it.Size = int64(len(octets))
		items = append(items, it)
	}
	raw, feed := rawStream(b, []byte(octets))
	buf := make([]byte, 64<<10)
	var bare, fetched time.Duration
	b.SetBytes(int64(messages * len(octets)))
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		feed <- messages
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(raw, int64(messages*len(octets))), buf); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := s.Fetch(b.Context(), items, func(_ mail.Item, r io.Reader) error {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		bare += middle.Sub(start)
		fetched += time.Since(middle)
	}
	b.ReportMetric(float64(fetched)/float64(bare), "×raw")
}

// overTCP returns a Source of a server on a loopback port whose messages all have these octets.
func overTCP(b *testing.B, octets string) *Source {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	script := &script{answer: on("UID FETCH", func(s *talk, cmd string) {
		w := bufio.NewWriterSize(s.conn, 64<<10)
		for _, uid := range uidsIn(strings.Fields(cmd)[2]) {
			fmt.Fprintf(w, "* %d FETCH (UID %d BODY[] {%d}\r\n", uid, uid, len(octets))
			w.WriteString(octets)
			w.WriteString(")\r\n")
		}
		fmt.Fprintf(w, "%s OK done\r\n", s.tag)
		w.Flush()
	})}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t := &talk{script: script, conn: conn, br: bufio.NewReader(conn), nth: 1}
			script.running.Go(t.run)
		}
	}()
	addr := l.Addr().(*net.TCPAddr)
	s := NewSource(dial.Server{Host: "127.0.0.1", Port: addr.Port, Plain: true}, mail.Login{User: "me", Password: password})
	b.Cleanup(func() {
		s.Close()
		script.running.Wait()
	})
	return s
}

// rawStream returns a connection on which octets arrive as often as feed says.
func rawStream(b *testing.B, octets []byte) (net.Conn, chan<- int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	feed := make(chan int)
	go func() {
		defer far.Close()
		for n := range feed {
			w := bufio.NewWriterSize(far, 64<<10)
			for range n {
				w.Write(octets)
			}
			w.Flush()
		}
	}()
	b.Cleanup(func() { close(feed); conn.Close() })
	return conn, feed
}

// BenchmarkList lists 100,001 messages.
func BenchmarkList(b *testing.B) {
	s := rows(100_001, none).source(b)
	b.ReportAllocs()
	for b.Loop() {
		if items, err := s.List(b.Context(), mail.Inbox); err != nil || len(items) != 100_001 {
			b.Fatal(len(items), err)
		}
	}
}
