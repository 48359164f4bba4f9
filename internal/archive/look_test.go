package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// epoch is the UIDVALIDITY of the letters.
const epoch = 7

func status(next, messages uint32) mail.Status {
	return mail.Status{Validity: epoch, Next: next, Messages: messages, ModSeq: 1<<63 + 5, ID: "box\xff"}
}

// flagged returns the letter with other flags, as a listing shows it.
func flagged(l letter, flags ...string) mail.Item {
	l.item.Flags = mail.MakeFlags(flags...)
	return l.item
}

func items(letters ...letter) (all []mail.Item) {
	for _, l := range letters {
		all = append(all, l.item)
	}
	return all
}

func mustLook(t *testing.T, a *Archive, mailbox string, l Look) (gone, changed int) {
	t.Helper()
	gone, changed, err := a.Looked(mailbox, l)
	mustDo(t, err)
	return gone, changed
}

// flagsOf returns the flags of an entry, joined, as the ledger and as the file have them.
func flagsOf(t *testing.T, a *Archive, id int64) string {
	t.Helper()
	e, err := a.Entry(id)
	mustDo(t, err)
	if _, err := os.Lstat(filepath.Join(a.root.Name(), e.Path)); err != nil {
		t.Error(err)
	}
	name, _ := parseName(filepath.Base(e.Path))
	f := a.folders.named(e.Mailbox)
	byFile := allFlags(name.info, join(a.letters(f).named(name.info)))
	unsaid := func(k mail.Flag) bool { return !isSystem(k) && !isKeyword(k) } // no file name can say it
	if !byFile.Equal(slices.DeleteFunc(slices.Clone(e.Flags), unsaid)) {
		t.Errorf("the ledger says %q, and the file %q", e.Flags, byFile)
	}
	return join(e.Flags)
}

func TestFlagsFollowTheSource(t *testing.T) {
	for _, tc := range []struct {
		before, here, now string // at the source, by a mail program here, at the source
		want              string
		flagged           int
	}{
		{`\Seen work`, `\Seen work`, `\Seen work`, `\Seen work`, 0},
		{`\Seen work`, `\Seen work`, ``, ``, 1},
		{``, ``, `\Seen \Flagged work later`, `\Flagged \Seen later work`, 1},
		{``, `\Seen`, `\Flagged`, `\Flagged \Seen`, 1},
		{``, `\Seen`, `\Seen`, `\Seen`, 0},
		{`\Seen`, ``, `\Seen`, ``, 0},
		{`\Seen`, ``, `\Answered \Seen`, `\Answered`, 1},
		{`work`, ``, `work later`, `later`, 1},
		{`work`, `work mine`, ``, `mine`, 1},
		{`work`, `WORK`, ``, ``, 1},
		{`$Forwarded`, `$Forwarded`, `\Draft`, `\Draft`, 1},
		{`\Seen`, `\Seen`, `\Seen \XKnown`, `\Seen \XKnown`, 1},
	} {
		a := open(t, ramDir(t))
		l := newLetter(inbox, 1, "A: b\r\n\r\n")
		l.item = flagged(l, strings.Fields(tc.before)...)
		mustTake(t, a, l)
		markHere(t, a, tc.here)
		look := Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1), Flags: []mail.Item{flagged(l, strings.Fields(tc.now)...)}}}
		if _, n := mustLook(t, a, "INBOX", look); n != tc.flagged {
			t.Errorf("%+v: %d flagged", tc, n)
		}
		look.Flags[0].Flags = slices.Clone(look.Flags[0].Flags)
		if _, n := mustLook(t, a, "INBOX", look); n != 0 {
			t.Errorf("%+v: flagged again", tc)
		}
		a = reopened(t, a)
		if got := flagsOf(t, a, 1); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
		shut(t, a)
	}
}

// markHere gives the only message of the INBOX other flags, as a mail program does.
func markHere(t *testing.T, a *Archive, flags string) {
	t.Helper()
	e, err := a.Entry(1)
	mustDo(t, err)
	f := mail.MakeFlags(strings.Fields(flags)...)
	if f.Equal(e.Flags) {
		return
	}
	l, err := a.lettersFor(a.folders.inbox(), f)
	mustDo(t, err)
	n, _ := parseName(filepath.Base(e.Path))
	n.info = l.info(f, "")
	mustDo(t, a.root.Rename(e.Path, "cur/"+n.String()))
}

