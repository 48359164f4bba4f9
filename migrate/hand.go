package migrate

import (
	"context"
	"io"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A hand is one session at the destination and its share of the trouble. A run works with one, or with several at once.
//
// What a run knows belongs to whoever has the floor, which is one goroutine at a time: it is given up where one waits
// for the server, and taken again before anything that was heard is acted on.
type hand struct {
	dst    Destination
	run    *run
	retry  retry.Policy
	worked bool // it has done something in this run
	lost   bool // it is of no more use in this run
	at     *box // where it helps
}

// hire adds a hand that has not done anything yet.
func (r *run) hire(d Destination) {
	r.hands = append(r.hands, &hand{dst: d, run: r,
		retry: retry.Policy{Half: progress.Destination, Watch: r.Watch, Stop: r.Stop, Pause: r.Pause}})
}

// outside does what takes time without the floor.
func (r *run) outside(do func()) {
	r.floor.Unlock()
	defer r.floor.Lock()
	do()
}

func (h *hand) again(ctx context.Context, err error) (again error) {
	h.run.outside(func() { again = h.retry.Again(ctx, err) })
	return again
}

func (h *hand) sleep(ctx context.Context, d time.Duration) (err error) {
	h.run.outside(func() { err = h.retry.Sleep(ctx, d) })
	return err
}

// What follows are the methods of Destination.

func (h *hand) Mailboxes(ctx context.Context) (boxes []mail.Mailbox, err error) {
	h.run.outside(func() { boxes, err = h.dst.Mailboxes(ctx) })
	return boxes, err
}

func (h *hand) Namespace(ctx context.Context) (ns mail.Namespace, err error) {
	h.run.outside(func() { ns, err = h.dst.Namespace(ctx) })
	return ns, err
}

func (h *hand) Room(ctx context.Context) (room mail.Room, err error) {
	h.run.outside(func() { room, err = h.dst.Room(ctx) })
	return room, err
}

func (h *hand) Create(ctx context.Context, mb mail.Mailbox) (err error) {
	h.run.outside(func() { err = h.dst.Create(ctx, mb) })
	h.worked = h.worked || err == nil
	return err
}

func (h *hand) Select(ctx context.Context, mailbox string) (st mail.Status, err error) {
	h.run.outside(func() { st, err = h.dst.Select(ctx, mailbox) })
	h.worked = h.worked || err == nil
	return st, err
}

// List calls fn without the floor: it reads from the server.
func (h *hand) List(ctx context.Context, mailbox string, from uint32, fn func([]mail.Item)) (err error) {
	h.run.outside(func() { err = h.dst.List(ctx, mailbox, from, fn) })
	return err
}

func (h *hand) Mark(ctx context.Context, mailbox string, marks []mail.Marking) (dropped []mail.Flags, err error) {
	h.run.outside(func() { dropped, err = h.dst.Mark(ctx, mailbox, marks) })
	return dropped, err
}

// Fetch calls fn without the floor: it reads from the server.
func (h *hand) Fetch(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) (err error) {
	h.run.outside(func() { err = h.dst.Fetch(ctx, items, fn) })
	return err
}

func (h *hand) Append(ctx context.Context, mailbox string, batch []mail.Outgoing, done func(i int, got mail.Stored, err error)) (err error) {
	h.run.outside(func() { err = h.append(ctx, mailbox, batch, done) })
	return err
}

// append is Append for those who have not got the floor.
func (h *hand) append(ctx context.Context, mailbox string, batch []mail.Outgoing, done func(i int, got mail.Stored, err error)) error {
	return h.dst.Append(ctx, mailbox, batch, func(i int, got mail.Stored, err error) {
		h.run.floor.Lock()
		defer h.run.floor.Unlock()
		done(i, got, err)
	})
}
