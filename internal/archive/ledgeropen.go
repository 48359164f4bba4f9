package archive

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

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
	l := &ledger{db: db, prepared: map[string]*sql.Stmt{}, additions: map[*addition]bool{}, readOnly: readOnly, act: act}
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