// TestStrangeLetters checks that letters nobody knows stay where they are.
func TestStrangeLetters(t *testing.T) {
	dir, file := oneDone(t)
	mustDo(t, os.Rename(file, strings.TrimSuffix(file, "Sa")+"SXaq"))
	a := open(t, dir)
	defer shut(t, a)
	it := flagged(letterOne, `\Flagged`, "later", "work")
	mustLook(t, a, "INBOX", Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1), Flags: []mail.Item{it}}})
	e, _ := a.Entry(1)
	if !strings.HasSuffix(e.Path, ":2,FXaqr") || join(e.Flags) != `\Flagged later work` {
		t.Errorf("%s, %q", e.Path, e.Flags)
	}
	text, err := os.ReadFile(filepath.Join(dir, lettersFile))
	if err != nil || string(text) != "0 work\n17 later\n" {
		t.Errorf("%q, %v: q has another meaning, and stays free", text, err)
	}
}

func goneIDs(t *testing.T, a *Archive) (ids []int64) {
	t.Helper()
	for _, e := range allEntries(t, a) {
		if e.Gone {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func TestGone(t *testing.T) {
	var letters []letter
	for uid := 1; uid <= 6; uid++ {
		letters = append(letters, newLetter(inbox, uid, fmt.Sprintf("A: %d\r\n\r\n", uid)))
	}
	other := newLetter(work, 1, "A: other\r\n\r\n")
	since := status(5, 4)
	for _, tc := range []struct {
		name string
		look Look
		was  []int64 // gone before
		want []int64
	}{
		{"nothing said", Look{Since: since, Changes: mail.Changes{New: items(letters[4:]...)}, Complete: true}, nil, nil},
		{"all listed", Look{Changes: mail.Changes{New: items(letters...)}, Complete: true}, []int64{2}, nil},
		{"all listed, some left", Look{Changes: mail.Changes{New: items(letters[1], letters[5])}}, nil, []int64{1, 3, 4, 5}},
		{"some left", Look{Since: since, Changes: mail.Changes{New: items(letters[4:]...), Left: []uint32{2, 4}}}, nil, []int64{1, 3}},
		{"none left", Look{Since: since, Changes: mail.Changes{New: items(letters[4:]...), Left: []uint32{}}}, nil, []int64{1, 2, 3, 4}},
		{"out of order", Look{Since: since, Changes: mail.Changes{New: items(letters[5], letters[4]), Left: []uint32{4, 2}}}, nil, []int64{1, 3}},
		{"back", Look{Since: since, Changes: mail.Changes{New: items(letters[4:]...), Left: []uint32{1, 2, 3}}}, []int64{2}, []int64{4}},
		{"back, by its flags", Look{Since: since, Changes: mail.Changes{New: items(letters[4:]...), Flags: items(letters[1])}}, []int64{2, 3}, []int64{3}},
		{"new, and gone since", Look{Since: since, Changes: mail.Changes{New: items(letters[5])}}, nil, []int64{5}},
		{"partial", Look{Since: since, Changes: mail.Changes{New: items(letters[5]), Left: []uint32{2}, Partial: "10,000 only"}, Complete: true}, []int64{2}, []int64{2}},
	} {
		a := open(t, ramDir(t))
		mustTake(t, a, append(letters, other)...)
		mustDo(t, a.write("test", func() error {
			for _, id := range tc.was {
				if _, err := a.ledger.exec("update entry set gone = 1 where id = ?", id); err != nil {
					return err
				}
			}
			return nil
		}))
		tc.look.Status = status(7, uint32(len(letters)))
		n, _ := mustLook(t, a, "inbox", tc.look)
		got := goneIDs(t, a)
		fresh := slices.DeleteFunc(slices.Clone(got), func(id int64) bool { return slices.Contains(tc.was, id) })
		if !slices.Equal(got, tc.want) || n != len(fresh) {
			t.Errorf("%s: %d gone, %v; want %v", tc.name, n, got, tc.want)
		}
		known, err := a.Known("INBOX", epoch)
		if err != nil || len(known) != len(letters)-len(got) {
			t.Errorf("%s: Known = %v, %v", tc.name, known, err)
		}
		want := mail.Status{}
		if tc.look.Complete && tc.look.Partial == "" {
			want = tc.look.Status
		}
		if st, err := a.State("INBOX"); err != nil || st != want {
			t.Errorf("%s: State = %+v, %v", tc.name, st, err)
		}
		for _, id := range got {
			if e, _ := a.Entry(id); !a.Has(e.Ref) {
				t.Errorf("%s: what is gone is to be fetched again", tc.name)
			}
		}
		shut(t, a)
	}
}

// TestNewEpoch checks what becomes of the mail of an earlier UIDVALIDITY.
func TestNewEpoch(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	old := []letter{newLetter(inbox, 1, "A: 1\r\n\r\n"), newLetter(inbox, 2, "A: 2\r\n\r\n")}
	anew := []letter{newLetter(inbox, 1, "A: 2\r\n\r\n"), newLetter(inbox, 2, "A: 3\r\n\r\n")}
	for i := range anew {
		anew[i].item.Ref.Validity = epoch + 1
	}
	mustTake(t, a, append(old, anew...)...)
	look := Look{Since: status(3, 2), Changes: mail.Changes{Status: mail.Status{Validity: epoch + 1, Next: 3, Messages: 2}, New: items(anew...)}}
	if n, _ := mustLook(t, a, "INBOX", look); n != 0 {
		t.Errorf("%d gone before all of the new epoch was archived", n)
	}
	look.Complete = true
	if n, _ := mustLook(t, a, "INBOX", look); n != 2 || !slices.Equal(goneIDs(t, a), []int64{1, 2}) {
		t.Errorf("%d gone: %v", n, goneIDs(t, a))
	}
}

// TestLookAfterALostLedger checks that one look gives everything back that the names of the files do not say.
func TestLookAfterALostLedger(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	letters := []letter{newLetter(inbox, 1, "A: 1\r\n\r\n"), newLetter(inbox, 2, "A: 2\r\n\r\n"), newLetter(inbox, 3, "A: 3\r\n\r\n")}
	letters[1].item.Identity = "EMAILID M2"
	letters[1].item = flagged(letters[1], `\Seen`, "work", `\XOdd`)
	mustTake(t, a, letters...)
	before := allEntries(t, a)
	shut(t, a)
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a = open(t, dir)
	defer func() { shut(t, a) }()
	if n, err := a.Unsound("INBOX", epoch); err != nil || n != 3 {
		t.Errorf("Unsound = %d, %v: a listing of all is needed", n, err)
	}
	if e := allEntries(t, a)[0]; e.Received.Format("-0700") != "+0000" || !e.Flags.Has("work") {
		t.Errorf("%+v", e)
	}
	look := Look{Changes: mail.Changes{Status: status(9, 2), New: items(letters[:2]...)}, Complete: true}
	gone, changed := mustLook(t, a, "INBOX", look)
	after := allEntries(t, a)
	for i := range 2 {
		at := slices.IndexFunc(after, func(e Entry) bool { return e.Digest == before[i].Digest })
		e, was := after[at], before[i]
		if e.Ref != was.Ref || !e.Flags.Equal(was.Flags) || e.Identity != was.Identity || e.Gone {
			t.Errorf("%+v, was %+v", e, was)
		}
	}
	if n, err := a.Unsound("INBOX", epoch); err != nil || n != 0 || gone != 1 || changed != 1 || len(goneIDs(t, a)) != 1 {
		t.Errorf("Unsound = %d, %v; %d gone, %d flagged", n, err, gone, changed)
	}
	a = reopened(t, a)
	if st, _ := a.State("INBOX"); st != look.Status {
		t.Errorf("State = %+v", st)
	}
}

// TestLookWithNothingNew checks that it writes nothing.
func TestLookWithNothingNew(t *testing.T) {
	dir, _ := oneDone(t)
	look := Look{Changes: mail.Changes{Status: status(2, 1), New: items(letterOne)}, Complete: true}
	a := open(t, dir)
	mustLook(t, a, "INBOX", look)
	shut(t, a)
	writes := 0
	a, err := Open(dir, Options{Steps: func(Step) error { writes++; return nil }})
	mustDo(t, err)
	mustLook(t, a, "INBOX", look)
	shut(t, a)
	if writes > 0 {
		t.Errorf("%d steps", writes)
	}
}

// TestMarkedWhileLooking checks that a file that has got another name since is found, and one that is not there any
// more is fetched again.
func TestMarkedWhileLooking(t *testing.T) {
	dir, file := oneDone(t)
	a := open(t, dir)
	defer shut(t, a)
	mustDo(t, os.Rename(file, filepath.Join(dir, "new", strings.TrimSuffix(filepath.Base(file), ":2,Sa"))))
	look := Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1), Flags: []mail.Item{flagged(letterOne, `\Flagged`, "work")}}}
	mustLook(t, a, "INBOX", look)
	if got := flagsOf(t, a, 1); got != `\Flagged` {
		t.Errorf("flags %q: the program here had taken work away, and the source has set a flag", got)
	}
	e, _ := a.Entry(1)
	if !strings.HasPrefix(e.Path, "cur/") {
		t.Errorf("a file with flags lies in %s", e.Path)
	}
	mustDo(t, a.root.Remove(e.Path))
	look.Flags[0] = flagged(letterOne, `\Answered`)
	mustLook(t, a, "INBOX", look)
	if n, _ := a.Unsound("INBOX", epoch); n != 1 || a.Has(letterOne.item.Ref) {
		t.Error("a deleted file is taken for archived")
	}
	mustTake(t, a, letterOne)
	if n, _ := a.Unsound("INBOX", epoch); n != 0 {
		t.Errorf("Unsound = %d", n)
	}
}

