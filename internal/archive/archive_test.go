package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/testdata"
)

var (
	source = mail.Account{Protocol: "imap", Host: "old.example", User: "ann"}
	inbox  = mail.Mailbox{Name: mail.Inbox, Delim: '/', Role: mail.RoleInbox}
	work   = mail.Mailbox{Name: "Work/2019", Delim: '/'}
	then   = time.Date(2020, 2, 3, 4, 5, 6, 0, time.FixedZone("", 2*3600))
)

// A letter is a message as a source has it.
type letter struct {
	mb   mail.Mailbox
	item mail.Item
	body string
}

func newLetter(mb mail.Mailbox, uid int, body string) letter {
	return letter{mb, mail.Item{Ref: mail.Ref{Mailbox: mb.Name, Validity: 7, UID: fmt.Sprint(uid)}, Received: then,
		Flags: mail.MakeFlags(`\Seen`, "work")}, body}
}

// canonical is the definition, octet by octet.
func canonical(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '\n' && (i == 0 || s[i-1] != '\r') {
			b.WriteByte('\r')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func open(t testing.TB, dir string) *Archive {
	t.Helper()
	a, err := Open(dir, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Bind(source, false); err != nil {
		t.Fatal(err)
	}
	return a
}

func shut(t testing.TB, a *Archive) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// reopened closes and opens.
func reopened(t testing.TB, a *Archive) *Archive {
	t.Helper()
	dir := a.root.Name()
	shut(t, a)
	return open(t, dir)
}

// take archives what a does not have yet, as backup does.
func take(a *Archive, letters ...letter) error {
	b := a.NewBatch()
	for _, l := range letters {
		if a.Has(l.item.Ref) {
			continue
		}
		if _, err := b.Put(l.item, l.mb, strings.NewReader(l.body)); err != nil {
			b.Abort()
			return err
		}
	}
	_, err := b.Commit()
	return err
}

func mustTake(t testing.TB, a *Archive, letters ...letter) {
	t.Helper()
	if err := take(a, letters...); err != nil {
		t.Fatal(err)
	}
}

func readMessage(t testing.TB, a *Archive, e Entry) string {
	t.Helper()
	r, err := a.OpenMessage(e)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func allEntries(t testing.TB, a *Archive) []Entry {
	t.Helper()
	all, err := a.entries("order by e.id")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// files returns the paths of all regular files below dir outside of mailhaul/ that are not Dovecot's.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ownDir {
			return fs.SkipDir
		}
		if err == nil && d.Type().IsRegular() && d.Name() != "maildirfolder" && !strings.HasPrefix(d.Name(), "dovecot") {
			p, err = filepath.Rel(dir, p)
			all = append(all, filepath.ToSlash(p))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkHolds fails unless the archive holds these messages, each once, unaltered, and nothing else.
func checkHolds(t testing.TB, a *Archive, letters ...letter) {
	t.Helper()
	entries := allEntries(t, a)
	if len(entries) != len(letters) {
		t.Errorf("%d entries for %d messages", len(entries), len(letters))
	}
	var got, want []string
	for _, e := range entries {
		got = append(got, e.Mailbox+"\n"+readMessage(t, a, e))
	}
	for _, l := range letters {
		want = append(want, l.mb.Name+"\n"+canonical(l.body))
		if !a.Has(l.item.Ref) {
			t.Errorf("Has(%s) = false", l.item.Ref)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the archive holds %.200q, want %.200q", got, want)
	}
	if f := files(t, a.root.Name()); len(f) != len(letters) {
		t.Errorf("%d files for %d messages: %q", len(f), len(letters), f)
	}
}

var fourLetters = []letter{
	newLetter(inbox, 1, "Message-ID: <twin@x>\r\nSubject: same\r\n\r\nsame\r\n"),
	newLetter(inbox, 2, "Message-ID: <twin@x>\r\nSubject: same\r\n\r\nsame\r\n"),
	newLetter(inbox, 3, "Message-ID: <one@x>\r\n\r\nfirst\r\n"),
	newLetter(work, 3, "Message-ID: <one@x>\r\n\r\nsecond, with a bare\nLF\r\n"),
}

func TestArchive(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "deep", "archive"))
	mustTake(t, a, fourLetters...)
	checkHolds(t, a, fourLetters...)
	a = reopened(t, a)
	defer shut(t, a)
	checkHolds(t, a, fourLetters...)
	if len(a.Notes()) > 0 {
		t.Errorf("Notes = %q", a.Notes())
	}
	e := allEntries(t, a)[3]
	octets := int64(len(canonical(fourLetters[3].body)))
	want := Entry{ID: 4, Ref: fourLetters[3].item.Ref, Mailbox: "Work/2019", Octets: octets, Header: mail.Header{MessageID: "<one@x>"},
		Digest: e.Digest, Match: e.Match, Received: e.Received, Flags: mail.MakeFlags(`\Seen`, "work"), Path: e.Path}
	if fmt.Sprintf("%+v", e) != fmt.Sprintf("%+v", want) || e.Received.Format(time.RFC3339) != then.Format(time.RFC3339) {
		t.Errorf("entry %+v, want %+v", e, want)
	}
	sum, _ := mail.SumOf(strings.NewReader(fourLetters[3].body))
	if e.Digest != sum.Digest || e.Match != sum.Match {
		t.Error("the digests are not those of the message")
	}
	boxes, err := a.Mailboxes()
	if err != nil || len(boxes) != 2 || boxes[0].Messages != 3 || boxes[1].Mailbox != work || boxes[1].Octets != octets {
		t.Errorf("Mailboxes = %+v, %v", boxes, err)
	}
}

func TestFileOnDisk(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	defer shut(t, a)
	mustTake(t, a, newLetter(work, 9, "A: b\r\n\r\nbody\r\n"))
	k := keyOf(source, mail.Ref{Mailbox: "Work/2019", Validity: 7, UID: "9"})
	path := filepath.Join(dir, ".Work.2019", "cur", fmt.Sprintf("%d.%x.mailhaul,S=11,W=14:2,Sa", then.Unix(), k[:]))
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "A: b\n\nbody\n" {
		t.Fatalf("the file holds %q, %v", text, err)
	}
	info, _ := os.Stat(path)
	if !info.ModTime().Equal(then) || info.Mode() != 0o600 {
		t.Errorf("the file has time %v and mode %v", info.ModTime(), info.Mode())
	}
	for _, name := range []string{"maildirfolder", "new", "tmp"} {
		if _, err := os.Stat(filepath.Join(dir, ".Work.2019", name)); err != nil {
			t.Error(err)
		}
	}
}

// oddBodies are messages that do not survive being written with LF line ends.
var oddBodies = []string{
	"", "\n", "\r", "\r\n", "\r\r\n", "\n\r\n", "\r\n\n", "\r\r", "a", "a\r", "a\r\n\r", "a\rb\r\n", "a\r\n\rb\r\r\nc\r\n",
	"A: b\r\n\r\nbare\nLF\r\n", "A: b\n\nall LF\n", "A: b\r\n\r\nrun\r\r\r\r\n", "A: \x00\r\n\r\n\x00\n\x00\r\n", "\n\r\r\n\r\n\n",
	strings.Repeat("x\r\n", 50_000) + "\r\r\n", strings.Repeat("y\r\n", 50_000) + "\nend", strings.Repeat("z", 70_000) + "\r\n",
}

// dribble gives few octets at a time.
type dribble struct {
	r io.Reader
	n int
}

func (d dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), d.n)]) }

