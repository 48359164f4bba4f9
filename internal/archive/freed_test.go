package archive

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func freed(ids ...int64) (all []Freed) {
	for _, id := range ids {
		all = append(all, Freed{Entry: id, Ref: mail.Ref{Mailbox: "INBOX", Validity: epoch, UID: strconv.FormatInt(id, 10)}, Octets: 100 * id})
	}
	return all
}

// TestFreedAgain guards that what was put back into the account, and taken out of it again, can be put back once more.
func TestFreedAgain(t *testing.T) {
	a := open(t, ramDir(t))
	defer func() { shut(t, a) }()
	mustTake(t, a, fourLetters...)
	for _, dest := range []mail.Account{source, there} {
		for id := range int64(3) {
			mustDo(t, a.Intend(dest, []Intent{{Entry: id + 1, Mailbox: "INBOX", Validity: 7, Next: 1}}))
		}
		mustDo(t, a.Settle(dest, []Outcome{{Entry: 1, State: Done, UID: 1}, {Entry: 2, State: Done, UID: 2}}))
	}
	mustDo(t, a.IntendFree(source, freed(1, 3)))
	for dest, want := range map[mail.Account]string{source: "[1 4]", there: "[4]"} {
		var ids []int64
		for _, mailbox := range []string{fourLetters[0].item.Ref.Mailbox, fourLetters[3].item.Ref.Mailbox} {
			entries, err := a.Pending(dest, Wanted{Gone: true}, mailbox, 0, 10)
			mustDo(t, err)
			for _, e := range entries {
				ids = append(ids, e.ID)
			}
		}
		checkIs(t, "pending at "+dest.String(), fmt.Sprint(ids), want) // what is only intended is settled first, there as here
	}
}

// TestFreed guards the written record of what was taken out of an account.
func TestFreed(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, fourLetters...)
	amounts, err := a.FreedAmounts()
	mustDo(t, err)
	checkIs(t, "FreedAmounts at first", len(amounts), 0)
	mustDo(t, a.CameBack([]int64{1}))

	if err := a.IntendFree(source, append(freed(1), Freed{Entry: 99})); err == nil {
		t.Error("an entry that is not there was intended")
	}
	mustDo(t, a.IntendFree(source, freed(1, 2, 3)))
	mustDo(t, a.SettleFree(map[int64]Removal{1: Removed, 2: Stayed}))
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	open, err := a.FreeIntents(source)
	mustDo(t, err)
	if len(open) != 1 || open[0].Entry != 3 || open[0].Ref != freed(3)[0].Ref || open[0].Octets != 300 || time.Since(open[0].At) > time.Hour {
		t.Errorf("FreeIntents = %+v, want the third", open)
	}
	none, _ := a.FreeIntents(there)
	checkIs(t, "FreeIntents of another account", len(none), 0)
	amounts, err = a.FreedAmounts()
	mustDo(t, err)
	if len(amounts) != 1 || amounts[0].Account != source || amounts[0].Amount != (Amount{1, 100}) || amounts[0].Open != 1 || amounts[0].Last.IsZero() {
		t.Errorf("FreedAmounts = %+v", amounts)
	}

	mustDo(t, a.IntendFree(source, freed(2))) // once more
	mustDo(t, a.SettleFree(map[int64]Removal{2: Removed, 3: Removed}))
	amounts, _ = a.FreedAmounts()
	checkIs(t, "FreedAmounts", amounts[0].Amount, Amount{3, 600})
	mustDo(t, a.CameBack([]int64{2, 4}))
	for id, want := range map[int64]bool{1: true, 2: false, 3: true, 4: false} {
		was, err := a.WasFreed(id)
		mustDo(t, err)
		checkIs(t, "WasFreed "+strconv.FormatInt(id, 10), was, want)
	}
}

