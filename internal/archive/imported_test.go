package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func imported(mb mail.Mailbox, body string, nth int) letter {
	l := newLetter(mb, 1, body)
	l.item.Ref = mail.ImportRef(mb.Name, mail.Digest{byte(len(body)), 7}, nth)
	return l
}

// TestImported guards that what came from files stays what it is: whatever the archive is bound to, when the ledger is
// lost, and when the source shows nothing of it.
func TestImported(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Options{Create: true})
	mustDo(t, err)
	inbox, old := mail.Mailbox{Name: "INBOX", Delim: '/', Role: mail.RoleInbox}, mail.Mailbox{Name: "Old", Delim: '/'}
	in, twin, gone := imported(inbox, "one", 1), imported(inbox, "one", 2), imported(old, "three", 1)
	mustTake(t, a, in, twin, gone)
	account := mail.Account{Protocol: "imap", Host: "imap.example", User: "me"}
	mustDo(t, a.Bind(account, false))
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "other.example", User: "me"}, false); err != nil {
		t.Errorf("with nothing of an account, another cannot be bound: %v", err)
	}
	mustDo(t, a.Bind(account, false))
	mustTake(t, a, newLetter(inbox, 3, "of the account"))
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "other.example", User: "me"}, false); !errors.Is(err, ErrOtherAccount) {
		t.Errorf("another account was bound: %v", err)
	}
	look := func() {
		t.Helper()
		if n, _, err := a.Looked("INBOX", Look{Changes: mail.Changes{Status: mail.Status{Validity: 7, Next: 9}, Left: []uint32{}}, Complete: true}); err != nil {
			t.Errorf("%d gone: %v", n, err)
		}
		if _, err := a.Shown([]mail.Mailbox{inbox}); err != nil {
			t.Error(err)
		}
		for _, l := range []letter{in, twin, gone} {
			if e, there, err := a.ByRef(l.item.Ref); !there || err != nil || e.Gone || !e.Ref.Imported() {
				t.Errorf("%s: %+v, %t, %v", l.item.Ref, e, there, err)
			}
		}
		boxes, err := a.Mailboxes()
		mustDo(t, err)
		count := map[string]int{}
		for _, mb := range boxes {
			count[mb.Name] = mb.Imported
		}
		if count["INBOX"] != 2 || count["Old"] != 1 {
			t.Errorf("imported: %v", count)
		}
	}
	look()
	mustDo(t, a.Close())
	mustDo(t, os.Remove(filepath.Join(dir, "mailhaul", "ledger.db")))
	if a, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	look()
	held := 0
	mustDo(t, a.EachOfAccount("INBOX", func(Holding) { held++ }))
	if held > 1 {
		t.Errorf("%d are of the account, want 1", held)
	}
}

func TestImports(t *testing.T) {
	a := open(t, t.TempDir())
	defer a.Close()
	if all, err := a.Imports(); err != nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	mustDo(t, a.NoteImport(Import{From: "/a", Kind: "an mbox", Added: 1}))
	mustDo(t, a.NoteImport(Import{From: "/a", Kind: "an mbox", Known: 1}))
	if all, err := a.Imports(); err != nil || len(all) != 1 || all[0].Known != 1 || all[0].Added != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
