package archive

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// link archives a letter as a link to an entry.
func link(a *Archive, l letter, of Entry) (Entry, error) {
	b := a.NewBatch()
	if _, err := b.Link(l.item, l.mb, of); err != nil {
		b.Abort()
		return Entry{}, err
	}
	entries, err := b.Commit()
	if err != nil {
		return Entry{}, err
	}
	return entries[0], nil
}

// labelled is letterOne under a label.
func labelled() letter {
	l := newLetter(work, 5, letterOne.body)
	l.item.Identity = "X-GM-MSGID 42"
	l.item = flagged(l, `\Flagged`)
	return l
}

func TestLink(t *testing.T) {
	for _, tc := range []struct {
		name string
		time time.Time // as the source says of the second; zero: nothing
		fail error     // of linking
		one  bool      // file
	}{
		{"at the same time", then, nil, true},
		{"in another zone", then.UTC(), nil, true},
		{"without a time", time.Time{}, nil, true},
		{"at another time", then.Add(time.Hour), nil, false},
		{"on another disk", then, syscall.EXDEV, false},
		{"with too many links", then, syscall.EMLINK, false},
		{"where it is not allowed", then, syscall.EPERM, false},
		{"where there are none", then, errors.ErrUnsupported, false},
	} {
		dir, _ := oneDone(t)
		a, err := Open(dir, Options{Steps: func(s Step) error {
			if s.Op == "link" && !s.After {
				return tc.fail
			}
			return nil
		}})
		mustDo(t, err)
		l := labelled()
		l.item.Received = tc.time
		of := allEntries(t, a)[0]
		e, err := link(a, l, of)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		a = reopened(t, a)
		checkHolds(t, a, letterOne, l)
		got := allEntries(t, a)[1]
		if tc.time.IsZero() {
			l.item.Received = then
		}
		if !got.Linked || got.Identity != l.item.Identity || !got.Received.Equal(l.item.Received) || join(got.Flags) != `\Flagged` ||
			got.Path != e.Path || got.Digest != of.Digest || got.Match != of.Match || got.Header.Keys()[0] != of.Header.Keys()[0] {
			t.Errorf("%s: %+v", tc.name, got)
		}
		first, _ := os.Stat(filepath.Join(dir, of.Path))
		second, err := os.Stat(filepath.Join(dir, got.Path))
		if err != nil || os.SameFile(first, second) != tc.one || !second.ModTime().Equal(got.Received) {
			t.Errorf("%s: one file: %v, want %v; its time %v, %v", tc.name, !tc.one, tc.one, second.ModTime(), err)
		}
		found, err := a.Identical(l.item.Identity)
		if err != nil || len(found) != 1 || found[0].ID != got.ID {
			t.Errorf("%s: Identical = %+v, %v", tc.name, found, err)
		}
		shut(t, a)
	}
}

// TestLinkAfterALostLedger checks that a link is a message like every other then.
func TestLinkAfterALostLedger(t *testing.T) {
	dir, _ := oneDone(t)
	a := open(t, dir)
	_, err := link(a, labelled(), allEntries(t, a)[0])
	mustDo(t, err)
	shut(t, a)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a = open(t, dir)
	defer shut(t, a)
	checkHolds(t, a, letterOne, labelled())
}

func TestLinkToWhatIsNotThere(t *testing.T) {
	for what, wreck := range map[string]func(string) error{
		"missing": os.Remove,
		"short":   func(file string) error { return os.Truncate(file, 3) },
	} {
		dir, file := oneDone(t)
		a := open(t, dir)
		of := allEntries(t, a)[0]
		mustDo(t, wreck(file))
		var bad *DamagedError
		if _, err := link(a, labelled(), of); !errors.As(err, &bad) {
			t.Errorf("%s: %v", what, err)
		}
		if a.Has(letterOne.item.Ref) || a.Has(labelled().item.Ref) {
			t.Errorf("%s: is taken for archived", what)
		}
		mustTake(t, a, labelled()) // it can be fetched
		if found := allEntries(t, a)[1]; found.Linked {
			t.Error("what was fetched counts as linked")
		}
		shut(t, a)
	}
}

func TestLinkIsKnown(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, letterOne, labelled())
	if _, err := link(a, labelled(), allEntries(t, a)[0]); err != ErrKnown {
		t.Errorf("%v, want ErrKnown", err)
	}
	b := a.NewBatch()
	third := newLetter(work, 6, letterOne.body)
	_, err := b.Link(third.item, third.mb, allEntries(t, a)[0])
	mustDo(t, err)
	b.Abort()
	if f := files(t, a.root.Name()); len(f) != 2 || a.Has(third.item.Ref) {
		t.Errorf("%q stayed after Abort", f)
	}
	mustTake(t, a, third)
}

