package migrate_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

const folders = "../testdata/folders"

// A listing is one file of testdata/folders: what a server answers, and where its folders go at others.
type listing struct {
	host    string
	answers []string
	maps    []folderMap
}

type folderMap struct {
	to   string // a file of testdata/folders
	args []string
	rows []string
}

func readListing(t testing.TB, name string) listing {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folders, name))
	if err != nil {
		t.Fatal(err)
	}
	var l listing
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		to, mapped := strings.CutPrefix(line, "-> ")
		host, hosted := strings.CutPrefix(line, "host ")
		switch {
		case line == "" || line[0] == '#':
		case hosted:
			l.host = host
		case mapped:
			words := strings.Split(to, " | ")
			l.maps = append(l.maps, folderMap{to: words[0], args: words[1:]})
		case line[0] == '*':
			l.answers = append(l.answers, line)
		default:
			m := &l.maps[len(l.maps)-1]
			m.rows = append(m.rows, line)
		}
	}
	return l
}

// tree is the listing as the client reads it from a server that answers so.
func (l listing) tree(t testing.TB) migrate.Tree {
	t.Helper()
	c := imap.New(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: l.dial}, login)
	defer c.Close()
	boxes, err := c.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ns, err := c.Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return migrate.Tree{Host: l.host, Namespace: ns, Mailboxes: boxes}
}

// dial connects to a server that lists, and says OK to everything else.
func (l listing) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		lines := bufio.NewScanner(server)
		fmt.Fprint(server, "* OK [CAPABILITY IMAP4rev1 NAMESPACE] ready\r\n")
		for lines.Scan() {
			words := strings.Fields(lines.Text())
			for _, answer := range l.answers {
				if strings.HasPrefix(answer, "* "+words[1]+" ") {
					fmt.Fprint(server, answer+"\r\n")
				}
			}
			fmt.Fprint(server, words[0]+" OK [CAPABILITY IMAP4rev1 NAMESPACE] done\r\n")
		}
	}()
	return client, nil
}

// rules reads what follows the file name in a "->" line, as it would be on the command line.
func rulesOf(t testing.TB, args []string) (r migrate.Rules) {
	t.Helper()
	for _, arg := range args {
		flag, value, _ := strings.Cut(arg, " ")
		switch flag {
		case "--map":
			rule, err := migrate.ParseRule(value)
			if err != nil {
				t.Fatal(err)
			}
			r.Map = append(r.Map, rule)
		case "--prefix":
			r.Prefix = value
		case "--include":
			r.Include = append(r.Include, migrate.ParseGlob(value))
		case "--exclude":
			r.Exclude = append(r.Exclude, migrate.ParseGlob(value))
		default:
			t.Fatalf("%q is no flag", flag)
		}
	}
	return r
}

// row writes a step as it stands in testdata/folders.
func row(s migrate.Step) string {
	to := mail.NameText(s.To.Name)
	switch {
	case s.LeftOut:
		to = "(left out)"
	case s.Rest:
		to = "(only what is nowhere else) " + to
	case s.New:
		to = "(new) " + to
	}
	return fmt.Sprintf("%s => %s : %s", mail.NameText(s.From.Name), to, s.Why)
}

func listingFiles(t testing.TB) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.txt", "made/*.txt"} {
		found, err := filepath.Glob(filepath.Join(folders, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			name, _ := filepath.Rel(folders, f)
			names = append(names, filepath.ToSlash(name))
		}
	}
	return names
}

// TestFolderMaps guards that mail lands where its owner looks for it, between all the servers whose listings are known.
func TestFolderMaps(t *testing.T) {
	maps := 0
	for _, name := range listingFiles(t) {
		l := readListing(t, name)
		source := l.tree(t)
		for _, m := range l.maps {
			maps++
			steps, err := migrate.Map(source, readListing(t, m.to).tree(t), rulesOf(t, m.args))
			var got []string
			for _, s := range steps {
				got = append(got, row(s))
			}
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					got = append(got, "error: "+strings.TrimSuffix(line, "\n"))
				}
			}
			if !slices.Equal(got, m.rows) {
				t.Errorf("%s -> %s %s:\n%s\nwant\n%s", name, m.to, strings.Join(m.args, " "), strings.Join(got, "\n"), strings.Join(m.rows, "\n"))
			}
		}
	}
	t.Logf("%d maps between %d listings", maps, len(listingFiles(t)))
}
