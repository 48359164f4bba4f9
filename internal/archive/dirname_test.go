package archive

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestPlainDir(t *testing.T) {
	for _, tc := range []struct {
		name  string
		delim rune
		want  string // "": a slug
	}{
		{"Work", '/', ".Work"},
		{"Work/2019", '/', ".Work.2019"},
		{"INBOX.Sent Items", '.', ".INBOX.Sent Items"},
		{"a/b", 0, ""},
		{"a.b", '/', ""},
		{"Entw&APw-rfe", '/', ".Entw&APw-rfe"},
		{"Entwürfe", '/', ".Entw&APw-rfe"},
		{"A & B", '/', ""},
		{"A &- B", '/', ".A &- B"},
		{"Ä & B", '/', ".&AMQ- &- B"},
		{"&2D3eAA-", '/', ".&2D3eAA-"},
		{"&AAo-", '/', ""},       // a line end
		{"&IC4-txt", '/', ""},    // text that runs the other way
		{"&JjoAIQ", '/', ""},     // open
		{"Entw\xfcrfe", '/', ""}, // Latin-1
		{"&Jjo!", '/', ""},       // Yandex and others
		{"a//b", '/', ""},        // an empty level
		{"/a", '/', ""},          //
		{"..", '/', ""},          //
		{"../../etc", '/', ""},   //
		{"..\\..\\etc", '/', ""}, //
		{"/etc/passwd", '.', ""}, //
		{"a\x00b", '/', ""},      //
		{"\x1b[2J", '/', ""},     //
		{"", '/', ""},            //
		{"con", '/', ""},         //
		{"x/LPT1/y", '/', ""},    //
		{"cur", '/', ""},         //
		{" a", '/', ""},          //
		{"a ", '/', ""},          //
		{"-rf", '/', ""},         //
		{"~root", '/', ""},       //
		{"[Gmail]/All Mail", '/', ".[Gmail].All Mail"},
		{strings.Repeat("x", 199), '/', "." + strings.Repeat("x", 199)},
		{strings.Repeat("x", 200), '/', ""},
		{strings.Repeat("x/", 40) + "x", '/', ""},
	} {
		got, ok := plainDir(mail.Mailbox{Name: tc.name, Delim: tc.delim})
		if ok != (tc.want != "") || ok && got != tc.want {
			t.Errorf("plainDir(%q) = %q, %v; want %q", tc.name, got, ok, tc.want)
		}
		checkDir(t, newFolders().of(mail.Mailbox{Name: tc.name, Delim: tc.delim}))
	}
}

// checkDir fails unless the folder's directory can stand on any file system, below the archive's.
func checkDir(t *testing.T, f *folder) {
	t.Helper()
	if f.dir == "" && f.Name == mail.Inbox {
		return
	}
	bad := !isFolderDir(f.dir) || len(f.dir) > maxDirName || strings.ContainsAny(f.dir, "/\\:*?\"<>|\x7f") ||
		strings.ContainsFunc(f.dir, func(r rune) bool { return r < ' ' || r >= utf8.RuneSelf }) ||
		strings.HasSuffix(f.dir, " ") || strings.HasSuffix(f.dir, ".") || strings.Contains(f.dir, "..")
	if bad {
		t.Errorf("the directory of %q is %q", f.Name, f.dir)
	}
}

func TestTwins(t *testing.T) {
	fs := newFolders()
	dirs := map[string]string{}
	for _, mb := range []mail.Mailbox{
		inbox, {Name: "inBox"}, {Name: "Sent", Delim: '/'}, {Name: "sent", Delim: '/'}, {Name: "SENT", Delim: '/'},
		{Name: "a/b", Delim: '/'}, {Name: "a.b", Delim: '.'}, {Name: "a.b/c", Delim: '/'}, {Name: "a/b/c", Delim: '/'},
		{Name: "Entwürfe", Delim: '/'}, {Name: "Entw&APw-rfe", Delim: '/'}, {Name: "Entw&APW-rfe", Delim: '/'},
		{Name: "Caf\u00e9"}, {Name: "Cafe\u0301"}, {Name: "x~" + strings.Repeat("0", 32)},
	} {
		f := fs.of(mb)
		checkDir(t, f)
		lower := strings.ToLower(f.dir)
		if other, taken := dirs[lower]; taken && other != f.Name {
			t.Errorf("%q and %q are both in %q", other, f.Name, f.dir)
		}
		dirs[lower] = f.Name
		if again := fs.of(mb); again != f {
			t.Errorf("%q is in %q and in %q", mb.Name, f.dir, again.dir)
		}
	}
	if len(dirs) != 14 {
		t.Errorf("%d directories", len(dirs))
	}
}

func FuzzFolders(f *testing.F) {
	f.Add("Sent", "sent", "/")
	f.Add("a.b", "a/b", ".")
	f.Add("Entwürfe", "Entw&APw-rfe", "/")
	f.Add("../x", "..\\x", "\\")
	f.Add("x~0", strings.Repeat("é/", 100), "/")
	f.Fuzz(func(t *testing.T, x, y, delim string) {
		var d rune
		for _, d = range delim {
			break
		}
		fs := newFolders()
		a, b := fs.of(mail.Mailbox{Name: x, Delim: d}), fs.of(mail.Mailbox{Name: y, Delim: d})
		checkDir(t, a)
		checkDir(t, b)
		if same := x == y || mail.IsInbox(x) && mail.IsInbox(y); same != (a == b) || same != strings.EqualFold(a.dir, b.dir) {
			t.Errorf("%q and %q are in %q and %q", x, y, a.dir, b.dir)
		}
		if back := folderToJSON(a).folder(); back.Mailbox != a.Mailbox || back.dir != a.dir {
			t.Errorf("%+v came back as %+v", a, back)
		}
	})
}

func FuzzParseName(f *testing.F) {
	n := fileName{received: 1, key: key{1}, nth: 2, stored: 3, octets: 4, info: ":2,S"}
	f.Add(n.String())
	f.Add("1.2.mailhaul,S=1,W=1")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ours := parseName(s); ours && n.String() != s {
			t.Errorf("%q was read as %q", s, n.String())
		}
	})
}
