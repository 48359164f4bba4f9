package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manyLetters fills an archive with messages in two folders.
func manyLetters(t *testing.T, n int) *Archive {
	t.Helper()
	a := open(t, ramDir(t))
	var letters []letter
	for i := range n {
		mb := inbox
		if i%2 == 1 {
			mb = work
		}
		letters = append(letters, newLetter(mb, i+1, fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: %[1]d\r\n\r\n%s\r\n", i, strings.Repeat("body ", i%50))))
	}
	mustTake(t, a, letters...)
	return a
}

func verified(t *testing.T, a *Archive) Verified {
	t.Helper()
	v, err := a.Verify(context.Background(), func(int64) {})
	mustDo(t, err)
	return v
}

// wrecks are what may happen to the file of a message, and as what it is found.
var wrecks = []struct {
	name, kind string
	do         func(dir, file string) error
}{
	{"deleted", FoundMissing, func(_, file string) error { return os.Remove(file) }},
	{"cut", FoundDamaged, func(_, file string) error { return os.Truncate(file, 20) }},
	{"emptied", FoundDamaged, func(_, file string) error { return os.Truncate(file, 0) }},
	{"one bit", FoundDamaged, func(_, file string) error { return flipBit(file) }},
	{"longer", FoundDamaged, func(_, file string) error { return appendTo(file, "x") }},
	{"renamed", FoundMoved, func(_, file string) error {
		return os.Rename(file, filepath.Join(filepath.Dir(file), "1700000000.M1P2.host:2,S"))
	}},
	{"moved to another folder", FoundMoved, func(dir, file string) error {
		return os.Rename(file, filepath.Join(dir, ".Work.2019", "cur", filepath.Base(file)))
	}},
	{"moved into a folder that another program has made", FoundMoved, func(dir, file string) error {
		to := filepath.Join(dir, ".Elsewhere", "cur")
		return errors.Join(os.MkdirAll(to, 0o700), os.Rename(file, filepath.Join(to, "1700000001.M1P3.host:2,")))
	}},
	{"flags changed", "", func(_, file string) error { return os.Rename(file, file[:strings.Index(file, ":2,")]+":2,FRS") }},
	{"made new", "", func(dir, file string) error {
		base, _, _ := strings.Cut(filepath.Base(file), ":")
		return os.Rename(file, filepath.Join(dir, "new", base))
	}},
	{"a copy beside it", FoundForeign, func(_, file string) error {
		text, err := os.ReadFile(file)
		return errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(file), "1700000002.M1P4.host:2,"), text, 0o600))
	}},
	{"a link to somewhere else", FoundMissing, func(_, file string) error {
		return errors.Join(os.Remove(file), os.Symlink("/dev/null", file))
	}},
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// TestVerify guards that what has happened to single messages of 2,000 is found, and named, and nothing else; beside a
// run that writes and without one.
func TestVerify(t *testing.T) {
	a := manyLetters(t, 2000)
	dir := a.root.Name()
	if v := verified(t, a); v.Messages != 2000 || v.Sound != 2000 || len(v.Findings) > 0 {
		t.Fatalf("as archived: %+v", v)
	}
	want := map[string]string{}
	entries := allEntries(t, a)
	for i, w := range wrecks {
		e := entries[100*i]
		mustDo(t, w.do(dir, filepath.Join(dir, filepath.FromSlash(e.Path))))
		if w.kind != "" && w.kind != FoundForeign {
			want[e.Header.MessageID] = w.kind
		}
	}
	for _, theirs := range []string{"dovecot-uidlist", "subscriptions", "cur/.nfs0001", "tmp/1700000003.M1P5.host"} {
		mustDo(t, os.WriteFile(filepath.Join(dir, theirs), []byte("x"), 0o600))
	}
	view, err := View(dir)
	mustDo(t, err)
	v := verified(t, view)
	shut(t, view)
	checkFindings(t, v, want, 2) // the copy, and the link
	if v.Messages != 2000 || v.Sound != 2000-len(want) {
		t.Errorf("%d of %d messages are sound, want all but %d", v.Sound, v.Messages, len(want))
	}
	t.Logf("2000 messages, %d wrecked, 2 with other flags, 2 foreign files: %d findings", len(want), len(v.Findings))
}

func checkFindings(t *testing.T, v Verified, want map[string]string, foreign int) {
	t.Helper()
	got := map[string]string{}
	for _, f := range v.Findings {
		if f.Kind == FoundForeign && f.Entry == 0 {
			foreign--
			continue
		}
		got[f.MessageID] = f.Kind
		if f.Mailbox == "" || f.Path == "" || f.Reason == "" {
			t.Errorf("a finding says too little: %+v", f)
		}
	}
	checkIs(t, "findings", got, want)
	if foreign != 0 {
		t.Errorf("%d foreign files too few: %+v", foreign, v.Findings)
	}
}

// TestVerifyWhatIsKnown guards that damage stays a finding when the ledger knows of it, and is none any more when the
// message was archived anew, although the damaged file is still there.
func TestVerifyWhatIsKnown(t *testing.T) {
	a := open(t, ramDir(t))
	mustTake(t, a, fourLetters...)
	e, err := a.Entry(1)
	mustDo(t, err)
	mustDo(t, flipBit(filepath.Join(a.root.Name(), filepath.FromSlash(e.Path))))
	if err := a.Check(e); err == nil {
		t.Fatal("the damage was not found")
	}
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	checkFindings(t, verified(t, a), map[string]string{e.Header.MessageID: FoundDamaged}, 0)
	mustTake(t, a, fourLetters[0])
	v := verified(t, a)
	checkFindings(t, v, map[string]string{}, 0)
	checkIs(t, "damaged files left", v.Left, 1)
}

// TestVerifyIsStopped guards that it ends when it is to, with what it has found.
func TestVerifyIsStopped(t *testing.T) {
	a := manyLetters(t, 200)
	defer shut(t, a)
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	v, err := a.Verify(ctx, func(int64) {
		if n++; n == 50 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || v.Sound < 50 || v.Sound == 200 {
		t.Errorf("%d sound, %v", v.Sound, err)
	}
}