// TestFileComesBack checks that flags that could not be changed, because the file was away, are changed when it is
// back.
func TestFileComesBack(t *testing.T) {
	for _, known := range []bool{false, true} {
		dir, file := oneDone(t)
		away := filepath.Join(ramDir(t), "away")
		a := open(t, dir)
		mustDo(t, os.Rename(file, away))
		if known {
			a = reopened(t, a)
		}
		look := Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1), Flags: []mail.Item{flagged(letterOne, `\Flagged`)}}}
		mustLook(t, a, "INBOX", look)
		shut(t, a)
		mustDo(t, os.Rename(away, file))
		a = open(t, dir)
		if n, _ := a.Unsound("INBOX", epoch); n != 0 {
			t.Errorf("Unsound = %d", n)
		}
		mustLook(t, a, "INBOX", look)
		if got := flagsOf(t, a, 1); got != `\Flagged` {
			t.Errorf("flags %q", got)
		}
		shut(t, a)
	}
}

// TestCopyInTheWay checks that a copy that a person has made is not overwritten.
func TestCopyInTheWay(t *testing.T) {
	dir, file := oneDone(t)
	a := open(t, dir)
	defer shut(t, a)
	copied := strings.TrimSuffix(file, "Sa") + "F"
	mustDo(t, os.WriteFile(copied, []byte("mine"), 0o600))
	look := Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1), Flags: []mail.Item{flagged(letterOne, `\Flagged`)}}}
	for _, want := range []string{`\Seen work`, `\Flagged`} {
		mustLook(t, a, "INBOX", look)
		if got := flagsOf(t, a, 1); got != want {
			t.Errorf("flags %q, want %q", got, want)
		}
		if text, err := os.ReadFile(copied); want == `\Seen work` && (err != nil || string(text) != "mine") {
			t.Errorf("the copy is %q, %v", text, err)
		}
		if want == `\Seen work` {
			mustDo(t, os.Remove(copied)) // out of the way
		}
	}
}

