package imap

import "github.com/mailhaul/mailhaul/internal/sasl"

// maxCommand is how long a command may be that every server takes (RFC 2683 §3.2.1.5).
const maxCommand = 1000

// An exchange is a SASL exchange that the next AUTHENTICATE begins.
type exchange struct {
	*sasl.Exchange
	hurry bool // the server takes the first message with the command (SASL-IR, RFC 4959)
}

// authenticate has the next AUTHENTICATE carry x.
func (g *guard) authenticate(x *exchange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.exchange = x
}

// converse carries a SASL exchange to its end (RFC 3501 §6.2.2). go-imap learns of its end only: it knows no empty
// answer, no empty challenge after the first, and no way to give up.
func (g *guard) converse(c *command) {
	defer func() { g.current = nil }()
	line := c.tag + " AUTHENTICATE " + c.exchange.Mechanism
	if first, ok := c.exchange.first(len(line)); ok {
		line += " " + first
	}
	for {
		g.await(c)
		g.send([]byte(line + "\r\n"))
		if g.flush(); g.mute || !<-c.goAhead {
			return
		}
		if c.exchange.Err() != nil {
			g.fail(wireError("the server goes on with a login that was given up"))
			return
		}
		line = c.exchange.Answer(c.challenge)
	}
}

// first returns the message that goes with a command of so many octets, if one does. A long token waits to be asked for.
func (x *exchange) first(command int) (string, bool) {
	if !x.hurry {
		return "", false
	}
	return x.First(maxCommand - command - len(" \r\n"))
}