func TestOddMessagesComeBack(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	for i, body := range oddBodies {
		for _, n := range []int{1, 2, 3, 1 << 20} {
			checkComesBack(t, a, newLetter(inbox, 10*i+n, body), n)
		}
	}
}

func checkComesBack(t *testing.T, a *Archive, l letter, n int) {
	t.Helper()
	b := a.NewBatch()
	put, err := b.Put(l.item, l.mb, dribble{strings.NewReader(l.body), n})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := b.Commit()
	if err != nil || len(entries) != 1 {
		t.Fatalf("Commit = %v, %v", entries, err)
	}
	e := entries[0]
	if got := readMessage(t, a, e); got != canonical(l.body) || int64(len(got)) != e.Octets || put.Octets != e.Octets {
		t.Errorf("%.40q in pieces of %d came back as %.40q with %d octets", l.body, n, got, e.Octets)
	}
	raw, err := os.ReadFile(filepath.Join(a.root.Name(), e.Path))
	if err != nil || !strings.Contains(e.Path, fmt.Sprintf(",S=%d,W=%d:", len(raw), e.Octets)) {
		t.Errorf("%d octets in %s, %v", len(raw), e.Path, err)
	}
	lf := strings.ReplaceAll(l.body, "\r\n", "\n")
	if want := map[bool]string{true: lf, false: l.body}[canonical(lf) == l.body]; string(raw) != want {
		t.Errorf("%.40q lies there as %.40q, want %.40q", l.body, raw, want)
	}
}

