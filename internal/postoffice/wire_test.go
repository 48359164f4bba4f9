package postoffice

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// shortSession is a short POP3 session; it returns the octets the client read and what ended it.
func shortSession(conn net.Conn) (read string, err error) {
	var got bytes.Buffer
	in := io.TeeReader(conn, &got)
	line := make([]byte, 1)
	until := func(end string) {
		for err == nil && !strings.HasSuffix(got.String(), end) {
			_, err = in.Read(line)
		}
	}
	until("\n")
	for _, step := range []struct{ say, end string }{
		{"USER me", "PASS\r\n"}, {"PASS secret", "messages\r\n"}, {"RETR 1", "\r\n.\r\n"}, {"QUIT", "bye\r\n"},
	} {
		if err != nil {
			break
		}
		if _, werr := fmt.Fprintf(conn, "%s\r\n", step.say); werr != nil && err == nil {
			err = werr // a line that is cut may say so at the write, or only at the read
		}
		until(step.end)
	}
	if err == nil {
		_, err = in.Read(line)
	}
	return got.String(), err
}

const cutMail = "A: b\r\n\r\nbody\r\n"

func dialTCP(t *testing.T, srv *Server) net.Conn {
	t.Helper()
	addr, err := srv.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCutAtEveryOctet(t *testing.T) {
	_, srv := pop3Server(t, Trouble{}, cutMail)
	whole, err := shortSession(dial(t, srv).Conn)
	if err != io.EOF {
		t.Fatal(err)
	}
	traffic := srv.Traffic()[0]
	if traffic.ToClient != int64(len(whole)) || traffic.FromClient != int64(len("USER me\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n")) {
		t.Fatalf("traffic %+v of a session that read %d octets", traffic, len(whole))
	}
	for _, how := range []End{FIN, RST} {
		for at := range traffic.ToClient {
			_, srv := pop3Server(t, Trouble{Cut: Cut{ToClient, at, how}}, cutMail)
			got, err := shortSession(dial(t, srv).Conn)
			if got != whole[:at] || err == nil {
				t.Errorf("cut at %d to the client: read %q, %v", at, got, err)
			}
		}
		for at := range traffic.FromClient {
			_, srv := pop3Server(t, Trouble{Cut: Cut{FromClient, at, how}}, cutMail)
			got, err := shortSession(dial(t, srv).Conn)
			if !strings.HasPrefix(whole, got) || got == whole || err == nil || srv.Traffic()[0].FromClient != at {
				t.Errorf("cut at %d from the client: read %q, %v, traffic %+v", at, got, err, srv.Traffic())
			}
		}
	}
}

func TestCutOverTCP(t *testing.T) {
	for _, tc := range []struct {
		how  End
		want error
	}{{FIN, io.EOF}, {RST, syscall.ECONNRESET}} {
		_, srv := pop3Server(t, Trouble{Cut: Cut{FromClient, 20, tc.how}}, cutMail)
		if got, err := shortSession(dialTCP(t, srv)); !errors.Is(err, tc.want) && runtime.GOOS != "windows" {
			t.Errorf("cut %v: read %q, %v; want %v", tc.how, got, err, tc.want)
		}
	}
}

func TestCutOverTLSCountsPlaintext(t *testing.T) {
	ca := NewCA()
	for _, tc := range []struct {
		cut  Cut
		want int
	}{{Cut{}, 98}, {Cut{ToClient, 30, FIN}, 30}} {
		_, srv := pop3Server(t, Trouble{Cut: tc.cut}, cutMail)
		addr, err := srv.Listen(ca.Server("localhost", "127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := shortSession(conn); len(got) != tc.want || err == nil || srv.Traffic()[0].ToClient != int64(tc.want) {
			t.Errorf("%+v: read %d octets %q, %v; want %d", tc.cut, len(got), got, err, tc.want)
		}
		conn.Close()
	}
}

func TestCertificates(t *testing.T) {
	ca := NewCA()
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	for _, tc := range []struct {
		name   string
		config *tls.Config
		roots  *x509.CertPool
		want   any
	}{
		{"good", ca.Server("127.0.0.1"), ca.Pool(), nil},
		{"other name", ca.Server("other.example"), ca.Pool(), &host},
		{"expired", ca.Expired("127.0.0.1"), ca.Pool(), &invalid},
		{"other authority", ca.Server("127.0.0.1"), NewCA().Pool(), &unknown},
	} {
		_, srv := pop3Server(t, Trouble{})
		addr, err := srv.Listen(tc.config)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: tc.roots})
		if tc.want == nil && err != nil || tc.want != nil && !errors.As(err, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(ca.PEM()) {
		t.Error("PEM holds no certificate")
	}
}

func TestSilence(t *testing.T) {
	for _, way := range []Way{ToClient, FromClient} {
		synctest.Test(t, func(t *testing.T) {
			me, srv := pop3Server(t, Trouble{Cut: Cut{way, 25, Silence}}, cutMail)
			conn := dial(t, srv).Conn
			conn.SetReadDeadline(time.Now().Add(time.Hour))
			got, err := shortSession(conn)
			if !errors.Is(err, os.ErrDeadlineExceeded) || way == ToClient && len(got) != 25 {
				t.Errorf("read %q, %v", got, err)
			}
			conn.Close()
			srv.SetTrouble(Trouble{})
			dial(t, srv).login() // the maildrop is free again
			if len(me.Messages(Inbox)) != 1 {
				t.Error("the message is gone")
			}
		})
	}
}

func TestSilenceOverTCPEndsWithClose(t *testing.T) {
	_, srv := pop3Server(t, Trouble{Cut: Cut{ToClient, 5, Silence}}, cutMail)
	conn := dialTCP(t, srv)
	io.ReadFull(conn, make([]byte, 5))
	fmt.Fprint(conn, "USER me\r\n")
	srv.Close()
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d, %v after Close", n, err)
	}
}

func TestTrickle(t *testing.T) {
	for _, tc := range []struct {
		slow Trickle
		want time.Duration
	}{
		{Trickle{}, 0},
		{Trickle{ToClient: 1000}, 10 * time.Second},
		{Trickle{ToClient: 7}, 10_000 * time.Second / 7},
		{Trickle{FromClient: 1}, time.Duration(len("USER me\r\nPASS secret\r\nRETR 1\r\nQUIT")) * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := pop3Server(t, Trouble{Trickle: tc.slow}, "A: b\r\n\r\n"+strings.Repeat("x", 9_890)+"\r\n")
			start := time.Now()
			got, err := shortSession(dial(t, srv).Conn)
			took := time.Since(start).Round(time.Second)
			if err != io.EOF || took < tc.want-tc.want/50 || took > tc.want+tc.want/50+time.Second {
				t.Errorf("%+v: %d octets in %v, %v; want %v", tc.slow, len(got), took, err, tc.want)
			}
		})
	}
}

