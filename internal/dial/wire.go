package dial

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxWrite is how much must go out within one idle time; more would make a slow line look like a silent one.
const maxWrite = 64 << 10

// farewell is how long saying goodbye in TLS (close_notify) may take.
const farewell = 5 * time.Second

// A wire is the connection below TLS: every Read and Write of it has the idle time, counted anew. The time for which
// a throttle holds it back is none of it.
type wire struct {
	net.Conn
	idle     atomic.Int64              // a time.Duration
	until    atomic.Pointer[time.Time] // the end of all patience, nil: there is none
	meter    *Meter
	throttle *Throttle
	over     chan struct{} // closed: nothing is held back any more
	hurry    func()        // closes over
}

func newWire(raw net.Conn, s Server) *wire {
	w := &wire{Conn: raw, meter: s.Meter, throttle: s.Throttle, over: make(chan struct{})}
	if w.meter == nil {
		w.meter = new(Meter)
	}
	if w.throttle == nil {
		w.throttle = new(Throttle)
	}
	w.hurry = sync.OnceFunc(func() { close(w.over) })
	w.idle.Store(int64(s.Idle))
	return w
}

func (w *wire) deadline() time.Time {
	idle := time.Now().Add(time.Duration(w.idle.Load()))
	if until := w.until.Load(); until != nil && until.Before(idle) {
		return *until
	}
	return idle
}

func (w *wire) Read(p []byte) (int, error) {
	if err := w.Conn.SetReadDeadline(w.deadline()); err != nil {
		return 0, err
	}
	n, err := w.Conn.Read(p[:w.throttle.mayRead(len(p))])
	w.meter.read.Add(int64(n))
	w.throttle.received(n, w.over)
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := w.Conn.SetWriteDeadline(w.deadline()); err != nil {
			return written, err
		}
		n, err := w.Conn.Write(p[written : written+w.throttle.mayWrite(min(len(p)-written, maxWrite))])
		w.meter.written.Add(int64(n))
		w.throttle.sent(n, w.over)
		if written += n; err != nil || written == len(p) {
			return written, err
		}
	}
}

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing: the idle time rules. go-imap allows five minutes
// for a whole literal and never renews them, so that a large message on a slow line could not be had at all; it
// also takes the deadline away while it waits, so that a silent server would be waited for without end.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Close closes, and lets go whoever is held back.
func (w *wire) Close() error {
	w.hurry()
	return w.Conn.Close()
}

// abort closes at once: what was not sent is not sent any more, and over TCP the server sees a reset.
func (w *wire) abort() error {
	w.hurry()
	if tcp, ok := w.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return w.Conn.Close()
}
