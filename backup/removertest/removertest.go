// Package removertest holds the tests that every backup.Remover must pass: those of its contract that can be seen from
// outside, with a real server on the other side.
package removertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// An Account is an account to test on.
type Account struct {
	Remover backup.Remover
	// Mail returns what another client sees in the INBOX: the octets of each message.
	Mail func() [][]byte
}

// Test runs all of it. Open returns a fresh account whose INBOX holds these messages and that has no other mail; it
// closes the Remover when the test is over.
func Test(t *testing.T, open func(t *testing.T, messages [][]byte) Account) {
	for name, test := range map[string]func(*trialOf){
		"Some": some, "All": all, "None": none, "Nothing": nothing, "Vanished": vanished, "SameFails": sameFails,
		"IntendFails": intendFails, "Cancel": cancel, "End": end,
	} {
		t.Run(name, func(t *testing.T) { test(begin(t, open, trial.Mail())) })
	}
	t.Run("Many", func(t *testing.T) { some(begin(t, open, many(1100))) })
}

// many returns so many messages, so that there are several batches.
func many(n int) [][]byte {
	var messages [][]byte
	for i := range n {
		messages = append(messages, fmt.Appendf(nil, "Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\n%d\r\n", i, i, i))
	}
	return messages
}

// A trialOf is one test on one account: what is to go, and what Remove was seen to do.
type trialOf struct {
	*testing.T
	Account
	items []mail.Item
	heads map[mail.Ref]mail.Digest // what Same was shown

	allowed  map[mail.Ref]bool // what Same says yes to
	intended map[mail.Ref]bool
	done     map[mail.Ref]error
	over     map[mail.Ref]int // how often it was reported
}

func begin(t *testing.T, open func(t *testing.T, messages [][]byte) Account, messages [][]byte) *trialOf {
	o := &trialOf{T: t, Account: open(t, messages), heads: map[mail.Ref]mail.Digest{}, allowed: map[mail.Ref]bool{},
		intended: map[mail.Ref]bool{}, done: map[mail.Ref]error{}, over: map[mail.Ref]int{}}
	o.items = o.list()
	if len(o.items) != len(messages) {
		t.Fatalf("List = %d items, want %d", len(o.items), len(messages))
	}
	return o
}

func (o *trialOf) list() []mail.Item {
	o.Helper()
	items, err := o.Remover.List(o.Context(), mail.Inbox)
	if err != nil {
		o.Fatal(err)
	}
	return items
}

// removing is what is asked and noted; a function that is set takes the place of its own.
func (o *trialOf) removing() mail.Removing {
	return mail.Removing{
		Same: func(item mail.Item, header io.Reader) (bool, error) {
			if header == nil {
				o.Errorf("%v: Same is shown no header", item.Ref)
				return false, nil
			}
			sum := mail.NewPartSummer()
			_, err := io.Copy(sum, header)
			o.heads[item.Ref] = sum.Sum().HeadDigest
			return o.allowed[item.Ref], err
		},
		Intend: func(items []mail.Item) error {
			for _, item := range items {
				if !o.allowed[item.Ref] || o.intended[item.Ref] {
					o.Errorf("%v is intended: allowed %v, intended before %v", item.Ref, o.allowed[item.Ref], o.intended[item.Ref])
				}
				o.intended[item.Ref] = true
			}
			return nil
		},
		Done: func(item mail.Item, err error) {
			o.done[item.Ref] = err
			o.over[item.Ref]++
		},
	}
}

func (o *trialOf) allow(items ...mail.Item) {
	for _, item := range items {
		o.allowed[item.Ref] = true
	}
}

