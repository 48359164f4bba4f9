package backup

import (
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// A batch is committed when it has reached one of these, so that an fsync and a transaction are shared by many
// messages, and little is to be fetched again after a kill.
const (
	batchMessages = 256
	batchOctets   = 64 << 20
	batchTime     = 2 * time.Second
)

// A committer commits one batch while the next fills: the disk works while the wire does. One goroutine uses it.
type committer struct {
	archive   *archive.Archive
	committed func()
	filling   *archive.Batch
	since     time.Time
	under     chan result // the commit under way, nil if none
}

type result struct {
	entries []archive.Entry
	err     error
}

func (c *committer) batch() *archive.Batch {
	if c.filling == nil {
		c.filling, c.since = c.archive.NewBatch(), time.Now()
	}
	return c.filling
}

func (c *committer) full() bool {
	b := c.filling
	return b.Len() >= batchMessages || b.Octets() >= batchOctets || time.Since(c.since) >= batchTime
}

// next hands the filling batch over to be committed, and returns what the commit before has archived.
func (c *committer) next() ([]archive.Entry, error) {
	done, err := c.wait()
	if err != nil {
		return nil, err
	}
	batch, under := c.filling, make(chan result, 1)
	c.filling, c.under = nil, under
	go func() {
		entries, err := batch.Commit()
		if err == nil && c.committed != nil {
			c.committed()
		}
		under <- result{entries, err}
	}()
	return done, nil
}

// wait returns what the commit under way has archived.
func (c *committer) wait() ([]archive.Entry, error) {
	if c.under == nil {
		return nil, nil
	}
	r := <-c.under
	c.under = nil
	return r.entries, r.err
}

// finish commits everything that came whole. After an error nothing of the batches concerned counts as archived;
// what of them is on disk already, the next Open of the archive finds.
func (c *committer) finish() ([]archive.Entry, error) {
	done, err := c.wait()
	if c.filling == nil {
		return done, err
	}
	if err != nil {
		c.filling.Abort()
		return done, err
	}
	if _, err := c.next(); err != nil {
		return done, err
	}
	last, err := c.wait()
	return append(done, last...), err
}
