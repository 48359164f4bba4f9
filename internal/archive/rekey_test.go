package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

var jobs = mail.Mailbox{Name: "Jobs", Delim: '/'}

// moveTo returns the move of an entry to a mailbox, UIDVALIDITY and UID.
func moveTo(id int64, mb mail.Mailbox, validity uint32, uid int) Move {
	return Move{Entry: id, Mailbox: mb, Ref: mail.Ref{Mailbox: mb.Name, Validity: validity, UID: strconv.Itoa(uid)}}
}

// twins returns letters that differ in nothing a file name says but the key.
func twins(mb mail.Mailbox, n int) (all []letter) {
	for uid := 1; uid <= n; uid++ {
		all = append(all, newLetter(mb, uid, fmt.Sprintf("A: %06d\r\n\r\n", uid)))
	}
	return all
}

func TestRekey(t *testing.T) {
	for _, tc := range []struct {
		name  string
		moves []Move
		want  map[int64]string // the Refs by entry; no other changes
		err   error
	}{
		{"renamed folder", []Move{moveTo(4, jobs, 7, 1), moveTo(5, jobs, 7, 2)}, map[int64]string{4: "Jobs/7/1", 5: "Jobs/7/2"}, nil},
		{"new epoch", []Move{moveTo(1, inbox, 8, 1), moveTo(2, inbox, 8, 2)}, map[int64]string{1: "INBOX/8/1", 2: "INBOX/8/2"}, nil},
		{"exchanged", []Move{moveTo(1, inbox, 7, 2), moveTo(2, inbox, 7, 1)}, map[int64]string{1: "INBOX/7/2", 2: "INBOX/7/1"}, nil},
		{"shifted", []Move{moveTo(1, inbox, 7, 2), moveTo(2, inbox, 7, 3), moveTo(3, inbox, 7, 4)},
			map[int64]string{1: "INBOX/7/2", 2: "INBOX/7/3", 3: "INBOX/7/4"}, nil},
		{"around, through folders", []Move{moveTo(1, work, 7, 1), moveTo(4, work, 7, 2), moveTo(5, inbox, 7, 1)},
			map[int64]string{1: "Work/2019/7/1", 4: "Work/2019/7/2", 5: "INBOX/7/1"}, nil},
		{"to where it is", []Move{moveTo(1, inbox, 7, 1)}, nil, nil},
		{"onto another", []Move{moveTo(3, jobs, 1, 1), moveTo(1, inbox, 7, 2)}, nil, ErrKnown},
		{"two onto one", []Move{moveTo(1, jobs, 7, 9), moveTo(2, jobs, 7, 9)}, nil, ErrKnown},
		{"nothing", nil, nil, nil},
	} {
		a := open(t, ramDir(t))
		letters := append(twins(inbox, 3), twins(work, 2)...)
		mustTake(t, a, letters...)
		mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Done, UID: 1}, {Entry: 4, State: Refused, Reason: "no"}}))
		want := refsOf(t, a)
		for id, ref := range tc.want {
			want[id] = ref
		}
		if err := a.Rekey(tc.moves); !errors.Is(err, tc.err) || tc.err == nil && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		for range 2 {
			if got := refsOf(t, a); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", tc.name, got, want)
			}
			checkBodies(t, a, letters)
			if counts, _ := a.Counts(there); counts[Done] != 1 || counts[Refused] != 1 || counts[Pending] != 3 {
				t.Errorf("%s: Counts = %v", tc.name, counts)
			}
			a = reopened(t, a)
			checkNothingLeft(t, a)
		}
		shut(t, a)
		checkRebuilt(t, a.root.Name(), want)
	}
}

// refsOf returns the Refs of all entries, and checks that Has knows them, and that each file lies where it should.
func refsOf(t *testing.T, a *Archive) map[int64]string {
	t.Helper()
	all := map[int64]string{}
	for _, e := range allEntries(t, a) {
		all[e.ID] = e.Ref.String()
		if e.Ref.UID != "" && !a.Has(e.Ref) { // what was adopted has none
			t.Errorf("Has(%s) = false", e.Ref)
		}
		if dir := a.folders.named(e.Mailbox).path("cur"); filepath.ToSlash(filepath.Dir(e.Path)) != dir {
			t.Errorf("%s lies in %s", e.Ref, e.Path)
		}
	}
	return all
}