// judge compares what another client sees now with what it saw before: what was reported as gone is, and all else is there,
// octet by octet.
func (o *trialOf) judge(before [][]byte) {
	o.Helper()
	for ref, n := range o.over {
		if n != 1 {
			o.Errorf("%v was reported %d times", ref, n)
		}
	}
	for ref := range o.intended {
		if o.over[ref] == 0 {
			o.Errorf("%v was intended, and not reported", ref)
		}
	}
	there := map[mail.Ref]bool{}
	for _, item := range o.list() {
		there[item.Ref] = true
	}
	gone := 0
	for _, item := range o.items {
		err, reported := o.done[item.Ref]
		removed := reported && err == nil
		if removed != !there[item.Ref] && !unsure(err) {
			o.Errorf("%v: reported %v (%v), is it there: %v", item.Ref, reported, err, there[item.Ref])
		}
		if !there[item.Ref] {
			gone++
		}
		if !there[item.Ref] && (!o.allowed[item.Ref] || !o.intended[item.Ref]) {
			o.Errorf("%v is gone: allowed %v, intended %v", item.Ref, o.allowed[item.Ref], o.intended[item.Ref])
		}
	}
	o.stays(before, gone)
}

// stays checks that of what was there nothing is missing but what may be, and that the rest has not changed.
func (o *trialOf) stays(before [][]byte, gone int) {
	o.Helper()
	after := o.Mail()
	if len(after) != len(before)-gone {
		o.Errorf("%d messages are there, want %d of %d", len(after), len(before)-gone, len(before))
	}
	before = slices.Clone(before)
	for _, octets := range after {
		i := slices.IndexFunc(before, func(b []byte) bool { return bytes.Equal(b, octets) })
		if i < 0 {
			o.Errorf("this is there, and was not before: %.60q", octets)
			continue
		}
		before = slices.Delete(before, i, i+1)
	}
	missing := map[mail.Digest]int{} // by their headers
	for _, octets := range before {
		missing[headOf(o.T, octets)]++
	}
	for ref := range o.intended {
		if head, seen := o.heads[ref]; seen && missing[head] > 0 {
			missing[head]--
		}
	}
	for head, n := range missing {
		if n > 0 {
			o.Errorf("%d messages with the header %v are gone, and nobody was asked", n, head)
		}
	}
}

func headOf(t *testing.T, octets []byte) mail.Digest {
	sum := mail.NewPartSummer()
	if _, err := io.Copy(sum, mail.Canonical(bytes.NewReader(octets))); err != nil {
		t.Fatal(err)
	}
	return sum.Sum().HeadDigest
}

func unsure(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Unsure
}

func every(items []mail.Item, nth int) []mail.Item {
	var some []mail.Item
	for i, item := range items {
		if i%nth == 0 {
			some = append(some, item)
		}
	}
	return some
}

// some: every other one goes, in a session that knows nothing of the listing.
func some(o *trialOf) {
	before := o.Mail()
	how, err := o.Remover.Able(o.Context(), mail.Inbox)
	if err != nil || how == 0 {
		o.Fatalf("Able = %v, %v", how, err)
	}
	asked := every(o.items, 2)
	o.allow(asked...)
	o.end()
	if err := o.Remover.Remove(o.Context(), mail.Inbox, asked, o.removing()); err != nil {
		o.Fatal(err)
	}
	for _, item := range asked {
		if err, reported := o.done[item.Ref]; err != nil || !reported {
			o.Errorf("%v: %v, reported %v", item.Ref, err, reported)
		}
	}
	if len(o.heads) != len(asked) {
		o.Errorf("Same was shown %d headers, want %d", len(o.heads), len(asked))
	}
	o.judge(before)
}

// all: a mailbox can be emptied, and a second time nothing is left to do.
func all(o *trialOf) {
	before := o.Mail()
	o.allow(o.items...)
	if err := o.Remover.Remove(o.Context(), mail.Inbox, o.items, o.removing()); err != nil {
		o.Fatal(err)
	}
	o.judge(before)
	if left := o.Mail(); len(left) != 0 {
		o.Errorf("%d messages are left", len(left))
	}
	r := o.removing()
	r.Intend = func(items []mail.Item) error {
		o.Errorf("%d messages that are gone are intended", len(items))
		return nil
	}
	r.Done = func(item mail.Item, err error) { o.vanished(item, err) }
	if err := o.Remover.Remove(o.Context(), mail.Inbox, o.items, r); err != nil {
		o.Error(err)
	}
}

func (o *trialOf) vanished(item mail.Item, err error) {
	o.Helper()
	var e *mail.Error
	if !errors.As(err, &e) || e.Scope != mail.ScopeMessage || e.Cause != mail.CauseVanished || e.Unsure {
		o.Errorf("%v, which is not there: %v, want a *mail.Error that says it vanished", item.Ref, err)
	}
}

