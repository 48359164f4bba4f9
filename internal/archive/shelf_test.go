package archive

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// shownFrom returns n messages with UIDs from that one on.
func shownFrom(uid uint32, n int) (all []Shown) {
	for i := range uint32(n) {
		m := Shown{UID: uid + i, Size: int64(uid+i) * 1000, ID: uint64(uid+i) * 0x9e3779b97f4a7c15, Fields: uint64(uid+i) * 0xbf58476d1ce4e5b9}
		all = append(all, m)
	}
	return all
}

// TestShelf guards that a mailbox is never taken for listed up to a UID from which messages are missing.
func TestShelf(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, letterOne)
	checkShelf(t, a, "before anything is put there", 9, Shelf{Next: 1})
	all := shownFrom(1, 1000)
	for _, tc := range []struct {
		why  string
		put  Shelf
		want Shelf
	}{
		{"a first listing that does not begin with UID 1", Shelf{Validity: 9, From: 5, Next: 8, Messages: all[4:7]}, Shelf{Next: 1}},
		{"a whole listing", Shelf{Validity: 9, From: 1, Next: 301, Messages: all[:300]}, Shelf{Next: 301, Messages: all[:300]}},
		{"what continues it", Shelf{Validity: 9, From: 301, Next: 401, Messages: all[300:390]}, Shelf{Next: 401, Messages: all[:390]}},
		{"nothing new up to another UID", Shelf{Validity: 9, From: 401, Next: 501}, Shelf{Next: 501, Messages: all[:390]}},
		{"what leaves a gap", Shelf{Validity: 9, From: 502, Next: 601, Messages: all[501:600]}, Shelf{Next: 501, Messages: all[:390]}},
		{"what was put there before", Shelf{Validity: 9, From: 301, Next: 401, Messages: all[300:390]}, Shelf{Next: 501, Messages: all[:390]}},
		{"what continues it in another UIDVALIDITY", Shelf{Validity: 8, From: 501, Next: 601, Messages: all[500:600]}, Shelf{Next: 501, Messages: all[:390]}},
		{"a whole listing again", Shelf{Validity: 9, From: 1, Next: 11, Messages: all[3:10]}, Shelf{Next: 11, Messages: all[3:10]}},
		{"a whole listing of none", Shelf{Validity: 9, From: 1, Next: 4294967295}, Shelf{Next: 4294967295}},
		{"a whole listing of the last UID", Shelf{Validity: 9, From: 1, Next: 1, Messages: shownFrom(4294967295, 1)}, Shelf{Next: 1, Messages: shownFrom(4294967295, 1)}},
	} {
		tc.put.Mailbox = "\xffArchive"
		mustDo(t, a.Shelve(there, tc.put))
		checkShelf(t, a, tc.why, 9, tc.want)
		checkShelf(t, a, tc.why+", in another UIDVALIDITY", 8, Shelf{Next: 1})
	}
	mustDo(t, a.Shelve(there, Shelf{Mailbox: "\xffArchive", Validity: 8, From: 1, Next: 5, Messages: all[:4]}))
	checkShelf(t, a, "after the UIDVALIDITY changed", 9, Shelf{Next: 1})
	checkShelf(t, a, "after the UIDVALIDITY changed", 8, Shelf{Next: 5, Messages: all[:4]})
	elsewhere := mail.Account{Protocol: "imap", Host: "third.example", User: "ann"}
	mustDo(t, a.Shelve(elsewhere, Shelf{Mailbox: "\xffArchive", Validity: 8, From: 1, Next: 2}))
	a = reopened(t, a)
	defer shut(t, a)
	checkShelf(t, a, "opened again", 8, Shelf{Next: 5, Messages: all[:4]})

	// The outcome of an entry that is not there takes what was seen with it.
	if err := a.Settle(there, []Outcome{{Entry: 99, State: Done}}, Shelf{Mailbox: "\xffArchive", Validity: 8, From: 5, Next: 9}); err == nil {
		t.Error("an entry that is not there was settled")
	}
	checkShelf(t, a, "after a settlement that failed", 8, Shelf{Next: 5, Messages: all[:4]})
	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Done}}, Shelf{Mailbox: "\xffArchive", Validity: 8, From: 5, Next: 9, Messages: all[4:8]}))
	checkShelf(t, a, "after one that did not", 8, Shelf{Next: 9, Messages: all[:8]})
}

func checkShelf(t *testing.T, a *Archive, why string, validity uint32, want Shelf) {
	t.Helper()
	got, err := a.Shelf(there, "\xffArchive", validity)
	mustDo(t, err)
	want.Mailbox, want.Validity, want.From = "\xffArchive", validity, 1
	checkIs(t, why+": Shelf", got, want)
}

// TestShelfOfOtherLedgers guards that a ledger from before there were shelves is opened and read as any, and that a page that
// nobody wrote costs a listing and no more.
func TestShelfOfOtherLedgers(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	mustTake(t, a, letterOne)
	shut(t, a)
	v, err := View(dir)
	mustDo(t, err)
	checkShelf(t, v, "to a reader of an old ledger", 9, Shelf{Next: 1})
	shut(t, v)

	a = open(t, dir)
	mustDo(t, a.Shelve(there, Shelf{Mailbox: "\xffArchive", Validity: 9, From: 1, Next: 11, Messages: shownFrom(1, 10)}))
	shut(t, a)
	for _, page := range []string{"x'ff'", "x'0102'", "messages || x'00'", "substr(messages, 2)", "messages || messages || x'05'"} {
		edit(t, dir, "update shelf_page set messages = "+page)
		a = open(t, dir)
		checkShelf(t, a, "with a page of "+page, 9, Shelf{Next: 1})
		mustDo(t, a.Shelve(there, Shelf{Mailbox: "\xffArchive", Validity: 9, From: 1, Next: 11, Messages: shownFrom(1, 10)}))
		shut(t, a)
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte{})
	f.Add(writePage(shownFrom(1, 3)))
	f.Add(writePage(shownFrom(4294967290, 5)))
	f.Fuzz(func(t *testing.T, page []byte) {
		messages, err := readPage(nil, page)
		if err != nil {
			return
		}
		again, err := readPage(nil, writePage(messages))
		mustDo(t, err)
		checkIs(t, "what was read, written and read", again, messages)
	})
}

// TestShelfIsSmall measures what a message costs in the ledger, listed at once and as batches of ours.
func TestShelfIsSmall(t *testing.T) {
	const messages = 20_000
	for _, batch := range []int{messages, 64} {
		dir := ramDir(t)
		a := open(t, dir)
		shut(t, a)
		before := ledgerOctets(t, dir)
		a = open(t, dir)
		for uid := uint32(1); uid <= messages; uid += uint32(batch) {
			mustDo(t, a.Shelve(there, Shelf{Mailbox: "INBOX", Validity: 9, From: uid, Next: uid + uint32(batch), Messages: shownFrom(uid, batch)}))
		}
		s, err := a.Shelf(there, "INBOX", 9)
		mustDo(t, err)
		shut(t, a)
		each := float64(ledgerOctets(t, dir)-before) / float64(len(s.Messages))
		t.Logf("%d messages, %d at a time: %.1f octets of the ledger each", len(s.Messages), batch, each)
		if each > 36 || len(s.Messages) < messages {
			t.Errorf("%d messages of %.1f octets each", len(s.Messages), each)
		}
	}
}

func ledgerOctets(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, ledgerFile))
	mustDo(t, err)
	return info.Size()
}
