package find

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A page is what is read, and then entered in one transaction: so many messages and octets at most.
var pageMessages = 1024 // tests have smaller ones

const pageOctets = 8 << 20

// Update brings the index up to date with the archive. It can be broken off at any time: what is in the index then stays
// there, and the next Update goes on from there. Others may be about the same.
func (x *Index) Update(ctx context.Context) error {
	err := x.update(ctx)
	if x.store != nil && (isDamage(err) || isReadOnly(err) && x.store.temp == "") {
		err = x.renew(ctx, err)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return trouble(err)
}

// renew goes on after an error with another index: in the place of a damaged one with a new one, where the archive cannot be
// written to with a copy.
func (x *Index) renew(ctx context.Context, why error) (err error) {
	path, temp := x.store.path, x.store.temp
	x.Close()
	switch {
	case temp != "":
		x.store, err = copyStore(ctx, "")
	case isDamage(why):
		x.note = "the index was damaged and is made again"
		x.store, err = remakeStore(ctx, path)
	default:
		x.store, err = copyStore(ctx, path)
	}
	if err != nil {
		return err
	}
	return x.update(ctx)
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
		after, err := x.compare(ctx)
		if err == nil {
			err = x.enter(ctx, after)
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

// compare returns up to which entry the index is right, and tells what is not in it yet. If the ledger has other entries than
// those in it, all places are forgotten: the words of the messages stay.
func (x *Index) compare(ctx context.Context) (after int64, err error) {
	var mine archive.Tally
	var octets int64
	err = x.store.conn.QueryRowContext(ctx, "select count(*), coalesce(max(id), 0), "+archive.TallySum+", coalesce(sum(octets), 0) from place").
		Scan(&mine.Entries, &mine.Last, &mine.Sum, &octets)
	if err != nil {
		return 0, err
	}
	theirs, err := x.archive.Tally(mine.Last)
	if err != nil {
		return 0, err
	}
	if mine != theirs {
		mine, octets = archive.Tally{}, 0
		if _, err := x.store.conn.ExecContext(ctx, "delete from place"); err != nil {
			return 0, err
		}
	}
	held, err := x.archive.Held()
	if fresh := held.Messages - int(mine.Entries); fresh > 0 {
		x.Watch.Tell(progress.Listed{Half: progress.Archive, Messages: fresh, Octets: max(0, held.Octets-octets)})
	}
	return mine.Last, err
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
