package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A choice is the part of an archive that the person wants, as a query; "" is all of it.
type choice struct{ query string }

func (c *choice) addFlag(f *pflag.FlagSet) {
	f.Var(c, "select", "bring only what `QUERY` finds, as mailhaul search does")
}

func (c *choice) String() string { return c.query }

// Type is what help calls it.
func (c *choice) Type() string { return "QUERY" }

// Set makes it a flag. An empty query, as of a variable that is not set in a script, is not to mean everything.
func (c *choice) Set(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("it is empty; to mean everything, leave the flag out")
	}
	c.query = s
	return nil
}

// made reports whether the person wants a part only.
func (c *choice) made() bool { return c.query != "" }

// check refuses a query that cannot be read, before anything is opened.
func (c *choice) check() error {
	_, err := find.Parse(c.query)
	return err
}

// choose has the archive bring only what was chosen, and says how much that is.
func (c *choice) choose(ctx context.Context, t *terminal, i *interrupt, a *archive.Archive, includeGone bool) error {
	if !c.made() {
		return nil
	}
	q, err := find.Parse(c.query)
	if err != nil {
		return err
	}
	ids, err := t.find(ctx, i, a, q)
	if err != nil {
		return err
	}
	t.sayf("%d messages chosen", len(ids))
	if err := t.sayGone(a, ids, includeGone); err != nil {
		return err
	}
	return a.Choose(ids)
}

// sayGone says how many of the entries stay where they are because the source shows them no more.
func (t *terminal) sayGone(a *archive.Archive, ids []int64, included bool) error {
	if included {
		return nil
	}
	gone, err := a.Find(archive.All(archive.WithIDs(ids...), archive.IsGone()))
	if len(gone) > 0 {
		t.sayf("%d of them the source shows no more; they are brought with --include-gone", len(gone))
	}
	return err
}

// find returns the IDs of what a query finds, those received last first.
func (t *terminal) find(ctx context.Context, i *interrupt, a *archive.Archive, q find.Query) ([]int64, error) {
	ctx, index, end := t.index(ctx, i, a)
	defer end()
	ids, err := index.IDs(ctx, q)
	if note := index.Note(); note != "" {
		t.sayf("%s", note)
	}
	return ids, err
}

// fewForAWatch is how many messages are read into an index before anybody notices.
const fewForAWatch = 500

// index returns the index of an archive. What it has to read first is watched; an interrupt breaks it off, and nothing of it
// is lost.
func (t *terminal) index(ctx context.Context, i *interrupt, a *archive.Archive) (context.Context, *find.Index, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-i.stop:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	index := find.New(a)
	var watch progress.Watch
	end := func() {}
	index.Watch = func(e progress.Event) {
		if l, listed := e.(progress.Listed); listed && l.Messages > fewForAWatch && watch == nil {
			t.sayf("%d messages are new to the index of words; they are read once", l.Messages)
			watch, end = t.watch(nil, nil)
		}
		watch.Tell(e)
	}
	return ctx, index, func() {
		end()
		index.Close()
		cancel(nil)
	}
}

// freshenFor is how long a backup may take to bring an index up to date; what is left, the next search reads.
const freshenFor = 10 * time.Second

// freshen brings the index of words up to date with what a run has archived, where there is one: where nobody has searched yet,
// it is not made. It comes after the work, and none of its troubles is the run's.
func (t *terminal) freshen(ctx context.Context, i *interrupt, a *archive.Archive) {
	if !find.Kept(a) || i.asked() || ctx.Err() != nil {
		return
	}
	ctx, index, end := t.index(ctx, i, a)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, freshenFor)
	defer cancel()
	if err := index.Update(ctx); err != nil && ctx.Err() == nil {
		t.sayf("the index of words is not up to date: %s", mail.Printable(err.Error()))
	}
}
