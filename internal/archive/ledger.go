package archive

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

const (
	ledgerFile = ownDir + "/ledger.db"
	ledgerID   = 0x4d48414c // "MHAL", PRAGMA application_id
	ledgerForm = 1          // PRAGMA user_version; a ledger of a later form is refused
)

var (
	// ErrNewer says that a later mailhaul has written the ledger.
	ErrNewer = errors.New("the archive was written by a newer mailhaul; use that one")
	// ErrLedger says that a reader cannot look into the ledger; whatever opens the archive for writing makes it anew.
	ErrLedger = errors.New("the ledger is missing or damaged; it is made again by the next run that writes to the archive")

	errNotSound = errors.New("the ledger is not sound")
)

// A ledger is the database. It has one connection, used by one goroutine at a time.
//
// At rest it is a single file in the rollback journal's form, so that a reader needs to write nothing. The first
// write of a run wakes it: WAL from then on (but on a network), and marked as not cleanly closed until sleep.
type ledger struct {
	mu       sync.Mutex
	db       *sql.DB
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	// What is known of the tables that not every ledger has.
	additions map[*addition]bool
	act       func(op, path string, do func() error) error // as Archive.act
	readOnly  bool                                         // another process may write it
	wal       bool                                         // WAL can be used where it lies
	awake     bool
	fresh     bool // it was made just now
	clean     bool // it was closed in order the last time
}

// close closes the database as it is.
func (l *ledger) close() error {
	for _, st := range l.prepared {
		st.Close()
	}
	return errors.Join(l.conn.Close(), l.db.Close())
}

// value reads one value.
func (l *ledger) value(query string, dst any, args ...any) error {
	return l.conn.QueryRowContext(context.Background(), query, args...).Scan(dst)
}

// stmt returns the query ready to run; it is prepared once.
func (l *ledger) stmt(query string) (*sql.Stmt, error) {
	if st := l.prepared[query]; st != nil {
		return st, nil
	}
	st, err := l.conn.PrepareContext(context.Background(), query)
	if err == nil {
		l.prepared[query] = st
	}
	return st, err
}

// exec runs a statement; the caller is inside write.
func (l *ledger) exec(query string, args ...any) (sql.Result, error) {
	st, err := l.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}

// each calls fn for every row of the query, with its Scan. fn must not use the ledger.
func (l *ledger) each(query string, fn func(scan func(...any) error) error, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return diskError("read", ledgerFile, l.rows(query, fn, args...))
}

// once is each for a query that is not asked in the same words again.
func (l *ledger) once(query string, fn func(scan func(...any) error) error, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, err := l.conn.QueryContext(context.Background(), query, args...)
	if err != nil {
		return diskError("read", ledgerFile, err)
	}
	return diskError("read", ledgerFile, through(rows, fn))
}

func (l *ledger) rows(query string, fn func(scan func(...any) error) error, args ...any) error {
	st, err := l.stmt(query)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return err
	}
	return through(rows, fn)
}

// through calls fn for every row, and closes them.
func through(rows *sql.Rows, fn func(scan func(...any) error) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write does fn in one transaction, which is on disk when write returns; after an error nothing of it is there,
// and the ledger can be used as before. Op names it to the steps.
func (l *ledger) write(op string, fn func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.wake(); err != nil {
		return err
	}
	return l.act(op, ledgerFile, func() error { return l.transact(fn) })
}

func (l *ledger) transact(fn func() error) (err error) {
	ctx := context.Background()
	if _, err := l.conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	if err = fn(); err == nil {
		_, err = l.conn.ExecContext(ctx, "commit")
	}
	if err != nil {
		// Full disks make SQLite roll back by itself; then there is nothing left to, and it says so.
		_, _ = l.conn.ExecContext(ctx, "rollback")
		clear(l.additions) // some may have been made in it
	}
	return err
}

// begin notes that something is about to change on the disk, before it does.
func (l *ledger) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wake()
}

// wake notes, before the first write of a run, that the run has not ended in order yet.
func (l *ledger) wake() error {
	if l.awake {
		return nil
	}
	err := l.act("wake", ledgerFile, func() error {
		if l.wal {
			var mode string
			if err := l.value("pragma journal_mode = wal", &mode); err != nil {
				return err
			}
		}
		return l.transact(func() error {
			_, err := l.exec("update meta set value = 0 where name = 'clean'")
			return err
		})
	})
	l.awake = err == nil
	return err
}

func (l *ledger) asleep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.awake
}

// sleep notes that the run has ended in order, with fn in the same transaction.
func (l *ledger) sleep(fn func() error) error {
	err := l.write("sleep", func() error {
		if err := fn(); err != nil {
			return err
		}
		_, err := l.exec("update meta set value = 1 where name = 'clean'")
		return err
	})
	if err != nil {
		return err
	}
	l.awake = false
	// A reader may be in the way; then it stays in the other form, which is as good.
	var mode string
	_ = l.value("pragma busy_timeout = 100", &mode)
	_ = l.value("pragma journal_mode = delete", &mode)
	return nil
}