func TestTroubleBefallsTheConnectionsItIsFor(t *testing.T) {
	_, srv := pop3Server(t, Trouble{On: Only(2), Cut: Cut{ToClient, 0, FIN}}, cutMail)
	for i, want := range []bool{true, false, true} {
		if got := strings.HasPrefix(dial(t, srv).line(), "+OK"); got != want {
			t.Errorf("connection %d is greeted: %v, want %v", i+1, got, want)
		}
	}
}

func TestMaxConns(t *testing.T) {
	_, pop := pop3Server(t, Trouble{MaxConns: 1}, cutMail)
	_, imap := imapServer(t, Trouble{MaxConns: 1})
	for _, srv := range []*Server{pop, imap} {
		first := dial(t, srv)
		first.line()
		if got := dial(t, srv).line(); got != "-ERR [SYS/TEMP] too many connections" && got != "* BYE too many connections" {
			t.Errorf("second connection: %q", got)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays
		for _, trouble := range []Trouble{
			{}, {Cut: Cut{ToClient, 9, Silence}}, {Trickle: Trickle{ToClient: 1, FromClient: 1}},
			{Faults: []Fault{{Verb: "APPEND", Do: Late, After: time.Hour}}}, {Endless: "USER", Trickle: Trickle{ToClient: 1}},
		} {
			_, pop := pop3Server(t, trouble, cutMail)
			_, imap := imapServer(t, trouble)
			for _, srv := range []*Server{pop, imap} {
				c := dial(t, srv)
				go io.Copy(io.Discard, c)
				c.send("USER me")
				c.send("t LOGIN me secret\r\nt APPEND INBOX {1+}\r\nx")
				synctest.Wait()
				srv.Close()
				if _, err := srv.Dial(t.Context(), "tcp", ""); err == nil {
					t.Error("a closed server can be dialled")
				}
			}
		}
	})
}

func TestServeConn(t *testing.T) {
	_, srv := pop3Server(t, Trouble{}, cutMail)
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() { srv.ServeConn(server); close(done) }()
	if _, err := shortSession(client); err != io.EOF {
		t.Error(err)
	}
	<-done
}
