package archive

import "context"

// An addition is tables that a ledger gets when something is first written into them: ledgers are older than they.
type addition struct {
	table  string // the last of them: where it is, all are
	schema string // makes those that are not there
}

// has reports whether the ledger has the tables; the caller holds mu. It is asked for once: no table ever goes, but with the
// transaction that made it, and of one that is not there it is known when it comes, unless somebody else writes.
func (l *ledger) has(x *addition) (bool, error) {
	if there, known := l.additions[x]; known {
		return there, nil
	}
	there := false
	err := l.rows("select 1 from sqlite_master where type = 'table' and name = ?", func(func(...any) error) error {
		there = true
		return nil
	}, x.table)
	if err == nil && (there || !l.readOnly) {
		l.additions[x] = there
	}
	return there, err
}

// hasNow is has for a caller that does not hold mu.
func (l *ledger) hasNow(x *addition) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	there, err := l.has(x)
	return there, diskError("read", ledgerFile, err)
}

// add makes the tables, unless they are there; the caller is inside write.
func (l *ledger) add(x *addition) error {
	there, err := l.has(x)
	if err != nil || there {
		return err
	}
	_, err = l.conn.ExecContext(context.Background(), x.schema)
	l.additions[x] = err == nil
	return err
}

// eachOf is each for a query of the tables; without them there are no rows.
func (l *ledger) eachOf(x *addition, query string, fn func(scan func(...any) error) error, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	there, err := l.has(x)
	if err == nil && there {
		err = l.rows(query, fn, args...)
	}
	return diskError("read", ledgerFile, err)
}