// checkBodies checks that the n-th entry is still the n-th letter.
func checkBodies(t *testing.T, a *Archive, letters []letter) {
	t.Helper()
	for i, e := range allEntries(t, a) {
		if got := readMessage(t, a, e); got != canonical(letters[i].body) {
			t.Errorf("entry %d is %q now, and was %q", e.ID, got, letters[i].body)
		}
	}
	if f := files(t, a.root.Name()); len(f) != len(letters) {
		t.Errorf("%d files for %d messages: %q", len(f), len(letters), f)
	}
}

// checkRebuilt checks that the files alone say the same.
func checkRebuilt(t *testing.T, dir string, want map[int64]string) {
	t.Helper()
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a := open(t, dir)
	defer shut(t, a)
	for _, text := range want {
		part := strings.Split(text, "/")
		n := len(part)
		validity, _ := strconv.Atoi(part[n-2])
		if ref := (mail.Ref{Mailbox: strings.Join(part[:n-2], "/"), Validity: uint32(validity), UID: part[n-1]}); !a.Has(ref) {
			t.Errorf("Has(%s) = false without the ledger", ref)
		}
	}
}

// TestRekeyOntoDamage checks that a message may take the Ref of one that is damaged, whose file stays.
func TestRekeyOntoDamage(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	letters := []letter{newLetter(inbox, 1, "A: one\r\n\r\n"), newLetter(inbox, 2, "A: two, and longer\r\n\r\n")}
	mustTake(t, a, letters...)
	bad := filepath.Join(dir, allEntries(t, a)[0].Path)
	mustDo(t, os.WriteFile(bad, []byte("A: ONE\n\n"), 0o600))
	r, err := a.OpenMessage(allEntries(t, a)[0])
	mustDo(t, err)
	if _, err := io.ReadAll(r); err == nil || r.Close() != nil {
		t.Fatal("the damage was not found")
	}
	mustDo(t, a.Rekey([]Move{moveTo(2, inbox, epoch, 1)}))
	check := func(nth int) {
		t.Helper()
		a = reopened(t, a)
		if e := allEntries(t, a); len(e) <= nth || readMessage(t, a, e[nth]) != letters[1].body || !a.Has(letters[0].item.Ref) || a.Has(letters[1].item.Ref) {
			t.Errorf("%+v", e)
		}
	}
	check(1)
	if n, _ := parseName(filepath.Base(allEntries(t, a)[1].Path)); n.nth != 1 {
		t.Errorf("of two files with the key, the new one is number %d", n.nth)
	}
	if _, err := os.Stat(bad); err != nil {
		t.Error("the damaged file was removed or overwritten")
	}
	shut(t, a)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile))) // that it is damaged is forgotten, but not which is the newer one
	a = open(t, dir)
	check(0)
	shut(t, a)
}

// TestRekeyWithoutFile checks that a missing file does not keep the others.
func TestRekeyWithoutFile(t *testing.T) {
	a := open(t, ramDir(t))
	letters := twins(inbox, 3)
	mustTake(t, a, letters...)
	mustDo(t, a.root.Remove(allEntries(t, a)[1].Path))
	mustDo(t, a.Rekey([]Move{moveTo(1, inbox, epoch, 2), moveTo(2, inbox, epoch, 3), moveTo(3, inbox, epoch, 4)}))
	defer func() { shut(t, a) }()
	for range 2 {
		has := []bool{}
		for uid := 1; uid <= 4; uid++ {
			has = append(has, a.Has(moveTo(0, inbox, epoch, uid).Ref))
		}
		if !slices.Equal(has, []bool{false, true, false, true}) {
			t.Errorf("known: %v", has)
		}
		a = reopened(t, a)
	}
	l := letters[1]
	l.item.Ref.UID = "3"
	mustTake(t, a, l)
}

