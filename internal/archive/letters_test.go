package archive

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// lettersOf returns what is read from a file with that text.
func lettersOf(text string) *letters {
	l := &letters{text: []byte(text)}
	l.parse()
	return l
}

func TestLettersFile(t *testing.T) {
	for _, tc := range []struct {
		text string
		want string // names, with "-" for none
		next int
	}{
		{"", "", 0},
		{"0 work\n1 later\n", "work later", 2},
		{"0 work\n1 later", "work later", 2},
		{"1 later\n", "- later", 2},
		{"25 last\n", strings.Repeat("- ", 25) + "last", 26},
		{"26 beyond\n-1 before\nx y\n\nnothing\n3 \n", "", 0},
		{"0 work\n0 other\n", "other", 1},
		{"0 two words\n1 \x1b[0m\n2 " + strings.Repeat("x", 101) + "\n", "", 3},
		{"0 a\r\n", "", 1},
		{"0 w\xc3\xb6rk\n1 ok\n", "- ok", 2},
	} {
		l := lettersOf(tc.text)
		var names []string
		for _, n := range l.names {
			names = append(names, cmp.Or(string(n), "-"))
		}
		got := strings.TrimRight(strings.Join(names, " "), " -")
		if got != strings.TrimRight(tc.want, " -") || l.next != tc.next {
			t.Errorf("%q: %q, next %d; want %q, %d", tc.text, got, l.next, tc.want, tc.next)
		}
	}
}

func TestInfo(t *testing.T) {
	l := lettersOf("0 work\n2 $Forwarded\n")
	for _, tc := range []struct{ flags, strange, want string }{
		{``, "", ":2,"},
		{`\Seen work`, "", ":2,Sa"},
		{`\Seen WORK unknown`, "Xb", ":2,SXab"},
		{`$forwarded \Draft`, "", ":2,DPc"},
	} {
		f := mail.MakeFlags(strings.Fields(tc.flags)...)
		info := l.info(f, tc.strange)
		if want := strings.Replace(tc.want, ":", infoSep, 1); info != want || l.strange(info) != tc.strange {
			t.Errorf("info(%s, %q) = %q with %q strange, want %q", tc.flags, tc.strange, info, l.strange(info), want)
		}
	}
}

func TestKeywordsNow(t *testing.T) {
	l, other := lettersOf("0 work\n1 later\n"), lettersOf("0 later\n1 mine\n")
	for _, tc := range []struct {
		keywords string
		from     *letters
		was      string
		to       *letters
		is       string
		want     string
	}{
		{"work \\XOdd", l, ":2,a", l, ":2,", "\\XOdd"},
		{"work", l, ":2,a", l, ":2,Sab", "later work"},
		{"work later", l, ":2,ab", other, ":2,a", "later work"},
		{"work later", l, ":2,ab", other, ":2,b", "mine work"},
		{"work", l, "", l, ":2,a", "work"},
		{"unsaid", l, ":2,z", l, ":2,", "unsaid"},
	} {
		if got := keywordsNow(tc.keywords, tc.from, tc.was, tc.to, tc.is); got != tc.want {
			t.Errorf("keywordsNow(%q, %q, %q) = %q, want %q", tc.keywords, tc.was, tc.is, got, tc.want)
		}
	}
}

// TestLettersAreForGood checks that the file is only added to, that there are 26 at most, and that the ledger has the
// rest.
func TestLettersAreForGood(t *testing.T) {
	dir := ramDir(t)
	a := open(t, dir)
	path := filepath.Join(dir, lettersFile)
	mustDo(t, os.WriteFile(path, []byte("3 there\n# by hand\n1 before"), 0o600))
	before := time.Now().Add(time.Hour).Truncate(time.Second)
	mustDo(t, os.Chtimes(path, before, before))
	l := newLetter(inbox, 1, "A: b\r\n\r\n")
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("k%02d", i))
	}
	l.item = flagged(l, append(names, "THERE", "before")...)
	mustTake(t, a, l)
	a = reopened(t, a)
	defer shut(t, a)
	text, _ := os.ReadFile(path)
	want := "3 there\n# by hand\n1 before\n"
	for i := range 22 {
		want += fmt.Sprintf("%d k%02d\n", i+4, i)
	}
	info, err := os.Stat(path)
	if string(text) != want || err != nil || info.ModTime().Unix() <= before.Unix() || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v; want %q and a time after %v", text, info.ModTime(), want, before)
	}
	e := allEntries(t, a)[0]
	if len(e.Flags) != 32 || !strings.HasSuffix(e.Path, infoSep+"2,bdefghijklmnopqrstuvwxyz") {
		t.Errorf("%s, %d flags", e.Path, len(e.Flags))
	}
}

