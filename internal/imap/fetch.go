package imap

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// fetchBatch is how many messages are asked for with one command.
const fetchBatch = 64

var wholeMessage = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}

// Fetch reads messages without marking them read, in the order of items; see backup.Source. It is an error of
// ScopeMailbox if the mailbox has been renumbered since they were listed.
func (c *Client) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	f := &fetch{fn: fn, items: items}
	for len(f.items) > 0 {
		mailbox := f.items[0].Ref.Mailbox
		err := c.with(ctx, "read", mailbox, func(s *session) error {
			f.session = s
			return f.batch()
		})
		if f.failed != nil {
			return f.failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A fetch hands over messages, each in its turn.
type fetch struct {
	*session
	fn     func(mail.Item, io.Reader) error
	items  []mail.Item // not handed over yet
	failed error       // what fn returned
	rows   int         // messages the last answer has shown
	hollow bool        // one of them without its octets
}

// batch hands over some of the items, at least one. Many are asked for with one command. One that the answer does
// not show in its turn, for whatever reason, is asked for alone before it counts as missing.
func (f *fetch) batch() error {
	first := f.items[0]
	if f.mailbox != first.Ref.Mailbox {
		if err := f.open(first.Ref.Mailbox); err != nil {
			return err
		}
	}
	if f.status.Validity != first.Ref.Validity {
		return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseVanished,
			Err: errors.New("the server has given the folder a new UIDVALIDITY: what was listed is no longer known by its UID")}
	}
	together := f.together()
	left := len(f.items)
	err := f.ask(f.items[:together])
	if sessionOnly(err) != nil || f.failed != nil || len(f.items) < left && together > 1 {
		return sessionOnly(err)
	}
	if together == 1 {
		return f.missing(left, err)
	}
	// Not even the first came. A server that shows none of many is asked for one at a time from now on: some say
	// only behind a message which it is, some refuse to show many.
	f.singly = f.singly || f.rows == 0
	return f.missing(left, f.ask(f.items[:1]))
}

// together returns how many of the items to ask for with one command: those of one mailbox with rising UIDs, for in
// that order servers show them.
func (f *fetch) together() int {
	if f.singly {
		return 1
	}
	n := 1
	for n < min(len(f.items), fetchBatch) {
		it, before := f.items[n], f.items[n-1]
		if it.Ref.Mailbox != before.Ref.Mailbox || it.Ref.Validity != before.Ref.Validity || uidOf(it) <= uidOf(before) {
			break
		}
		n++
	}
	return n
}

// missing deals with the first item after it was asked for alone, when left items were: if it did not come, why is
// handed over instead.
func (f *fetch) missing(left int, err error) error {
	if len(f.items) < left || f.failed != nil || sessionOnly(err) != nil {
		return sessionOnly(err)
	}
	it := f.items[0]
	why := unreadable(it, mail.CauseVanished, errors.New("the server does not show the message any more"))
	var no *imap.Error
	switch {
	case errors.As(err, &no) && limitOf(string(no.Code), no.Text) != nil:
		return err
	case no != nil:
		why = unreadable(it, mail.CauseRefused, answer(no))
	case f.hollow:
		why = unreadable(it, mail.CauseProtocol, errors.New("the server shows the message without its octets"))
	}
	f.hand(failing{why})
	return nil
}

// ask runs one FETCH and hands over what it shows of the items, up to the first that is not in its turn.
func (f *fetch) ask(items []mail.Item) error {
	var set imap.UIDSet
	for _, it := range items {
		set.AddNum(imap.UID(uidOf(it)))
	}
	f.rows, f.hollow = 0, false
	cmd := f.imap.Fetch(set, wholeMessage)
	defer cmd.Close()
	inTurn := true
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		f.rows++
		inTurn = inTurn && len(items) > 0 && f.message(msg, uidOf(items[0]))
		if f.failed != nil {
			f.guard.Close() // before cmd, which would take in all that is still to come
			return nil
		}
		if inTurn {
			items = items[1:]
		}
	}
	return cmd.Close()
}

// message hands over a message if it is the one with this UID and has its octets.
func (f *fetch) message(msg *imapclient.FetchMessageData, want uint32) bool {
	handed, mine := false, false
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			mine = uint32(item.UID) == want
		case imapclient.FetchItemDataBodySection:
			if mine && !handed && item.Literal != nil {
				f.octets(item.Literal)
				handed = true
			}
			f.hollow = f.hollow || item.Literal == nil
		}
		if f.failed != nil {
			break // Next would take in the rest of the message
		}
	}
	return handed
}

func (f *fetch) octets(literal imap.LiteralReader) {
	it := f.items[0]
	if literal.Size() == 0 && it.Size > 0 {
		f.hand(failing{unreadable(it, mail.CauseProtocol, errors.New("the server shows the message as empty"))})
		return
	}
	b := &body{fetch: f, item: it, r: literal, left: literal.Size()}
	f.hand(b)
	if b.err != nil && b.err != io.EOF {
		f.awaitEnd()
	}
}

// hand hands over the first of the items.
func (f *fetch) hand(r io.Reader) {
	it := f.items[0]
	f.items = f.items[1:]
	f.failed = f.fn(it, r)
}

func unreadable(it mail.Item, cause mail.Cause, err error) *mail.Error {
	return &mail.Error{Op: "read", Mailbox: mail.Printable(it.Ref.Mailbox), Scope: mail.ScopeMessage, Cause: cause, Err: err}
}

// failing is the reader of a message that cannot be had.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A body is the reader of a message. It ends when all of the literal was read, which the guard gives out only when
// the rest of the row has come too.
type body struct {
	*fetch
	item mail.Item
	r    io.Reader
	left int64
	err  error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = fmt.Errorf("%d octets are missing: %w", b.left, io.ErrUnexpectedEOF)
	}
	if b.err = err; err != nil && err != io.EOF {
		b.err = at(b.explain(err), "read", b.item.Ref.Mailbox)
	}
	return n, b.err
}
