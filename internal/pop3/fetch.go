package pop3

import (
	"fmt"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// fnError carries an error of the caller's own function up to Fetch untouched.
type fnError struct{ err error }

func (e fnError) Error() string { return e.err.Error() }

// What of a message is asked for.
const (
	whole = "RETR %d"
	head  = "TOP %d 0"
)

// fetch has fn read what is asked for of each of the items in turn. Those whose key the maildrop does not show have
// vanished.
func (c *session) fetch(what string, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	there := make([]int, 0, len(items)) // the indices of the items that can be asked for
	for i, item := range items {
		if c.shows(item.Ref) {
			there = append(there, i)
		}
	}
	next := 0
	passOver := func(end int) error {
		for ; next < end; next++ {
			if err := hand(items[next], failing{vanished()}, fn); err != nil {
				return err
			}
		}
		return nil
	}
	command := func(i int) string { return fmt.Sprintf(what, c.numbers[items[there[i]].Ref.UID]) }
	err := c.pipeline(len(there), command, func(i int, alone bool) error {
		if err := passOver(there[i]); err != nil {
			return err
		}
		next++
		return c.read(what, items[there[i]], alone, fn)
	})
	if err != nil {
		return err
	}
	return passOver(len(items))
}

func (c *session) shows(ref mail.Ref) bool {
	return ref.Validity == 0 && mail.IsInbox(ref.Mailbox) && c.numbers[ref.UID] > 0
}

// read has fn read the answer to one RETR or TOP.
func (c *session) read(what string, item mail.Item, alone bool, fn func(mail.Item, io.Reader) error) error {
	st, err := c.answer()
	if err != nil {
		return err
	}
	if overLimit(st) {
		return c.passing(st)
	}
	if !st.ok {
		if err := c.stillThere(alone); err != nil {
			return err
		}
		if what == head && !c.topped && !c.caps.has("TOP") && !noSuchMessage(st) {
			return c.noHeads(st)
		}
		return hand(item, failing{c.refusal(st)}, fn)
	}
	c.topped = c.topped || what == head
	b := newBody(c.gate, alone)
	err = hand(item, b, fn)
	if b.err != nil && b.err != io.EOF {
		return b.err // better classified than what fn made of it
	}
	if err != nil {
		return err
	}
	return b.drain()
}

func hand(item mail.Item, r io.Reader, fn func(mail.Item, io.Reader) error) error {
	if err := fn(item, r); err != nil {
		return fnError{err}
	}
	return nil
}

// stillThere tells a no to one message from a server's last word ("-ERR autologout"), which is not the message's
// fault.
func (c *session) stillThere(alone bool) error {
	if !alone {
		_, err := c.gate.in.Peek(1) // of the next answer
		return err
	}
	c.queue <- "NOOP"
	_, err := c.answer()
	return err
}

// failing is the reader of a message that is not to be had.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
