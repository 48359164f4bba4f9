package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// many are enough messages that the ledger has some pages.
func many(n int) []letter {
	var letters []letter
	for i := range n {
		mb := []mail.Mailbox{inbox, work, {Name: "Späße/\xff", Delim: '/'}, {Name: "a.b", Delim: '/', Role: mail.RoleSent, Subscribed: true}}[i%4]
		letters = append(letters, newLetter(mb, i, fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: s\r\n\r\n%d\r\n", i, i)))
	}
	return letters
}

func TestRebuild(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	letters := many(40)
	mustTake(t, a, letters...)
	before := allEntries(t, a)
	boxes, _ := a.Mailboxes()
	shut(t, a)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a = open(t, dir)
	checkHolds(t, a, letters...)
	checkNote(t, a, "adopted from the Maildir: 40")
	checkSameEntries(t, before, allEntries(t, a))
	if again, err := a.Mailboxes(); err != nil || fmt.Sprint(again) != fmt.Sprint(boxes) {
		t.Errorf("Mailboxes = %v, %v; want %v", again, err, boxes)
	}
	if err := a.Bind(there, false); !errors.Is(err, ErrOtherAccount) {
		t.Errorf("the rebuilt archive took another account: %v", err)
	}
	a = reopened(t, a)
	defer shut(t, a)
	checkHolds(t, a, letters...)
	checkNothingLeft(t, a)
}

func checkSameEntries(t *testing.T, before, after []Entry) {
	t.Helper()
	// What the file names and the messages do not say: the UID, keywords, the zone, and the order within a second.
	strip := func(entries []Entry) (all []string) {
		for _, e := range entries {
			e.ID, e.Ref.UID, e.Ref.Validity, e.Received = 0, "", 0, e.Received.UTC()
			e.Flags = mail.MaildirFlags(e.Flags.Maildir())
			all = append(all, fmt.Sprintf("%+v", e))
		}
		slices.Sort(all)
		return all
	}
	if b, a := strip(before), strip(after); !slices.Equal(b, a) {
		t.Errorf("the entries were %q and are %q", b, a)
	}
}

func TestRebuildWithoutFoldersJSON(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	letters := many(8)
	mustTake(t, a, letters...)
	shut(t, a)
	mustDo(t, os.RemoveAll(filepath.Join(dir, ownDir)))
	a = open(t, dir)
	checkNote(t, a, "which mailbox the messages in .Work.2019 were in is not known")
	for _, l := range letters {
		if !a.Has(l.item.Ref) {
			t.Errorf("Has(%q) = false", l.item.Ref)
		}
	}
	// The source names its mailboxes again, and each finds its directory.
	mustDo(t, a.AddMailboxes([]mail.Mailbox{letters[0].mb, letters[1].mb, letters[2].mb, letters[3].mb}))
	checkHolds(t, a, letters...)
	a = reopened(t, a)
	defer shut(t, a)
	checkHolds(t, a, letters...)
	if boxes, _ := a.Mailboxes(); len(boxes) != 4 {
		t.Errorf("Mailboxes = %+v", boxes)
	}
}

// TestDamagedLedger damages an uncleanly closed ledger everywhere. Whatever is done about it, the mail is there.
func TestDamagedLedger(t *testing.T) {
	template, letters := ramDir(t), many(40)
	a := open(t, template)
	mustTake(t, a, letters...)
	shut(t, a)
	edit(t, template, "update meta set value = 0 where name = 'clean'")
	ledger, err := os.ReadFile(filepath.Join(template, ledgerFile))
	mustDo(t, err)
	rebuilt, n := 0, 0
	for page := 0; page < len(ledger); page += stride * 4096 {
		for _, damage := range []func([]byte) []byte{
			func(b []byte) []byte { return append(b[:page:page], make([]byte, 4096)...) },
			func(b []byte) []byte { b[page] ^= 0xff; return b },
			func(b []byte) []byte { b[page+5] ^= 0xff; return b },
			func(b []byte) []byte { return b[:page] },
		} {
			dir := ramDir(t)
			mustDo(t, os.RemoveAll(dir))
			mustDo(t, os.CopyFS(dir, os.DirFS(template)))
			mustDo(t, os.WriteFile(filepath.Join(dir, ledgerFile), damage(slices.Clone(ledger)), 0o600))
			a, err := Open(dir, Options{})
			if err != nil {
				t.Fatalf("page %d: %v", page/4096, err)
			}
			if checkHolds(t, a, letters...); t.Failed() {
				t.Fatalf("page %d", page/4096)
			}
			rebuilt += strings.Count(strings.Join(a.Notes(), "\n"), ".damaged-1")
			shut(t, a)
			n++
		}
	}
	t.Logf("%d ways of damage, %d of them led to a new ledger: lost 0, doubled 0", n, rebuilt)
	if rebuilt < n/2 {
		t.Error("most damage was not noticed")
	}
}

func TestNewerLedgerIsRefused(t *testing.T) {
	dir, _ := oneDone(t)
	edit(t, dir, fmt.Sprintf("pragma user_version = %d", ledgerForm+1))
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("Open = %v", err)
	}
	if _, err := View(dir); !errors.Is(err, ErrNewer) {
		t.Errorf("View = %v", err)
	}
	edit2 := filepath.Join(dir, ledgerFile+".damaged-1")
	if _, err := os.Stat(edit2); err == nil {
		t.Error("a newer ledger was set aside")
	}
}

func TestLedgerOnANetwork(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	for _, wal := range []bool{true, false} {
		mustDo(t, a.rest())
		a.ledger.wal = wal
		mustDo(t, a.Ran("INBOX"))
		var mode string
		if err := a.ledger.value("pragma journal_mode", &mode); err != nil || (mode == "wal") != wal {
			t.Errorf("journal_mode = %q, %v", mode, err)
		}
		var sync int
		if err := a.ledger.value("pragma synchronous", &sync); err != nil || sync != 2 {
			t.Errorf("synchronous = %d, %v; want FULL", sync, err)
		}
	}
}

// TestSideBySide fills one batch while another is committed and a third goroutine looks after a destination.
func TestSideBySide(t *testing.T) {
	a := open(t, ramDir(t))
	letters := many(400)
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			if err := pushAll(a); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Go(func() {
		defer close(done)
		var commits sync.WaitGroup
		for part := range slices.Chunk(letters, 40) {
			b := a.NewBatch()
			for _, l := range part {
				if _, err := b.Put(l.item, l.mb, strings.NewReader(l.body)); err != nil {
					t.Error(err)
				}
			}
			commits.Go(func() {
				if _, err := b.Commit(); err != nil {
					t.Error(err)
				}
			})
		}
		commits.Wait()
	})
	group.Wait()
	checkHolds(t, a, letters...)
	if counts, err := a.Counts(there); err != nil || counts[Done] != len(letters) || counts[Pending] != 0 {
		t.Errorf("Counts = %v, %v", counts, err)
	}
	a = reopened(t, a)
	checkNothingLeft(t, a)
	shut(t, a)
}

// pushAll brings what is pending, as migrate does.
func pushAll(a *Archive) error {
	boxes, err := a.Mailboxes()
	if err != nil {
		return err
	}
	for _, mb := range boxes {
		for after := int64(0); ; {
			page, err := a.Pending(there, Wanted{}, mb.Name, after, 7)
			if err != nil || len(page) == 0 {
				if err != nil {
					return err
				}
				break
			}
			after = page[len(page)-1].ID
			if err := pushPage(a, page); err != nil {
				return err
			}
		}
	}
	return nil
}

func pushPage(a *Archive, page []Entry) error {
	var is []Intent
	var os []Outcome
	for _, e := range page {
		a.Has(e.Ref)
		is = append(is, Intent{Entry: e.ID, Mailbox: e.Mailbox, Validity: 1, Next: 1})
		os = append(os, Outcome{Entry: e.ID, State: Done, Mailbox: e.Mailbox, Validity: 1, UID: uint32(e.ID)})
	}
	return errors.Join(a.Intend(there, is), a.Settle(there, os))
}
