package archive

import (
	"testing"
	"time"
)

// TestAdditions guards that tables which come later are there when something is to be written into them, whatever became of
// the transaction that made them, and are read as empty until then, also by a reader that was there before.
func TestAdditions(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	mustTake(t, a, letterOne)
	v, err := View(dir)
	mustDo(t, err)
	day := time.Unix(1_700_000_000, 0)
	checkAdditions(t, "nothing", a, day, 0)
	checkAdditions(t, "nothing, to a reader", v, day, 0)

	done := Outcome{Entry: 1, State: Done, Mailbox: "Archive", Validity: 9, UID: 1, Mended: "1 NUL octet left out"}
	seen := Shelf{Mailbox: "Archive", Validity: 9, From: 1, Next: 2}
	// An entry that is not there takes the tables with it that were made before its turn.
	if err := a.Settle(there, []Outcome{done, {Entry: 99, State: Done, Mended: "1 NUL octet left out"}}); err == nil {
		t.Error("an entry that is not there was settled")
	}
	if err := a.Prove(there, []Proof{{Entry: 1, Verdict: ProvedPresent}, {Entry: 99, Verdict: ProvedPresent}}); err == nil {
		t.Error("an entry that is not there was proved")
	}
	if err := a.IntendFree(source, []Freed{{Entry: 1}, {Entry: 99}}); err == nil {
		t.Error("an entry that is not there was to be freed")
	}
	checkAdditions(t, "what was rolled back", a, day, 0)
	for range 2 {
		mustDo(t, a.Settle(there, []Outcome{done}, seen))
		mustDo(t, a.Prove(there, []Proof{{Entry: 1, Verdict: ProvedPresent, At: day}}))
		_, err = a.BeginVerification(Verification{Account: there, Began: day})
		mustDo(t, err)
		mustDo(t, a.AddTraffic(there, day, [2]int64{1, 1}))
		mustDo(t, a.IntendFree(source, []Freed{{Entry: 1}}))
		checkAdditions(t, "one of each", a, day, 1)
		checkAdditions(t, "one of each, to a reader", v, day, 1)
	}
	shut(t, v)
	a = reopened(t, a)
	checkAdditions(t, "one of each, opened again", a, day, 1)
	shut(t, a)
}

func checkAdditions(t *testing.T, what string, a *Archive, day time.Time, want int) {
	t.Helper()
	mended, err := a.MendedCounts(there)
	mustDo(t, err)
	proofs, err := a.Proofs(there, "INBOX")
	mustDo(t, err)
	verifications, err := a.Verifications()
	mustDo(t, err)
	hours, err := a.Traffic(there, day)
	mustDo(t, err)
	shelf, err := a.Shelf(there, "Archive", 9)
	mustDo(t, err)
	freed, err := a.FreedAmounts()
	mustDo(t, err)
	checkIs(t, what, [6]int{len(mended), len(proofs), len(verifications), len(hours), int(shelf.Next) - 1, len(freed)},
		[6]int{want, want, want, want, want, want})
}
