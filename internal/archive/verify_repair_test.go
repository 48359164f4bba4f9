package archive

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestRepair guards that what lies in the archive still is mended from there, that the rest is asked for again, and that
// no octet is thrown away.
func TestRepair(t *testing.T) {
	a := manyLetters(t, 200)
	dir := a.root.Name()
	// The last ones have the octets of two others, one of them under another Ref of the same mailbox.
	one := newLetter(work, 901, "Subject: twice\r\n\r\nthe same\r\n")
	two := one
	two.item.Ref.UID = "902"
	mustTake(t, a, one, two)
	entries := allEntries(t, a)
	twin := entries[len(entries)-1]
	mustDo(t, flipBit(filepath.Join(dir, filepath.FromSlash(twin.Path))))
	again := map[int64]bool{}
	for i, w := range wrecks {
		e := entries[10*i]
		mustDo(t, w.do(dir, filepath.Join(dir, filepath.FromSlash(e.Path))))
		if w.kind == FoundDamaged || w.kind == FoundMissing {
			again[e.ID] = true
		}
	}
	view, err := View(dir)
	mustDo(t, err)
	found := verified(t, view).Findings
	shut(t, view)

	a = reopened(t, a)
	mended, left, err := a.Repair(context.Background(), found)
	mustDo(t, err)
	if len(mended)+len(left) != len(found) {
		t.Errorf("%d findings became %d and %d", len(found), len(mended), len(left))
	}
	for _, f := range left {
		if f.Entry != 0 && !again[f.Entry] {
			t.Errorf("left as it is: %+v", f)
		}
	}
	for id := range again {
		e, err := a.Entry(id)
		mustDo(t, err)
		if a.Has(e.Ref) {
			t.Errorf("the source is not asked again for entry %d", id)
		}
	}
	aside, err := os.ReadDir(filepath.Join(dir, "mailhaul", "damaged"))
	mustDo(t, err)
	if len(aside) != 5 { // cut, emptied, one bit, longer, and the twin
		t.Errorf("%d damaged files are kept, want 5", len(aside))
	}
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	v := verified(t, a)
	t.Logf("%d findings, %d mended; then %d of %d sound", len(found), len(mended), v.Sound, v.Messages)
	if v.Sound != v.Messages-len(again) {
		t.Errorf("%d of %d are sound, want all but %d: %+v", v.Sound, v.Messages, len(again), v.Findings)
	}
}
