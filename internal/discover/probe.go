package discover

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// tryTimeout bounds the try of one name and port, from the look into the DNS to the greeting.
const tryTimeout = 8 * time.Second

// A guess is a server that may be there.
type guess struct {
	Server
	err error // why it is not
}

// usualNames tries the names that mail servers have nearly everywhere, all at once. A server counts that shows a
// certificate of the name it was called by, and greets as its protocol demands. It stays a guess.
func (s *search) usualNames(ctx context.Context, q *questions) []Server {
	guesses := s.guesses(q)
	var tries sync.WaitGroup
	for i := range guesses {
		tries.Go(func() { guesses[i].err = s.try(ctx, guesses[i].Server) })
	}
	tries.Wait()
	if context.Cause(ctx) != nil {
		return nil
	}
	var servers []Server
	for _, g := range guesses {
		if g.err == nil {
			g.Doubt = "the name " + g.Host + " is a guess"
			servers = append(servers, g.Server)
		}
	}
	servers = s.accept(servers, "a guess")
	s.found("the usual names", servers, "none of them has a server with TLS")
	for _, g := range guesses {
		s.tellGuess(g)
	}
	return servers
}

// guesses are what to try, the likeliest first, and first of all what somebody has named without TLS.
func (s *search) guesses(q *questions) (all []guess) {
	domain := s.address.Domain
	common := append([]string{"mail." + domain, domain}, q.mx().hosts...)
	for _, of := range []struct {
		protocol string
		names    []string
	}{
		{account.IMAP, []string{"imap." + domain}},
		{account.POP3, []string{"pop." + domain, "pop3." + domain}},
	} {
		if s.offersNo[of.protocol] || s.wish.Protocol != "" && s.wish.Protocol != of.protocol {
			continue
		}
		names := unique(slices.Concat(s.named, of.names, common))
		for _, security := range []Security{Implicit, Upgraded} {
			for _, host := range names {
				all = append(all, guess{Server: Server{Protocol: of.protocol, Host: host, Port: usualPorts[of.protocol][security],
					Security: security, User: s.address.String()}})
			}
		}
	}
	return all
}

// tellGuess tells why a name is none, unless it is not there, as most are not.
func (s *search) tellGuess(g guess) {
	var dns *net.DNSError
	if g.err == nil || errors.As(g.err, &dns) && dns.IsNotFound {
		s.answered = s.answered || g.err == nil || dns.IsNotFound
		return
	}
	text := g.err.Error()
	var e *mail.Error
	if errors.As(g.err, &e) {
		text = e.Err.Error()
		s.answered = s.answered || e.Cause != mail.CauseNetwork
	}
	s.found("  "+g.Host+":"+strconv.Itoa(g.Port), nil, text)
}

// try connects to a server, has it prove its name, and hears its greeting. Nothing is said there but STARTTLS.
func (s *search) try(ctx context.Context, server Server) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	to := dial.Server{Host: server.Host, Port: server.Port, CAFile: s.CAFile, Pin: s.Pin, Idle: tryTimeout, Dialer: s.dialFully}
	if server.Security == Upgraded {
		to.StartTLS = upgrades[server.Protocol]
	}
	conn, err := to.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Abort()
	greeting := make([]byte, len(greetings[server.Protocol]))
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if !strings.EqualFold(string(greeting), greetings[server.Protocol]) {
		return errNoServer
	}
	return nil
}

var upgrades = map[string]dial.Upgrade{account.IMAP: dial.STARTTLS, account.POP3: dial.STLS}

// greetings are how servers begin (RFC 9051 §7.1.1, RFC 1939 §4).
var greetings = map[string]string{account.IMAP: "* OK", account.POP3: "+OK"}

var errNoServer = errors.New("what answers there is no mail server")
