package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mailhaul/mailhaul/"

// layers says what each package of the house may import of the house. Arrows point down only.
var layers = map[string][]string{
	"cmd/mailhaul": {"backup", "migrate", "internal/account", "internal/archive", "internal/config", "internal/dial", "internal/discover", "internal/find", "internal/imap",
		"internal/mail", "internal/mbox", "internal/oauth", "internal/parts", "internal/pop3", "internal/postoffice", "internal/progress", "internal/retry", "testdata"},
	"backup":            {"internal/archive", "internal/mail", "internal/progress", "internal/retry"},
	"migrate":           {"internal/archive", "internal/mail", "internal/progress", "internal/retry"},
	"internal/account":  {"internal/dial", "internal/mail", "internal/sasl"},
	"internal/archive":  {"internal/dial", "internal/mail"},
	"internal/config":   {"internal/account", "internal/mail"},
	"internal/discover": {"internal/account", "internal/dial", "internal/mail"},
	"internal/find":     {"internal/archive", "internal/mail", "internal/parts", "internal/progress"},
	"internal/parts":    {},
	"internal/imap":     {"internal/dial", "internal/mail", "internal/sasl"},
	"internal/pop3":     {"internal/dial", "internal/mail", "internal/sasl"},
	"internal/sasl":     {"internal/mail"},
	"internal/retry":    {"internal/mail", "internal/progress"},
	"internal/dial":     {"internal/mail"},
	"internal/progress": {"internal/mail"},
	"internal/mail":     {},
	"internal/mbox":     {"internal/mail"},
	"internal/oauth":    {"internal/mail"},

	"internal/postoffice": {"internal/mail"},
	"testdata":            {},

	// For tests only, and only tests may import them.
	"internal":                      {},
	"internal/postoffice/directory": {"internal/postoffice"},
	"internal/postoffice/dovecot":   {"internal/mail"},
	"internal/postoffice/identity":  {},
	"internal/postoffice/trial":     {"internal/mail", "internal/postoffice"},
	"internal/peers":                {},
	"backup/sourcetest":             {"backup", "internal/mail", "internal/postoffice/trial", "testdata"},
	"backup/removertest":            {"backup", "internal/mail", "internal/postoffice/trial"},
	"migrate/desttest":              {"migrate", "internal/mail", "internal/postoffice/trial", "testdata"},
}

// forTests is what the tests of every package may import on top: servers, mail, and the contracts they keep.
var forTests = []string{"backup", "migrate", "internal/mail", "internal/postoffice", "internal/postoffice/directory", "internal/postoffice/dovecot", "internal/postoffice/identity", "internal/postoffice/trial",
	"backup/removertest", "backup/sourcetest", "migrate/desttest", "testdata"}

// inTrials is what the tests of the two halves may import beside that: they are tried with the real clients.
var inTrials = map[string][]string{
	"backup":  {"internal/dial", "internal/imap", "internal/pop3"},
	"migrate": {"internal/dial", "internal/imap", "internal/pop3"},
}

// rooms says in which packages a library stands; it never leaves them. The longest entry counts.
var rooms = map[string][]string{
	"github.com/zalando/go-keyring":              {"internal/account"},
	"github.com/BurntSushi/toml":                 {"internal/config", "internal/discover", "migrate"},
	"github.com/knadh/go-pop3":                   {"internal/pop3"},
	"github.com/emersion/go-imap/v2":             {"internal/imap", "internal/postoffice"},
	"github.com/emersion/go-imap/v2/imapclient":  {"internal/imap"},
	"github.com/emersion/go-imap/v2/imapserver":  {"internal/postoffice"},
	"github.com/emersion/go-sasl":                {"internal/postoffice"},
	"github.com/emersion/go-maildir":             {"internal/archive"},
	"github.com/gofrs/flock":                     {"internal/archive"},
	"modernc.org/sqlite":                         {"internal/archive", "internal/find"},
	"database/sql":                               {"internal/archive", "internal/find"},
	"golang.org/x/text/unicode/norm":             {"internal/find"},
	"golang.org/x/text/encoding":                 {"internal/parts"},
	"golang.org/x/text/width":                    {"cmd/mailhaul"},
	"golang.org/x/net/html":                      {"internal/parts"},
	"github.com/schollz/progressbar/v3":          {"cmd/mailhaul"},
	"github.com/spf13/cobra":                     {"cmd/mailhaul"},
	"github.com/spf13/pflag":                     {"cmd/mailhaul"},
	"golang.org/x/net":                           {"internal/discover", "internal/postoffice/directory"},
	"golang.org/x/term":                          {"cmd/mailhaul"},
	"github.com/rogpeppe/go-internal/testscript": {"cmd/mailhaul"},
	"log": {"cmd/mailhaul", "internal/oauth", "internal/postoffice/directory"}, // there to have net/http say nothing
}

