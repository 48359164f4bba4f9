package backup

import (
	"context"
	"io"

	"github.com/mailhaul/mailhaul/internal/mail"
)

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
	sizes := make([]int64, len(items))
	for i, it := range items {
		sizes[i] = it.Size
	}
	return r.Allow.Ask(ctx, sizes)
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
