package archive

import (
	"context"
	"errors"
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

// TestRepairStoppedAnywhere stops a repair at every step: another one ends as one that was not disturbed, and no octet that was
// there is thrown away.
func TestRepairStoppedAnywhere(t *testing.T) {
	before := wreckedArchive(t)
	want := repairedFrom(t, before)
	n := 1
	for ; ; n++ {
		dir, stopped := stoppedRepair(t, before, n)
		if !stopped {
			break
		}
		if got := repairedFrom(t, dir); got != want {
			t.Errorf("stopped at step %d, and repaired again: %+v, want %+v", n, got, want)
		}
	}
	t.Logf("steps run: %d; in the end %+v", n-1, want)
}

// repaired is what an archive is like after a repair.
type repaired struct{ messages, sound, aside, octets int }

// wreckedArchive returns an archive in which every kind of damage was done, once.
func wreckedArchive(t *testing.T) (dir string) {
	t.Helper()
	a := manyLetters(t, 2*len(wrecks))
	one := newLetter(work, 901, "Subject: twice\r\n\r\nthe same\r\n")
	two := one
	two.item.Ref.UID = "902"
	mustTake(t, a, one, two)
	entries := allEntries(t, a)
	dir = a.root.Name()
	shut(t, a)
	mustDo(t, flipBit(filepath.Join(dir, filepath.FromSlash(entries[len(entries)-1].Path))))
	for i, w := range wrecks {
		mustDo(t, w.do(dir, filepath.Join(dir, filepath.FromSlash(entries[2*i].Path))))
	}
	return dir
}

// stoppedRepair repairs a copy of the archive and stops at the n-th step.
func stoppedRepair(t *testing.T, of string, n int) (dir string, stopped bool) {
	t.Helper()
	dir = filepath.Join(ramDir(t), "mail")
	mustDo(t, os.CopyFS(dir, os.DirFS(of)))
	w := &stopper{at: n}
	err := repairOnce(dir, w.step)
	if err != nil && !errors.Is(err, errStopped) {
		t.Errorf("stopped at step %d (%v): %v", n, w.last, err)
	}
	return dir, w.stopped()
}

// repairOnce is a run of verify --repair.
func repairOnce(dir string, steps func(Step) error) error {
	v, err := View(dir)
	if err != nil {
		return err
	}
	found, err := v.Verify(context.Background(), func(int64) {})
	if err := errors.Join(err, v.Close()); err != nil {
		return err
	}
	a, err := Open(dir, Options{Steps: steps})
	if err != nil {
		return err
	}
	_, _, err = a.Repair(context.Background(), found.Findings)
	return errors.Join(err, a.Close())
}

func repairedFrom(t *testing.T, dir string) (is repaired) {
	t.Helper()
	work := filepath.Join(ramDir(t), "mail")
	mustDo(t, os.CopyFS(work, os.DirFS(dir)))
	mustDo(t, repairOnce(work, nil))
	a := open(t, work)
	defer shut(t, a)
	v := verified(t, a)
	is.messages, is.sound = v.Messages, v.Sound
	aside, err := os.ReadDir(filepath.Join(work, "mailhaul", "damaged"))
	mustDo(t, err)
	is.aside = len(aside)
	for _, f := range files(t, work) {
		info, err := os.Stat(filepath.Join(work, f))
		mustDo(t, err)
		is.octets += int(info.Size())
	}
	return is
}
