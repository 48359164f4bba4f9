package desttest

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// list: from a UID on, in order, with what an Item holds.
func list(t *testing.T, a Account) {
	messages := octets("one", "two", "three", "four")
	if items := mustList(t, a, 1); len(items) != 0 {
		t.Errorf("an empty mailbox lists %v", items)
	}
	first := outgoing(messages[0])
	first.Flags = mail.MakeFlags(`\Seen`, "work")
	mustSend(t, a, []mail.Outgoing{first})
	mustAppend(t, a, messages[1:])
	stored := a.Messages(mail.Inbox)
	for from := range stored {
		items := mustList(t, a, stored[from].UID)
		if len(items) != len(stored)-from {
			t.Fatalf("List from UID %d = %d items, want %d", stored[from].UID, len(items), len(stored)-from)
		}
		for i, it := range items {
			wantItem(t, it, stored[from+i], messages[from+i])
		}
	}
	if items := mustList(t, a, stored[len(stored)-1].UID+1); len(items) != 0 {
		t.Errorf("List from behind the last = %v", items)
	}
}

func wantItem(t *testing.T, it mail.Item, m Message, octets []byte) {
	t.Helper()
	want := sum(octets)
	if it.Ref.Mailbox != mail.Inbox || it.Ref.Validity == 0 || it.Ref != ref(it, m.UID) || it.Size != want.Octets ||
		!it.Received.Equal(m.Received) || !it.Flags.Equal(m.Flags) ||
		it.Header.MessageID != want.Header.MessageID || it.Header.Subject != want.Header.Subject {
		t.Errorf("listed as %+v, stored as UID %d of %d octets with %v at %v", it, m.UID, want.Octets, m.Flags, m.Received)
	}
}

// ref is the Ref of another message of the same mailbox.
func ref(it mail.Item, uid uint32) mail.Ref {
	r := it.Ref
	r.UID = strconv.FormatUint(uint64(uid), 10)
	return r
}

func mustList(t *testing.T, a Account, from uint32) []mail.Item {
	t.Helper()
	var items []mail.Item
	if err := a.Destination.List(t.Context(), mail.Inbox, from, func(some []mail.Item) { items = append(items, some...) }); err != nil {
		t.Fatal(err)
	}
	return items
}

// fetch: what was appended reads back octet by octet, in the order it is asked for, and nothing is marked read.
func fetch(t *testing.T, a Account) {
	messages := odd()
	mustAppend(t, a, messages)
	items := mustList(t, a, 1)
	if len(items) != len(messages) {
		t.Fatalf("%d items of %d messages", len(items), len(messages))
	}
	var asked []mail.Item
	var want [][]byte
	for _, order := range [][]int{{2, 0, 5}, all(len(items)), {1, 1}} {
		for _, i := range order {
			asked, want = append(asked, items[i]), append(want, messages[i])
		}
	}
	n := 0
	err := a.Destination.Fetch(t.Context(), asked, func(it mail.Item, r io.Reader) error {
		got, err := io.ReadAll(r)
		if it.Ref != asked[n].Ref || !same(got, want[n]) {
			t.Errorf("Fetch hands over %v, %.60q; want %v, %.60q", it.Ref, got, asked[n].Ref, want[n])
		}
		n++
		return err
	})
	if err != nil || n != len(asked) {
		t.Errorf("Fetch of %d = %v after %d", len(asked), err, n)
	}
	for _, m := range a.Messages(mail.Inbox) {
		if len(m.Flags) > 0 {
			t.Errorf("UID %d has got the flags %v", m.UID, m.Flags)
		}
	}
}

