package archive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each entry that Commit returns has the ID of its own row, however many are inserted by one statement, and also when
// the row of one in between is an old one that goes on.
func TestIDsOfManyEntries(t *testing.T) {
	for _, n := range []int{1, insertTogether - 1, insertTogether, insertTogether + 1, 3*insertTogether + 2} {
		a := open(t, ramDir(t))
		old := newLetter(inbox, n/2, "A: b\r\n\r\n")
		mustTake(t, a, newLetter(inbox, 1000, "A: first\r\n\r\n"), old)
		e := allEntries(t, a)[1]
		mustDo(t, os.Remove(filepath.Join(a.root.Name(), e.Path)))
		a.OpenMessage(e) // finds that it is missing
		b := a.NewBatch()
		for i := range n {
			l := newLetter(inbox, i, "A: b\r\n\r\n")
			_, err := b.Put(l.item, l.mb, strings.NewReader(l.body))
			mustDo(t, err)
		}
		entries, err := b.Commit()
		mustDo(t, err)
		for _, put := range entries {
			got, err := a.Entry(put.ID)
			if err != nil || got.Ref != put.Ref || got.Path != put.Path || (got.Ref == old.item.Ref) != (got.ID == e.ID) {
				t.Errorf("of %d, UID %s has ID %d, which is UID %s's, %v", n, put.Ref.UID, put.ID, got.Ref.UID, err)
			}
		}
		shut(t, a)
	}
}
