package trial

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// ClearHost is the name that the server of InClear goes by.
const ClearHost = "mail.trial.example"

// StartTLS has the server listen, with TLS that begins with a command, at a port of 127.0.0.1. It returns that, and the
// file with the CA to trust.
func StartTLS(t testing.TB, server *postoffice.Server) (port int, ca string) {
	t.Helper()
	authority := postoffice.NewCA()
	addr, err := server.ListenStartTLS(authority.Server("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return at.Port, caFile(t, authority)
}

func caFile(t testing.TB, ca *postoffice.CA) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A Visitor logs in at ClearHost, with TLS that begins with a command and the CA in caFile, over a line that dialer
// returns, and gives the user and the password of it. It returns why it could not.
type Visitor struct {
	User, Password string
	LogIn          func(t *testing.T, dialer func(ctx context.Context, network, addr string) (net.Conn, error), caFile string) error
}

// InClear lets the visitor run into servers that will not begin TLS, or not well, and lists what it has told them in
// clear. It prints how many cases leaked more than the one command.
func InClear(t *testing.T, words Words, v Visitor) {
	leaks, cases := 0, hostile(words)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if !c.try(t, words, v) {
					leaks++
				}
			})
		})
	}
	t.Logf("%s: leaks %d of %d cases", words.Command, leaks, len(cases))
}

// try reports whether nothing leaked.
func (c clearCase) try(t *testing.T, words Words, v Visitor) bool {
	town := newClearTown()
	file := caFile(t, town.ca)
	var line *recorder
	var running sync.WaitGroup
	began := time.Now()
	err := v.LogIn(t, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		line = newRecorder(far)
		running.Go(func() {
			defer line.Close()
			c.serve(line, town)
			words.lure(line)
		})
		return near, nil
	}, file)
	running.Wait()
	if line == nil {
		t.Fatalf("nobody connected: %v", err)
	}
	if waited := time.Since(began); waited > 2*time.Minute {
		t.Errorf("it took %s", waited)
	}
	c.check(t, err)
	return line.check(t, words, v)
}

func (c clearCase) check(t *testing.T, err error) {
	var e *mail.Error
	if !errors.As(err, &e) {
		t.Fatalf("logging in: %v (%T), want a *mail.Error", err, err)
	}
	if e.Cause != c.cause || !strings.Contains(e.Error(), c.says) {
		t.Errorf("logging in: %q, cause %d; want %q, cause %d", e, e.Cause, c.says, c.cause)
	}
	if e.Cause == mail.CauseCertificate && (e.Hint == "" || e.Later != 0 || e.Scope != mail.ScopeAccount) {
		t.Errorf("logging in: %q with hint %q, scope %d, later %s; want a hint, and no other try", e, e.Hint, e.Scope, e.Later)
	}
	for _, text := range []string{e.Error(), e.Hint} {
		if strings.ContainsAny(text, "\x00\x1b\r\n") || len(text) > 600 || strings.Contains(text, "x509: ") || strings.Contains(text, "tls: ") {
			t.Errorf("%q is not fit for a person", text)
		}
	}
}

// A recorder is the server's end of the line. It keeps all that the client sends, below TLS. What it sends itself goes
// out behind its back, as with a socket: net.Pipe has no room for anything.
type recorder struct {
	net.Conn
	heard bytes.Buffer
	out   chan []byte
	once  sync.Once     // closes out
	gone  chan struct{} // closed when nothing more goes out
}

func newRecorder(line net.Conn) *recorder {
	r := &recorder{Conn: line, out: make(chan []byte, 64), gone: make(chan struct{})}
	go func() {
		defer close(r.gone)
		for p := range r.out {
			if _, err := line.Write(p); err != nil {
				return
			}
		}
	}()
	return r
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.heard.Write(p[:n])
	return n, err
}

func (r *recorder) Write(p []byte) (int, error) {
	select {
	case r.out <- bytes.Clone(p):
		return len(p), nil
	case <-r.gone:
		return 0, net.ErrClosed
	}
}

// Close closes when all has gone out.
func (r *recorder) Close() error {
	r.once.Do(func() { close(r.out) })
	<-r.gone
	return r.Conn.Close()
}

// check reports whether the client said no more in clear than the one command.
func (r *recorder) check(t *testing.T, words Words, v Visitor) bool {
	all := r.heard.Bytes()
	clear := all
	if begin := bytes.Index(all, []byte{22, 3}); begin >= 0 { // a TLS handshake record (RFC 8446 §5.1)
		clear = all[:begin]
	}
	silent := len(clear) == 0 || string(clear) == words.Command+"\r\n"
	if !silent {
		t.Errorf("it said %q in clear", clear)
	}
	for _, secret := range []string{v.User, v.Password, "\x00" + v.User + "\x00" + v.Password} {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if bytes.Contains(all, []byte(form)) {
				t.Errorf("%q went over the wire", form)
				silent = false
			}
		}
	}
	return silent
}

// A clearTown is what servers are made from within a bubble, whose clock has a time of its own.
type clearTown struct{ ca, stranger *postoffice.CA }

func newClearTown() clearTown {
	return clearTown{ca: postoffice.NewCA(), stranger: postoffice.NewCA()}
}

func (town clearTown) sound() *tls.Config { return town.ca.Server(ClearHost) }
