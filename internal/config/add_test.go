package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestAdd guards that what stands in the file stays, that a link stays one, and that nothing is written that could not
// be read.
func TestAdd(t *testing.T) {
	const first, second = "[accounts.a]\naddress = 'me@x.example'", "[accounts.b]\naddress = 'me@y.example'\n"
	dir := t.TempDir()
	name := filepath.Join(dir, "new", "config.toml")
	for _, more := range []string{first, second} {
		if err := Add(name, more); err != nil {
			t.Fatal(err)
		}
	}
	want := first + "\n\n" + second
	for _, wrong := range []string{"[accounts.a]\naddress = 'me@z.example'\n", "[jobs.a]\n", "x"} {
		if err := Add(name, wrong); err == nil {
			t.Errorf("%q was added", wrong)
		}
	}
	if got, _ := os.ReadFile(name); string(got) != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	if others, _ := os.ReadDir(filepath.Dir(name)); len(others) != 1 {
		t.Errorf("there is more than the file: %v", others)
	}
	if runtime.GOOS == "windows" {
		return
	}
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := Add(link, "# more\n"); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(link); info.Mode().IsRegular() {
		t.Error("the link is none any more")
	}
	if got, _ := os.ReadFile(name); !strings.HasSuffix(string(got), second+"\n# more\n") {
		t.Errorf("the file behind the link is %q", got)
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", `a"b\c`, "tab\there\x00\x7f", "grüße ~/mail", "\u0085"} {
		f, err := Read("/c", []byte("[accounts.a]\naddress = 'me@x.example'\npassword_command = "+Quote("x"+strings.ReplaceAll(s, "\x00", ""))+"\n"), "")
		if err != nil || f.Account("a").PasswordCommand != "x"+strings.ReplaceAll(s, "\x00", "") {
			t.Errorf("%q: %v", s, err)
		}
	}
	if got := Key("a-b_1") + Key("ä") + Key(""); got != `a-b_1"ä"""` {
		t.Errorf("the keys are %s", got)
	}
}