// none: what is not what is archived stays, and nobody hears of it.
func none(o *trialOf) {
	before := o.Mail()
	if err := o.Remover.Remove(o.Context(), mail.Inbox, o.items, o.removing()); err != nil {
		o.Fatal(err)
	}
	if len(o.intended) > 0 || len(o.done) > 0 {
		o.Errorf("%d intended, %d reported, want none", len(o.intended), len(o.done))
	}
	o.judge(before)
}

// nothing is asked of the server when nothing is to go.
func nothing(o *trialOf) {
	before := o.Mail()
	if err := o.Remover.Remove(o.Context(), mail.Inbox, nil, o.removing()); err != nil {
		o.Error(err)
	}
	o.judge(before)
}

// gone: what is not there is reported, and the others go.
func vanished(o *trialOf) {
	before := o.Mail()
	stranger := o.items[0]
	stranger.Ref.UID = "4000000000"
	o.allow(stranger, o.items[1], o.items[2])
	if err := o.Remover.Remove(o.Context(), mail.Inbox, []mail.Item{o.items[1], stranger, o.items[2]}, o.removing()); err != nil {
		o.Fatal(err)
	}
	o.vanished(stranger, o.done[stranger.Ref])
	delete(o.done, stranger.Ref)
	if len(o.done) != 2 {
		o.Errorf("%v were reported, want two more", o.done)
	}
	o.judge(before)
}

// sameFails: when the archive cannot be read, the batch is left alone.
func sameFails(o *trialOf) {
	before := o.Mail()
	broken := errors.New("input/output error")
	r, calls := o.removing(), 0
	o.allow(o.items...)
	r.Same = func(mail.Item, io.Reader) (bool, error) {
		if calls++; calls == 3 {
			return false, broken
		}
		return true, nil
	}
	if err := o.Remover.Remove(o.Context(), mail.Inbox, o.items, r); !errors.Is(err, broken) {
		o.Errorf("Remove = %v, want Same's own error", err)
	}
	if len(o.intended) > 0 {
		o.Errorf("%d are intended", len(o.intended))
	}
	o.judge(before)
}

// intendFails: what cannot be written down is not done.
func intendFails(o *trialOf) {
	before := o.Mail()
	full := errors.New("no space left on device")
	r := o.removing()
	o.allow(o.items...)
	r.Intend = func([]mail.Item) error { return full }
	if err := o.Remover.Remove(o.Context(), mail.Inbox, o.items, r); !errors.Is(err, full) {
		o.Errorf("Remove = %v, want Intend's own error", err)
	}
	if len(o.done) > 0 {
		o.Errorf("%v are reported", o.done)
	}
	o.judge(before)
}

// cancel: a cancelled context ends it with its cause; what had been intended is reported, and the next one works.
func cancel(o *trialOf) {
	before := o.Mail()
	why := errors.New("the user said stop")
	ctx, stop := context.WithCancelCause(o.Context())
	r := o.removing()
	o.allow(o.items...)
	intend := r.Intend
	r.Intend = func(items []mail.Item) error {
		stop(why)
		return intend(items)
	}
	if err := o.Remover.Remove(ctx, mail.Inbox, o.items, r); err != nil && !errors.Is(err, why) {
		o.Errorf("Remove = %v, want %v", err, why)
	}
	o.judge(before)
	rest := o.list()
	if err := o.Remover.Remove(o.Context(), mail.Inbox, rest, mail.Removing{
		Same:   func(mail.Item, io.Reader) (bool, error) { return true, nil },
		Intend: func([]mail.Item) error { return nil },
		Done:   func(mail.Item, error) {},
	}); err != nil {
		o.Errorf("Remove after that: %v", err)
	}
	if n := len(o.list()); n != 0 {
		o.Errorf("%d messages are left", n)
	}
}

// end: without a session it does nothing.
func end(o *trialOf) {
	o.end()
	o.end()
}

func (o *trialOf) end() {
	o.Helper()
	if err := o.Remover.End(o.Context()); err != nil {
		o.Fatalf("End: %v", err)
	}
}