// TestRekeyWhereOthersWork checks that a file somebody has put elsewhere stays there, and one that has got other flags
// is found.
func TestRekeyWhereOthersWork(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	letters := append(twins(inbox, 1), twins(work, 1)...)
	mustTake(t, a, letters...)
	shut(t, a)
	moved := filepath.Base(files(t, dir)[1])
	mustDo(t, os.Rename(filepath.Join(dir, "cur", moved), filepath.Join(dir, ".Work.2019", "cur", moved)))
	a = open(t, dir)
	defer func() { shut(t, a) }()
	marked := allEntries(t, a)[1].Path
	mustDo(t, a.root.Rename(marked, strings.TrimSuffix(marked, "Sa")+"FXa"))
	mustDo(t, a.Rekey([]Move{moveTo(1, inbox, 8, 1), moveTo(2, jobs, 8, 1)}))
	for range 2 {
		e := allEntries(t, a)
		if path := filepath.ToSlash(filepath.Dir(e[0].Path)); path != ".Work.2019/cur" || e[0].Ref.Validity != 8 {
			t.Errorf("%+v", e[0])
		}
		if !strings.HasPrefix(e[1].Path, ".Jobs/cur/") || !strings.HasSuffix(e[1].Path, ":2,FXa") || join(e[1].Flags) != `\Flagged work` {
			t.Errorf("%+v", e[1])
		}
		checkBodies(t, a, letters)
		a = reopened(t, a)
	}
}

// TestReadWhileRekeyed checks that who holds an old entry reads its message.
func TestReadWhileRekeyed(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, letterOne)
	e := allEntries(t, a)[0]
	mustDo(t, a.Rekey([]Move{moveTo(1, jobs, 9, 9)}))
	if got := readMessage(t, a, e); got != letterOne.body || !a.Has(moveTo(1, jobs, 9, 9).Ref) {
		t.Errorf("read %q", got)
	}
	mustDo(t, a.root.Remove(allEntries(t, a)[0].Path))
	var gone *DamagedError
	if _, err := a.OpenMessage(e); !errors.As(err, &gone) || a.Has(moveTo(1, jobs, 9, 9).Ref) {
		t.Errorf("OpenMessage = %v", err)
	}
}

// TestRekeyAfterAnError checks that a Rekey that failed halfway is brought to its end when there is space.
func TestRekeyAfterAnError(t *testing.T) {
	for _, op := range []string{"move", "rename", "syncdir", "rekey"} {
		broken := false
		dir := ramDir(t)
		letters := twins(inbox, 3)
		if err := pull(dir, nil, letters); err != nil {
			t.Fatal(err)
		}
		a, err := Open(dir, Options{Steps: func(s Step) error {
			if broken && s.Op == op {
				return errStopped
			}
			return nil
		}})
		mustDo(t, err)
		broken = true
		moves := []Move{moveTo(1, inbox, epoch, 2), moveTo(2, inbox, epoch, 9)}
		if err := a.Rekey(moves); !errors.Is(err, errStopped) {
			t.Errorf("%s: %v", op, err)
		}
		b := a.NewBatch()
		nine := newLetter(inbox, 9, "A: 9\r\n\r\n")
		if _, err := b.Put(nine.item, inbox, strings.NewReader(nine.body)); op != "move" && err != ErrKnown {
			t.Errorf("%s: another message takes the Ref: %v", op, err)
		}
		b.Abort()
		for _, e := range allEntries(t, a) { // whether it can be read or not, nothing is missing
			if f, err := a.OpenMessage(e); err == nil {
				f.Close()
			}
			if !a.Has(e.Ref) {
				t.Errorf("%s: %s is taken for missing", op, e.Ref)
			}
		}
		broken = false
		for i, e := range allEntries(t, a) {
			if got := readMessage(t, a, e); got != letters[i].body {
				t.Errorf("%s: read %q", op, got)
			}
		}
		mustDo(t, a.Rekey(moves))
		checkBodies(t, a, letters)
		if got := refsOf(t, a); got[1] != "INBOX/7/2" || got[2] != "INBOX/7/9" {
			t.Errorf("%s: %v", op, got)
		}
		shut(t, a)
	}
}
