package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// listen serves every connection with serve, on loopback, until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer c.Close(); serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

// overTLS shakes hands with cert before it serves.
func overTLS(cert tls.Certificate, maxVersion uint16, serve func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: maxVersion})
		defer t.Close()
		if t.Handshake() == nil {
			serve(t)
		}
	}
}

func greet(c net.Conn) {
	io.WriteString(c, "+OK ready\r\n")
	io.Copy(io.Discard, c)
}

func TestDialTLS(t *testing.T) {
	ca := newAuthority(t)
	port := listen(t, overTLS(ca.issue(t, leaf{ips: []string{"127.0.0.1"}}), 0, greet))
	var meter Meter
	conn, err := Server{Host: "127.0.0.1", Port: port, CAFile: ca.file, Meter: &meter}.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := make([]byte, len("+OK ready\r\n"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "+OK ready\r\n" {
		t.Errorf("greeting = %q, %v", got, err)
	}
	if state := conn.TLS(); state == nil || state.Version < tls.VersionTLS12 {
		t.Errorf("TLS() = %v, want 1.2 or better", state)
	}
	if meter.Read() < 500 || meter.Written() < 100 { // the handshake is on the wire too
		t.Errorf("meter = %d read, %d written", meter.Read(), meter.Written())
	}
}

func TestServerName(t *testing.T) {
	ca := newAuthority(t)
	asked := make(chan string, 1)
	cert := ca.issue(t, leaf{names: []string{"mail.example.org"}})
	port := listen(t, func(c net.Conn) {
		tls.Server(c, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			asked <- h.ServerName
			return &cert, nil
		}}).Handshake()
	})
	conn, err := server(ca, "mail.example.org.", port).Dial(t.Context()) // the dot is no part of the certificate's name
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if name := <-asked; name != "mail.example.org" {
		t.Errorf("SNI = %q, want mail.example.org", name)
	}
}

// server reaches loopback under any name.
func server(ca authority, host string, port int) Server {
	return Server{Host: host, Port: port, CAFile: ca.file, Idle: 5 * time.Second, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, p, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", p))
	}}
}

func TestIPv6Literal(t *testing.T) {
	var asked string
	s := Server{Host: "::1", Port: 995, Plain: true, Dialer: func(_ context.Context, _, addr string) (net.Conn, error) {
		asked = addr
		return nil, errors.New("not today")
	}}
	s.Dial(t.Context())
	if asked != "[::1]:995" {
		t.Errorf("dialed %q, want [::1]:995", asked)
	}
}

// pipe dials a plain server in memory and returns both ends of the line.
func pipe(t *testing.T, ctx context.Context) (*Conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	s := Server{Host: "pop.example.org", Port: 110, Plain: true, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	conn, err := s.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return conn, far
}

func wantNetwork(t *testing.T, err error, text string) {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v (%T), want a *mail.Error", err, err)
	}
	if e.Scope != mail.ScopeSession || e.Cause != mail.CauseNetwork || e.Later == 0 || !strings.Contains(e.Error(), text) {
		t.Errorf("error = %+v, want one of the network that says %q", e, text)
	}
}

func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := pipe(t, t.Context())
		defer far.Close()
		conn.SetReadDeadline(time.Now().Add(time.Hour)) // a library's own ideas count for nothing
		conn.SetDeadline(time.Time{})
		start := time.Now()
		_, err := conn.Read(make([]byte, 1))
		wantNetwork(t, err, "pop.example.org said nothing for 60 s")
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %s, want 1m0s", waited)
		}
		if _, again := conn.Read(make([]byte, 1)); again != err {
			t.Errorf("second Read: %v, want the first error", again)
		}
	})
}

func TestServerTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := pipe(t, t.Context())
		defer far.Close()
		defer conn.Abort()
		_, err := conn.Write([]byte("QUIT\r\n"))
		wantNetwork(t, err, "pop.example.org took nothing for 60 s")
	})
}

