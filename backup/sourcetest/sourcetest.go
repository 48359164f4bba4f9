// Package sourcetest holds the tests that every backup.Source must pass: those of its contract that can be seen
// from outside, with a real server on the other side.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/testdata"
)

// An Account is an account to test on, and what can be seen of it past the Source.
type Account struct {
	Source backup.Source
	// Farewells returns how many sessions were ended politely so far; nil: that cannot be seen.
	Farewells func() int
	// State returns what another client would see of the account: the mail, the flags. It is compared before and
	// after with reflect.DeepEqual; nil: it cannot be seen.
	State func() any
}

// Test runs all of it. Open returns a fresh account whose INBOX holds these messages and that has no other mail; it
// closes the Source when the test is over.
func Test(t *testing.T, open func(t *testing.T, messages [][]byte) Account) {
	for name, test := range map[string]func(t *testing.T, a Account, messages [][]byte){
		"Mailboxes": mailboxes, "List": list, "Fetch": fetch, "FetchSome": fetchSome, "FetchLittle": fetchLittle,
		"FetchVanished": fetchVanished, "FetchFails": fetchFails, "Cancel": cancel, "Trace": trace, "End": end,
		"Heads": heads, "Changes": changes,
	} {
		t.Run(name, func(t *testing.T) {
			messages := trial.Mail()
			test(t, open(t, messages), messages)
		})
	}
	t.Run("Empty", func(t *testing.T) { empty(t, open(t, nil)) })
	t.Run("Odd", func(t *testing.T) {
		var messages [][]byte
		for _, m := range testdata.Messages() {
			messages = append(messages, m.Octets)
		}
		fetch(t, open(t, messages), messages)
	})
}

func mailboxes(t *testing.T, a Account, _ [][]byte) {
	all, err := a.Source.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, mb := range all {
		if mb.Name == mail.Inbox && mb.Role == mail.RoleInbox {
			n++
		}
	}
	if n != 1 {
		t.Errorf("Mailboxes() = %+v, want one INBOX among them, with its role", all)
	}
}

