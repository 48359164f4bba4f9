package backup

import (
	"context"
	"errors"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// An Allow is asked before messages of these sizes come over the wire: n of them, the first at least, may come now, and
// done is to be called when they have. It may wait. Its error says that none may. Asked about none, it says whether any
// may. It is called by several goroutines.
type Allow func(ctx context.Context, octets []int64) (n int, done func(), err error)

// notAllowed says that an Allow lets nothing more come: nobody has failed.
type notAllowed struct{ error }

func (e notAllowed) Unwrap() error { return e.error }

func isNotAllowed(err error) bool { return errors.As(err, new(notAllowed)) }

// mayBegin asks whether anything may come at all; if not, there is no need for a login.
func (r *run) mayBegin(ctx context.Context) error {
	_, done, err := r.allowed(ctx, nil)
	if err == nil {
		done()
	}
	return err
}

// allowed returns how many of the items may come now.
func (r *run) allowed(ctx context.Context, items []mail.Item) (n int, done func(), err error) {
	if r.Allow == nil {
		return len(items), func() {}, nil
	}
	sizes := make([]int64, len(items))
	for i, it := range items {
		sizes[i] = it.Size
	}
	n, done, err = r.Allow(ctx, sizes)
	if err == nil || ctx.Err() != nil || errors.Is(err, retry.ErrStopped) {
		return n, done, err
	}
	return 0, nil, notAllowed{err}
}

// fetchAllowed is the source's Fetch, of as many items at a time as may come.
func (r *run) fetchAllowed(ctx context.Context, items []mail.Item, fn func(mail.Item, io.Reader) error) error {
	for len(items) > 0 {
		n, done, err := r.allowed(ctx, items)
		if err != nil {
			return err
		}
		err = r.Source.Fetch(ctx, items[:n], fn)
		done()
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// end lets the source end its session: what was fetched is archived.
func (r *run) end(ctx context.Context) {
	if err := r.Source.End(ctx); err != nil && ctx.Err() == nil {
		r.note("the source did not say goodbye: " + err.Error())
	}
}
