package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestProof guards what is relied on before something is deleted: a proof is of one account, the last one counts, and
// none is left of what was brought there no longer.
func TestProof(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, fourLetters...)
	elsewhere := there
	elsewhere.Host = "other.example"
	day := time.Unix(1_700_000_000, 0)
	read := Proof{Entry: 1, Verdict: ProvedPresent, At: day, Read: day, Mailbox: "Archive", Validity: 9, UID: 100, Why: "as it is"}
	gone := Proof{Entry: 2, Verdict: ProvedMissing, At: day, Mailbox: "Archive", Validity: 9}

	_, is, err := a.Proved(there, 1)
	mustDo(t, err)
	checkIs(t, "Proved before anything was", is, false)
	mustDo(t, a.Prove(there, []Proof{read, gone}))
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	all, err := a.Proofs(there, "INBOX")
	mustDo(t, err)
	checkIs(t, "Proofs", all, map[int64]Proof{1: read, 2: gone})
	all, _ = a.Proofs(elsewhere, "INBOX")
	checkIs(t, "Proofs of another account", all, map[int64]Proof{})

	listed := read
	listed.At, listed.Read = day.Add(time.Hour), time.Time{}
	mustDo(t, a.Prove(there, []Proof{listed}))
	listed.Read = day
	got, _, _ := a.Proved(there, 1)
	checkIs(t, "Proved, listed after it was read", got, listed)
	listed.Read, listed.UID = time.Time{}, 101
	mustDo(t, a.Prove(there, []Proof{listed}))
	got, _, _ = a.Proved(there, 1)
	checkIs(t, "Proved, listed under another UID", got, listed)

	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Done, Mailbox: "Archive", Validity: 9, UID: 101}}))
	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Pending}}))
	_, is, _ = a.Proved(there, 1)
	checkIs(t, "Proved after the outcome was taken back", is, false)
}

// TestCheck guards that what is called sound was read from the disk.
func TestCheck(t *testing.T) {
	for name, wreck := range map[string]func(path string) error{
		"":        func(string) error { return nil },
		"cut":     func(path string) error { return os.Truncate(path, 10) },
		"one bit": flipBit,
		"missing": os.Remove,
	} {
		a := open(t, ramDir(t))
		mustTake(t, a, letterOne)
		e, err := a.Entry(1)
		mustDo(t, err)
		mustDo(t, wreck(filepath.Join(a.root.Name(), filepath.FromSlash(e.Path))))
		var bad *DamagedError
		if err := a.Check(e); errors.As(err, &bad) != (name != "") || err != nil && bad == nil {
			t.Errorf("%s: Check: %v", name, err)
		}
		if a.Has(letterOne.item.Ref) != (name == "") {
			t.Errorf("%s: Has does not say what Check does", name)
		}
		shut(t, a)
	}
}

func flipBit(path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		text[len(text)/2] ^= 1
		err = os.WriteFile(path, text, 0o600)
	}
	return err
}

// TestDamageIsNotAdopted guards that a file with other octets stays damaged, whatever becomes of its folder: it has the right
// size, and is not to be taken for a new message of that name.
func TestDamageIsNotAdopted(t *testing.T) {
	a := open(t, ramDir(t))
	defer func() { shut(t, a) }()
	mustTake(t, a, letterOne, fourLetters[1])
	e, err := a.Entry(1)
	mustDo(t, err)
	mustDo(t, flipBit(filepath.Join(a.root.Name(), filepath.FromSlash(e.Path))))
	if err := a.Check(e); !errors.As(err, new(*DamagedError)) {
		t.Fatalf("Check = %v", err)
	}
	for hours := range 2 {
		touched := time.Now().Add(time.Duration(hours+1) * time.Hour)
		mustDo(t, os.Chtimes(filepath.Join(a.root.Name(), "cur"), touched, touched)) // so that the folder is looked through
		a = reopened(t, a)
		if a.Has(e.Ref) || a.Hurt(e.Ref) != 1 || len(allEntries(t, a)) != 2 {
			t.Errorf("Has %v, Hurt %d, %d entries; want the damaged one damaged", a.Has(e.Ref), a.Hurt(e.Ref), len(allEntries(t, a)))
		}
	}
	mustTake(t, a, letterOne) // which the source still has
	a = reopened(t, a)
	if is, err := a.Entry(1); err != nil || !a.Has(e.Ref) || readMessage(t, a, is) != canonical(letterOne.body) {
		t.Errorf("after a fresh copy: Has %v, %v", a.Has(e.Ref), err)
	}
}
