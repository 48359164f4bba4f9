package retry

import (
	"context"
	"errors"
)

// An Allow is asked before messages of these sizes go over the wire: n of them, the first at least, may go now, and
// done is to be called when they have. It may wait. Its error says that none may. Asked about none, it says whether any
// may. It is called by several goroutines. A nil Allow lets everything go.
type Allow func(ctx context.Context, octets []int64) (n int, done func(), err error)

// notAllowed says that an Allow lets nothing more go: nobody has failed.
type notAllowed struct{ error }

func (e notAllowed) Unwrap() error { return e.error }

// IsNotAllowed reports whether an error says that an Allow lets nothing more go, and not that anything went wrong.
func IsNotAllowed(err error) bool { return errors.As(err, new(notAllowed)) }

// Ask asks, and makes of a no an error that IsNotAllowed knows.
func (a Allow) Ask(ctx context.Context, octets []int64) (n int, done func(), err error) {
	if a == nil {
		return len(octets), func() {}, nil
	}
	n, done, err = a(ctx, octets)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrStopped) {
		return n, done, err
	}
	return 0, nil, notAllowed{err}
}