// mustList lists the INBOX.
func mustList(t *testing.T, a Account, want int) []mail.Item {
	t.Helper()
	items, err := a.Source.List(t.Context(), mail.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != want {
		t.Fatalf("List = %d items, want %d", len(items), want)
	}
	return items
}

func refs(items []mail.Item) []mail.Ref {
	var all []mail.Ref
	for _, item := range items {
		all = append(all, item.Ref)
	}
	return all
}

// list: keys are unique, and the same in every session.
func list(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	seen := map[mail.Ref]bool{}
	for _, item := range items {
		if seen[item.Ref] || item.Ref.Mailbox != mail.Inbox || item.Ref.UID == "" || item.Size <= 0 {
			t.Errorf("List shows %+v", item)
		}
		seen[item.Ref] = true
	}
	if again := mustList(t, a, len(messages)); !reflect.DeepEqual(refs(again), refs(items)) {
		t.Errorf("List = %v, and then %v", refs(items), refs(again))
	}
	mustEnd(t, a)
	if again := mustList(t, a, len(messages)); !reflect.DeepEqual(refs(again), refs(items)) {
		t.Errorf("List = %v, and %v in the next session", refs(items), refs(again))
	}
}

// mustFetch fetches the items and returns what came, in the order it came in, which must be that of the items.
func mustFetch(t *testing.T, a Account, items []mail.Item) [][]byte {
	t.Helper()
	var got [][]byte
	err := a.Source.Fetch(t.Context(), items, func(item mail.Item, r io.Reader) error {
		if want := items[len(got)].Ref; item.Ref != want {
			t.Errorf("Fetch hands over %v, want %v", item.Ref, want)
		}
		octets, err := io.ReadAll(r)
		got = append(got, octets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(items) {
		t.Fatalf("Fetch hands over %d messages, want %d", len(got), len(items))
	}
	return got
}

// fetch: every message is whole, and there as often as it should be.
func fetch(t *testing.T, a Account, messages [][]byte) {
	got := mustFetch(t, a, mustList(t, a, len(messages)))
	for _, want := range messages {
		i := slices.IndexFunc(got, func(octets []byte) bool { return same(octets, want) })
		if i < 0 {
			t.Errorf("nothing that came is %.60q", want)
			continue
		}
		got = slices.Delete(got, i, i+1)
	}
	for _, octets := range got {
		t.Errorf("came, and was never sent: %.60q", octets)
	}
	mustEnd(t, a)
}

// same: a server may end the last line and, over IMAP, whose literals hold no NUL, show 0x80 for it; nothing else.
func same(got, want []byte) bool {
	got, want = canonical(got), canonical(want)
	for _, w := range [][]byte{want, bytes.ReplaceAll(want, []byte{0}, []byte{0x80})} {
		if bytes.Equal(got, w) || bytes.Equal(got, append(w[:len(w):len(w)], "\r\n"...)) {
			return true
		}
	}
	return false
}

func canonical(octets []byte) []byte {
	var b bytes.Buffer
	b.ReadFrom(mail.Canonical(bytes.NewReader(octets)))
	return b.Bytes()
}

// fetchSome: any items in any order, each by its own key.
func fetchSome(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	all := mustFetch(t, a, items)
	for _, some := range [][]int{{2}, {len(items) - 1, 0}, {1, 4, 5, 9}} {
		var asked []mail.Item
		for _, i := range some {
			asked = append(asked, items[i])
		}
		for n, octets := range mustFetch(t, a, asked) {
			if want := all[some[n]]; !bytes.Equal(octets, want) {
				t.Errorf("Fetch of %v = %.60q, want %.60q", asked[n].Ref, octets, want)
			}
		}
	}
	mustEnd(t, a) // and with a connection of its own, which must find the messages by their keys again
	if got := mustFetch(t, a, items[3:4]); !bytes.Equal(got[0], all[3]) {
		t.Errorf("Fetch in a new session = %.60q, want %.60q", got[0], all[3])
	}
}

// heads: a source that can show headers alone shows all of them, up to the empty line at least, and nothing else first.
func heads(t *testing.T, a Account, messages [][]byte) {
	src, ok := a.Source.(backup.Headed)
	if !ok {
		t.Log("this source has no headers alone: there is nothing to keep")
		return
	}
	items := mustList(t, a, len(messages))
	all := mustFetch(t, a, items)
	i := 0
	err := src.Heads(t.Context(), items, func(item mail.Item, r io.Reader) error {
		head, err := io.ReadAll(r)
		if item.Ref != items[i].Ref || !bytes.HasPrefix(canonical(all[i]), canonical(head)) || headDigest(t, head) != headDigest(t, all[i]) {
			t.Errorf("the header of %v is %q, of %v; want that of %.60q", item.Ref, head, items[i].Ref, all[i])
		}
		i++
		return err
	})
	if err != nil || i != len(items) {
		t.Errorf("Heads of %d = %v after %d", len(items), err, i)
	}
}

func headDigest(t *testing.T, octets []byte) mail.Digest {
	sum, err := mail.SumOf(bytes.NewReader(octets))
	if err != nil {
		t.Fatal(err)
	}
	return sum.HeadDigest
}

// changes: a source that remembers tells everything at first, and nothing of what has not changed.
func changes(t *testing.T, a Account, messages [][]byte) {
	src, ok := a.Source.(backup.Stateful)
	if !ok {
		t.Log("this source does not remember: there is nothing to keep")
		return
	}
	items := mustList(t, a, len(messages))
	first, err := src.Changes(t.Context(), mail.Inbox, mail.Status{})
	if err != nil || !reflect.DeepEqual(refs(first.New), refs(items)) || len(first.Flags) > 0 || first.Left != nil || first.Partial != "" {
		t.Fatalf("Changes since never = %+v, %v; want %v", first, err, refs(items))
	}
	st := first.Status
	if st.Validity != items[0].Ref.Validity || st.Next == 0 || st.Messages != uint32(len(messages)) {
		t.Errorf("Changes = %+v", st)
	}
	again, err := src.Changes(t.Context(), mail.Inbox, st)
	if err != nil || again.Status != st || len(again.New) > 0 || again.Left != nil || again.Partial != "" {
		t.Errorf("Changes of what has not changed = %+v, %v", again, err)
	}
	mustEnd(t, a)
	boxes, err := src.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := src.Statuses(t.Context(), boxes)
	if now, ok := statuses[mail.Inbox]; err != nil || ok && now != st {
		t.Errorf("Statuses = %+v, %v; want %+v for the INBOX", statuses, err, st)
	}
}

// fetchLittle: who reads half of a message gets the next one from its beginning.
func fetchLittle(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	all := mustFetch(t, a, items)
	i := 0
	err := a.Source.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
		want := all[i]
		if i++; i%2 == 0 {
			want = want[:min(i, len(want))]
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("message %d begins with %.60q, %v; want %.60q", i, got, err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fetchVanished: a message that is not there fails by itself, the others come.
func fetchVanished(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	gone := items[0]
	gone.Ref.UID = "4000000000"
	asked := []mail.Item{gone, items[1], gone, items[2], gone}
	var came []mail.Ref
	err := a.Source.Fetch(t.Context(), asked, func(item mail.Item, r io.Reader) error {
		came = append(came, item.Ref)
		_, err := io.ReadAll(r)
		if item.Ref != gone.Ref {
			return err
		}
		var e *mail.Error
		if !errors.As(err, &e) || e.Scope != mail.ScopeMessage || e.Cause != mail.CauseVanished {
			t.Errorf("reading a message that is not there: %v, want a *mail.Error that says it vanished", err)
		}
		return nil
	})
	if err != nil || !reflect.DeepEqual(came, refs(asked)) {
		t.Errorf("Fetch of %v: %v, %v", refs(asked), came, err)
	}
}

// fetchFails: when the caller cannot go on, the server must not think that the mail was taken.
func fetchFails(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	full := errors.New("no space left on device")
	for _, read := range []int64{0, 10, 1 << 20} {
		before := farewells(a)
		calls := 0
		err := a.Source.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
			if calls++; calls < 3 {
				return nil
			}
			io.CopyN(io.Discard, r, read)
			return full
		})
		if err != full || calls != 3 {
			t.Errorf("Fetch = %v after %d calls, want fn's own error after 3", err, calls)
		}
		if err := a.Source.End(t.Context()); err != nil {
			t.Errorf("End without a session: %v", err)
		}
		if n := farewells(a); n != before {
			t.Errorf("%d sessions ended politely, want none", n-before)
		}
	}
	if got := mustFetch(t, a, items[:1]); len(got[0]) == 0 {
		t.Error("nothing comes after a failure")
	}
}

// cancel: a cancelled context ends what is going on with its cause, and the next call works.
func cancel(t *testing.T, a Account, messages [][]byte) {
	items := mustList(t, a, len(messages))
	why := errors.New("the user said stop")
	ctx, stop := context.WithCancelCause(t.Context())
	before, calls := farewells(a), 0
	err := a.Source.Fetch(ctx, items, func(_ mail.Item, r io.Reader) error {
		if calls++; calls == 2 {
			stop(why)
		}
		_, err := io.Copy(io.Discard, r)
		return err
	})
	// What had arrived before may still be handed over.
	if err != nil && !errors.Is(err, why) {
		t.Errorf("Fetch = %v, want %v", err, why)
	}
	if _, err := a.Source.List(ctx, mail.Inbox); !errors.Is(err, why) {
		t.Errorf("List with a cancelled context = %v, want %v", err, why)
	}
	if n := farewells(a); n != before {
		t.Errorf("%d sessions ended politely, want none", n-before)
	}
	mustFetch(t, a, mustList(t, a, len(messages)))
}

// trace: reading everything, politely, changes nothing that another client sees.
func trace(t *testing.T, a Account, messages [][]byte) {
	if a.State == nil {
		t.Skip("what other clients see of this account cannot be looked at")
	}
	before := a.State()
	mustFetch(t, a, mustList(t, a, len(messages)))
	mustEnd(t, a)
	if after := a.State(); !reflect.DeepEqual(after, before) {
		t.Errorf("the account was %+v and is %+v", before, after)
	}
}

// end: politely, once, and only if there is a session.
func end(t *testing.T, a Account, messages [][]byte) {
	mustEnd(t, a)
	if n := farewells(a); n != 0 {
		t.Errorf("End without a session: %d farewells", n)
	}
	mustList(t, a, len(messages))
	mustEnd(t, a)
	mustEnd(t, a)
	if n := farewells(a); a.Farewells != nil && n != 1 {
		t.Errorf("%d sessions ended politely, want 1", n)
	}
}

func empty(t *testing.T, a Account) {
	mustList(t, a, 0)
	mustFetch(t, a, nil)
	mustEnd(t, a)
}

func mustEnd(t *testing.T, a Account) {
	t.Helper()
	if err := a.Source.End(t.Context()); err != nil {
		t.Fatalf("End: %v", err)
	}
}

func farewells(a Account) int {
	if a.Farewells == nil {
		return 0
	}
	return a.Farewells()
}
