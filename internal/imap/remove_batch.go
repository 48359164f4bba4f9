package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// Remove takes messages away, in batches; see backup.Remover. Of each batch it asks for UIDs, flags, sizes and INTERNALDATEs
// anew, shows the headers to r.Same, many asked for at once, and marks and expunges, or moves, exactly those UIDs; a message
// counts as gone when the server does not show it any more, whatever it has said before. What stays has its mark taken off.
//
// What else is in the mailbox is listed before, and counted whenever the server tells of more messages gone than were to go, and
// in the end: mail that is missing then and was not to go is an error of ScopeMailbox, and nothing more is removed.
func (r *Remover) Remove(ctx context.Context, mailbox string, items []mail.Item, how mail.Removing) error {
	if len(items) == 0 {
		return nil
	}
	m := &removing{Removing: how, mailbox: mailbox, items: items, marked: r.marked}
	err := r.with(ctx, removeFrom, mailbox, func(s *session) (err error) {
		m.session = s
		if m.way, err = r.wayOut(s, mailbox); err != nil {
			return err
		}
		m.watch = r.watches[mailbox]
		err = m.run(ctx)
		r.watches[mailbox] = m.watch
		return err
	})
	m.lost(err)
	if m.failed != nil {
		return m.failed
	}
	return err
}

// removing is one Remove in a session.
type removing struct {
	*session
	mail.Removing
	mailbox string
	items   []mail.Item
	way     wayOut
	marked  map[mail.Ref]bool
	pending []mail.Item // intended and not reported
	failed  error       // what Same or Intend returned
	watch   *watch
}

func (m *removing) run(ctx context.Context) error {
	if err := m.openToRemove(m.mailbox); err != nil {
		return err
	}
	defer m.leave()
	if slices.ContainsFunc(m.items, func(it mail.Item) bool { return it.Ref.Mailbox != m.mailbox || it.Ref.Validity != m.status.Validity }) {
		return renumbered()
	}
	if err := m.unmarkOurs(); err != nil {
		return err
	}
	if err := m.begin(); err != nil {
		return err
	}
	err := m.batches(ctx)
	if m.broken() {
		return err
	}
	return cmp.Or(m.check(), err)
}

func (m *removing) batches(ctx context.Context) error {
	for part := range slices.Chunk(m.items, m.together()) {
		if err := m.batch(ctx, part); err != nil || m.failed != nil {
			return err
		}
	}
	return nil
}

// unmarkOurs takes the marks off that an earlier Remove left because its session broke.
func (m *removing) unmarkOurs() error {
	var left []mail.Item
	for ref := range m.marked {
		if ref.Mailbox == m.mailbox && ref.Validity == m.status.Validity {
			left = append(left, mail.Item{Ref: ref})
		}
	}
	for part := range slices.Chunk(uidsOf(left), m.together()) {
		if err := m.unmark(part); err != nil {
			return err
		}
	}
	for _, it := range left {
		delete(m.marked, it.Ref)
	}
	return nil
}

func (m *removing) batch(ctx context.Context, items []mail.Item) error {
	there, err := m.there(items)
	if err != nil || len(there) == 0 {
		return err
	}
	same, err := m.same(there)
	if err != nil || m.failed != nil || len(same) == 0 {
		return err
	}
	if m.failed = m.Intend(same); m.failed != nil {
		return nil
	}
	m.pending = same
	if ctx.Err() != nil { // nothing has been said yet
		m.stay(mail.CauseOther, context.Cause(ctx))
		return &mail.Error{Scope: mail.ScopeSession, Err: context.Cause(ctx)}
	}
	return m.take(same)
}

// there returns the items as they are now. It reports those that are not there, and those that somebody else wants to be
// gone: that is not ours to finish.
func (m *removing) there(items []mail.Item) ([]mail.Item, error) {
	now, err := m.session.items(m.mailbox, uidsOf(items))
	if err != nil {
		return nil, err
	}
	known := refsOf(now)
	for _, it := range items {
		if !known[it.Ref] {
			m.Done(it, m.why(mail.CauseVanished, errors.New("the server does not show the message any more")))
		}
	}
	return slices.DeleteFunc(now, func(it mail.Item) bool {
		marked := it.Flags.Has(mail.Deleted)
		if marked {
			m.Done(it, m.why(mail.CauseRefused, errors.New("another mail program has marked it as deleted, and it is left to that")))
		}
		return marked
	}), nil
}

