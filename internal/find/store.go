package find

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mailhaul/mailhaul/internal/archive"
)

const (
	fileName  = "find.db"
	storeID   = 0x4d484649 // "MHFI", PRAGMA application_id
	storeForm = 1          // PRAGMA user_version; an index of any other form is made again. It rises when words are made otherwise, too.
)

// A doc is one message, whoever has it. Its words stand in words under the same number. A place is where an entry stands;
// one that is not whole could not be read, and has a doc of its own with what the ledger knows.
var schema = fmt.Sprintf(`
pragma application_id = %d;
pragma user_version = %d;
create table doc (
	id integer primary key,
	digest blob unique, -- null: it could not be read
	attachments integer not null
);
create table place (
	id integer primary key, -- the entry's
	doc integer not null references doc,
	octets integer not null,
	whole integer not null
);
create index place_doc on place (doc);
create index place_partly on place (id) where not whole;
create virtual table words using fts5 (sender, recipient, copied, subject, files, text,
	content = '', columnsize = 0, tokenize = 'ascii');
`, storeID, storeForm)

// A store is the file of the index.
type store struct {
	db       *sql.DB
	conn     *sql.Conn
	path     string
	prepared map[string]*sql.Stmt
	begin    sync.Mutex // nothing is read while a transaction begins: SQLite gives up rather than wait for others then
	temp     string     // the directory that the file lies in where it could not be kept in the archive; "": it is kept
}

// openStore opens the file of the archive's index, as it is; one that is no sound index is made again. Where the archive
// cannot be written to, it is a copy.
func openStore(ctx context.Context, a *archive.Archive) (*store, error) {
	path, err := a.Derived(fileName, true)
	if err == nil {
		var s *store
		if s, err = tryStore(ctx, path); isDamage(err) {
			s, err = remakeStore(ctx, path)
		}
		if err == nil {
			return s, nil
		}
	}
	var disk *archive.DiskError
	if ctx.Err() != nil || errors.As(err, &disk) && disk.Full || !isReadOnly(err) {
		return nil, trouble(err)
	}
	return copyStore(ctx, path)
}

// copyStore opens a copy of the index, or a new one, in a directory for temporary files.
func copyStore(ctx context.Context, path string) (*store, error) {
	dir, err := os.MkdirTemp("", "mailhaul-find-")
	if err != nil {
		return nil, trouble(err)
	}
	to := filepath.Join(dir, fileName)
	if path != "" {
		err = copyFile(path, to)
	}
	s, openErr := tryStore(ctx, to)
	if err != nil || isDamage(openErr) {
		s, openErr = remakeStore(ctx, to)
	}
	if openErr != nil {
		os.RemoveAll(dir)
		return nil, trouble(openErr)
	}
	s.temp = dir
	return s, nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// remakeStore makes a new index in the place of one that is damaged, or of another form.
func remakeStore(ctx context.Context, path string) (*store, error) {
	for _, suffix := range []string{"-journal", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	// The file stays: another process may have it open, and must not go on in one that nobody sees.
	if err := os.Truncate(path, 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return tryStore(ctx, path)
}

// errOtherForm says that the file is no index that this code can work with.
var errOtherForm = errors.New("it is no index, or of another form")

func tryStore(ctx context.Context, path string) (*store, error) {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path // C:/
	}
	u.RawQuery = url.Values{
		"mode":    {"rwc"},
		"_pragma": {"busy_timeout(60000)", "synchronous(NORMAL)", "temp_store(MEMORY)", "journal_mode(DELETE)", "cache_size(-8000)"},
	}.Encode()
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	s := &store{db: db, path: path, prepared: map[string]*sql.Stmt{}}
	if s.conn, err = db.Conn(ctx); err != nil {
		db.Close()
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// check makes sure that it is an index, or makes it one if it is empty, and that it can be written to.
func (s *store) check(ctx context.Context) error {
	return s.transact(ctx, func() error {
		var id, form, objects int64
		for query, v := range map[string]*int64{"pragma application_id": &id, "pragma user_version": &form, "select count(*) from sqlite_schema": &objects} {
			if err := s.value(ctx, query, v); err != nil {
				return err
			}
		}
		switch {
		case objects == 0:
			_, err := s.conn.ExecContext(ctx, schema)
			return err
		case id != storeID || form != storeForm:
			return errOtherForm
		}
		return nil
	})
}

func (s *store) close() error {
	for _, st := range s.prepared {
		st.Close()
	}
	err := errors.Join(s.conn.Close(), s.db.Close())
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	return err
}

func (s *store) value(ctx context.Context, query string, dst any, args ...any) error {
	s.begin.Lock()
	defer s.begin.Unlock()
	return s.conn.QueryRowContext(ctx, query, args...).Scan(dst)
}

// transact does fn in one transaction, as the only one that writes.
func (s *store) transact(ctx context.Context, fn func() error) error {
	s.begin.Lock()
	_, err := s.conn.ExecContext(ctx, "begin immediate")
	s.begin.Unlock()
	if err != nil {
		return err
	}
	err = fn()
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "commit")
	}
	if err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "rollback") // SQLite may have done it by itself
	}
	return err
}

func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isDamage(err error) bool {
	c := code(err)
	return errors.Is(err, errOtherForm) || c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}

func isReadOnly(err error) bool {
	c := code(err)
	return errors.Is(err, os.ErrPermission) || archive.IsReadOnly(err) || c == sqlite3.SQLITE_READONLY || c == sqlite3.SQLITE_CANTOPEN || c == sqlite3.SQLITE_PERM
}

// trouble is what is wrong with the disk under the index.
func trouble(err error) error { return archive.Trouble("index", "mailhaul/"+fileName, err) }
