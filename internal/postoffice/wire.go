package postoffice

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// A wire is the server's end of a connection, with its cut and its trickle. What the client sends is taken in at
// once, so that a client that pipelines over an unbuffered net.Pipe is not held up by a server that answers, and
// given out line by line, so that a cut falls at the same place of the conversation every time.
type wire struct {
	net.Conn          // what the protocol is spoken over: line itself, or TLS on it
	line     net.Conn // what is cut
	cut      Cut
	slow     Trickle
	pumped   chan struct{} // closed when nothing more comes in
	ended    chan struct{} // closed when the state is no longer open

	mu                   sync.Mutex
	changed              *sync.Cond
	in                   bytes.Buffer
	inErr                error
	state                wireState
	fromClient, toClient int64
}

type wireState int

const (
	open wireState = iota
	silent
	closed
)

func newWire(conn, line net.Conn, cut Cut, slow Trickle) *wire {
	w := &wire{Conn: conn, line: line, cut: cut, slow: slow, pumped: make(chan struct{}), ended: make(chan struct{})}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// pump takes in what the client sends until the connection is over. The wire's owner runs it in a goroutine.
func (w *wire) pump() {
	defer close(w.pumped)
	buf := make([]byte, 32<<10)
	for {
		n, err := w.Conn.Read(buf[:portion(w.slow.FromClient, len(buf))])
		w.take(buf[:n], err)
		if err != nil {
			return
		}
		w.pause(w.slow.FromClient, n)
	}
}

func (w *wire) take(p []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == open {
		w.in.Write(p)
	}
	w.inErr = err
	w.changed.Broadcast()
}

// Read returns octets of one line at most.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read(p)
	w.mu.Lock()
	passed := w.fromClient
	w.mu.Unlock()
	if n > 0 {
		w.cutAt(FromClient, passed)
	}
	return n, err
}

func (w *wire) read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.inErr == nil && (w.state == silent || w.state == open && w.in.Len() == 0) {
		w.changed.Wait()
	}
	if w.state != open {
		return 0, io.EOF
	}
	if w.in.Len() == 0 {
		return 0, w.inErr
	}
	line := w.in.Bytes()
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	n := copy(p, line[:w.before(FromClient, w.fromClient, len(line))])
	w.in.Next(n)
	w.fromClient += int64(n)
	return n, nil
}

// forget drops what came in and was not read yet, as a server does that cannot be sent commands ahead.
func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in.Reset()
}

// Write sends p, or what of it passes before the line is cut; a silent line takes everything.
func (w *wire) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		n, err := w.writeSome(p[sent:])
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return len(p), nil
}

func (w *wire) writeSome(p []byte) (int, error) {
	w.mu.Lock()
	state := w.state
	p = p[:w.before(ToClient, w.toClient, portion(w.slow.ToClient, len(p)))]
	if state == open {
		w.toClient += int64(len(p)) // before they are sent: who reads them may ask
	}
	passed := w.toClient
	w.mu.Unlock()
	switch state {
	case silent:
		return len(p), nil
	case closed:
		return 0, net.ErrClosed
	}
	n, err := w.Conn.Write(p)
	w.cutAt(ToClient, passed)
	w.pause(w.slow.ToClient, n)
	return n, err
}

// before returns how many of n octets pass before the cut.
func (w *wire) before(way Way, passed int64, n int) int {
	if w.cut.Way == way && w.cut.How != Stay && w.state == open {
		return int(min(int64(n), w.cut.At-passed))
	}
	return n
}

func (w *wire) cutAt(way Way, passed int64) {
	if w.cut.Way == way && passed == w.cut.At {
		w.end(w.cut.How)
	}
}

// portion is how much of n octets goes at once at that speed: a twentieth of a second's worth.
func portion(speed, n int) int {
	if speed == 0 {
		return n
	}
	return min(n, max(1, speed/20))
}

// pause takes as long as n octets take at that speed, or until the line is cut.
func (w *wire) pause(speed, n int) {
	if speed == 0 {
		return
	}
	t := time.NewTimer(time.Duration(n) * time.Second / time.Duration(speed))
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.ended:
	}
}

// end cuts the line, if it is not cut yet.
func (w *wire) end(how End) {
	switch how {
	case FIN:
		w.enter(closed, func() {
			if tcp, ok := w.line.(*net.TCPConn); ok {
				tcp.CloseWrite() // the pump reads on: octets left unread would make the kernel send RST
				return
			}
			w.line.Close()
		})
	case RST:
		w.enter(closed, func() {
			if tcp, ok := w.line.(*net.TCPConn); ok {
				tcp.SetLinger(0)
			}
			w.line.Close()
		})
	case Silence:
		w.enter(silent, func() {})
	}
}

// Close says farewell: over TLS with close_notify, then FIN.
func (w *wire) Close() error {
	w.mu.Lock()
	isOpen := w.state == open
	w.mu.Unlock()
	if tls, ok := w.Conn.(interface{ CloseWrite() error }); ok && isOpen && w.Conn != w.line {
		tls.CloseWrite()
	}
	w.end(FIN)
	return nil
}

func (w *wire) enter(state wireState, then func()) {
	w.mu.Lock()
	first := w.state == open
	if first {
		w.state = state
		close(w.ended)
		w.changed.Broadcast()
	}
	w.mu.Unlock()
	if first {
		then()
	}
}

// kill ends the line whatever its state.
func (w *wire) kill() {
	w.end(FIN)
	w.line.Close()
}

// ending reports whether the line is cut or the client has gone.
func (w *wire) ending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state != open || w.inErr != nil
}

func (w *wire) traffic() Traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Traffic{FromClient: w.fromClient, ToClient: w.toClient}
}

// A server's deadlines are none of a test's business: a line that was cut silent must stay so.

func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
