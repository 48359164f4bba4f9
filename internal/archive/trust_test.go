package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestSample(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, twins(inbox, 30)...)
	mustTake(t, a, twins(work, 3)...)
	var left []uint32
	for uid := uint32(3); uid <= 30; uid++ {
		left = append(left, uid)
	}
	mustLook(t, a, "INBOX", Look{Since: status(31, 30), Changes: mail.Changes{Status: status(31, 28), Left: left}})
	seen := map[string]bool{}
	for range 50 {
		some, err := a.Sample("INBOX", epoch, 5)
		mustDo(t, err)
		if n := len(some); n < 3 || n > 7 || some[0].Ref.UID != "3" || some[n-1].Ref.UID != "30" {
			t.Fatalf("%d entries: %v", len(some), some)
		}
		for _, e := range some {
			seen[e.Ref.UID] = true
		}
	}
	if len(seen) < 20 || seen["1"] || seen["2"] {
		t.Errorf("50 samples of 5 had %d of 28 in them, the gone ones: %v", len(seen), seen["1"] || seen["2"])
	}
	if some, err := a.Sample("INBOX", epoch+1, 5); err != nil || len(some) > 0 {
		t.Errorf("of another epoch: %v, %v", some, err)
	}
}

func TestTurn(t *testing.T) {
	a := open(t, ramDir(t))
	var got []string
	for _, names := range [][]string{{"b", "a", "c"}, {"b", "a", "c"}, {"c", "a"}, nil, {"a", "\xff", "b"}, {"a", "\xff", "b"}, {"b"}, {"b"}} {
		next, err := a.Turn(names)
		mustDo(t, err)
		got = append(got, next)
		a = reopened(t, a)
	}
	shut(t, a)
	if want := []string{"a", "b", "c", "", "\xff", "a", "b", "b"}; !slices.Equal(got, want) {
		t.Errorf("the turns were %q, want %q", got, want)
	}
}

// refsIn returns the Refs of a mailbox's entries that are known.
func refsIn(t *testing.T, a *Archive, mailbox string) (refs []mail.Ref) {
	t.Helper()
	for _, e := range allEntries(t, a) {
		if e.Mailbox == mailbox && a.Has(e.Ref) {
			refs = append(refs, e.Ref)
		}
	}
	return refs
}

// TestDistrust guards that nothing of a distrusted mailbox is known by the UIDs it had, that all of it is there still,
// and that a look at all of it finds what goes on. It is stopped at every step, and done again.
func TestDistrust(t *testing.T) {
	for n := 1; ; n++ {
		dir := ramDir(t)
		a := open(t, dir)
		mustTake(t, a, twins(inbox, 4)...)
		mustTake(t, a, twins(work, 2)...)
		mustLook(t, a, "INBOX", Look{Changes: mail.Changes{Status: status(5, 4), New: items(twins(inbox, 4)...)}, Complete: true})
		mustDo(t, a.Settle(there, []Outcome{{Entry: 2, State: Done, UID: 1}}))
		shut(t, a)

		s := &stopper{at: n}
		err := distrust(dir, s.step)
		if s.stopped() {
			a = open(t, dir)
			st, _ := a.State("INBOX")
			if lost := 4 - len(refsIn(t, a, "INBOX")); lost != 0 || st.Validity != 0 && slices.ContainsFunc(refsIn(t, a, "INBOX"), isRetired) {
				t.Fatalf("stopped at step %d, %+v: %d lost, State %+v", n, s.last, lost, st)
			}
			shut(t, a)
			err = distrust(dir, nil)
		}
		mustDo(t, err)
		checkDistrusted(t, dir)
		if t.Failed() {
			t.Fatalf("stopped at step %d, %+v", n, s.last)
		}
		if !s.stopped() {
			t.Logf("stopped at each of %d steps", n-1)
			return
		}
	}
}

func distrust(dir string, steps func(Step) error) error {
	a, err := Open(dir, Options{Steps: steps})
	if err != nil {
		return err
	}
	if err = a.Bind(source, false); err == nil {
		err = a.Distrust("INBOX", epoch)
	}
	if cerr := a.Close(); err == nil {
		err = cerr
	}
	return err
}

func isRetired(r mail.Ref) bool { return strings.Contains(r.UID, "\x00") }

func checkDistrusted(t *testing.T, dir string) {
	t.Helper()
	a := open(t, dir)
	defer shut(t, a)
	mustDo(t, a.Bind(source, false))
	for _, l := range twins(inbox, 4) {
		if a.Has(l.item.Ref) {
			t.Errorf("%v is known", l.item.Ref)
		}
	}
	checkBodies(t, a, append(twins(inbox, 4), twins(work, 2)...))
	if st, err := a.State("INBOX"); err != nil || st.Validity != 0 {
		t.Errorf("State = %+v, %v", st, err)
	}
	if refs := refsIn(t, a, "INBOX"); len(refs) != 4 || !isRetired(refs[0]) || refs[0].Validity == epoch {
		t.Errorf("the entries go on under %v", refs)
	}
	if refs := refsIn(t, a, "Work/2019"); len(refs) != 2 || isRetired(refs[0]) {
		t.Errorf("those of another mailbox under %v", refs)
	}
	counts, _ := a.Counts(there)
	checkIs(t, "Counts", counts, map[State]int{Pending: 5, Done: 1})

	// The first has UID 7 now, and nothing else is there.
	first := twins(inbox, 1)[0]
	first.item.Ref.UID = "7"
	mustDo(t, a.Rekey([]Move{{Entry: 1, Ref: first.item.Ref, Mailbox: inbox}}))
	gone, _ := mustLook(t, a, "INBOX", Look{Changes: mail.Changes{Status: status(8, 1), New: items(first)}, Complete: true})
	if gone != 3 {
		t.Errorf("%d are gone, want 3: %v", gone, fmt.Sprint(refsIn(t, a, "INBOX")))
	}
}
