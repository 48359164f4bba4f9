package find

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// An Index answers queries about one archive. It is used by one goroutine at a time.
type Index struct {
	// Watch is told, while the index is brought up to date, of the messages that are new to it.
	Watch progress.Watch

	archive *archive.Archive
	store   *store // nil: not opened yet
	note    string
}

// New returns the index of an archive, which is open as long as the index is used; be it a View. It opens and makes nothing
// until something is asked that only the index knows. The caller closes it.
func New(a *archive.Archive) *Index { return &Index{archive: a} }

// Kept reports whether the archive has an index: somebody has searched in it before.
func Kept(a *archive.Archive) bool {
	_, err := a.Derived(fileName, false)
	return err == nil
}

// Close lets the index go.
func (x *Index) Close() error {
	if x.store == nil {
		return nil
	}
	err := x.store.close()
	x.store = nil
	return err
}

// Note returns what a person may want to know of the index, "" for nothing.
func (x *Index) Note() string { return x.note }

// IDs returns the IDs of the entries that the query is for, those received last first. The index is brought up to date first,
// if the query needs it. What is wrong with the query is a *QueryError.
func (x *Index) IDs(ctx context.Context, q Query) ([]int64, error) {
	if q.root == nil {
		return x.archive.Find(archive.Condition{})
	}
	if q.Textual() {
		if err := x.Update(ctx); err != nil {
			return nil, err
		}
	}
	c, err := q.root.condition(asking{x, ctx})
	if isDamage(err) { // where the work up to here did not look
		if err = x.renew(ctx, err); err == nil {
			c, err = q.root.condition(asking{x, ctx})
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case code(err) != 0:
		return nil, trouble(err)
	case err != nil:
		return nil, err
	}
	return x.archive.Find(c)
}

// selectTogether is how many entries are read from the ledger at a time.
const selectTogether = 256

// Select returns the entries that the query is for, those received last first, as IDs does. After an error nothing follows.
func (x *Index) Select(ctx context.Context, q Query) iter.Seq2[archive.Entry, error] {
	return func(yield func(archive.Entry, error) bool) {
		ids, err := x.IDs(ctx, q)
		for err == nil && len(ids) > 0 {
			page := ids[:min(len(ids), selectTogether)]
			ids = ids[len(page):]
			var entries []archive.Entry
			if entries, err = x.archive.Entries(page); err != nil {
				break
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			err = context.Cause(ctx)
		}
		if err != nil {
			yield(archive.Entry{}, err)
		}
	}
}

// asking is an Index that a query is put to.
type asking struct {
	x   *Index
	ctx context.Context
}

func (a asking) mailboxes() ([]archive.Mailbox, error) { return a.x.archive.Mailboxes() }

func (a asking) matching(expression string) ([]int64, error) {
	return a.entries("select rowid from words where words match ?", expression)
}

func (a asking) attached() ([]int64, error) {
	return a.entries("select id from doc where attachments > 0")
}

// entries returns the entries of the docs that a query of the index returns, in one text: a row each would take longer.
func (a asking) entries(docs string, args ...any) (ids []int64, err error) {
	var text string
	err = a.x.store.value(a.ctx, "select json_group_array(id) from place where doc in ("+docs+")", &text, args...)
	if err != nil {
		return nil, err
	}
	return ids, json.Unmarshal([]byte(text), &ids)
}
