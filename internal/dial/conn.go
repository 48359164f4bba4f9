package dial

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A Conn is a connection to a mail server. One goroutine may read while another writes, and any may close. The
// first error of a Read closes it; an error of one direction is the answer to all that follows there, so that no
// library can read or write on after a failure.
type Conn struct {
	server Server
	wire   *wire
	line   net.Conn     // TLS over the wire, or the wire
	cause  func() error // of the context it was dialed with
	stop   func() bool  // ends the watch on that context

	heard    bool   // Read has returned something
	greeting string // what Read returns first, in place of what was said before TLS

	mu                sync.Mutex
	readErr, writeErr error
	closed            bool
}

var _ net.Conn = (*Conn)(nil)

func newConn(ctx context.Context, s Server, w *wire, line net.Conn) *Conn {
	c := &Conn{server: s, wire: w, line: line, cause: func() error { return context.Cause(ctx) }}
	c.mu.Lock() // a context that is over already runs Abort at once
	defer c.mu.Unlock()
	c.stop = context.AfterFunc(ctx, func() { c.Abort() })
	return c
}

// Read returns what the server sent. It never returns io.EOF: when the server hangs up, with or without a TLS
// goodbye, the error is a *mail.Error that holds io.ErrUnexpectedEOF.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.failed(&c.readErr); err != nil {
		return 0, err
	}
	if c.greeting != "" {
		n := copy(p, c.greeting)
		c.greeting = c.greeting[n:]
		return n, nil
	}
	n, err := c.line.Read(p)
	c.heard = c.heard || n > 0
	if err != nil {
		err = c.fail(&c.readErr, err, c.readError)
		c.Abort()
	}
	return n, err
}

// Write sends p. After an error the server may have got any part of it, and reading may still tell why.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.failed(&c.writeErr); err != nil {
		return 0, err
	}
	n, err := c.line.Write(p)
	if err != nil {
		err = c.fail(&c.writeErr, err, writeError)
	}
	return n, err
}

func (c *Conn) failed(sticky *error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *sticky
}

func (c *Conn) fail(sticky *error, err error, classify func(Server, error) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch cause := c.cause(); {
	case c.closed && cause == nil: // by its owner
		*sticky = net.ErrClosed
	case cause != nil:
		*sticky = cause
	default:
		*sticky = classify(c.server, err)
	}
	return *sticky
}

// Close says goodbye in TLS, where there is TLS, and closes. Closing twice does nothing.
func (c *Conn) Close() error {
	return c.close(func() error {
		c.wire.idle.Store(int64(farewell))
		c.wire.hurry()
		return c.line.Close()
	})
}

// Abort closes hard: no goodbye, nothing more is sent, and over TCP the server sees a reset.
func (c *Conn) Abort() error { return c.close(c.wire.abort) }

func (c *Conn) close(hangUp func() error) error {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.mu.Unlock()
	if was {
		return nil
	}
	c.stop()
	return hangUp()
}

// TLS returns what the handshake agreed on, nil on a plain connection.
func (c *Conn) TLS() *tls.ConnectionState {
	t, ok := c.line.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// Pin returns that of the server's key, zero on a plain connection.
func (c *Conn) Pin() Pin {
	if state := c.TLS(); state != nil {
		return PinOf(state.PeerCertificates[0])
	}
	return Pin{}
}

// LocalAddr and RemoteAddr are those of the wire.
func (c *Conn) LocalAddr() net.Addr  { return c.wire.LocalAddr() }
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing; see wire.
func (c *Conn) SetDeadline(time.Time) error      { return nil }
func (c *Conn) SetReadDeadline(time.Time) error  { return nil }
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