// testRooms is where tests may bring a library to: the real client tries the servers in memory.
var testRooms = map[string][]string{
	"github.com/emersion/go-imap/v2":            {"internal/postoffice"},
	"github.com/emersion/go-imap/v2/imapclient": {"internal/postoffice"},
	"github.com/knadh/go-pop3":                  {"internal/postoffice"},
}

// onlyCmd is what speaks to a person or ends the program, which nothing below cmd does.
var onlyCmd = map[string][]string{
	"fmt": {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"},
	"os":  {"Stdin", "Stdout", "Stderr", "Exit", "Args"},
	"":    {"print", "println"},
}

func TestLayers(t *testing.T) {
	files := 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		files++
		source, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, complaint := range inspect(name, string(source)) {
			t.Error(complaint)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files read: %v", files, err)
	}
}

// inspect returns what is wrong with a file of the module.
func inspect(name, source string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
	if err != nil {
		return []string{err.Error()}
	}
	pkg, isTest := path.Dir(name), strings.HasSuffix(name, "_test.go")
	allowed, known := layers[pkg]
	if !known {
		return []string{fmt.Sprintf("%s: package %s has no place in the layers", name, pkg)}
	}
	if isTest {
		allowed = slices.Concat(allowed, forTests, inTrials[pkg], []string{pkg})
	}
	var complaints []string
	called := map[string]string{} // how the file calls an import
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		called[path.Base(imported)] = imported
		if spec.Name != nil {
			called[spec.Name.Name] = imported
		}
		if complaint := arrow(pkg, imported, isTest, allowed); complaint != "" {
			complaints = append(complaints, name+": "+complaint)
		}
	}
	if !isTest && pkg != "cmd/mailhaul" {
		for _, word := range speaks(file, called) {
			complaints = append(complaints, name+": "+word+" belongs in cmd")
		}
	}
	return complaints
}

func arrow(pkg, imported string, isTest bool, allowed []string) string {
	if within, ours := strings.CutPrefix(imported, module); ours {
		if !slices.Contains(allowed, within) {
			return fmt.Sprintf("the arrow from %s to %s does not point down", pkg, within)
		}
		return ""
	}
	library, room := roomOf(imported)
	switch {
	case library == "" && strings.Contains(strings.Split(imported, "/")[0], "."):
		return fmt.Sprintf("%s has no room", imported)
	case library == "" || slices.Contains(room, pkg) || isTest && slices.Contains(testRooms[library], pkg):
		return ""
	}
	return fmt.Sprintf("%s has left its room for %s", imported, pkg)
}

func roomOf(imported string) (library string, room []string) {
	for l, r := range rooms {
		if (imported == l || strings.HasPrefix(imported, l+"/")) && len(l) > len(library) {
			library, room = l, r
		}
	}
	return library, room
}

// speaks returns the words of onlyCmd that the file uses.
func speaks(file *ast.File, called map[string]string) (words []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(onlyCmd[called[x.Name]], n.Sel.Name) && called[x.Name] != "" {
				words = append(words, called[x.Name]+"."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && slices.Contains(onlyCmd[""], f.Name) {
				words = append(words, f.Name)
			}
		}
		return true
	})
	return words
}