func TestLinkToAMarkedFile(t *testing.T) {
	dir, file := oneDone(t)
	a := open(t, dir)
	defer shut(t, a)
	of := allEntries(t, a)[0]
	mustDo(t, os.Rename(file, strings.TrimSuffix(file, "Sa")+"FSa"))
	if _, err := link(a, labelled(), of); err != nil {
		t.Fatal(err)
	}
	if f := files(t, dir); len(f) != 2 {
		t.Errorf("%q", f)
	}
}

func TestSimilar(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	later := letterOne
	later.item.Ref.UID, later.item.Received = "2", then.Add(time.Second)
	mustTake(t, a, letterOne, later, labelled(), newLetter(inbox, 3, "A: another\r\n\r\n"))
	octets := int64(len(letterOne.body))
	for _, tc := range []struct {
		octets   int64
		received time.Time
		want     []int64
	}{
		{octets, then, []int64{1, 3}},
		{octets, then.UTC().Add(999 * time.Millisecond), []int64{1, 3}},
		{octets, time.Time{}, []int64{1, 2, 3}},
		{octets + 1, then, nil},
	} {
		entries, err := a.Similar(tc.octets, tc.received)
		var got []int64
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if mustDo(t, err); len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
			t.Errorf("Similar(%d, %v) = %v, want %v", tc.octets, tc.received, got, tc.want)
		}
	}
	mustDo(t, a.root.Remove(allEntries(t, a)[0].Path))
	_, _ = a.OpenMessage(allEntries(t, a)[0])
	if entries, _ := a.Similar(octets, then); len(entries) != 1 {
		t.Errorf("%d entries, one of them without a file", len(entries))
	}
	if found, err := a.Identical(""); len(found) > 0 || err != nil {
		t.Errorf("what has no identity was found by it, %v", err)
	}
}

func TestHeadDigest(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	for i, body := range append(oddBodies, "A: b\r\n\r\nbody\r\n", "A: b\r\nC: d", "A: b\r\n"+strings.Repeat("X: "+strings.Repeat("y", 900)+"\r\n", 100)+"\r\nz",
		"A: b\r\r\n\r\r\nodd\r\n", "A: \x00\r\n\r\nnul\r\n") {
		l := newLetter(inbox, i, body)
		mustTake(t, a, l)
		entries := allEntries(t, a)
		got, err := a.HeadDigest(entries[len(entries)-1])
		sum, _ := mail.SumOf(strings.NewReader(body))
		if err != nil || got != sum.HeadDigest {
			t.Errorf("HeadDigest of %.40q is not that of its header, %v", body, err)
		}
	}
}

// TestHeadDigestReadsTheHeadOnly checks it on a file whose body cannot be right.
func TestHeadDigestReadsTheHeadOnly(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	l := newLetter(inbox, 1, "A: b\r\n\r\n"+strings.Repeat("x", 4*headChunk)+"\r\n")
	mustTake(t, a, l)
	e := allEntries(t, a)[0]
	f, err := os.OpenFile(filepath.Join(a.root.Name(), e.Path), os.O_WRONLY, 0)
	mustDo(t, err)
	_, err = f.WriteAt([]byte("y"), 2*headChunk)
	mustDo(t, errors.Join(err, f.Close()))
	sum, _ := mail.SumOf(strings.NewReader(l.body))
	if got, err := a.HeadDigest(e); err != nil || got != sum.HeadDigest || !a.Has(l.item.Ref) {
		t.Errorf("%v", err)
	}
	mustDo(t, a.root.Remove(e.Path))
	var gone *DamagedError
	if _, err := a.HeadDigest(e); !errors.As(err, &gone) || a.Has(l.item.Ref) {
		t.Errorf("a header without a file: %v", err)
	}
}

// TestUnread guards that it is known, or known not to be known, for which of several names of a file its octets were downloaded.
func TestUnread(t *testing.T) {
	a := open(t, ramDir(t))
	defer func() { shut(t, a) }()
	apart := newLetter(work, 6, letterOne.body) // the same octets, downloaded once more
	mustTake(t, a, letterOne, apart)
	one, err := a.Entry(1)
	mustDo(t, err)
	_, err = link(a, labelled(), one)
	mustDo(t, err)
	unread := func() (ids []int64) {
		for _, e := range allEntries(t, a) {
			is, err := a.Unread(e)
			mustDo(t, err)
			if is {
				ids = append(ids, e.ID)
			}
		}
		return ids
	}
	checkIs(t, "unread", unread(), []int64{3})
	dir := a.root.Name()
	shut(t, a)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a = open(t, dir)
	if ids := unread(); len(ids) != 2 {
		t.Errorf("unread after the ledger was lost: %v, want both names of the one file", ids)
	}
}