// TestFreedIsNotGone guards that what we have taken out of the source is not taken for what its owner has deleted: it is
// brought to destinations, and no look asks for it.
func TestFreedIsNotGone(t *testing.T) {
	var letters []letter
	for uid := 1; uid <= 6; uid++ {
		letters = append(letters, newLetter(inbox, uid, "A: "+strconv.Itoa(uid)+"\r\n\r\n"))
	}
	look := func(left []uint32) Look {
		return Look{Since: status(7, 6), Changes: mail.Changes{Status: status(7, uint32(len(left))), Left: left}, Complete: true}
	}
	for name, after := range map[string]func(a *Archive) (int, error){
		"looked at": func(a *Archive) (int, error) {
			gone, _, err := a.Looked("INBOX", look([]uint32{5, 6}))
			return gone, err
		},
		"numbered anew": func(a *Archive) (int, error) {
			anew := mail.Changes{Status: mail.Status{Validity: epoch + 1, Next: 1}}
			gone, _, err := a.Looked("INBOX", Look{Since: status(7, 6), Changes: anew, Complete: true})
			return gone - 2, err // the fifth and the sixth are not there either
		},
	} {
		a := open(t, ramDir(t))
		mustTake(t, a, letters...)
		mustLook(t, a, "INBOX", Look{Changes: mail.Changes{Status: status(7, 6), New: items(letters...)}, Complete: true})
		mustDo(t, a.IntendFree(source, freed(1, 2, 3)))
		mustDo(t, a.SettleFree(map[int64]Removal{1: Removed, 3: Stayed}))
		// The fourth was deleted by its owner, and the third, which had stayed, since then as well.
		n, err := after(a)
		ids := goneIDs(t, a)
		if err != nil || n != 2 || !slices.Contains(ids, 3) || !slices.Contains(ids, 4) || slices.Contains(ids, 1) || slices.Contains(ids, 2) {
			t.Errorf("%s: %d gone (%v), %v; want the third and the fourth", name, n, ids, err)
		}
		known, err := a.Known("INBOX", epoch)
		if err != nil || known[1] || known[2] {
			t.Errorf("%s: Known = %v, %v", name, known, err)
		}
		if n, _, err := a.ToBring(there, Wanted{}); err != nil || n < 2 {
			t.Errorf("%s: %d are to be brought, %v", name, n, err)
		}
		mustDo(t, flipBit(a.root.Name()+"/"+allEntries(t, a)[0].Path))
		if err := a.Check(allEntries(t, a)[0]); !errors.As(err, new(*DamagedError)) {
			t.Errorf("%s: Check = %v", name, err)
		}
		if n, err := a.Unsound("INBOX", epoch); err != nil || n != 0 {
			t.Errorf("%s: %d are to be asked for again, %v: the source has them no more", name, n, err)
		}
		if ref := letters[0].item.Ref; a.Hurt(ref) != 1 || a.Hurt(letters[4].item.Ref) != 0 {
			t.Errorf("%s: Hurt does not tell the damaged one", name)
		}
		shut(t, a)
	}
}

func TestFreedIsNotGoneWithItsMailbox(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, fourLetters...)
	mustDo(t, a.IntendFree(source, []Freed{{Entry: 4, Ref: fourLetters[3].item.Ref}}))
	if gone, err := a.Shown([]mail.Mailbox{inbox}); err != nil || gone != 0 {
		t.Errorf("Shown = %d, %v: the only message was taken out by us", gone, err)
	}
}

// TestArrivals guards the days that mail is kept at the source at least.
func TestArrivals(t *testing.T) {
	a := open(t, ramDir(t))
	defer func() { shut(t, a) }()
	mustTake(t, a, fourLetters[:2]...)
	days, err := a.Arrivals()
	mustDo(t, err)
	now := time.Now()
	for _, tc := range []struct {
		entry int64
		after time.Duration
		keep  int
		want  bool
	}{
		{1, 0, 0, true}, {1, 0, 1, false}, {1, 24 * time.Hour, 1, false}, {1, 48 * time.Hour, 1, true},
		{2, 31 * 24 * time.Hour, 30, true}, {2, 30 * 24 * time.Hour, 30, false}, {2, -400 * 24 * time.Hour, 30, false},
	} {
		if got := days.Before(tc.entry, now.Add(tc.after), tc.keep); got != tc.want {
			t.Errorf("entry %d after %v, to be kept %d days: %v, want %v", tc.entry, tc.after, tc.keep, got, tc.want)
		}
	}

	// What came on the day before, and what before anybody wrote that down.
	mustDo(t, a.write("test", func() error {
		_, err := a.ledger.exec("update arrival set day = day - 1, first = 2")
		return err
	}))
	a = reopened(t, a)
	mustTake(t, a, fourLetters[2:]...)
	days, err = a.Arrivals()
	mustDo(t, err)
	for entry, want := range map[int64]bool{1: true, 2: true, 3: false, 4: false} {
		if got := days.Before(entry, now.Add(48*time.Hour), 2); got != want {
			t.Errorf("entry %d: %v, want %v", entry, got, want)
		}
	}
	if (Arrivals)(nil).Before(1, now, 1) {
		t.Error("what nobody knows the age of is old")
	}

	// A clock that was wrong for a while makes nothing older.
	mustDo(t, a.write("test", func() error { return a.noteDay(3) }))
	again, _ := a.Arrivals()
	checkIs(t, "Arrivals after a clock that was wrong", len(again), len(days))
}
