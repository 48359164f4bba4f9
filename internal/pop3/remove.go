package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Remover is a POP3 account that messages are taken out of: a backup.Remover.
type Remover struct {
	*Source
	headless  bool // the server has no TOP
	explained bool
}

// NewRemover returns a Remover; nothing is connected yet.
func NewRemover(server dial.Server, login mail.Login) *Remover {
	return &Remover{Source: New(server, login)}
}

// Able returns RemovalQuit, or an error if the server has no UIDL that each message can be known by.
func (r *Remover) Able(ctx context.Context, mailbox string) (mail.Removal, error) {
	if err := onlyInbox("remove", mailbox); err != nil {
		return 0, err
	}
	err := r.do(ctx, "remove", func(c *session) error {
		if _, err := c.keyed(); err != nil {
			return err
		}
		r.explain(c)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return mail.RemovalQuit, nil
}

// explain notes, once, what a server does with mail that is not what a person would expect of it.
func (r *Remover) explain(c *session) {
	if r.explained {
		return
	}
	r.explained = true
	for _, text := range []string{ownDeletion(r.server.Host), c.caps.expiry()} {
		if text != "" {
			r.notes = append(r.notes, text)
		}
	}
}

// removeTogether is how many messages are removed in one session. If its end gets lost, of so many it must be looked what
// became of them; and a server must do all of it before it answers QUIT.
const removeTogether = 250

// Remove removes messages; see backup.Remover. The session of each batch lists anew, compares by TOP, says DELE, and QUIT: a
// server deletes nothing before it has heard that (RFC 1939 §6).
func (r *Remover) Remove(ctx context.Context, mailbox string, items []mail.Item, with mail.Removing) error {
	if err := onlyInbox("remove", mailbox); err != nil {
		return err
	}
	for batch := range slices.Chunk(items, removeTogether) {
		err := r.removeBatch(ctx, batch, with)
		if errors.As(err, new(noTOP)) {
			r.headless = true
			err = r.removeBatch(ctx, batch, with)
		} else if errors.As(err, new(disagreement)) {
			err = r.removeBatch(ctx, batch, with)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Remover) removeBatch(ctx context.Context, items []mail.Item, with mail.Removing) error {
	_ = r.End(ctx) // of a session that has only looked; how it ends does not matter
	b := &removal{Removing: with, headless: r.headless}
	err := r.do(ctx, "remove", func(c *session) error { return b.run(c, items) })
	if err == nil {
		r.drop()
	}
	b.report()
	if own, ok := err.(fnError); ok {
		return own.err
	}
	return err
}

// A removal is one batch under way.
type removal struct {
	mail.Removing
	headless bool
	sizes    map[string]int64 // by key, as the session shows them
	going    []mail.Item
	intended bool
	refused  map[mail.Ref]*mail.Error // to DELE
	quit     bool                     // the server has said that all the others are gone
}

func (b *removal) run(c *session, items []mail.Item) (err error) {
	if b.sizes, err = c.keyed(); err != nil {
		return err
	}
	if b.headless {
		err = b.takeUnseen(c, items)
	} else {
		err = c.fetch(head, items, b.compare)
	}
	if err != nil {
		return err
	}
	if len(b.going) == 0 {
		return c.quit()
	}
	if err := b.Intend(b.going); err != nil {
		return fnError{err}
	}
	b.intended = true
	if err := b.mark(c); err != nil {
		return err
	}
	return b.update(c)
}

// keyed asks what the maildrop holds and returns the sizes by key. Without UIDLs it is an error: what is removed is
// never known by its number alone.
func (c *session) keyed() (map[string]int64, error) {
	d, err := c.maildrop()
	if err != nil {
		return nil, err
	}
	if d.uidls == nil && len(d.sizes) > 0 {
		return nil, &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol,
			Err:  errors.New("the server has no UIDL for each message, so that none can be told from another for certain; nothing is removed"),
			Hint: "remove mail with a mail program, or over IMAP, if the provider has it"}
	}
	c.numbers = unique(d.uidls)
	sizes := make(map[string]int64, len(d.sizes))
	for i, key := range d.uidls {
		sizes[key] = d.sizes[i]
	}
	return sizes, nil
}

// compare is handed a header by c.fetch, or the reason why there is none.
func (b *removal) compare(it mail.Item, header io.Reader) error {
	if no, is := header.(failing); is {
		b.Done(it, no.err)
		return nil
	}
	return b.take(it, header)
}

// takeUnseen is for a server without TOP.
func (b *removal) takeUnseen(c *session, items []mail.Item) error {
	for _, it := range items {
		if !c.shows(it.Ref) {
			b.Done(it, vanished())
		} else if err := b.take(it, nil); err != nil {
			return fnError{err}
		}
	}
	return nil
}

// take asks whether a message is to go.
func (b *removal) take(it mail.Item, header io.Reader) error {
	it.Size = b.sizes[it.Ref.UID]
	same, err := b.Same(it, header)
	if same && err == nil {
		b.going = append(b.going, it)
	}
	return err
}

// mark says DELE for all that are to go.
func (b *removal) mark(c *session) error {
	b.refused = map[mail.Ref]*mail.Error{}
	command := func(i int) string { return fmt.Sprintf("DELE %d", c.numbers[b.going[i].Ref.UID]) }
	return c.pipeline(len(b.going), command, func(i int, _ bool) error {
		st, err := c.answer()
		if err == nil && !st.ok {
			b.refused[b.going[i].Ref] = &mail.Error{Op: "remove", Mailbox: mail.Inbox, Scope: mail.ScopeMessage, Cause: mail.CauseRefused,
				Err: fmt.Errorf("the server does not delete it: %s", c.said(st))}
		}
		return err
	})
}

// update says QUIT, which brings the server into the UPDATE state. A no means that some are gone and others are not.
func (b *removal) update(c *session) error {
	st, err := c.ask("QUIT")
	if err != nil {
		return err
	}
	if !st.ok {
		return &mail.Error{Scope: mail.ScopeSession, Err: fmt.Errorf("the server did not delete all that it was to: %s", c.said(st))}
	}
	b.quit = true
	_ = c.conn.Close()
	return nil
}

// report tells what became of what was intended.
func (b *removal) report() {
	if !b.intended {
		return
	}
	for _, it := range b.going {
		switch no := b.refused[it.Ref]; {
		case no != nil:
			b.Done(it, no)
		case b.quit:
			b.Done(it, nil)
		default:
			b.Done(it, &mail.Error{Op: "remove", Mailbox: mail.Inbox, Scope: mail.ScopeMessage, Cause: mail.CauseNetwork, Unsure: true,
				Err: errors.New("the session ended before the server had said that it is gone")})
		}
	}
}
