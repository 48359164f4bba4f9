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

// What is asked for of messages.
var (
	wholeMessage = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
	headerOnly   = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true, Specifier: imap.PartSpecifierHeader}}}
)

// Fetch reads messages without marking them read, in the order of items; see backup.Source. It is an error of
// ScopeMailbox if the mailbox has been renumbered since they were listed.
func (c *Client) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	return c.read(ctx, &fetch{fn: fn, items: items, options: wholeMessage, width: fetchBatch})
}

func (a *account) read(ctx context.Context, f *fetch) error {
	for len(f.items) > 0 {
		mailbox := f.items[0].Ref.Mailbox
		err := a.with(ctx, "read", mailbox, func(s *session) error {
			f.session = s
			return f.mailbox()
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
	options  *imap.FetchOptions
	fn       func(mail.Item, io.Reader) error
	items    []mail.Item // not handed over yet
	width    int         // how many are asked for with one command; others follow when it is fetchBatch at least
	requests []*request  // under way, in order
	upcoming *request    // the next one, if it is known already
	failed   error       // what fn returned
	flaws
}

// flaws are what was wrong with the last answer.
type flaws struct {
	bare   bool // it has shown no message
	hollow bool // one without its octets
	empty  bool // one with none, which has some
}

// mailbox hands over the items of one mailbox. Many are asked for with one command, and the next commands are on
// their way when the answer to one is read. One message that an answer does not show in its turn, for whatever reason,
// is asked for alone before it counts as missing.
func (f *fetch) mailbox() error {
	first := f.items[0].Ref
	if f.session.mailbox != first.Mailbox {
		if err := f.open(first.Mailbox); err != nil {
			return err
		}
	}
	if f.status.Validity != first.Validity {
		return renumbered()
	}
	defer f.forget()
	for f.request(); len(f.requests) > 0; f.request() {
		if err := f.answer(); err != nil || f.failed != nil {
			return err
		}
	}
	return nil
}

func renumbered() error {
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseVanished,
		Err: errors.New("the server has given the folder a new UIDVALIDITY: what was listed is no longer known by its UID")}
}

// answer takes the answer to the command that was sent first.
func (f *fetch) answer() error {
	rq := f.requests[0]
	err := f.take(rq)
	f.requests = f.requests[1:]
	switch {
	case f.failed != nil || sessionOnly(err) != nil || isLimit(err): // who is busy is not asked once more for each
		return err
	case rq.left == 0:
		f.width = min(2*f.width, maxBatch)
		return nil
	case rq.messages == 1:
		return f.missing(err)
	}
	// What follows is thrown away, or it would come before its turn. A server that shows none of many is asked for one
	// at a time from now on: some say only behind a message which it is, some refuse to show many.
	f.forget()
	f.singly = f.singly || f.bare && !f.guard.mixesUp()
	f.width = 1
	return nil
}

// missing deals with the first item, which was asked for alone and did not come: why is handed over instead.
func (f *fetch) missing(err error) error {
	it := f.items[0]
	why := unreadable(it, mail.CauseVanished, errors.New("the server does not show the message any more"))
	var no *imap.Error
	switch {
	case errors.As(err, &no) && limitIn(no) != nil:
		return err
	case no != nil:
		why = unreadable(it, mail.CauseRefused, answer(no))
	case f.empty:
		why = unreadable(it, mail.CauseProtocol, errors.New("the server shows the message as empty"))
	case f.hollow:
		why = unreadable(it, mail.CauseProtocol, errors.New("the server shows the message without its octets"))
	}
	f.hand(failing{why})
	return nil
}

// take hands over what an answer shows of the items, up to the first that is not in its turn, and sends the next
// commands meanwhile.
func (f *fetch) take(rq *request) error {
	f.flaws = flaws{bare: true}
	defer rq.cmd.Close()
	inTurn := true
	for msg := rq.cmd.Next(); msg != nil; msg = rq.cmd.Next() {
		f.bare = false
		size := int64(0)
		if inTurn = inTurn && rq.left > 0; inTurn {
			size = f.items[0].Size
			inTurn = f.message(msg, uidOf(f.items[0]))
		}
		if f.failed != nil {
			f.guard.Close() // before cmd, which would take in all that is still to come
			return nil
		}
		if inTurn {
			rq.left--
			rq.octets -= size
			f.request()
		}
	}
	return rq.cmd.Close()
}

// message hands over a message if it is the one with this UID and has its octets.
func (f *fetch) message(msg *imapclient.FetchMessageData, want uint32) bool {
	handed, mine := false, false
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			mine = uint32(item.UID) == want
		case imapclient.FetchItemDataBodySection:
			if mine && !handed && f.readable(item.Literal) {
				f.octets(item.Literal)
				handed = true
			}
		}
		if f.failed != nil {
			break // Next would take in the rest of the message
		}
	}
	return handed
}

// readable reports whether a message has its octets.
func (f *fetch) readable(literal imap.LiteralReader) bool {
	switch {
	case literal == nil:
		f.hollow = true
	case literal.Size() == 0 && f.items[0].Size > 0:
		f.empty = true
	default:
		return true
	}
	return false
}

func (f *fetch) octets(literal imap.LiteralReader) {
	b := &body{fetch: f, item: f.items[0], r: literal, left: literal.Size()}
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