func TestLettersThatCannotBeRead(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"huge":        func(path string) error { return os.WriteFile(path, make([]byte, maxLettersFile+1), 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":      func(path string) error { return os.Symlink("cur", path) },
	} {
		dir := ramDir(t)
		a := open(t, dir)
		mustDo(t, put(filepath.Join(dir, lettersFile)))
		mustTake(t, a, letterOne)
		a = reopened(t, a)
		if e := allEntries(t, a)[0]; !strings.HasSuffix(e.Path, "2,S") || !e.Flags.Has("work") {
			t.Errorf("%s: %s, %q", what, e.Path, e.Flags)
		}
		shut(t, a)
	}
}

// TestDovecotLock checks which locks are waited for, and which are taken away.
func TestDovecotLock(t *testing.T) {
	here, _ := os.Hostname()
	old := time.Now().Add(-3 * time.Minute)
	for _, tc := range []struct {
		name  string
		text  string
		time  time.Time
		stale bool
	}{
		{"of this process, from before", fmt.Sprintf("%d:%s", os.Getpid(), here), time.Now(), true},
		{"of a process that is no more", fmt.Sprintf("%d:%s\n", 1<<30, here), time.Now(), true},
		{"of one that lives", "1:" + here, old, false},
		{"of another host", "1:elsewhere.example", time.Now(), false},
		{"of another host, long ago", "1:elsewhere.example", old, true},
		{"just being made", "", time.Now(), false},
		{"never signed", "", old, true},
	} {
		dir := ramDir(t)
		a := open(t, dir)
		path := filepath.Join(dir, dovecotLock)
		mustDo(t, os.WriteFile(path, []byte(tc.text), 0o600))
		mustDo(t, os.Chtimes(path, tc.time, tc.time))
		if got := a.staleDovecot(dovecotLock); got != tc.stale {
			t.Errorf("%s: stale %v", tc.name, got)
		}
		if tc.stale {
			mustTake(t, a, letterOne)
			if e := allEntries(t, a)[0]; !strings.HasSuffix(e.Path, "2,Sa") {
				t.Errorf("%s: %s", tc.name, e.Path)
			}
			checkNoLock(t, dir)
		}
		shut(t, a)
	}
}

// TestDovecotAtWork checks that a lock is waited for, and kept while the file is written.
func TestDovecotAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := ramDir(t)
		path := filepath.Join(dir, dovecotLock)
		held := 0
		a, err := Open(dir, Options{Create: true, Steps: func(s Step) error {
			if strings.HasSuffix(s.Path, lettersFile) || strings.HasSuffix(s.Path, lettersFile+".lock") {
				text, err := os.ReadFile(path)
				pid, _, _ := strings.Cut(string(text), ":")
				if held++; err != nil || pid != strconv.Itoa(os.Getpid()) {
					t.Errorf("%s without the lock: %q, %v", s.Op, text, err)
				}
			}
			if s.Op == "lock" && !s.After && held == 0 { // Dovecot adds a keyword, and lets go
				held++
				mustDo(t, os.WriteFile(path, []byte("1:elsewhere.example"), 0o600))
				time.AfterFunc(lockWait/2, func() {
					mustDo(t, os.WriteFile(filepath.Join(dir, lettersFile), []byte("0 theirs\n"), 0o600))
					mustDo(t, os.Remove(path))
				})
			}
			return nil
		}})
		mustDo(t, err)
		mustDo(t, a.Bind(source, false))
		defer shut(t, a)
		mustTake(t, a, letterOne)
		text, _ := os.ReadFile(filepath.Join(dir, lettersFile))
		if e := allEntries(t, a)[0]; string(text) != "0 theirs\n1 work\n" || !strings.HasSuffix(e.Path, "2,Sb") || held < 3 {
			t.Errorf("%q, %s", text, e.Path)
		}
	})
}

// TestDovecotKeepsTheLock checks that mail is archived then too, its keywords in the ledger.
func TestDovecotKeepsTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := ramDir(t)
		a := open(t, dir)
		path := filepath.Join(dir, dovecotLock)
		mustDo(t, os.WriteFile(path, []byte("1:elsewhere.example"), 0o600))
		began := time.Now()
		mustTake(t, a, letterOne)
		mustTake(t, a, newLetter(inbox, 2, "A: b\r\n\r\n"))
		if waited := time.Since(began); waited < lockWait || waited > lockWait+time.Second {
			t.Errorf("waited for %v", waited)
		}
		a = reopened(t, a)
		for _, e := range allEntries(t, a) {
			if !e.Flags.Has("work") || !strings.HasSuffix(e.Path, "2,S") {
				t.Errorf("%s, %q", e.Path, e.Flags)
			}
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the lock was taken away: %v", err)
		}
		shut(t, a)
	})
}

func FuzzLetters(f *testing.F) {
	f.Add("0 work\n1 later\n", ":2,Sab", `\Seen work`)
	f.Add("25 z\n3 \x00\n", ";2,Zz", "z")
	f.Add("", ":2,\xff\x00S", "")
	f.Fuzz(func(t *testing.T, text, info, flags string) {
		if len(text)+len(flags) > 4<<10 {
			return
		}
		l := lettersOf(text)
		if l.next < 0 || l.next > maxLetters {
			t.Fatalf("next is %d", l.next)
		}
		set := mail.MakeFlags(strings.Fields(flags)...)
		out := l.info(set, l.strange(info))
		if got := union(flagsIn(out), l.named(out)); len(got) > 0 && !containsAll(union(set, nil), got) {
			t.Errorf("%q, %q and %q give %q, which says %q", text, info, flags, out, got)
		}
		if l.strange(out) != sortedSet(l.strange(info)) {
			t.Errorf("strange letters %q became %q", l.strange(info), l.strange(out))
		}
		keywordsNow(flags, l, info, l, out)
	})
}

func containsAll(set, some mail.Flags) bool {
	for _, f := range some {
		if !set.Has(f) {
			return false
		}
	}
	return true
}

// sortedSet returns the octets of s in order, each once.
func sortedSet(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(slices.Compact(b))
}
