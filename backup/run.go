package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A Job brings everything new from Source into Archive.
type Job struct {
	Source  Source
	Archive *archive.Archive
	Watch   progress.Watch
	Pause   retry.Pause // how to wait for a server; nil: by the clock
	// Wanted, if set, says which mailboxes are brought; nil: all.
	Wanted func(mail.Mailbox) bool
	// Allow, if set, is asked before messages are fetched. If none may come, Run archives what came and ends with the
	// error.
	Allow retry.Allow
	// Stop, when closed, makes Run finish the message it is at, commit, and return retry.ErrStopped.
	Stop <-chan struct{}
	// Committed, if set, is called after each commit, from another goroutine than Run's. It must not block.
	Committed func()
	// Looked, if set, is called when the archive knows of a mailbox what the source does not show any more: what else
	// it holds of it is there. It must not block. What has moved to another mailbox may be in both until then.
	Looked func(mailbox string)
}

// Run works until everything the source shows is archived or cannot be had, and returns what became of each
// message; the report holds also when the error says why it ended early. What was archived before an error stays
// archived. A message that the source does not hand over is no error: the report names it.
func (j Job) Run(ctx context.Context) (Report, error) {
	r := &run{Job: j, retry: retry.Policy{Half: progress.Source, Watch: j.Watch, Stop: j.Stop, Pause: j.Pause}}
	if err := r.mayBegin(ctx); err != nil {
		return r.report, err
	}
	boxes, err := r.mailboxes(ctx)
	if err != nil {
		return r.report, err
	}
	if src, ok := r.Source.(Stateful); ok {
		err = r.keep(ctx, src, boxes)
	} else {
		err = r.each(r.wanted(boxes), func(mb mail.Mailbox) error { return r.mailbox(ctx, mb) })
	}
	return r.report, err
}

// each does it for one mailbox after the other. One that cannot be had does not keep the others from being had. Those
// that were gone through to the end are noted in the ledger.
func (r *run) each(boxes []mail.Mailbox, do func(mail.Mailbox) error) error {
	var first error
	var ran []string
	for _, mb := range boxes {
		err := do(mb)
		if err == nil {
			ran = append(ran, mb.Name)
			err = r.stopped()
		}
		if err == nil {
			continue
		}
		first = cmp.Or(first, err)
		if !mailboxOnly(err) {
			break
		}
	}
	return cmp.Or(first, r.Archive.Ran(ran...))
}

// mailboxOnly reports whether the other mailboxes can still be had.
func mailboxOnly(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope <= mail.ScopeMailbox
}

// run is one Run under way.
type run struct {
	Job
	retry  retry.Policy
	report Report
	// Of the mailbox at hand:
	tally    tally
	broke    map[mail.Ref]int // how often the session broke while this message came
	shy      map[mail.Ref]int // how often it did while the message was read to be recognised
	deceived bool             // a message that was recognised turned out to be another
}

// begin begins with the next mailbox.
func (r *run) begin() {
	r.tally, r.broke, r.shy, r.deceived = tally{}, map[mail.Ref]int{}, map[mail.Ref]int{}, false
}

// wanted returns the mailboxes that are to be brought.
func (r *run) wanted(boxes []mail.Mailbox) (some []mail.Mailbox) {
	for _, mb := range boxes {
		if r.Wanted == nil || r.Wanted(mb) {
			some = append(some, mb)
		}
	}
	return some
}

// stopped returns retry.ErrStopped when the run is to stop.
func (r *run) stopped() error {
	select {
	case <-r.Stop:
		return retry.ErrStopped
	default:
		return nil
	}
}

func (r *run) mailboxes(ctx context.Context) (boxes []mail.Mailbox, err error) {
	err = r.persist(ctx, func() error {
		boxes, err = r.Source.Mailboxes(ctx)
		return err
	})
	return boxes, err
}

func (r *run) persist(ctx context.Context, do func() error) error { return persist(ctx, &r.retry, do) }

// persist does it again as long as a new session is worth a try.
func persist(ctx context.Context, p *retry.Policy, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		if again := p.Again(ctx, err); again != nil {
			return again
		}
	}
}

// mailbox archives what is new in mb. A source that shows windows is listed in one session after the other until
// nothing new appears.
func (r *run) mailbox(ctx context.Context, mb mail.Mailbox) error {
	r.begin()
	defer func() { r.tally.addTo(&r.report) }()
	for window := 0; ; window++ {
		todo := 0
		err := r.persist(ctx, func() (err error) {
			todo, err = r.pass(ctx, mb)
			return err
		})
		if err != nil && window > 0 && todo == 0 && ctx.Err() == nil && isAccountTrouble(err) {
			r.note(fmt.Sprintf("could not look whether there is more mail behind what was shown: %v", err))
			return nil
		}
		if err != nil {
			return err
		}
		if w, ok := r.Source.(Windowed); todo == 0 || !ok || !w.Windows() {
			return nil
		}
	}
}

