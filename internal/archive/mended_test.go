package archive

import (
	"errors"
	"testing"
)

// TestMended guards that it is known of every outcome whether it is about the entry or about a mended copy of it.
func TestMended(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, fourLetters...)
	refused := func(id int64) Outcome {
		return Outcome{Entry: id, State: Refused, Mailbox: "Archive", Validity: 9, Reason: "NUL"}
	}
	mustDo(t, a.Settle(there, []Outcome{refused(1), refused(2), refused(3), refused(4)}))
	checkRefusals(t, a, "INBOX", 0, 1, 2, 3)
	checkRefusals(t, a, "INBOX", 1, 2, 3)
	checkRefusals(t, a, "Work/2019", 0, 4)

	mended := Intent{Entry: 1, Mailbox: "Archive", Validity: 9, Next: 100, Mended: "1 NUL left out"}
	again := mended
	again.Entry = 2
	mustDo(t, a.Intend(there, []Intent{mended, again}))
	if err := a.Intend(there, []Intent{mended}); !errors.Is(err, ErrOutcome) {
		t.Errorf("a mended copy was intended twice: %v", err)
	}
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	got, err := a.Intents(there)
	mustDo(t, err)
	mended.Reason, again.Reason = "NUL", "NUL"
	checkIs(t, "Intents", got, []Intent{mended, again})
	checkRefusals(t, a, "INBOX", 0, 3)

	done := Outcome{Entry: 1, State: Done, Mailbox: "Archive", Validity: 9, UID: 100, Mended: mended.Mended}
	back, no := refused(2), refused(3)
	no.Mended = "1 NUL left out"
	mustDo(t, a.Settle(there, []Outcome{done, back, no}))
	checkRefusals(t, a, "INBOX", 0, 2)
	counts, err := a.MendedCounts(there)
	mustDo(t, err)
	checkIs(t, "MendedCounts", counts, map[string]int{"INBOX": 1})

	mustDo(t, a.Reopen(there))
	checkIs(t, "Pending after Reopen", pendingIDs(t, a, there, "INBOX", 0, 10), []int64{2, 3})
	mustDo(t, a.Intend(there, []Intent{{Entry: 3, Mailbox: "Archive", Validity: 9, Next: 100}}))
	got, _ = a.Intents(there)
	checkIs(t, "Intents of what is sent as it is", got, []Intent{{Entry: 3, Mailbox: "Archive", Validity: 9, Next: 100}})
	mustDo(t, a.Settle(there, []Outcome{refused(3)}))
	checkRefusals(t, a, "INBOX", 0, 3)

	done.Mended = ""
	mustDo(t, a.Settle(there, []Outcome{done}))
	counts, _ = a.MendedCounts(there)
	checkIs(t, "MendedCounts of what is there as it is", counts, map[string]int{})
}

func checkRefusals(t *testing.T, a *Archive, mailbox string, after int64, want ...int64) {
	t.Helper()
	page, err := a.Refusals(there, Wanted{}, mailbox, after, 10)
	mustDo(t, err)
	var ids []int64
	for _, r := range page {
		ids = append(ids, r.ID)
		if r.To != "Archive" || r.Reason != "NUL" || r.Path == "" {
			t.Errorf("Refusals of %s has %+v", mailbox, r)
		}
	}
	checkIs(t, "Refusals of "+mailbox, ids, want)
	some, err := a.AnyRefusals(there, Wanted{})
	if err != nil || !some {
		t.Errorf("AnyRefusals = %v, %v", some, err)
	}
}
