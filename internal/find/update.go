package find

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// A page is what is read, and then entered in one transaction.
const (
	pageMessages = 256
	pageOctets   = 16 << 20
)

// Update brings the index up to date with the archive. It can be broken off at any time: what is in the index then stays
// there, and the next Update goes on from there. Others may be about the same.
func (x *Index) Update(ctx context.Context) error {
	err := x.update(ctx)
	if isDamage(err) {
		path := x.store.path
		x.note = "the index was damaged and is made again"
		x.Close()
		if x.store, err = remakeStore(ctx, path); err == nil {
			err = x.update(ctx)
		}
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return trouble(err)
}

func (x *Index) update(ctx context.Context) (err error) {
	if x.store == nil {
		if x.store, err = openStore(ctx, x.archive); err != nil {
			return err
		}
		if x.store.temp != "" {
			x.note = "the archive cannot be written to; the index is not kept"
		}
	}
	for {
		after, fresh, err := x.compare(ctx)
		if err == nil && fresh > 0 {
			err = x.enter(ctx, after, int(fresh))
		}
		if err == nil {
			return x.again(ctx)
		}
		if !errors.Is(err, errMeanwhile) {
			return err
		}
	}
}

// errMeanwhile says that another process has made the index again.
var errMeanwhile = errors.New("the index was made again meanwhile")

// compare returns up to which entry the index is right, and how many entries are not in it yet. If the ledger has other
// entries than those in it, all places are forgotten: the words of the messages stay.
func (x *Index) compare(ctx context.Context) (after, fresh int64, err error) {
	var mine archive.Tally
	err = x.store.conn.QueryRowContext(ctx, "select count(*), coalesce(max(id), 0), "+archive.TallySum+" from place").
		Scan(&mine.Entries, &mine.Last, &mine.Sum)
	if err != nil {
		return 0, 0, err
	}
	theirs, err := x.archive.Tally(mine.Last)
	if err != nil {
		return 0, 0, err
	}
	all, err := x.archive.Tally(math.MaxInt64)
	if err != nil || mine == theirs {
		return mine.Last, all.Entries - theirs.Entries, err
	}
	_, err = x.store.conn.ExecContext(ctx, "delete from place")
	return 0, all.Entries, err
}

// again reads once more what could not be read when it was entered: it may have been mended.
func (x *Index) again(ctx context.Context) error {
	var ids []int64
	var text string
	err := x.store.value(ctx, "select json_group_array(id) from place where not whole", &text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &ids)
	}
	if err != nil || len(ids) == 0 {
		return err
	}
	entries, err := x.archive.Entries(ids)
	if err != nil {
		return err
	}
	for _, e := range entries {
		r := reading{Content: archive.Content{Entry: e.ID, Octets: e.Octets, Digest: e.Digest}}
		if err := x.readOne(e, &r); err != nil {
			return err
		}
		if !r.whole {
			continue
		}
		if err := x.enterPage(ctx, []reading{r}); err != nil {
			return err
		}
	}
	return nil
}