// isAccountTrouble tells what the server's side said or did from a stop and from local trouble.
func isAccountTrouble(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && !retry.IsNotAllowed(err)
}

func (r *run) note(text string) {
	r.Watch.Tell(progress.Note{Half: progress.Source, Text: text})
}

// tellNotes tells what the source has to say of its server.
func (r *run) tellNotes() {
	if s, ok := r.Source.(Noted); ok {
		for _, text := range s.Notes() {
			r.note(text)
		}
	}
}

// pass lists mb once and archives what is new; todo is how many messages that was.
func (r *run) pass(ctx context.Context, mb mail.Mailbox) (todo int, err error) {
	items, err := r.Source.List(ctx, mb.Name)
	if err != nil {
		return 0, err
	}
	r.tellNotes()
	if err := r.reappeared(ctx, mb, items); err != nil {
		return 0, err
	}
	fresh := r.tally.list(items, r.Archive.Has)
	rest, err := r.renumbered(ctx, mb, items, fresh)
	if err != nil {
		return len(fresh), err
	}
	r.Watch.Tell(progress.Listed{Half: progress.Source, Mailbox: mb.Name, Messages: len(rest), Octets: octets(rest)})
	err = r.fetch(ctx, mb, rest)
	if err == nil || retry.IsNotAllowed(err) {
		// Everything fetched is safe: now the server may forget it. If the farewell gets lost, nothing else does.
		r.end(ctx)
	}
	return len(fresh), err
}

func octets(items []mail.Item) (sum int64) {
	for _, it := range items {
		sum += it.Size
	}
	return sum
}

// fetch archives the items. Whatever ends it, what came whole before is committed.
func (r *run) fetch(ctx context.Context, mb mail.Mailbox, items []mail.Item) error {
	if len(items) == 0 {
		return nil
	}
	c := &committer{archive: r.Archive, committed: r.Committed}
	q := newQueue(func(it mail.Item, body io.Reader) error { return r.take(c, mb, it, body) })
	err := r.fetchAllowed(ctx, items, q.put)
	taken, qerr := q.close() // from here on, what take uses is this goroutine's again
	err = cmp.Or(qerr, err)
	if taken < len(items) && isAccountTrouble(err) {
		r.brokeAt(items[taken], err)
	}
	done, cerr := c.finish()
	r.archived(mb, done)
	if cerr != nil {
		return cerr
	}
	return err
}

// take puts one message into the batch under way and hands the batch over when it is full.
func (r *run) take(c *committer, mb mail.Mailbox, it mail.Item, body io.Reader) error {
	entry, err := c.batch().Put(it, mb, r.Watch.Reader(progress.Source, body))
	if err != nil {
		return r.notTaken(it, err)
	}
	r.retry.Progress()
	r.Watch.Tell(progress.Moved{Half: progress.Source, Octets: entry.Octets})
	if c.full() {
		done, err := c.next()
		if err != nil {
			return err
		}
		r.archived(mb, done)
	}
	return r.stopped()
}

// messageOnly reports whether the others can still be had.
func messageOnly(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope == mail.ScopeMessage
}

// notTaken notes a message that the server did not hand over, and goes on; any other error ends the fetch.
func (r *run) notTaken(it mail.Item, err error) error {
	if !messageOnly(err) {
		return err
	}
	var e *mail.Error
	errors.As(err, &e)
	if e.Cause == mail.CauseVanished {
		r.fail(it, vanished, e.Error())
	} else {
		r.fail(it, failed, e.Error())
	}
	return nil
}

// brokeAt is told that the session broke while it came, or was asked for. One that breaks every session must not keep the others
// from being fetched: the second time it is left out.
func (r *run) brokeAt(it mail.Item, err error) {
	r.broke[it.Ref]++
	if r.broke[it.Ref] > 1 {
		r.fail(it, failed, fmt.Sprintf("the connection broke twice when it was asked for: %v", err))
		r.retry.Progress()
	}
}

// archived counts what a commit has made safe.
func (r *run) archived(mb mail.Mailbox, done []archive.Entry) {
	if len(done) == 0 {
		return
	}
	var sum int64
	for _, e := range done {
		r.tally[e.Ref] = fetched
		sum += e.Octets
	}
	r.report.Octets += sum
	r.Watch.Tell(progress.Archived{Mailbox: mb.Name, Messages: len(done), Octets: sum})
}
