package migrate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

func itemsOf(uids ...uint32) (all []archive.Shown) {
	for _, uid := range uids {
		all = append(all, shownOf(mail.Item{Ref: mail.Ref{UID: fmt.Sprint(uid)}, Header: headerOf(uid)}))
	}
	return all
}

func headerOf(uid uint32) mail.Header { return mail.Header{MessageID: fmt.Sprint(uid), Subject: "s"} }

// TestShelf guards that the ledger is told of a mailbox up to where all of it was seen, and that everything seen is found.
func TestShelf(t *testing.T) {
	for _, tc := range []struct {
		why     string
		do      func(s *shelf)
		next    uint32
		unsaved []uint32 // UIDs
		found   []uint32
	}{
		{"a listing", func(s *shelf) { s.list(1, itemsOf(2, 5), 6) }, 6, []uint32{2, 5}, []uint32{2, 5}},
		{"one that ends before UIDNEXT", func(s *shelf) { s.list(1, itemsOf(2, 5), 9) }, 9, []uint32{2, 5}, []uint32{2, 5}},
		{"one that ends behind it", func(s *shelf) { s.list(1, itemsOf(2, 11), 9) }, 12, []uint32{2, 11}, []uint32{2, 11}},
		{"one that leaves a gap", func(s *shelf) { s.list(4, itemsOf(5), 6) }, 1, nil, []uint32{5}},
		{"the gap is filled", func(s *shelf) { s.list(4, itemsOf(5), 6); s.list(1, itemsOf(3, 5), 6) }, 6, []uint32{3, 5}, []uint32{3, 5}},
		{"ours follow", func(s *shelf) { s.list(1, nil, 7); ours(s, 7, 8) }, 9, []uint32{7, 8}, []uint32{7, 8}},
		{"ours out of order", func(s *shelf) { s.list(1, nil, 7); ours(s, 8, 9, 7) }, 10, []uint32{7, 8, 9}, []uint32{7, 8, 9}},
		{"another's in between", func(s *shelf) { s.list(1, nil, 7); ours(s, 8, 9) }, 7, nil, []uint32{8, 9}},
		{"which is listed", func(s *shelf) { s.list(1, nil, 7); ours(s, 8, 9); s.list(7, itemsOf(7, 8, 9), 7) }, 10, []uint32{7, 8, 9}, []uint32{7, 8, 9}},
		{"what was listed is ours", func(s *shelf) { s.list(1, itemsOf(2), 3); ours(s, 2) }, 3, []uint32{2}, []uint32{2}},
		{"a UID with nothing under it", func(s *shelf) { s.list(1, itemsOf(2), 3); ours(s, 3); s.false[3] = true }, 4, []uint32{2, 3}, []uint32{2}},
	} {
		s := newShelf()
		tc.do(s)
		var unsaved, found []uint32
		for _, m := range s.unsaved {
			unsaved = append(unsaved, m.UID)
		}
		_, fields := hashes(headerOf(1))
		for m := range s.with(fields) {
			found = append(found, m.UID)
			if id, _ := hashes(headerOf(m.UID)); m.ID != id {
				t.Errorf("%s: UID %d is found under another's Message-ID", tc.why, m.UID)
			}
		}
		slices.Sort(found)
		if s.next != tc.next || !slices.Equal(unsaved, tc.unsaved) || !slices.Equal(found, tc.found) {
			t.Errorf("%s: next %d, unsaved %d, found %d; want %d, %d, %d", tc.why, s.next, unsaved, found, tc.next, tc.unsaved, tc.found)
		}
	}
}

func ours(s *shelf, uids ...uint32) {
	for _, uid := range uids {
		s.sent(shownOf(mail.Item{Ref: mail.Ref{UID: fmt.Sprint(uid)}, Header: headerOf(uid), Size: 1}))
	}
}

// TestShelfFrom guards that what is remembered is forgotten when it cannot be true, and when most of it is gone.
func TestShelfFrom(t *testing.T) {
	known := archive.Shelf{Next: 21, Messages: make([]archive.Shown, 20)}
	for _, tc := range []struct {
		st   mail.Status
		next uint32
	}{
		{mail.Status{Next: 21, Messages: 20}, 21},
		{mail.Status{Next: 30, Messages: 10}, 21},
		{mail.Status{Next: 30, Messages: 9}, 1},
		{mail.Status{Next: 20, Messages: 20}, 1},
	} {
		if s := shelfFrom(known, tc.st); s.next != tc.next || s.saved != tc.next || s.fresh != tc.next || (len(s.messages) > 0) != (tc.next > 1) {
			t.Errorf("%+v: next %d, saved %d, fresh from %d, %d messages; want %d", tc.st, s.next, s.saved, s.fresh, len(s.messages), tc.next)
		}
	}
}
