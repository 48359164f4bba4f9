package imap

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A large message costs no more memory than a small one, neither on its way there nor back.
func TestMemory(t *testing.T) {
	const size = 100 << 20
	s := &script{caps: "IMAP4rev1 LITERAL+"}
	s.answer = func(s *talk, cmd string) bool {
		switch {
		case strings.HasPrefix(cmd, "APPEND"):
			s.say("+ go ahead")
			io.CopyN(io.Discard, s.br, size+2)
			s.say(s.tag + " OK done")
		case strings.HasPrefix(cmd, "UID FETCH"):
			s.raw("* 1 FETCH (UID 5 BODY[] {104857600}\r\n")
			io.CopyN(onlyWriter{s.conn}, zeros{}, size)
			s.say(" FLAGS ())", s.tag+" OK done")
		default:
			return false
		}
		return true
	}
	c := s.client(t)
	if _, err := c.Select(t.Context(), mail.Inbox); err != nil {
		t.Fatal(err)
	}
	if used := peak(func() {
		c.Append(t.Context(), mail.Inbox, []mail.Outgoing{breaking(size, size, io.EOF)}, func(_ int, _ mail.Stored, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}); used > 8<<20 {
		t.Errorf("appending takes %d MiB", used>>20)
	}
	if used := peak(func() {
		err := c.Fetch(t.Context(), []mail.Item{item(5)}, func(_ mail.Item, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			if n != size {
				t.Errorf("%d octets came", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}); used > 8<<20 {
		t.Errorf("reading takes %d MiB", used>>20)
	}
}

// A listing of 100,001 messages takes little more than what it returns.
func TestListMemory(t *testing.T) {
	const n = 100_001
	s := rows(n, none).source(t)
	if _, err := s.Mailboxes(t.Context()); err != nil {
		t.Fatal(err)
	}
	var items []mail.Item
	used := peak(func() {
		var err error
		if items, err = s.List(t.Context(), mail.Inbox); err != nil || len(items) != n {
			t.Errorf("%d messages, %v", len(items), err)
		}
	})
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("%d MiB at most, %d MiB in the end", used>>20, m.HeapAlloc>>20)
	if used > 100<<20 {
		t.Errorf("listing %d messages takes %d MiB", n, used>>20)
	}
	runtime.KeepAlive(items)
}

// peak returns how much the heap grows at most while do runs.
func peak(do func()) int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := int64(m.HeapAlloc)
	var top atomic.Int64
	done, watched := make(chan bool), make(chan bool)
	go func() {
		defer close(watched)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			top.Store(max(top.Load(), int64(m.HeapAlloc)))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	do()
	close(done)
	<-watched
	return top.Load() - before
}

// onlyWriter hides what else a connection can do, so that io.Copy uses its own buffer.
type onlyWriter struct{ net.Conn }
