package postoffice

import (
	"slices"
	"strings"
)

// A conn is one connection as the protocols see it.
type conn struct {
	*wire
	srv     *Server
	n       int
	crowd   bool
	greeted bool    // before TLS
	at      Trouble // as it was when the connection began
}

func (s *Server) troubleNow(n int) Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.troubleOf(n)
}

// troubleOf returns the trouble of the n-th connection as it is now.
func (s *Server) troubleOf(n int) Trouble {
	if s.trouble.On != nil && !s.trouble.On(n) {
		return Trouble{}
	}
	return s.trouble
}

// now returns the connection's trouble as it is now.
func (c *conn) now() Trouble { return c.srv.troubleNow(c.n) }

// has reports whether the server has that capability.
func (c *conn) has(capability string) bool { return !slices.Contains(c.at.Without, capability) }

// hasToo reports whether the server has that capability beside the ordinary ones.
func (c *conn) hasToo(capability string) bool { return slices.Contains(c.at.With, capability) }

// heard notes that a command arrived.
func (c *conn) heard(command string) {
	c.srv.mu.Lock()
	c.srv.said = append(c.srv.said, command)
	c.srv.mu.Unlock()
	if on := c.now().OnCommand; on != nil {
		on(c.n, command)
	}
}

// redacted returns a command of either protocol without the secret in it.
func redacted(verb, command string) string {
	switch verb {
	case "PASS":
		return "PASS ***"
	case "LOGIN":
		user, _, _ := strings.Cut(command[len(verb):], " ")
		if args := strings.Fields(command); len(args) > 1 {
			user = args[1]
		}
		return "LOGIN " + user + " ***"
	case "AUTH", "AUTHENTICATE":
		if args := strings.Fields(command); len(args) > 2 {
			return verb + " " + args[1] + " ***"
		}
	}
	return command
}

// fault returns what befalls the command, or nil. The size is that of its message, and m the message where it is
// known; early means before its literal.
func (c *conn) fault(verb string, early bool, size int64, m *Message) *Fault {
	return c.faultAmong(verb, early, size, m, func(*Fault) bool { return true })
}

// faultOf returns what befalls the command because of this message, which is one of several.
func (c *conn) faultOf(verb string, early bool, m *Message) *Fault {
	return c.faultAmong(verb, early, int64(len(m.Octets)), m, func(f *Fault) bool { return f.Match != nil || f.Larger > 0 })
}

func (c *conn) faultAmong(verb string, early bool, size int64, m *Message, counts func(*Fault) bool) *Fault {
	c.srv.mu.Lock()
	faults, fitted := c.srv.troubleOf(c.n).Faults, c.srv.fitted
	c.srv.mu.Unlock()
	var befalls *Fault
	for i := range faults {
		f := &faults[i]
		if !counts(f) || !f.fits(verb, early, size, m) { // which may ask the server something
			continue
		}
		c.srv.mu.Lock()
		fitted[i]++
		n := fitted[i]
		c.srv.mu.Unlock()
		if befalls == nil && f.counts(n) {
			befalls = f
		}
	}
	return befalls
}

// rewritten returns the lines to say instead of one.
func (c *conn) rewritten(command, line string) []string {
	if rewrite := c.now().Rewrite; rewrite != nil {
		return rewrite(command, line)
	}
	return []string{line}
}