func FuzzComesBack(f *testing.F) {
	for _, body := range oddBodies {
		f.Add([]byte(body), 1)
	}
	a := open(f, ramDir(f))
	defer a.Close()
	uid := 0
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		uid++
		checkComesBack(t, a, newLetter(inbox, uid, string(body)), 1+n&0xff)
	})
}

func TestRealMailComesBack(t *testing.T) {
	a := open(t, ramDir(t))
	var letters []letter
	for i, m := range testdata.Messages() {
		letters = append(letters, newLetter(inbox, i, string(m.Octets)))
	}
	mustTake(t, a, letters...)
	checkHolds(t, a, letters...)
	for _, e := range allEntries(t, a) {
		stored, err := os.ReadFile(filepath.Join(a.root.Name(), e.Path))
		sum, _ := mail.SumOf(bytes.NewReader(stored))
		if err != nil || sum.Digest != e.Digest || sum.Match != e.Match || !slices.Equal(sum.Header.Keys(), e.Header.Keys()) {
			t.Errorf("%s is not as its entry says, %v", e.Path, err)
		}
	}
	shut(t, a)
}

func TestErrorOfTheBody(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	defer shut(t, a)
	cut := errors.New("the line is cut")
	l := newLetter(inbox, 1, "A: b\r\n\r\nx\ny")
	b := a.NewBatch()
	if _, err := b.Put(l.item, l.mb, io.MultiReader(strings.NewReader(l.body), errReader{cut})); err != cut {
		t.Errorf("Put = %v, want the body's own error", err)
	}
	if f := files(t, dir); len(f) != 0 || b.Len() != 0 || a.Has(l.item.Ref) {
		t.Errorf("%q stayed", f)
	}
	if _, err := b.Put(l.item, l.mb, strings.NewReader(l.body)); err != nil {
		t.Errorf("the second try: %v", err)
	}
	if _, err := b.Put(l.item, l.mb, strings.NewReader(l.body)); err != ErrKnown {
		t.Errorf("the same again: %v, want ErrKnown", err)
	}
	b.Abort()
	if f := files(t, dir); len(f) != 0 {
		t.Errorf("%q stayed after Abort", f)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestReceivedWhenTheSourceDoesNotSay(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	traced := newLetter(inbox, 1, "Received: by x; Tue, 3 Mar 2020 10:00:00 +0100\r\n\r\n")
	bare := newLetter(inbox, 2, "\r\n")
	traced.item.Received, bare.item.Received = time.Time{}, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	mustTake(t, a, traced, bare)
	e := allEntries(t, a)
	if got := e[0].Received.Format(time.RFC3339); got != "2020-03-03T10:00:00+01:00" {
		t.Errorf("by the trace: %s", got)
	}
	if age := time.Since(e[1].Received); age < 0 || age > time.Minute {
		t.Errorf("without any: %s", e[1].Received)
	}
}

func TestKeyIsForGood(t *testing.T) {
	// Changing how a key is made would have every archive fetched anew.
	got := fmt.Sprintf("%x", keyOf(mail.Account{Protocol: "pop3", Host: "h", User: "u"}, mail.Ref{Mailbox: "INBOX", UID: "a\x002"}))
	if want := sha("pop3://u@h\x00INBOX\x000\x00a\x002")[:32]; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
}

func sha(s string) string {
	sum, _ := mail.SumOf(bytes.NewReader([]byte(s)))
	return sum.Digest.String() // the text has no line ends
}
