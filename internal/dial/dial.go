// Package dial opens the connections of the house; nobody else opens a socket.
//
// Every connection it returns keeps four promises, whatever the library above it does. It is with TLS, unless none was
// asked for: one on which TLS has yet to begin is not returned. It never hangs: a server that sends nothing, or takes
// nothing, for the idle time is given up. It never ends by itself: when the server hangs up, that is an error, for no
// mail protocol ends that way. And it belongs to the context it was dialed with: cancelling that closes it.
package dial

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	defaultIdle = 60 * time.Second
	// maxConnect bounds the TCP connection, and the TLS handshake after it, each as a whole: a server that is
	// there answers within seconds.
	maxConnect = 30 * time.Second
)

// A Server is where to connect to and how. Whether Plain is allowed is not decided here.
type Server struct {
	Host  string // a name or an address, "::1" without brackets
	Port  int
	Plain bool // no TLS at all; otherwise TLS 1.2 or better, with the name checked
	// StartTLS, if not "", has the connection begin in clear and change to TLS, or fail: nothing but that command is
	// sent before. What the server said until then is forgotten, the greeting too; Read begins with a blank one.
	StartTLS Upgrade
	// CAFile holds the certificates (PEM) to trust for this server instead of the system's roots: naming one's own
	// authority means that no other may vouch for the server.
	CAFile string
	// Pin, if not zero, is that of the server's key and decides alone: who else vouches for the key, its name and its
	// dates are not looked at.
	Pin   Pin
	Idle  time.Duration // how long the server may be silent; 0: 60 s
	Meter *Meter        // counts this connection's octets too; nil: nobody counts
	// Throttle holds this connection back too; nil: nothing does. Time that it holds back is not idle time.
	Throttle *Throttle
	// Pace is that of the logins to the account; Dial does not wait for it, who logs in does. nil: none.
	Pace *Pace
	// Dialer connects to addr; nil: TCP, with IPv6 and IPv4 tried as net.Dialer does. Tests give lines in memory.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Dial connects and, unless Plain, begins TLS: nobody is given a connection that has yet to. Cancelling ctx closes the
// connection for as long as it lives, and what fails because of that fails with the context's cause. All other errors
// are *mail.Error. The caller closes the Conn.
func (s Server) Dial(ctx context.Context) (*Conn, error) {
	if s.Idle == 0 {
		s.Idle = defaultIdle
	}
	if s.Dialer == nil {
		s.Dialer = new(net.Dialer).DialContext
	}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	raw, err := s.connect(ctx)
	if err != nil {
		return nil, s.dialError(ctx, err, connectError)
	}
	w := newWire(raw, s)
	if s.Plain {
		return newConn(ctx, s, w, w), nil
	}
	t, err := s.secure(ctx, w, config)
	if err != nil {
		w.abort()
		return nil, s.dialError(ctx, err, handshakeError)
	}
	c := newConn(ctx, s, w, t)
	c.greeting = s.StartTLS.blank()
	return c, nil
}

// secure begins TLS on the line.
func (s Server) secure(ctx context.Context, w *wire, config *tls.Config) (*tls.Conn, error) {
	if s.StartTLS != "" {
		if err := s.askForTLS(ctx, w); err != nil {
			return nil, err
		}
	}
	return s.shakeHands(ctx, w, config)
}

func (s Server) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.maxConnect())
	defer cancel()
	return s.Dialer(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
}

func (s Server) maxConnect() time.Duration { return min(s.Idle, maxConnect) }

// dialError prefers the cancellation, of which any other error is only the consequence.
func (s Server) dialError(ctx context.Context, err error, classify func(Server, error) *mail.Error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return classify(s, err)
}

// serverName is the name the certificate must carry; the dot that ends a full domain name is not part of it.
func (s Server) serverName() string { return strings.TrimSuffix(s.Host, ".") }