// TestAdoptedIsNotGone checks that what a run left without a UID is not taken for gone by a look that could not show it.
func TestAdoptedIsNotGone(t *testing.T) {
	dir, _ := oneDone(t)
	forget(t, dir)
	a := open(t, dir)
	defer shut(t, a)
	look := Look{Since: status(2, 1), Changes: mail.Changes{Status: status(2, 1)}, Complete: true}
	if n, _ := mustLook(t, a, "INBOX", look); n != 0 {
		t.Errorf("%d gone", n)
	}
	if n, _ := a.Unsound("INBOX", epoch); n != 1 {
		t.Errorf("Unsound = %d", n)
	}
}

// TestMovedBeforeTheLedgerWasLost checks that a message that lies in another folder's directory is its mailbox's again.
func TestMovedBeforeTheLedgerWasLost(t *testing.T) {
	dir, file := oneDone(t)
	mustDo(t, os.Rename(file, filepath.Join(dir, ".Work.2019", "cur", filepath.Base(file))))
	mustDo(t, os.Remove(filepath.Join(dir, ledgerFile)))
	a := open(t, dir)
	defer shut(t, a)
	for _, mailbox := range []string{"Work/2019", "INBOX"} {
		look := Look{Changes: mail.Changes{Status: status(2, 1)}, Complete: true}
		if mailbox == "INBOX" {
			look.New = items(letterOne)
		}
		mustLook(t, a, mailbox, look)
	}
	if e := allEntries(t, a)[0]; e.Mailbox != "INBOX" || e.Gone || e.Ref != letterOne.item.Ref {
		t.Errorf("%+v", e)
	}
}

// TestGoneAndBackDamaged checks that a message that was gone, and its file missing, is not gone when it is archived.
func TestGoneAndBackDamaged(t *testing.T) {
	dir, file := oneDone(t)
	mustDo(t, os.Remove(file))
	a := open(t, dir)
	defer shut(t, a)
	mustLook(t, a, "INBOX", Look{Changes: mail.Changes{Status: status(2, 0)}})
	if n, _ := a.Unsound("INBOX", epoch); n != 0 || len(goneIDs(t, a)) != 1 {
		t.Errorf("Unsound = %d, gone %v", n, goneIDs(t, a))
	}
	mustTake(t, a, letterOne)
	checkIs(t, "gone", goneIDs(t, a), nil)
}

