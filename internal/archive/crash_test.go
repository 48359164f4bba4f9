package archive

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

var there = mail.Account{Protocol: "imap", Host: "new.example", User: "ann"}

// letterOne is what the crash tests are about; in each of them it lies in the INBOX, is archived, and done at a
// destination.
var letterOne = newLetter(inbox, 1, "Message-ID: <1@x>\r\nSubject: one\r\n\r\nthe body of it\r\n")

// forget takes the entry of letterOne out of the ledger, as if the commit had never been.
func forget(t *testing.T, dir string) {
	t.Helper()
	a := open(t, dir)
	defer a.shut()
	err := a.write("test", func() error {
		_, err := a.ledger.exec("delete from outcome")
		if err == nil {
			_, err = a.ledger.exec("delete from entry")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReconcile has a row for each point at which a run can be stopped, and for what others may have done since.
func TestReconcile(t *testing.T) {
	for _, tc := range []struct {
		name  string
		wreck func(t *testing.T, dir, file string)
		has   bool   // the source need not be asked again
		note  string // what Notes says of it
		id    int64  // of the entry that is sound when all is done
		total int    // how many entries there are then
		done  int    // how many of them are done at the destination
		files int
	}{
		{"half a file in tmp", func(t *testing.T, dir, file string) {
			mustDo(t, os.WriteFile(filepath.Join(dir, "tmp", ownTmp+"77"), []byte("half"), 0o600))
			mustDo(t, os.WriteFile(filepath.Join(dir, "tmp", "theirs.1"), nil, 0o600))
		}, true, "", 1, 1, 1, 2},
		{"renamed, not committed", func(t *testing.T, dir, file string) {
			forget(t, dir)
		}, true, "adopted from the Maildir: 1", 2, 1, 0, 1},
		{"renamed, not committed, and short", func(t *testing.T, dir, file string) {
			forget(t, dir)
			mustDo(t, os.Truncate(file, 20))
		}, false, "damaged: cur/", 2, 1, 0, 2},
		{"the file is gone", func(t *testing.T, dir, file string) {
			mustDo(t, os.Remove(file))
		}, false, "missing: cur/", 1, 1, 1, 1},
		{"the file is short", func(t *testing.T, dir, file string) {
			mustDo(t, os.Truncate(file, 20))
			touch(t, dir)
		}, false, "damaged: cur/", 1, 1, 1, 2},
		{"marked by a mail program", func(t *testing.T, dir, file string) {
			mustDo(t, os.Rename(file, strings.TrimSuffix(file, ":2,Sa")+":2,FRSab"))
		}, true, "", 1, 1, 1, 1},
		{"in new, without flags", func(t *testing.T, dir, file string) {
			mustDo(t, os.Rename(file, filepath.Join(dir, "new", strings.TrimSuffix(filepath.Base(file), ":2,Sa"))))
		}, true, "", 1, 1, 1, 1},
		{"moved by a mail program", func(t *testing.T, dir, file string) {
			mustDo(t, os.Rename(file, filepath.Join(dir, ".Work.2019", "cur", filepath.Base(file))))
		}, true, "", 1, 1, 1, 1},
		{"copied by a person", func(t *testing.T, dir, file string) {
			text, err := os.ReadFile(file)
			mustDo(t, err)
			mustDo(t, os.WriteFile(filepath.Join(dir, ".Work.2019", "cur", filepath.Base(file)), text, 0o600))
		}, true, "", 1, 1, 1, 2},
		{"no ledger", func(t *testing.T, dir, file string) {
			mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
		}, true, "adopted from the Maildir: 1", 1, 1, 0, 1},
		{"an empty ledger", func(t *testing.T, dir, file string) {
			mustDo(t, os.Truncate(filepath.Join(dir, ledgerFile), 0))
		}, true, "adopted from the Maildir: 1", 1, 1, 0, 1},
		{"a ledger that is none", func(t *testing.T, dir, file string) {
			mustDo(t, os.WriteFile(filepath.Join(dir, ledgerFile), []byte(strings.Repeat("no database ", 1000)), 0o600))
		}, true, "ledger.db.damaged-1", 1, 1, 0, 1},
		{"another program's database", func(t *testing.T, dir, file string) {
			edit(t, dir, "pragma application_id = 1")
		}, true, "ledger.db.damaged-1", 1, 1, 0, 1},
		{"half a ledger", func(t *testing.T, dir, file string) {
			mustDo(t, os.Truncate(filepath.Join(dir, ledgerFile), 8192))
		}, true, "ledger.db.damaged-1", 1, 1, 0, 1},
		{"no mailhaul directory", func(t *testing.T, dir, file string) {
			mustDo(t, os.RemoveAll(filepath.Join(dir, ownDir)))
		}, true, "adopted from the Maildir: 1", 1, 1, 0, 1},
		{"folders.json is none", func(t *testing.T, dir, file string) {
			mustDo(t, os.WriteFile(filepath.Join(dir, foldersFile), []byte("{"), 0o600))
		}, true, "folders.json.damaged-1", 1, 1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, file := oneDone(t)
			tc.wreck(t, dir, file)
			a := open(t, dir)
			if got := a.Has(letterOne.item.Ref); got != tc.has {
				t.Errorf("Has = %v", got)
			}
			checkNote(t, a, tc.note)
			mustTake(t, a, letterOne)
			a = reopened(t, a)
			defer shut(t, a)
			checkOne(t, a, tc.id, tc.total, tc.done)
			if f := files(t, dir); len(f) != tc.files {
				t.Errorf("%d files: %q", len(f), f)
			}
		})
	}
}

// oneDone returns an archive that holds letterOne, closed in order.
func oneDone(t *testing.T) (dir, file string) {
	t.Helper()
	dir = ramDir(t)
	a := open(t, dir)
	mustTake(t, a, letterOne)
	mustDo(t, a.AddMailboxes([]mail.Mailbox{work}))
	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Done, Mailbox: "INBOX", Validity: 1, UID: 5}}))
	file = filepath.Join(dir, allEntries(t, a)[0].Path)
	shut(t, a)
	return dir, file
}

