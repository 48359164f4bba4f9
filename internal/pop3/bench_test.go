package pop3

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// BenchmarkFetch fetches 64 messages of 75 KB over loopback, and gives the time as a multiple of what reading the
// same octets from the socket takes.
func BenchmarkFetch(b *testing.B) {
	const messages = 64
	body := []byte("+OK\r\n" + stuffed("Subject: x\r\n\r\n"+strings.Repeat(strings.Repeat("y", 76)+"\r\n", 960)))
	listing := make([]string, messages)
	for i := range listing {
		listing[i] = fmt.Sprintf("%d %d", i+1, len(body))
	}
	answers := map[string]string{"CAPA": pipelining, "STAT": fmt.Sprintf("+OK %d 9\r\n", messages), "UIDL": lines("+OK", listing...), "LIST": lines("+OK", listing...)}
	answers["UIDL"] = strings.ReplaceAll(answers["UIDL"], fmt.Sprint(" ", len(body)), " same")
	s := overTCP(b, answers, func(w io.Writer) { w.Write(body) })
	items, err := s.List(b.Context(), mail.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	raw, feed := rawStream(b, body)
	buf := make([]byte, 64<<10)
	var bare, fetched time.Duration
	b.SetBytes(int64(messages * len(body)))
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		feed <- messages
		for left := messages * len(body); left > 0; {
			n, err := raw.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			left -= n
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

// rawStream returns a connection on which body arrives as often as feed says.
func rawStream(b *testing.B, body []byte) (net.Conn, chan<- int) {
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
			for range n {
				far.Write(body)
			}
		}
	}()
	b.Cleanup(func() { close(feed); conn.Close() })
	return conn, feed
}