// same returns those of the items that are what is archived.
func (m *removing) same(items []mail.Item) (same []mail.Item, err error) {
	f := &fetch{session: m.session, items: items, options: headerOnly, width: fetchBatch}
	f.fn = func(it mail.Item, r io.Reader) error {
		if m.failed != nil {
			return nil
		}
		header := &heard{r: r}
		is, err := m.Same(it, header)
		switch {
		case scopeOf(header.err) == mail.ScopeMessage:
			m.Done(it, header.err)
			return nil
		case header.err != nil:
			return header.err
		case err != nil:
			m.failed = err
			return nil
		case is:
			same = append(same, it)
		}
		return nil
	}
	if err := f.mailbox(); err != nil {
		return nil, err
	}
	return same, f.failed
}

// A heard reader remembers what went wrong with it, so that it is not taken for an error of who reads.
type heard struct {
	r   io.Reader
	err error
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

// take removes messages, and stops at the first that stays.
func (m *removing) take(items []mail.Item) error {
	told, err := m.command(items)
	if sessionOnly(err) != nil {
		return err
	}
	var no *imap.Error
	errors.As(err, &no)
	left, err := m.settle(items)
	if err != nil {
		return err
	}
	gone := m.report(items, left, no)
	if err := m.after(gone, told); err != nil {
		return err
	}
	switch {
	case len(left) == 0:
		return nil
	case no != nil:
		return m.refusal(no)
	}
	return strange(saysGone)
}

// command has the messages go, and returns how many the server tells gone in answer to that. A NO may have come when some of
// them were marked, or gone.
func (m *removing) command(items []mail.Item) (told int, err error) {
	set := setOf(uidsOf(items))
	if m.way.how == mail.RemovalExpunge {
		for _, it := range items {
			m.marked[it.Ref] = true
		}
		if err := m.mark(imap.StoreFlagsAdd, set); err != nil {
			return 0, err
		}
	}
	// What others have removed is told now, and not in answer to what comes next.
	if err := m.imap.Noop().Wait(); sessionOnly(err) != nil {
		return 0, err
	}
	before := m.guard.known().expunged
	if m.way.how == mail.RemovalExpunge {
		err = m.imap.UIDExpunge(set).Close()
	} else {
		_, err = m.imap.Move(set, alias(m.way.trash)).Wait()
	}
	return m.guard.known().expunged - before, err
}

const saysGone = "the server says that the message is gone, and still shows it"

// settle returns what of a batch the server still shows, whatever it has said, after the marks were taken off that.
func (m *removing) settle(items []mail.Item) ([]mail.Item, error) {
	left, err := m.session.items(m.mailbox, uidsOf(items))
	if err != nil || m.way.how != mail.RemovalExpunge {
		return left, err
	}
	err = m.unmark(uidsOf(left))
	stays := refsOf(left)
	for _, it := range items {
		if err == nil || !stays[it.Ref] {
			delete(m.marked, it.Ref)
		}
	}
	return left, sessionOnly(err)
}

// report reports a batch of which that is left, and returns what is gone. What a server that is busy has not done is for a later
// session, as if its answer had been lost.
func (m *removing) report(items, left []mail.Item, no *imap.Error) (gone []mail.Item) {
	why, busy := errors.New(saysGone), false
	if no != nil {
		why, busy = answer(no), m.refusal(no).Scope == mail.ScopeSession
	}
	m.pending = nil
	stays := refsOf(left)
	for _, it := range items {
		if stays[it.Ref] {
			e := m.why(mail.CauseRefused, why)
			e.Unsure = busy
			m.Done(it, e)
			continue
		}
		m.Done(it, nil)
		gone = append(gone, it)
	}
	return gone
}

func refsOf(items []mail.Item) map[mail.Ref]bool {
	refs := make(map[mail.Ref]bool, len(items))
	for _, it := range items {
		refs[it.Ref] = true
	}
	return refs
}

// stay reports what was intended and not touched.
func (m *removing) stay(cause mail.Cause, why error) {
	for _, it := range m.pending {
		m.Done(it, m.why(cause, why))
	}
	m.pending = nil
}

// lost reports what was intended and has no answer, because of err.
func (m *removing) lost(err error) {
	why := err
	if known := new(mail.Error); errors.As(err, &known) {
		why = known.Err
	}
	for _, it := range m.pending {
		e := m.why(causeOf(err), fmt.Errorf("the answer was lost: %w", why))
		e.Unsure = true
		m.Done(it, e)
	}
	m.pending = nil
}

// why is the error of one message.
func (m *removing) why(cause mail.Cause, err error) *mail.Error {
	return &mail.Error{Op: removeFrom, Mailbox: mail.Printable(m.mailbox), Scope: mail.ScopeMessage, Cause: cause, Err: err}
}