func TestLookAtNothing(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	if _, _, err := a.Looked("none", Look{Changes: mail.Changes{Status: status(1, 0)}}); err == nil {
		t.Error("a mailbox nobody knows was looked at")
	}
	if _, _, err := a.Looked("INBOX", Look{}); err == nil {
		t.Error("a look without UIDVALIDITY")
	}
}

func TestShown(t *testing.T) {
	a := open(t, ramDir(t))
	drafts := mail.Mailbox{Name: "Drafts", Delim: '/', Role: mail.RoleDrafts}
	mustTake(t, a, fourLetters...)
	mustDo(t, a.AddMailboxes([]mail.Mailbox{drafts}))
	imported := newLetter(mail.Mailbox{Name: "Imported", Delim: '/'}, 1, "A: b\r\n\r\n")
	imported.item.Ref.Validity = 0 // no source could show it
	mustTake(t, a, imported)
	mustLook(t, a, "Work/2019", Look{Changes: mail.Changes{Status: status(4, 1), New: items(fourLetters[3])}, Complete: true})
	mustLook(t, a, "Drafts", Look{Changes: mail.Changes{Status: status(1, 0)}, Complete: true})
	names := func() (all []string) {
		boxes, err := a.Mailboxes()
		mustDo(t, err)
		for _, mb := range boxes {
			all = append(all, fmt.Sprint(mb.Name, mb.Gone))
		}
		return all
	}
	for _, tc := range []struct {
		boxes  []mail.Mailbox
		gone   int
		want   []string
		states int
	}{
		{[]mail.Mailbox{inbox, work, drafts}, 0, []string{"INBOXfalse", "Draftsfalse", "Importedtrue", "Work/2019false"}, 2},
		{[]mail.Mailbox{inbox, work}, 0, []string{"INBOXfalse", "Importedtrue", "Work/2019false"}, 1},
		{[]mail.Mailbox{inbox}, 1, []string{"INBOXfalse", "Importedtrue", "Work/2019true"}, 0},
		{[]mail.Mailbox{inbox}, 0, []string{"INBOXfalse", "Importedtrue", "Work/2019true"}, 0},
		{[]mail.Mailbox{inbox, work, drafts}, 0, []string{"INBOXfalse", "Draftsfalse", "Importedtrue", "Work/2019false"}, 0},
	} {
		gone, err := a.Shown(tc.boxes)
		states, _ := a.States()
		if got := names(); err != nil || gone != tc.gone || !slices.Equal(got, tc.want) || len(states) != tc.states {
			t.Errorf("Shown(%v) = %d, %v; Mailboxes %v, want %v; States %v", tc.boxes, gone, err, got, tc.want, states)
		}
		if a = reopened(t, a); !slices.Equal(names(), tc.want) {
			t.Errorf("%v at the next open", names())
		}
	}
	counts, _ := a.Counts(there)
	byBox, _ := a.MailboxCounts(there)
	n, octets, _ := a.ToBring(there, Wanted{})
	all, _, _ := a.ToBring(there, Wanted{Gone: true})
	want := len(fourLetters[0].body) + len(fourLetters[1].body) + len(fourLetters[2].body) + len(imported.body)
	if counts[Gone] != 1 || counts[Pending] != 4 || byBox["Work/2019"][Gone] != 1 || n != 4 || octets != int64(want) || all != 5 {
		t.Errorf("Counts = %v, MailboxCounts = %v, ToBring = %d, %d, %d", counts, byBox, n, octets, all)
	}
	page, _ := a.Pending(there, Wanted{}, "Work/2019", 0, 9)
	more, _ := a.Pending(there, Wanted{Gone: true}, "Work/2019", 0, 9)
	if len(page) != 0 || len(more) != 1 {
		t.Errorf("Pending = %v, with the gone %v", page, more)
	}
	mustDo(t, a.Intend(there, []Intent{{Entry: 4, Mailbox: "Work", Validity: 1, Next: 1}}))
	if n, _, _ := a.ToBring(there, Wanted{}); n != 5 {
		t.Errorf("ToBring = %d: an intent is to be settled, whatever is wanted", n)
	}
	mustDo(t, a.Settle(there, []Outcome{{Entry: 4, State: Done, Mailbox: "Work", Validity: 1, UID: 1}}))
	counts, _ = a.Counts(there)
	checkIs(t, "Counts", counts, map[State]int{Pending: 4, Done: 1})
	shut(t, a)
}