// TestSlowIsNotSilent reads and writes for ten times the idle time, an octet at a time and in one large Write.
func TestSlowIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := pipe(t, t.Context())
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Minute)) // go-imap's
		go func() {
			defer far.Close()
			for range 15 {
				time.Sleep(40 * time.Second)
				far.Write([]byte{'x'})
			}
			for range 15 {
				time.Sleep(40 * time.Second)
				io.CopyN(io.Discard, far, maxWrite)
			}
		}()
		if _, err := io.ReadFull(conn, make([]byte, 15)); err != nil {
			t.Errorf("slow read: %v", err)
		}
		if n, err := conn.Write(make([]byte, 15*maxWrite)); n != 15*maxWrite || err != nil {
			t.Errorf("slow write: %d, %v", n, err)
		}
	})
}

func TestSilentHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go io.Copy(io.Discard, far)
		s := Server{Host: "pop.example.org", Port: 110, Dialer: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
		_, err := s.Dial(t.Context())
		wantNetwork(t, err, "did not finish the TLS handshake within 30 s")
	})
}

func TestHangingUpIsNeverClean(t *testing.T) {
	ca := newAuthority(t)
	bye := func(c net.Conn) { io.WriteString(c, "+O") }
	noGoodbye := func(c net.Conn) { bye(c); c.(*tls.Conn).NetConn().Close() }
	cert := ca.issue(t, leaf{ips: []string{"127.0.0.1"}})
	for name, s := range map[string]Server{
		"plain":                {Port: listen(t, bye), Plain: true},
		"TLS":                  {Port: listen(t, overTLS(cert, 0, bye))},
		"TLS, no close_notify": {Port: listen(t, overTLS(cert, 0, noGoodbye))},
	} {
		s.Host, s.CAFile = "127.0.0.1", ca.file
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if string(got) != "+O" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q, %v; want an unexpected EOF", name, got, err)
		}
		wantNetwork(t, err, "127.0.0.1 hung up")
		conn.Close()
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the user said stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		conn, far := pipe(t, ctx)
		failed := make(chan error)
		go func() {
			_, err := conn.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		cancel(why)
		if err := <-failed; err != why {
			t.Errorf("Read = %v, want the cause", err)
		}
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the server sees %v, want the end", err)
		}
		if _, err := conn.Write([]byte("x")); err != why {
			t.Errorf("Write = %v, want the cause", err)
		}
	})
}

func TestCancelledDial(t *testing.T) {
	why := errors.New("the user said stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := (Server{Host: "127.0.0.1", Port: 1, Plain: true}).Dial(ctx); err != why {
		t.Errorf("Dial = %v, want the cause", err)
	}
	conn, far := pipe(t, ctx) // a Dialer that does not look at its context
	defer far.Close()
	if _, err := conn.Read(make([]byte, 1)); err != why {
		t.Errorf("Read = %v, want the cause", err)
	}
}

func TestCloseEndsTheWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	conn, far := pipe(t, ctx)
	defer far.Close()
	conn.Close()
	if conn.stop() {
		t.Error("a closed connection still waits for its context")
	}
	cancel()
	conn, far = pipe(t, t.Context())
	defer far.Close()
	conn.Abort()
	if _, err := conn.Read(make([]byte, 1)); err != net.ErrClosed {
		t.Errorf("Read after Abort = %v, want net.ErrClosed", err)
	}
}

// TestAbortIsAReset: a server must see the difference between a session that ended and one that broke.
func TestAbortIsAReset(t *testing.T) {
	ca := newAuthority(t)
	seen := make(chan error, 1)
	look := func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		seen <- err
	}
	cert := ca.issue(t, leaf{ips: []string{"127.0.0.1"}})
	for _, s := range []Server{{Port: listen(t, look), Plain: true}, {Port: listen(t, overTLS(cert, 0, look))}} {
		for _, abort := range []bool{true, false} {
			s.Host, s.CAFile = "127.0.0.1", ca.file
			conn, err := s.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if abort {
				conn.Abort()
			} else {
				conn.Close()
			}
			if err := <-seen; abort != (err != io.EOF) {
				t.Errorf("plain %t, abort %t: the server sees %v", s.Plain, abort, err)
			}
		}
	}
}
