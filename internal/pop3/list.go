package pop3

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/sasl"
)

const (
	maxMessages    = 5_000_000
	maxSize        = 1 << 40   // octets of a message; what is said to be larger cannot make a sum overflow
	maxUIDL        = 1024      // octets; RFC 1939 §7 allows 70, and Fastmail needed more
	maxUIDLsOctets = 256 << 20 // of all UIDLs together
)

// An entry is one line of a listing: a message number and what is said of it.
type entry[T any] struct {
	number int
	about  T
}

// A disagreement is what STAT, UIDL and LIST cannot all be right about.
type disagreement struct{ text string }

func (d disagreement) Error() string { return d.text }

func disagree(format string, args ...any) error {
	return &mail.Error{Op: "list", Mailbox: mail.Inbox, Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Later: time.Minute,
		Hint: "nothing was read, because it would not have been everything; run again, or tell the provider",
		Err:  disagreement{"the server contradicts itself: " + fmt.Sprintf(format, args...)}}
}

// list lists the maildrop and gives each message its key.
func (c *session) list() ([]mail.Item, error) {
	d, err := c.maildrop()
	if err != nil {
		return nil, err
	}
	c.degraded = d.uidls == nil && len(d.sizes) > 0
	if c.degraded {
		if d.uidls, err = c.tops(d.sizes); err != nil {
			return nil, err
		}
	}
	c.numbers = unique(d.uidls)
	items := make([]mail.Item, len(d.sizes))
	for i, key := range d.uidls {
		items[i] = mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UID: key}, Size: d.sizes[i]}
	}
	return items, nil
}

// unique makes keys of UIDLs and returns the message number of each. RFC 1939 §7 allows one UIDL for two messages
// that are the same, and servers give it to others too: from the second occurrence on, NUL and its number are
// added, which no UIDL holds.
func unique(uidls []string) map[string]int {
	numbers := make(map[string]int, len(uidls))
	again := make(map[string]int)
	for i, u := range uidls {
		if numbers[u] > 0 {
			again[u]++
			uidls[i] = u + "\x00" + strconv.Itoa(again[u]+1)
		}
		numbers[uidls[i]] = i + 1
	}
	return numbers
}

// A drop is what a maildrop holds, in the order of message numbers.
type drop struct {
	messages int
	octets   int64
	sizes    []int64
	uidls    []string // nil: the server has none that can be used
}

// maildrop asks STAT, UIDL and LIST, and has them agree; before them CAPA.
func (c *session) maildrop() (*drop, error) {
	d := new(drop)
	steps := []struct {
		command string
		read    func(*drop) error
	}{{"CAPA", c.readCapa}, {"STAT", c.readStat}, {"UIDL", c.readUIDL}, {"LIST", c.readList}}
	err := c.pipeline(len(steps), func(i int) string { return steps[i].command }, func(i int, _ bool) error { return steps[i].read(d) })
	return d, err
}

func (c *session) readStat(d *drop) error {
	st, err := c.answer()
	if err != nil {
		return err
	}
	if !st.ok {
		return c.noListing("STAT", st)
	}
	count, rest, ok := number([]byte(st.text))
	if !ok {
		return outOfStep(`STAT says "%s"`, c.gate.shown([]byte(st.text)))
	}
	octets, _, _ := number(rest)
	if count > maxMessages {
		return disagree("STAT counts %d messages, and more than %d are not believed", count, maxMessages)
	}
	d.messages, d.octets = int(count), octets
	return nil
}

func (c *session) readList(d *drop) error {
	st, err := c.answer()
	if err != nil {
		return err
	}
	if !st.ok {
		if d.messages == 0 { // some servers have nothing to list then
			return nil
		}
		return c.noListing("LIST", st)
	}
	sizes, err := listing(c.gate, "LIST", d.messages, func(rest []byte) (int64, bool) {
		size, _, ok := number(rest)
		return min(size, maxSize), ok
	})
	d.sizes = sizes
	return err
}

// readUIDL leaves the UIDLs nil where there are none, or where one is of no use as a key: empty, over-long, or with
// a NUL in it.
func (c *session) readUIDL(d *drop) error {
	st, err := c.answer()
	if err != nil {
		return err
	}
	if !st.ok {
		if e := c.passing(st); e != nil {
			return e
		}
		return nil
	}
	usable, octets := true, 0
	uidls, err := listing(c.gate, "UIDL", d.messages, func(rest []byte) (string, bool) {
		u := bytes.TrimLeft(rest, " \t") // K-9 Mail met several spaces
		usable = usable && 0 < len(u) && len(u) <= maxUIDL && bytes.IndexByte(u, 0) < 0
		octets += len(u)
		if !usable || octets > maxUIDLsOctets {
			return "", true
		}
		return string(u), true
	})
	if octets > maxUIDLsOctets {
		return disagree("the UIDLs of %d messages are longer than %d MiB", d.messages, maxUIDLsOctets>>20)
	}
	if usable {
		d.uidls = uidls
	}
	return err
}

// listing reads the lines of LIST or UIDL, one for each message from 1 to n, in whatever order.
func listing[T any](g *gate, verb string, n int, parse func(rest []byte) (T, bool)) ([]T, error) {
	var all []entry[T]
	for {
		line, more, err := g.line()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if len(all) == n {
			return nil, disagree("STAT counts %d messages, %s shows more", n, verb)
		}
		number, rest, ok := number(line)
		about, sound := parse(rest)
		if !ok || !sound {
			return nil, disagree(`%s says "%s"`, verb, g.shown(line))
		}
		all = append(all, entry[T]{int(min(number, maxMessages+1)), about})
	}
	if len(all) < n {
		return nil, disagree("STAT counts %d messages, %s shows %d", n, verb, len(all))
	}
	return inOrder(verb, all)
}

// inOrder returns what the entries say of the messages 1 to n, each of which must be there once.
func inOrder[T any](verb string, all []entry[T]) ([]T, error) {
	slices.SortFunc(all, func(a, b entry[T]) int { return cmp.Compare(a.number, b.number) })
	abouts := make([]T, 0, len(all))
	for i, e := range all {
		if e.number != i+1 {
			return nil, disagree("of %d messages, %s shows number %d once too often or too seldom", len(all), verb, min(e.number, i+1))
		}
		abouts = append(abouts, e.about)
	}
	return abouts, nil
}

// number reads the digits that p begins with, after spaces.
func number(p []byte) (n int64, rest []byte, ok bool) {
	p = bytes.TrimLeft(p, " \t")
	end := 0
	for end < len(p) && '0' <= p[end] && p[end] <= '9' {
		end++
	}
	if end < len(p) && p[end] != ' ' && p[end] != '\t' {
		return 0, nil, false
	}
	n, err := strconv.ParseInt(string(p[:end]), 10, 64)
	return n, p[end:], err == nil
}

// noListing is the error for a no to a command that every server must know.
func (c *session) noListing(verb string, st status) error {
	if e := c.passing(st); e != nil {
		return e
	}
	e := &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Err: fmt.Errorf("the server refuses %s: %s", verb, c.said(st))}
	no := sasl.Refusal{POP3: true, Host: c.host, Code: st.code, Text: st.text}
	if no.Shuts() { // Gmail lets everybody in and says so then
		e.Scope, e.Cause, e.Hint = mail.ScopeAccount, mail.CauseLogin, no.Known()
		return refusal{said: e}
	}
	return e
}