// touch makes cur/ look as if somebody had been there.
func touch(t *testing.T, dir string) {
	t.Helper()
	mustDo(t, os.Chtimes(filepath.Join(dir, "cur"), then, then))
}

// edit changes the ledger past the archive.
func edit(t *testing.T, dir, query string) {
	t.Helper()
	l, err := openLedger(filepath.Join(dir, ledgerFile), false, steps(nil).around)
	mustDo(t, err)
	mustDo(t, l.transact(func() error { _, err := l.exec(query); return err }))
	mustDo(t, l.close())
}

func checkNote(t *testing.T, a *Archive, want string) {
	t.Helper()
	notes := strings.Join(a.Notes(), "\n")
	if want == "" && notes != "" || !strings.Contains(notes, want) {
		t.Errorf("Notes = %q, want %q", notes, want)
	}
}

func checkOne(t *testing.T, a *Archive, id int64, total, done int) {
	t.Helper()
	entries := allEntries(t, a)
	at := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
	if at < 0 || len(entries) != total || !a.Has(letterOne.item.Ref) {
		t.Fatalf("entries %+v, want %d of which %d is sound", entries, total, id)
	}
	e := entries[at]
	if got := readMessage(t, a, e); got != letterOne.body || e.Flags.Has(mail.Seen) != strings.HasSuffix(strings.TrimRight(e.Path, "ab"), "S") || e.Header.Subject != "one" || !e.Received.Equal(then) {
		t.Errorf("%+v reads %q", e, got)
	}
	counts, err := a.Counts(there)
	if err != nil || counts[Done] != done || counts[Pending] != total-done {
		t.Errorf("Counts = %v, %v", counts, err)
	}
}

func TestOtherContentUnderTheSameKey(t *testing.T) {
	dir, file := oneDone(t)
	mustDo(t, os.Remove(file))
	a := open(t, dir)
	defer shut(t, a)
	other := letterOne
	other.body = "Subject: other\r\n\r\nquite another body\r\n"
	mustTake(t, a, other)
	entries := allEntries(t, a)
	if len(entries) != 2 || readMessage(t, a, entries[1]) != other.body {
		t.Fatalf("entries %+v", entries)
	}
	var gone *DamagedError
	if _, err := a.OpenMessage(entries[0]); !errors.As(err, &gone) {
		t.Errorf("the lost message was opened: %v", err)
	}
	counts, _ := a.Counts(there)
	boxes, _ := a.Mailboxes()
	if counts[Done] != 1 || counts[Pending] != 1 || boxes[0].Messages != 2 || boxes[0].Damaged != 1 || !a.Has(other.item.Ref) {
		t.Errorf("Counts = %v, Mailboxes = %+v", counts, boxes)
	}
}

func TestAlteredOctetsAreNotGivenOut(t *testing.T) {
	dir, file := oneDone(t)
	text, err := os.ReadFile(file)
	mustDo(t, err)
	text[len(text)/2] ^= 1
	mustDo(t, os.WriteFile(file, text, 0o600))
	a := open(t, dir)
	defer shut(t, a)
	r, err := a.OpenMessage(allEntries(t, a)[0])
	mustDo(t, err)
	got, err := io.ReadAll(r)
	r.Close()
	var bad *DamagedError
	if !errors.As(err, &bad) || len(got) >= len(letterOne.body) || a.Has(letterOne.item.Ref) {
		t.Errorf("read %d of %d octets, %v", len(got), len(letterOne.body), err)
	}
	mustTake(t, a, letterOne)
	checkOne(t, a, 1, 1, 1)
}

func TestMarkedWhileOpen(t *testing.T) {
	dir, file := oneDone(t)
	a := open(t, dir)
	defer shut(t, a)
	e := allEntries(t, a)[0]
	mustDo(t, os.Rename(file, strings.TrimSuffix(file, "Sa")+"RSa"))
	if got := readMessage(t, a, e); got != letterOne.body {
		t.Errorf("read %q", got)
	}
	mustDo(t, os.Remove(strings.TrimSuffix(file, "Sa")+"RSa"))
	var gone *DamagedError
	if _, err := a.OpenMessage(e); !errors.As(err, &gone) || a.Has(letterOne.item.Ref) {
		t.Errorf("OpenMessage = %v, and Has says it is there", err)
	}
}

// TestOthersAtWork checks that what another program does in a folder we have written to is seen by the next run.
func TestOthersAtWork(t *testing.T) {
	dir, file := oneDone(t)
	a := open(t, dir)
	mustDo(t, os.Remove(file))
	mustTake(t, a, fourLetters[2])
	a = reopened(t, a)
	defer shut(t, a)
	if a.Has(letterOne.item.Ref) {
		t.Error("a deleted message is taken for archived")
	}
}

func TestFolderRenamedByAProgram(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	mustTake(t, a, fourLetters...)
	shut(t, a)
	mustDo(t, os.Rename(filepath.Join(dir, ".Work.2019"), filepath.Join(dir, ".Jobs")))
	a = open(t, dir)
	defer shut(t, a)
	checkHolds(t, a, fourLetters...)
	if boxes, err := a.Mailboxes(); err != nil || len(boxes) != 2 || boxes[1].Name != "Work/2019" || boxes[1].Damaged != 0 {
		t.Errorf("Mailboxes = %+v, %v", boxes, err)
	}
}
