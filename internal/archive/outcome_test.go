package archive

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func pendingIDs(t *testing.T, a *Archive, dest mail.Account, mailbox string, after int64, limit int) (ids []int64) {
	t.Helper()
	page, err := a.Pending(dest, Wanted{}, mailbox, after, limit)
	mustDo(t, err)
	for _, e := range page {
		ids = append(ids, e.ID)
	}
	return ids
}

func checkIs[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s = %+v, want %+v", what, got, want)
	}
}

func TestOutcomes(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, fourLetters...)
	elsewhere := mail.Account{Protocol: "imap", Host: "third.example", User: "ann"}
	checkIs(t, "Pending", pendingIDs(t, a, there, "INBOX", 0, 10), []int64{1, 2, 3})
	checkIs(t, "Pending of a page", pendingIDs(t, a, there, "INBOX", 1, 1), []int64{2})

	intents := []Intent{{Entry: 1, Mailbox: "Archive", Validity: 9, Next: 100}, {Entry: 2, Mailbox: "Archive", Validity: 9, Next: 100},
		{Entry: 4, Mailbox: "\xff", Validity: 4294967295, Next: 4294967295}}
	mustDo(t, a.Intend(there, intents))
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	got, err := a.Intents(there)
	mustDo(t, err)
	checkIs(t, "Intents", got, intents)
	checkIs(t, "Pending", pendingIDs(t, a, there, "INBOX", 0, 10), []int64{3})
	checkIs(t, "Pending elsewhere", pendingIDs(t, a, elsewhere, "INBOX", 0, 10), []int64{1, 2, 3})

	if err := a.Intend(there, []Intent{{Entry: 3, Mailbox: "Archive"}, {Entry: 1, Mailbox: "Archive"}}); !errors.Is(err, ErrOutcome) {
		t.Errorf("an entry was intended twice: %v", err)
	}
	checkIs(t, "Pending after a refused intent", pendingIDs(t, a, there, "INBOX", 0, 10), []int64{3})

	mustDo(t, a.Settle(there, []Outcome{
		{Entry: 1, State: Done, Mailbox: "Archive", Validity: 9, UID: 101},
		{Entry: 2, State: Pending},
		{Entry: 3, State: Present, Mailbox: "Archive", Validity: 9, UID: 7},
		{Entry: 4, State: Refused, Mailbox: "Work", Validity: 9, Reason: "too big"},
	}))
	claimed, err := a.Claimed(there, "Archive", 9)
	mustDo(t, err)
	checkIs(t, "Claimed", claimed, map[uint32]bool{101: true, 7: true})
	claimed, _ = a.Claimed(there, "Archive", 8)
	checkIs(t, "Claimed in another epoch", claimed, map[uint32]bool{})
	refused, _ := a.Refused(there)
	checkIs(t, "Refused", refused, []Outcome{{Entry: 4, State: Refused, Mailbox: "Work", Validity: 9, Reason: "too big"}})
	counts, _ := a.Counts(there)
	checkIs(t, "Counts", counts, map[State]int{Pending: 1, Done: 1, Present: 1, Refused: 1})
	counts, _ = a.Counts(elsewhere)
	checkIs(t, "Counts elsewhere", counts, map[State]int{Pending: 4})
	byBox, _ := a.MailboxCounts(there)
	checkIs(t, "MailboxCounts", byBox, map[string]map[State]int{"INBOX": {Pending: 1, Done: 1, Present: 1}, "Work/2019": {Refused: 1}})

	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Merged, Mailbox: "Archive", Validity: 9, UID: 8}}))
	claimed, _ = a.Claimed(there, "Archive", 9)
	checkIs(t, "Claimed by others than what was merged", claimed, map[uint32]bool{7: true})
	mustDo(t, a.Reopen(there))
	counts, _ = a.Counts(there)
	checkIs(t, "Counts after Reopen", counts, map[State]int{Pending: 2, Present: 1, Merged: 1})
	mustDo(t, a.RanTo(there))
	mustDo(t, a.Ran("INBOX"))
	all, _ := a.Destinations()
	boxes, _ := a.Mailboxes()
	if len(all) != 1 || all[0].Account != there || all[0].Ran.IsZero() || boxes[0].Ran.IsZero() || !boxes[1].Ran.IsZero() {
		t.Errorf("Destinations = %+v, Mailboxes = %+v", all, boxes)
	}
	if err := a.Settle(there, []Outcome{{Entry: 1, State: Intended}}); err == nil {
		t.Error("an intent was taken for an outcome")
	}
	if err := a.Settle(there, []Outcome{{Entry: 99, State: Done}}); err == nil {
		t.Error("an entry that is not there was settled")
	}
}

func TestBind(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, letterOne)
	moved := mail.Account{Protocol: "imap", Host: "moved.example", User: "ann@moved.example"}
	for _, tc := range []struct {
		account mail.Account
		same    bool
		ok      bool
	}{
		{source, false, true},
		{moved, false, false},
		{mail.Account{Protocol: "pop3", Host: "old.example", User: "ann"}, true, false},
		{moved, true, true},
		{moved, false, true},
		{there, false, false},
	} {
		err := a.Bind(tc.account, tc.same)
		if tc.ok != (err == nil) || err != nil && !errors.Is(err, ErrOtherAccount) {
			t.Errorf("Bind(%s, %v) = %v", tc.account, tc.same, err)
		}
	}
	shut(t, a)
	a, err := Open(a.root.Name(), Options{})
	mustDo(t, err)
	defer shut(t, a)
	if now, bound := a.Account(); now != moved || !bound || !a.Has(letterOne.item.Ref) {
		t.Errorf("Account = %s, and Has does not know what is there", now)
	}
	want := fmt.Sprintf("%s, not %s", moved, there)
	if err := a.Bind(there, false); err == nil || !errors.Is(err, ErrOtherAccount) || err.Error() != ErrOtherAccount.Error()+": "+want {
		t.Errorf("the refusal does not name both: %v", err)
	}
}
