package dial

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// throttled dials a plain server in memory and returns both ends of the line.
func throttled(t *testing.T, throttle *Throttle) (*Conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	s := Server{Host: "pop.example.org", Port: 110, Plain: true, Throttle: throttle,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn, far
}

// wantAbout allows for the slice that goes ahead.
func wantAbout(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	if took > want || took < want-2*slice {
		t.Errorf("%s took %v, want %v", what, took, want)
	}
}

func TestThrottleEachWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := throttled(t, &Throttle{Up: 10_000, Down: 40_000})
		defer conn.Close()
		defer far.Close()
		var both sync.WaitGroup
		began := time.Now()
		both.Go(func() {
			io.CopyN(io.Discard, far, 100_000)
			wantAbout(t, "100 kB up at 10 kB a second", time.Since(began), 10*time.Second)
		})
		both.Go(func() { far.Write(make([]byte, 100_000)) })
		both.Go(func() { conn.Write(make([]byte, 100_000)) })
		io.ReadFull(conn, make([]byte, 100_000))
		wantAbout(t, "100 kB down at 40 kB a second", time.Since(began), 2500*time.Millisecond)
		both.Wait()
	})
}

// TestThrottleIsShared has three connections send as much as they can: together they keep the rate, each a third.
func TestThrottleIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := &Throttle{Up: 30_000}
		var all sync.WaitGroup
		sent := make([]int, 3)
		for i := range sent {
			conn, far := throttled(t, throttle)
			all.Go(func() {
				defer far.Close()
				n, _ := io.CopyN(io.Discard, far, 1<<30)
				sent[i] = int(n)
			})
			all.Go(func() { conn.Write(make([]byte, 1<<20)) })
			time.AfterFunc(10*time.Second, func() { conn.Abort() })
		}
		all.Wait()
		sum := 0
		for _, n := range sent {
			sum += n
			if n < 90_000 || n > 112_000 {
				t.Errorf("the connections sent %v octets in 10 s, want 100,000 each", sent)
			}
		}
		if sum > 313_000 {
			t.Errorf("together they sent %d octets in 10 s at 30,000 a second", sum)
		}
	})
}

// TestThrottleIsNotIdle holds a line back for longer than a server may be silent, in both directions.
func TestThrottleIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := throttled(t, &Throttle{Up: LeastRate, Down: LeastRate})
		defer conn.Close()
		defer far.Close()
		go io.Copy(io.Discard, far)
		if _, err := conn.Write(make([]byte, 200*LeastRate)); err != nil {
			t.Errorf("a slow Write: %v", err)
		}
		go far.Write(make([]byte, 200*LeastRate))
		if _, err := io.ReadFull(conn, make([]byte, 200*LeastRate)); err != nil {
			t.Errorf("a slow Read: %v", err)
		}
	})
}

func TestThrottleSavesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := throttled(t, &Throttle{Up: 10_000})
		defer conn.Close()
		defer far.Close()
		go io.Copy(io.Discard, far)
		time.Sleep(30 * time.Second)
		began := time.Now()
		conn.Write(make([]byte, 100_000))
		wantAbout(t, "100 kB after a pause", time.Since(began), 10*time.Second)
	})
}

// TestThrottledLineCanBeClosed closes a line that is held back, in each of the ways there are: nobody waits for the
// rate then.
func TestThrottledLineCanBeClosed(t *testing.T) {
	for name, end := range map[string]func(c *Conn, cancel func()){
		"Close":   func(c *Conn, _ func()) { c.Close() },
		"Abort":   func(c *Conn, _ func()) { c.Abort() },
		"context": func(_ *Conn, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				throttle := &Throttle{Up: LeastRate, Down: LeastRate}
				conn, err := Server{Plain: true, Throttle: throttle, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}.Dial(ctx)
				if err != nil {
					t.Fatal(err)
				}
				throttle.up.take(3600*LeastRate, LeastRate) // others have been here
				throttle.down.take(3600*LeastRate, LeastRate)
				go io.Copy(io.Discard, far)
				go far.Write(make([]byte, 1000))
				time.AfterFunc(time.Second, func() { end(conn, cancel) })
				began := time.Now()
				var both sync.WaitGroup
				both.Go(func() {
					if _, err := io.Copy(io.Discard, conn); err == nil {
						t.Error("Read of a closed line: no error")
					}
				})
				both.Go(func() {
					if _, err := conn.Write(make([]byte, 1000)); err == nil {
						t.Error("Write on a closed line: no error")
					}
				})
				both.Wait()
				if took := time.Since(began); took != time.Second {
					t.Errorf("it ended after %v, want 1s", took)
				}
			})
		})
	}
}

// TestThrottleCountsTLS: the rate is that of the wire, handshake and all, and no octet is lost for it.
func TestThrottleCountsTLS(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue(t, leaf{names: []string{"mail.example.org"}, from: -time.Hour, to: 100 * 365 * 24 * time.Hour})
	port := listen(t, overTLS(cert, 0, func(c net.Conn) { io.Copy(c, c) }))
	s, meter := server(ca, "mail.example.org", port), new(Meter)
	s.Throttle, s.Meter = &Throttle{Up: 1 << 20, Down: 1 << 20}, meter
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wrote := make(chan error)
	go func() {
		_, err := conn.Write(make([]byte, 200<<10))
		wrote <- err
	}()
	if n, err := io.ReadFull(conn, make([]byte, 200<<10)); err != nil {
		t.Errorf("%d octets came back, then %v", n, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	for name, b := range map[string]*bucket{"up": &s.Throttle.up, "down": &s.Throttle.down} {
		if b.through.IsZero() {
			t.Errorf("%s: nothing was taken", name)
		}
	}
	if meter.Read() < 200<<10 {
		t.Errorf("%d octets were metered", meter.Read())
	}
}
