// Package desttest holds the tests that every migrate.Destination must pass: those of its contract that can be seen
// from outside, with a real server on the other side.
package desttest

import (
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// An Account is an account to test on, and what can be seen of it past the Destination.
type Account struct {
	Destination migrate.Destination
	// Messages returns what lies in the mailbox, in the order of the UIDs.
	Messages func(mailbox string) []Message
	// Cut ends every connection there is, without a word.
	Cut func()
}

// A Message is one that lies in a mailbox.
type Message struct {
	UID      uint32
	Octets   []byte
	Flags    mail.Flags // without \Recent
	Received time.Time
}

// Test runs all of it. Open returns a fresh account without mail, whose INBOX keeps any keyword and which refuses a
// message of no octets; it closes the Destination when the test is over.
func Test(t *testing.T, open func(t *testing.T) Account) {
	for name, test := range map[string]func(t *testing.T, a Account){
		"Mailboxes": mailboxes, "Create": create, "SelectMissing": selectMissing, "Select": selectInbox,
		"Append": appendOdd, "AppendReal": appendReal, "Flags": flags, "Dates": dates, "Mark": mark, "Duplicates": duplicates, "Refused": refused, "Unreadable": unreadable,
		"List": list, "Fetch": fetch, "FetchVanished": fetchVanished, "FetchFails": fetchFails,
		"Cut": cut, "Cancel": cancel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func mailboxes(t *testing.T, a Account) {
	n := 0
	for _, mb := range mustMailboxes(t, a) {
		if mb.Name == mail.Inbox && mb.Role == mail.RoleInbox {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d INBOXes with their role, want one", n)
	}
}

func mustMailboxes(t *testing.T, a Account) []mail.Mailbox {
	t.Helper()
	all, err := a.Destination.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// create: any name can be made, twice too, and is listed under it and opened by it.
func create(t *testing.T, a Account) {
	delim := string(mustMailboxes(t, a)[0].Delim)
	names := []string{"Work", "deep" + delim + "down" + delim + "there", "two words", "Entw&APw-rfe", "R &- D", `the "new" one`}
	for _, name := range append(names, "Work", mail.Inbox) {
		if err := a.Destination.Create(t.Context(), mail.Mailbox{Name: name, Delim: rune(delim[0])}); err != nil {
			t.Errorf("Create(%q): %v", name, err)
		}
	}
	listed := map[string]int{}
	for _, mb := range mustMailboxes(t, a) {
		listed[mb.Name]++
	}
	for _, name := range names {
		if listed[name] != 1 {
			t.Errorf("%q is listed %d times", name, listed[name])
		}
		status, err := a.Destination.Select(t.Context(), name)
		if err != nil || status.Validity == 0 || status.Next == 0 || status.Messages != 0 {
			t.Errorf("Select(%q) = %+v, %v", name, status, err)
		}
	}
}

// selectMissing: a mailbox that is not there spoils nothing else.
func selectMissing(t *testing.T, a Account) {
	mustSelect(t, a)
	_, err := a.Destination.Select(t.Context(), "no such mailbox")
	wantScope(t, "Select of what is not there", err, mail.ScopeMailbox)
	sent := octets("after a failed Select")
	mustAppend(t, a, sent)
	wantInbox(t, a, sent)
}

// selectInbox: what it tells follows what is there.
func selectInbox(t *testing.T, a Account) {
	before := mustSelect(t, a)
	mustAppend(t, a, octets("one", "two", "three"))
	after := mustSelect(t, a)
	if after.Validity != before.Validity || after.Messages != before.Messages+3 || after.Next < before.Next+3 {
		t.Errorf("Select = %+v, and after three messages %+v", before, after)
	}
}

func mustSelect(t *testing.T, a Account) mail.Status {
	t.Helper()
	status, err := a.Destination.Select(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	return status
}
