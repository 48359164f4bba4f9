package migrate

import (
	"cmp"
	"context"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// ask asks without the floor.
func (r *run) ask(ctx context.Context, allow retry.Allow, octets []int64) (n int, done func(), err error) {
	r.outside(func() { n, done, err = allow.Ask(ctx, octets) })
	return n, done, err
}

// mayBegin asks whether anything may go at all; if not, there is no need for a login.
func (r *run) mayBegin(ctx context.Context) error {
	for _, allow := range []retry.Allow{r.Allow, r.AllowBack} {
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
	if !retry.IsNotAllowed(err) {
		return err
	}
	return cmp.Or(r.audit(ctx), err)
}
