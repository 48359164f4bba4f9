package pop3

import (
	"bytes"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

// authenticate logs in by AUTH (RFC 5034). go-pop3 knows of no challenges, so that they are read here.
//
// The first message goes when the server asks for it, never with the command: Microsoft does not take it there, and a
// token is longer than commands may be. A server that refuses a command without it, before a secret was said, gets it
// with one after all.
func (s *Source) authenticate(c *session, x *sasl.Exchange) error {
	st, asked, err := c.exchange("AUTH "+x.Mechanism, x)
	if err == nil && !st.ok && !asked && c.passing(st) == nil {
		if first, ok := x.First(maxLine); ok {
			st, _, err = c.exchange("AUTH "+x.Mechanism+" "+first, x)
		}
	}
	switch {
	case err != nil:
		return err
	case x.Err() != nil:
		return &mail.Error{Op: "log in", Scope: mail.ScopeAccount, Cause: mail.CauseProtocol, Err: x.Err()}
	case !st.ok:
		return s.loginRefused(c, st, x.Complaint())
	}
	return nil
}

// exchange sends a line, and after it an answer to each challenge, until the server says how it ended. asked reports
// whether there was a challenge.
func (c *session) exchange(line string, x *sasl.Exchange) (st status, asked bool, err error) {
	for {
		if err := c.gate.quiet(); err != nil {
			return status{}, asked, err
		}
		if err := c.pop.Send(line); err != nil {
			return status{}, asked, err
		}
		challenge, st, err := c.gate.challenge()
		if err != nil || challenge == nil {
			return st, asked, err
		}
		if x.Err() != nil {
			return status{}, asked, outOfStep("it goes on with a login that was given up")
		}
		asked = true
		line = x.Answer(*challenge)
	}
}

// challenge reads what follows "+ ", or the status line that stands instead and ends the exchange: then it is nil.
func (g *gate) challenge() (*string, status, error) {
	line, err := g.readLine()
	if err != nil {
		return nil, status{}, err
	}
	if st, ok := parseStatus(line); ok {
		return nil, st, nil
	}
	line = bytes.TrimRight(line, "\r\n")
	rest, ok := bytes.CutPrefix(line, []byte("+"))
	if !ok {
		return nil, status{}, outOfStep(`"%s" is neither a challenge nor +OK nor -ERR`, g.shown(line))
	}
	text := strings.TrimSpace(string(rest))
	return &text, status{}, nil
}
