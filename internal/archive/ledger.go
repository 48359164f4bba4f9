package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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
	act      func(op, path string, do func() error) error // as Archive.act
	wal      bool                                         // WAL can be used where it lies
	awake    bool
	fresh    bool // it was made just now
	clean    bool // it was closed in order the last time
}

// openLedger opens the database at path, which exists; an empty file becomes a ledger.
func openLedger(path string, readOnly bool, act func(op, path string, do func() error) error) (*ledger, error) {
	mode := "rw"
	if readOnly {
		mode = "ro"
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path // C:/
	}
	u.RawQuery = url.Values{
		"mode":    {mode},
		"_pragma": {"busy_timeout(10000)", "synchronous(FULL)", "temp_store(MEMORY)", "foreign_keys(ON)"},
	}.Encode()
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	l := &ledger{db: db, prepared: map[string]*sql.Stmt{}, act: act}
	if l.conn, err = db.Conn(context.Background()); err != nil {
		db.Close()
		return nil, err
	}
	if err := l.check(readOnly); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// check makes sure that the database is a ledger this code can work with, and a sound one.
func (l *ledger) check(readOnly bool) error {
	if err := l.checkSQLite(); err != nil {
		return err
	}
	var id, form, pages int64
	for pragma, v := range map[string]*int64{"application_id": &id, "user_version": &form, "page_count": &pages} {
		if err := l.value("pragma "+pragma, v); err != nil {
			return err
		}
	}
	switch {
	case pages == 0 && !readOnly:
		return l.create()
	case id != ledgerID:
		return errNotSound
	case form > ledgerForm:
		return ErrNewer
	}
	return l.checkSound(readOnly)
}

// checkSQLite refuses the versions whose WAL could lose a commit (fixed in 3.51.3).
func (l *ledger) checkSQLite() error {
	var version string
	if err := l.value("select sqlite_version()", &version); err != nil {
		return err
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return err
	}
	if major*1_000_000+minor*1_000+patch < 3_051_003 {
		return fmt.Errorf("SQLite %s can lose what it has committed; 3.51.3 is needed", version)
	}
	return nil
}

// checkSound looks through the whole database, if the last run did not end in order.
func (l *ledger) checkSound(readOnly bool) error {
	if err := l.value("select value from meta where name = 'clean'", &l.clean); err != nil {
		return err
	}
	if l.clean || readOnly {
		return nil
	}
	var verdict string
	if err := l.value("pragma quick_check(1)", &verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", errNotSound, verdict)
	}
	return nil
}

func (l *ledger) create() error {
	l.fresh = true
	return l.act("create", ledgerFile, func() error {
		return l.transact(func() error {
			_, err := l.conn.ExecContext(context.Background(), schema)
			return err
		})
	})
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

func (l *ledger) rows(query string, fn func(scan func(...any) error) error, args ...any) error {
	st, err := l.stmt(query)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return err
	}
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

// setAside gives a damaged file, with what goes by its name, another name.
func (a *Archive) setAside(path string, suffixes ...string) (string, error) {
	aside := ""
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, n)
		if _, err := a.root.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	for _, suffix := range append(suffixes, "") {
		if _, err := a.root.Lstat(path + suffix); err != nil {
			continue
		}
		if err := a.act("rename", aside+suffix, func() error { return a.root.Rename(path+suffix, aside+suffix) }); err != nil {
			return "", err
		}
	}
	return aside, a.syncDir(ownDir)
}
