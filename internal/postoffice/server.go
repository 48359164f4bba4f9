package postoffice

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
)

// A Server shows an office's mail over POP3 or IMAP.
type Server struct {
	office *Office
	talk   func(*conn) // serves one connection to its end
	porch  porch       // what it says before TLS that begins with a command

	running sync.WaitGroup
	quit    chan struct{} // closed by Close

	mu        sync.Mutex
	trouble   Trouble
	fitted    []int // how many commands fitted each of trouble.Faults
	said      []string
	wires     []*wire // of all connections there were
	live      map[*wire]bool
	listeners []net.Listener
	looks     []look
	closed    bool
}

func newServer(o *Office, t Trouble, porch porch, talk func(*conn)) *Server {
	s := &Server{office: o, talk: talk, porch: porch, live: make(map[*wire]bool), quit: make(chan struct{})}
	s.SetTrouble(t)
	return s
}

// SetTrouble replaces the trouble and begins to count its faults anew.
func (s *Server) SetTrouble(t Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.fitted = t, make([]int, len(t.Faults))
}

// Listen serves a TCP port of 127.0.0.1 until Close and returns its address; with a config over implicit TLS.
func (s *Server) Listen(config *tls.Config) (addr string, err error) {
	return s.listen(func(c net.Conn) { s.start(c, config) })
}

func (s *Server) listen(start func(net.Conn)) (addr string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		ln.Close()
		return "", net.ErrClosed
	}
	s.listeners = append(s.listeners, ln)
	s.running.Go(func() { accept(ln, start) })
	return ln.Addr().String(), nil
}

func accept(ln net.Listener, start func(net.Conn)) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		start(c)
	}
}

// Dial connects to the server in memory, whatever the address; it fits where a net.Dialer's DialContext goes.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	if !s.start(server, nil) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	return client, nil
}

// ServeConn serves one connection to its end and closes it.
func (s *Server) ServeConn(c net.Conn) {
	if w := s.register(c, c); w != nil {
		s.serve(w)
	}
}

// start serves a connection in a goroutine of its own that Close waits for.
func (s *Server) start(line net.Conn, config *tls.Config) bool {
	speak := line
	if config != nil {
		speak = tls.Server(line, config)
	}
	w := s.register(speak, line)
	if w != nil {
		go s.serve(w)
	}
	return w != nil
}

type registered struct {
	*wire
	n     int
	crowd bool        // there are more connections than there may be
	later *tls.Config // TLS begins with a command; nil: it does not
}

// register makes a connection known to Close; after it, it closes the connection and returns nil.
func (s *Server) register(speak, line net.Conn) *registered {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		line.Close()
		return nil
	}
	n := len(s.wires) + 1
	t := s.troubleOf(n)
	w := newWire(speak, line, t.Cut, t.Trickle)
	s.wires = append(s.wires, w)
	s.live[w] = true
	s.running.Add(1)
	return &registered{wire: w, n: n, crowd: t.MaxConns > 0 && len(s.live) > t.MaxConns}
}

func (s *Server) serve(w *registered) {
	defer s.running.Done()
	c := &conn{srv: s, wire: w.wire, n: w.n, crowd: w.crowd, at: s.troubleNow(w.n)}
	if w.later == nil || s.porch.open(c, w.later) {
		w.cutAt(FromClient, 0)
		w.cutAt(ToClient, 0)
		go w.pump()
		s.talk(c)
	} else {
		close(w.pumped)
	}
	w.Close()
	s.mu.Lock()
	delete(s.live, w.wire)
	s.mu.Unlock()
	<-w.pumped
	w.line.Close()
}

// Close stops listening, ends all connections, and returns when nothing of the server runs any more.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.quit)
	}
	for _, ln := range s.listeners {
		ln.Close()
	}
	for _, w := range s.wires {
		w.kill()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Commands returns every command that arrived so far, without tags and with passwords replaced by "***".
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// Count returns how many commands of that verb arrived so far; "FETCH" does not count UID FETCH.
func (s *Server) Count(verb string) int {
	n := 0
	for _, command := range s.Commands() {
		if verbOf(command) == verb {
			n++
		}
	}
	return n
}

// verbOf returns the command's name in capitals, with its UID if it has one (RFC 9051 §6.4.9).
func verbOf(command string) string {
	verb, rest, _ := strings.Cut(command, " ")
	verb = strings.ToUpper(verb)
	if verb == "UID" {
		second, _, _ := strings.Cut(rest, " ")
		return verb + " " + strings.ToUpper(second)
	}
	return verb
}

// Traffic is how many octets passed on one connection, over TLS of plaintext.
type Traffic struct{ FromClient, ToClient int64 }

// Traffic returns what passed on each connection so far, in the order in which they began.
func (s *Server) Traffic() []Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Traffic
	for _, w := range s.wires {
		all = append(all, w.traffic())
	}
	return all
}
