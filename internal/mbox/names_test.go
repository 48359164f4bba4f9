package mbox

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestSafeName(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"INBOX", "INBOX"},
		{"Re: a/b\\c", "Re_ a_b_c"},
		{"../../etc/passwd", "_.._etc_passwd"},
		{"..", ""},
		{" .hidden. ", "hidden"},
		{"-rf", "rf"},
		{"CON", "_CON"},
		{"aux.txt", "_aux.txt"},
		{"com¹", "_com¹"},
		{"Contact", "Contact"},
		{"a\x00b\x1b[31mc\u202ed\u200be\ufefff", "ab[31mcdef"},
		{"50% off~", "50_ off_"},
		{"Приветствие, мир и все кто здесь есть", "Приветствие, мир и все кто здесь"},
		{"\xff\xfe", ""},
		{"سلام دنیا", "سلام دنیا"},
	} {
		if got := SafeName(tt.text, maxLevelName); got != tt.want {
			t.Errorf("SafeName(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// foreign are levels of folders, by people and by attackers.
var foreign = [][]string{
	{"INBOX"}, {"inbox"}, {"Work"}, {"WORK"}, {"work"}, {"Work", "2019"}, {"work", "2019"}, {"Straße"}, {"STRASSE"}, {"é"}, {"e\u0301"}, {""}, {"", ""},
	{".."}, {"..", "..", "etc", "passwd"}, {"/etc/passwd"}, {`..\..\x`}, {"CON"}, {"con.txt"}, {"con"}, {"a."}, {"a"}, {"a "}, {"a.mbox"}, {"a.mbox", "b"},
	{"cur"}, {"x", "tmp"}, {"x", "mailhaul.jsonl"}, {"C:"}, {"x:y"}, {strings.Repeat("long ", 100)}, {strings.Repeat("long ", 101)},
	strings.Split(strings.Repeat("deep/", 100), "/"), {"\u202egnp.exe"}, {"a\nb"}, {"~"}, {"%41"}, {"a/b"}, {"a_b"}, {"📧"}, {"\xff"}, {"\xfe"},
}

func TestFolderNames(t *testing.T) {
	var names Names
	seen := map[string][]string{}
	for _, levels := range foreign {
		path := names.Folder(levels)
		checkPath(t, path)
		if was, taken := seen[strings.ToLower(path)]; taken {
			t.Errorf("%q and %q are both %q", was, levels, path)
		}
		seen[strings.ToLower(path)] = levels
	}
}

// checkPath guards that every system takes a path for the same.
func checkPath(t *testing.T, path string) {
	t.Helper()
	if path == "" || len(path) > 200 || !utf8.ValidString(path) || strings.HasPrefix(path, "/") {
		t.Errorf("%q is no path", path)
	}
	for level := range strings.SplitSeq(path, "/") {
		if level == "" || level == "." || level == ".." || len(level) > 120 || strings.ContainsAny(level, `\:*?"<>|`) || strings.HasSuffix(level, ".") ||
			strings.HasSuffix(level, " ") || strings.HasPrefix(level, " ") || strings.HasPrefix(level, "-") || windowsDevices.MatchString(level) {
			t.Errorf("%q in %q is not safe", level, path)
		}
	}
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q has something in it that nobody sees", path)
	}
}

func TestFileNames(t *testing.T) {
	var names FileNames
	seen := map[string]bool{}
	at := time.Date(2021, 3, 4, 23, 0, 0, 0, time.FixedZone("", -3600))
	for _, tt := range []struct{ subject, want string }{
		{"Lunch?", "2021-03-05_Lunch_ab12cd.eml"},
		{"lunch?", "2021-03-05_lunch_ab12cd-2.eml"},
		{"", "2021-03-05_ab12cd.eml"},
		{"=?UTF-8?Q?Caf=C3=A9?= ../x", "2021-03-05_Café_.._x_ab12cd.eml"},
		{"\xff\xfe =?nonsense", ""},
		{strings.Repeat("x", 1000), ""},
		{"CON", ""},
	} {
		name := names.Message(at, tt.subject, mail.Digest{0xab, 0x12, 0xcd, 0xff})
		checkPath(t, name)
		if tt.want != "" && name != tt.want || seen[strings.ToLower(name)] {
			t.Errorf("Message(%q) = %q, want %q", tt.subject, name, tt.want)
		}
		seen[strings.ToLower(name)] = true
	}
}

func FuzzNames(f *testing.F) {
	for _, levels := range foreign {
		f.Add(strings.Join(levels, "/"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var names Names
		one, two := names.Folder(strings.Split(text, "/")), names.Folder([]string{text, text})
		checkPath(t, one)
		checkPath(t, two)
		if strings.EqualFold(one, two) {
			t.Errorf("%q is the name of two folders", one)
		}
		checkPath(t, new(FileNames).Message(time.Unix(0, 0), text, mail.Digest{}))
	})
}