func all(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// fetchVanished: a message that is not there fails by itself, the others come.
func fetchVanished(t *testing.T, a Account) {
	mustAppend(t, a, octets("one", "two", "three"))
	items := mustList(t, a, 1)
	gone := items[0]
	gone.Ref = ref(gone, 4000000000)
	asked := []mail.Item{gone, items[0], items[1], gone, items[2], gone}
	n := 0
	err := a.Destination.Fetch(t.Context(), asked, func(it mail.Item, r io.Reader) error {
		_, err := io.ReadAll(r)
		if it.Ref != asked[n].Ref {
			t.Errorf("Fetch hands over %v, want %v", it.Ref, asked[n].Ref)
		}
		if n++; it.Ref != gone.Ref {
			return err
		}
		var e *mail.Error
		if !errors.As(err, &e) || e.Scope != mail.ScopeMessage || e.Cause != mail.CauseVanished {
			t.Errorf("reading a message that is not there: %v", err)
		}
		return nil
	})
	if err != nil || n != len(asked) {
		t.Errorf("Fetch = %v after %d of %d", err, n, len(asked))
	}
}

// fetchFails: the caller's own error comes back, and the next call works.
func fetchFails(t *testing.T, a Account) {
	messages := odd()
	mustAppend(t, a, messages)
	items := mustList(t, a, 1)
	full := errors.New("no space left on device")
	for _, read := range []int64{0, 10, 1 << 20} {
		n := 0
		err := a.Destination.Fetch(t.Context(), items, func(_ mail.Item, r io.Reader) error {
			if n++; n < 3 {
				return nil
			}
			io.CopyN(io.Discard, r, read)
			return full
		})
		if err != full || n != 3 {
			t.Errorf("Fetch = %v after %d calls, want fn's own error after 3", err, n)
		}
	}
	if again := mustList(t, a, 1); len(again) != len(items) {
		t.Errorf("List after a failure = %d items, want %d", len(again), len(items))
	}
}

// cut: after the line broke, what follows works, and nothing was sent twice.
func cut(t *testing.T, a Account) {
	messages := octets("before", "after")
	mustSelect(t, a)
	mustAppend(t, a, messages[:1])
	a.Cut()
	answers, err := appendTo(t, a, []mail.Outgoing{outgoing(messages[1])})
	var e *mail.Error
	if got, told := answers[0]; told && got.err != nil && !(errors.As(got.err, &e) && e.Unsure) {
		t.Errorf("a message is reported with %v", got.err)
	}
	if err != nil {
		wantScope(t, "Append over a line that broke", err, mail.ScopeSession)
		mustSelect(t, a)
	}
	if len(a.Messages(mail.Inbox)) == 1 {
		mustAppend(t, a, messages[1:])
	}
	wantInbox(t, a, messages)
}

// cancel: a cancelled context ends what is going on with its cause, and the next call works.
func cancel(t *testing.T, a Account) {
	messages := odd()
	mustAppend(t, a, messages)
	items := mustList(t, a, 1)
	why := errors.New("the user said stop")
	ctx, stop := context.WithCancelCause(t.Context())
	n := 0
	err := a.Destination.Fetch(ctx, items, func(_ mail.Item, r io.Reader) error {
		if n++; n == 2 {
			stop(why)
		}
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil && !errors.Is(err, why) { // what had arrived before may still be handed over
		t.Errorf("Fetch = %v, want %v", err, why)
	}
	err = a.Destination.Append(ctx, mail.Inbox, []mail.Outgoing{outgoing(messages[0])}, func(i int, _ mail.Stored, err error) {
		t.Errorf("message %d is reported with %v", i, err)
	})
	if !errors.Is(err, why) {
		t.Errorf("Append with a cancelled context = %v, want %v", err, why)
	}
	mustAppend(t, a, octets("after"))
	wantInbox(t, a, append(messages, octets("after")...))
}

func wantScope(t *testing.T, what string, err error, scope mail.Scope) {
	t.Helper()
	var e *mail.Error
	if !errors.As(err, &e) || e.Scope != scope {
		t.Errorf("%s: %v, want a *mail.Error of scope %d", what, err, scope)
	}
}
