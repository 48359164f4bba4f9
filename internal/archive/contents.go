package archive

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Content is which octets an entry holds.
type Content struct {
	Entry  int64
	Octets int64
	Digest mail.Digest
}

// Contents returns up to limit of the entries with IDs greater than after, in the order of their IDs.
func (a *Archive) Contents(after int64, limit int) ([]Content, error) {
	var all []Content
	err := a.ledger.each("select id, octets, digest from entry where id > ? order by id limit ?", func(scan func(...any) error) error {
		var c Content
		var digest sql.RawBytes
		err := scan(&c.Entry, &c.Octets, &digest)
		copy(c.Digest[:], digest)
		all = append(all, c)
		return err
	}, after, limit)
	return all, err
}

// A Tally tells whether entries are still the same: their number, the greatest ID, and a sum of IDs and sizes.
type Tally struct{ Entries, Last, Sum int64 }

// TallySum is how the sum of a Tally is made, in SQL, of the columns id and octets.
const TallySum = "coalesce(sum(id % 1000003 * (octets % 1000003) % 1000003), 0)"

// Tally counts the entries with IDs up to last.
func (a *Archive) Tally(last int64) (t Tally, err error) {
	// With +id, SQLite goes through the index with the sizes rather than through all of the rows.
	err = a.ledger.each("select count(*), coalesce(max(id), 0), "+TallySum+" from entry where +id <= ?",
		func(scan func(...any) error) error { return scan(&t.Entries, &t.Last, &t.Sum) }, last)
	return t, err
}

// Derived returns the path of a file in mailhaul/ that is made from the archive and can be made again, by a name that
// nothing else there has. If it is not there, it is made, empty, or if make does not say so, the error is fs.ErrNotExist. What
// is no file there is refused.
func (a *Archive) Derived(name string, make bool) (string, error) {
	within := ownDir + "/" + name
	if err := refuseLink(a.root, within+"-journal", 0); err != nil { // SQLite's
		return "", err
	}
	info, err := a.root.Lstat(within)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("is a link or of another kind than it must be; it is not followed")
	case errors.Is(err, fs.ErrNotExist) && make:
		var f *os.File
		if f, err = a.root.OpenFile(within, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return "", diskError("open", within, err)
	}
	return filepath.Join(a.root.Name(), filepath.FromSlash(within)), nil
}
