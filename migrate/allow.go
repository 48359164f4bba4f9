package migrate

import (
	"cmp"
	"context"
	"errors"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// An Allow is asked before messages of these sizes go over the wire: n of them, the first at least, may go now, and
// done is to be called when they have. It may wait. Its error says that none may. Asked about none, it says whether any
// may. It is called by several goroutines.
type Allow func(ctx context.Context, octets []int64) (n int, done func(), err error)

// notAllowed says that an Allow lets nothing more go: nobody has failed.
type notAllowed struct{ error }

func (e notAllowed) Unwrap() error { return e.error }

func isNotAllowed(err error) bool { return errors.As(err, new(notAllowed)) }

// ask asks without the floor.
func (r *run) ask(ctx context.Context, allow Allow, octets []int64) (n int, done func(), err error) {
	if allow == nil {
		return len(octets), func() {}, nil
	}
	r.outside(func() { n, done, err = allow(ctx, octets) })
	if err == nil || ctx.Err() != nil || errors.Is(err, retry.ErrStopped) {
		return n, done, err
	}
	return 0, nil, notAllowed{err}
}

// mayBegin asks whether anything may go at all; if not, there is no need for a login.
func (r *run) mayBegin(ctx context.Context) error {
	for _, allow := range []Allow{r.Allow, r.AllowBack} {
		_, done, err := r.ask(ctx, allow, nil)
		if err != nil {
			return err
		}
		done()
	}
	return nil
}

// bringAllowed is bring for as many of the entries as may be compared with what is there. What of them is not there is
// sent as it may be, in parts. It returns how many it has dealt with.
func (b *box) bringAllowed(ctx context.Context, batch []archive.Entry) (int, error) {
	if b.run.AllowBack == nil {
		return len(batch), b.bring(ctx, batch)
	}
	sizes := make([]int64, len(batch))
	for i, e := range batch {
		sizes[i] = e.Octets * int64(len(b.candidates(e, false)))
	}
	n, done, err := b.run.ask(ctx, b.run.AllowBack, sizes)
	if err != nil {
		return 0, err
	}
	defer done()
	return n, b.bring(ctx, batch[:n])
}

// sendAllowed is send for as many entries at a time as may go.
func (b *box) sendAllowed(ctx context.Context, batch []archive.Entry) error {
	for len(batch) > 0 {
		sizes := make([]int64, len(batch))
		for i, e := range batch {
			sizes[i] = e.Octets
		}
		n, done, err := b.run.ask(ctx, b.run.Allow, sizes)
		if err != nil {
			return err
		}
		err = b.send(ctx, batch[:n])
		done()
		if err != nil {
			return err
		}
		if batch = batch[n:]; len(batch) > 0 && b.run.halted != nil {
			return errHalted
		}
	}
	return nil
}

// ended returns why a round ended early. If nothing more may go, what went is still made sure of.
func (r *run) ended(ctx context.Context, err error) error {
	if !isNotAllowed(err) {
		return err
	}
	return cmp.Or(r.audit(ctx), err)
}