// The test above is worth what it sees.
func TestLayersAreSeen(t *testing.T) {
	for _, tt := range []struct{ name, source, want string }{
		{"internal/mail/x.go", `import "github.com/mailhaul/mailhaul/internal/dial"`, "the arrow from internal/mail to internal/dial does not point down"},
		{"internal/pop3/x.go", `import "github.com/mailhaul/mailhaul/internal/imap"`, "the arrow from internal/pop3 to internal/imap"},
		{"internal/pop3/x_test.go", `import "github.com/mailhaul/mailhaul/internal/archive"`, "the arrow from internal/pop3 to internal/archive"},
		{"internal/pop3/x_test.go", `import "github.com/mailhaul/mailhaul/internal/postoffice"`, ""},
		{"internal/pop3/x_test.go", `import "github.com/mailhaul/mailhaul/internal/pop3"`, ""},
		{"internal/pop3/x.go", `import "github.com/mailhaul/mailhaul/internal/postoffice"`, "the arrow from internal/pop3 to internal/postoffice"},
		{"backup/x.go", `import "github.com/mailhaul/mailhaul/migrate"`, "the arrow from backup to migrate"},
		{"backup/x.go", `import "github.com/mailhaul/mailhaul/internal/pop3"`, "the arrow from backup to internal/pop3"},
		{"cmd/mailhaul/x.go", `import "github.com/mailhaul/mailhaul/internal/postoffice/dovecot"`, "the arrow from cmd/mailhaul to internal/postoffice/dovecot"},
		{"internal/util/x.go", ``, "package internal/util has no place"},
		{"internal/imap/x.go", `import "github.com/knadh/go-pop3"`, "github.com/knadh/go-pop3 has left its room for internal/imap"},
		{"internal/postoffice/x.go", `import "github.com/emersion/go-imap/v2/imapclient"`, "imapclient has left its room"},
		{"internal/postoffice/x_test.go", `import "github.com/emersion/go-imap/v2/imapclient"`, ""},
		{"internal/imap/x.go", `import "github.com/emersion/go-imap/v2/imapserver"`, "imapserver has left its room"},
		{"internal/imap/x.go", `import "github.com/emersion/go-imap/v2"`, ""},
		{"backup/x.go", `import "database/sql"`, "database/sql has left its room for backup"},
		{"internal/archive/x.go", `import _ "modernc.org/sqlite"`, ""},
		{"backup/x.go", `import "github.com/emersion/go-maildir/maildirpp"`, "maildirpp has left its room for backup"},
		{"cmd/mailhaul/x.go", `import "github.com/gofrs/flock"`, "flock has left its room for cmd/mailhaul"},
		{"internal/mail/x.go", `import "golang.org/x/text/unicode/norm"`, "norm has left its room for internal/mail"},
		{"internal/mail/x.go", `import "golang.org/x/text/cases"`, "golang.org/x/text/cases has no room"},
		{"migrate/x.go", `import "log/slog"`, "log/slog has left its room for migrate"},
		{"migrate/x.go", `import "fmt"; func f() { fmt.Println() }`, "fmt.Println belongs in cmd"},
		{"migrate/x.go", `import say "fmt"; func f() { say.Printf("") }`, "fmt.Printf belongs in cmd"},
		{"migrate/x.go", `import ("fmt"; "os"); func f() { fmt.Fprintln(os.Stderr) }`, "os.Stderr belongs in cmd"},
		{"migrate/x.go", `func f() { println() }`, "println belongs in cmd"},
		{"migrate/x.go", `import "os"; func f() { os.Exit(1) }`, "os.Exit belongs in cmd"},
		{"migrate/x_test.go", `import "fmt"; func f() { fmt.Println() }`, ""},
		{"cmd/mailhaul/x.go", `import "fmt"; func f() { fmt.Println() }`, ""},
		{"migrate/x.go", `import "fmt"; func f() string { return fmt.Sprint() }`, ""},
	} {
		got := strings.Join(inspect(tt.name, "package x\n"+tt.source), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s with %s: %q, want %q", tt.name, tt.source, got, tt.want)
		}
	}
}
