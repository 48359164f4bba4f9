package imap

import (
	"io"
	"math"
	"slices"
	"strings"
)

// Several FETCHes of messages are under way at once, and go-imap hands over the messages of each for itself, so that
// whoever takes them in order waits for ever if the server shows first what was asked for last. Servers do: Dovecot
// goes on with the next command whenever the answer to one has filled a buffer, with the last of several first, and
// ends them all together. So what comes before its turn is held until the turn comes, and the turn comes when what
// was asked for before has all been shown, whether the server says so or not.

// maxHeld is how many octets are held. What comes beyond is thrown away, and asked for again because it is missing.
const maxHeld = 16 << 20

// fetching returns what the FETCH asks for that is being answered as far as one can tell before a UID is known.
func (g *guard) fetching() fetching {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.pending {
		if c.name == "FETCH" && (c.want != wantBody || c.left > 0) {
			return c.fetching
		}
	}
	return fetching{}
}

// asking returns the FETCH that asks for a message, nil if none does, and whether it is its turn.
func (g *guard) asking(uid uint32) (c *command, turn bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
	turn = true
	for _, c := range g.pending {
		if c.want != wantBody || c.over {
			continue
		}
		if c.set.has(uid) {
			return c, turn
		}
		turn = false
	}
	return nil, false
}

// hold takes a row whose turn has not come.
func (g *guard) hold(r *row, text string, size int64, literal bool) error {
	now := g.buf
	g.buf = r.of.held
	g.beginBody(r, text, size)
	if literal {
		at := len(g.buf)
		g.buf = append(g.buf, make([]byte, size)...)
		if _, err := io.ReadFull(g.lex.r, g.buf[at:]); err != nil {
			return cutOff(err)
		}
	}
	r.held = true
	err := g.tail(r)
	g.held += int64(len(g.buf) - len(r.of.held))
	r.of.held, g.buf = g.buf, now
	g.came(r.of)
	return err
}

// came notes that a message has come that was asked for.
func (g *guard) came(c *command) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.left--
	g.pass()
}

// pass gives the turn to the next FETCH, as long as there is one and everything is there that was asked for before,
// and out what is held of it. The caller holds mu.
func (g *guard) pass() {
	for i := 0; i < len(g.pending); i++ {
		c := g.pending[i]
		if c.want != wantBody || c.over {
			continue
		}
		if len(c.held) > 0 {
			g.held -= int64(len(c.held))
			g.push(c.held)
			c.held = nil
		}
		switch {
		case c.end != "":
			g.push([]byte(c.end))
			g.pending = slices.Delete(g.pending, i, i+1)
			i--
		case c.left <= 0 && slices.ContainsFunc(g.pending[i+1:], func(c *command) bool { return c.want == wantBody }):
			c.over = true
			g.push([]byte(c.tag + " OK done\r\n"))
		default:
			return
		}
	}
}

// mixesUp reports whether the server shows more out of turn than is held.
func (g *guard) mixesUp() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.facts.outOfTurn
}

// push gives go-imap more than buf holds.
func (g *guard) push(p []byte) {
	if len(g.buf) > 0 {
		g.queue = append(g.queue, g.buf)
		g.buf = nil
	}
	g.queue = append(g.queue, p)
}

// waits reports whether the answer that ends a command has to wait for its turn. The caller holds mu.
func (g *guard) waits(c *command) bool {
	if c.want != wantBody {
		return false
	}
	for _, before := range g.pending {
		if before == c {
			return false
		}
		if before.want == wantBody && !before.over {
			return true
		}
	}
	return false
}

// A uidSet is a sequence set (RFC 3501 §9) of UIDs.
type uidSet [][2]uint32

// parseSet reads a set as go-imap writes it.
func parseSet(s string) uidSet {
	var set uidSet
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, ":")
		if !isRange {
			last = first
		}
		set = append(set, [2]uint32{bound(first), bound(last)})
	}
	return set
}

func bound(s string) uint32 {
	if s == "*" {
		return math.MaxUint32
	}
	n, _ := token{text: s}.number()
	return n
}

func (s uidSet) has(uid uint32) bool {
	return slices.ContainsFunc(s, func(r [2]uint32) bool { return r[0] <= uid && uid <= r[1] })
}

// size is how many UIDs are in the set.
func (s uidSet) size() (n int64) {
	for _, r := range s {
		n += int64(r[1]) - int64(r[0]) + 1
	}
	return n
}
