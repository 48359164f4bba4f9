package archive

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// TestViewOfAKilledTransaction guards that an archive can be looked into whose last run was killed while SQLite was
// writing: the ledger has a journal that must be rolled back, and a reader writes nothing.
func TestViewOfAKilledTransaction(t *testing.T) {
	dir, _ := oneDone(t)
	leaveHotJournal(t, dir)
	before := snapshot(t, dir)
	v, err := View(dir)
	mustDo(t, err)
	checkOne(t, v, 1, 1, 1)
	copied := v.copied
	if copied == "" {
		t.Error("the journal was not hot")
	}
	shut(t, v)
	if after := snapshot(t, dir); after != before {
		t.Errorf("the archive was\n%s and is\n%s", before, after)
	}
	if _, err := os.Stat(copied); !os.IsNotExist(err) {
		t.Errorf("the copy of the ledger was left: %v", err)
	}
	a := open(t, dir)
	checkOne(t, a, 1, 1, 1)
	shut(t, a)
}

// leaveHotJournal makes the ledger what a kill leaves in the middle of a transaction that has begun to write.
func leaveHotJournal(t *testing.T, dir string) {
	t.Helper()
	ctx, path := context.Background(), filepath.Join(dir, ledgerFile)
	db, err := sql.Open("sqlite", path)
	mustDo(t, err)
	defer db.Close()
	conn, err := db.Conn(ctx)
	mustDo(t, err)
	defer conn.Close()
	for _, q := range []string{
		"pragma cache_size = 1", "pragma cache_spill = 1", "begin immediate",
		"create table filler (x)",
		"with recursive n(i) as (select 1 union all select i+1 from n where i < 2000) insert into filler select randomblob(500) from n",
	} {
		_, err := conn.ExecContext(ctx, q)
		mustDo(t, err)
	}
	torn := map[string][]byte{}
	for _, name := range []string{path, path + "-journal"} {
		torn[name], err = os.ReadFile(name)
		mustDo(t, err)
	}
	_, err = conn.ExecContext(ctx, "rollback")
	mustDo(t, err)
	for name, octets := range torn {
		mustDo(t, os.WriteFile(name, octets, 0o600))
	}
}
