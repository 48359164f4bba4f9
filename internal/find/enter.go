package find

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A reading is what is to be entered of one entry.
type reading struct {
	archive.Content
	known bool // its octets are in the index
	doc   document
	whole bool // else it could not be read, and doc is what the ledger knows
}

// enter reads the messages of the entries behind after and enters them. While a page is entered, the next is read.
func (x *Index) enter(ctx context.Context, after int64) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan []reading, 1)
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(pages)
		readErr = x.readPages(ctx, after, pages)
	})
	defer reader.Wait()
	defer cancel()
	for page := range pages {
		if err := x.enterPage(ctx, page); err != nil {
			return err
		}
		for _, r := range page {
			x.Watch.Tell(progress.Moved{Half: progress.Archive, Octets: r.Octets})
		}
	}
	return readErr
}

// readPages reads page after page until there are no more entries.
func (x *Index) readPages(ctx context.Context, after int64, pages chan<- []reading) error {
	for {
		page, err := x.nextPage(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].Entry
		if err := x.readPage(ctx, page); err != nil {
			return err
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (x *Index) nextPage(ctx context.Context, after int64) ([]reading, error) {
	contents, err := x.archive.Contents(after, pageMessages)
	if err != nil {
		return nil, err
	}
	var page []reading
	var octets int64
	for _, c := range contents {
		known := false
		if err := x.store.value(ctx, "select exists (select 1 from doc where digest = ?)", &known, c.Digest[:]); err != nil {
			return nil, err
		}
		if !known {
			octets += c.Octets
		}
		if octets > pageOctets && len(page) > 0 {
			break
		}
		page = append(page, reading{Content: c, known: known})
	}
	return page, nil
}

// readPage reads the messages of a page, as many at a time as there are processors. One that is not there, or damaged, does not
// stop it.
func (x *Index) readPage(ctx context.Context, page []reading) error {
	var ids []int64
	var to []*reading
	for i := range page {
		if !page[i].known {
			ids, to = append(ids, page[i].Entry), append(to, &page[i])
		}
	}
	entries, err := x.archive.Entries(ids)
	if err != nil {
		return err
	}
	next := make(chan int)
	errs := make(chan error, runtime.GOMAXPROCS(0))
	var readers sync.WaitGroup
	for range cap(errs) {
		readers.Go(func() {
			for i := range next {
				if err := x.readOne(entries[i], to[i]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	err = hand(ctx, next, len(entries), errs)
	close(next)
	readers.Wait()
	if err == nil && len(errs) > 0 {
		err = <-errs
	}
	return err
}

// hand gives out the numbers below n.
func hand(ctx context.Context, next chan<- int, n int, errs <-chan error) error {
	for i := range n {
		select {
		case next <- i:
		case err := <-errs:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// readOne reads one message.
func (x *Index) readOne(e archive.Entry, r *reading) error {
	m, err := x.archive.OpenMessage(e)
	if err == nil {
		r.doc, err = read(m)
		m.Close()
	}
	r.whole = err == nil
	var damaged *archive.DamagedError
	if errors.As(err, &damaged) {
		r.doc, err = fromHeader(e.Header), nil
	}
	return err
}

// enterPage enters a page in one transaction. What another process has entered meanwhile is left.
func (x *Index) enterPage(ctx context.Context, page []reading) error {
	s := x.store
	return s.transact(ctx, func() error {
		for _, r := range page {
			if err := s.enter(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) enter(ctx context.Context, r reading) error {
	doc, err := s.docOf(ctx, r.Digest)
	if err != nil {
		return err
	}
	switch {
	case doc != 0:
		r.whole = true
	case r.known:
		return errMeanwhile
	default:
		if doc, err = s.enterDoc(ctx, r); err != nil {
			return err
		}
	}
	_, err = s.exec(ctx, `insert into place (id, doc, octets, whole) values (?, ?, ?, ?)
		on conflict do update set doc = excluded.doc, octets = excluded.octets, whole = excluded.whole`,
		r.Entry, doc, r.Octets, r.whole)
	return err
}

// docOf returns the number of the doc with these octets, 0 if there is none.
func (s *store) docOf(ctx context.Context, d mail.Digest) (doc int64, err error) {
	st, err := s.stmt(ctx, "select id from doc where digest = ?")
	if err != nil {
		return 0, err
	}
	err = st.QueryRowContext(ctx, d[:]).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return doc, err
}

func (s *store) enterDoc(ctx context.Context, r reading) (int64, error) {
	var digest any
	if r.whole {
		digest = r.Digest[:]
	}
	row, err := s.exec(ctx, "insert into doc (digest, attachments) values (?, ?)", digest, r.doc.attachments)
	if err != nil {
		return 0, err
	}
	doc, err := row.LastInsertId()
	if err != nil {
		return 0, err
	}
	d := &r.doc
	_, err = s.exec(ctx, "insert into words (rowid, sender, recipient, copied, subject, files, text) values (?, ?, ?, ?, ?, ?, ?)",
		doc, d.sender, d.recipient, d.copied, d.subject, d.files, d.text)
	return doc, err
}

func (s *store) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := s.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// stmt returns the query ready to run; it is prepared once.
func (s *store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.prepared[query]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.prepared[query] = st
	}
	return st, err
}
