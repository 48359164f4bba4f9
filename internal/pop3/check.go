package pop3

import (
	"context"
	"crypto/tls"
	"time"
)

// A Report is what a look at an account finds. Its texts are fit for a terminal.
type Report struct {
	TLS           string   // the version, or "" without TLS
	Greeting      string   // what the server said first; "" if it said it before TLS began
	Before, After []string // the capabilities before and after the login; nil where there is no CAPA
	Messages      int      // STAT
	Octets        int64    // STAT
	UIDL          bool     // every message has a UIDL that can be its key
	Pipelining    bool
	LoginDelay    time.Duration // the pause between logins that the server asks for
	Trace         string        // what reading leaves behind at this server
}

// Check logs in, looks at what is there without reading any of it, and says QUIT.
func (s *Source) Check(ctx context.Context) (Report, error) {
	var r Report
	err := s.do(ctx, "check", func(c *session) error {
		d, err := c.maildrop()
		if err != nil {
			return err
		}
		r = Report{
			Greeting: c.greeting, Before: c.before.list(), After: c.caps.list(),
			Messages: d.messages, Octets: d.octets, UIDL: d.uidls != nil,
			Pipelining: c.caps.has("PIPELINING"), LoginDelay: c.caps.loginDelay(),
			Trace: trace(s.server.Host, c.greeting),
		}
		if state := c.conn.TLS(); state != nil {
			r.TLS = tls.VersionName(state.Version)
		}
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	return r, s.End(ctx)
}
