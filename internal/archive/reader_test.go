package archive

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-maildir"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
	"github.com/mailhaul/mailhaul/testdata"
)

// libraryOf returns an archive with real mail in folders of every kind of name, closed.
func libraryOf(t *testing.T) (dir string, letters []letter) {
	t.Helper()
	boxes := []mail.Mailbox{inbox, work, {Name: "Entw&APw-rfe", Delim: '/'}, {Name: "Gr\u00f6\u00dfe", Delim: '/'}, {Name: "v1.2", Delim: '/'}}
	for i, m := range testdata.Messages() {
		letters = append(letters, newLetter(boxes[i%len(boxes)], i, string(m.Octets)))
	}
	dir = ramDir(t)
	a := open(t, dir)
	mustTake(t, a, letters...)
	shut(t, a)
	return dir, letters
}

// TestAnotherLibraryReadsIt reads the archive with go-maildir, which is not what wrote it.
func TestAnotherLibraryReadsIt(t *testing.T) {
	dir, letters := libraryOf(t)
	subs, err := filepath.Glob(filepath.Join(dir, ".*"))
	mustDo(t, err)
	n := 0
	for _, sub := range append(subs, dir) {
		err := maildir.Dir(sub).Walk(func(m *maildir.Message) error {
			n++
			if !slices.Equal(m.Flags(), []maildir.Flag{maildir.FlagSeen, 'a'}) {
				t.Errorf("%s has the flags %c", m.Key(), m.Flags())
			}
			return nil
		})
		mustDo(t, err)
	}
	if n != len(letters) {
		t.Errorf("%d of %d messages were found", n, len(letters))
	}
}

// TestDovecotReadsIt has a real Dovecot serve the archive.
func TestDovecotReadsIt(t *testing.T) {
	dovecot.Require(t)
	dir, letters := libraryOf(t)
	server := dovecot.Start(t, dovecot.Options{})
	server.Adopt(t, "ann", dir)
	c := dial(t, server.IMAP)
	c.ask("LOGIN ann " + dovecot.Password)
	for name, dir := range map[string]string{"INBOX": "INBOX", "Work/2019": "Work/2019", "Entw&APw-rfe": "Entw&APw-rfe",
		"Gr\u00f6\u00dfe": "Gr&APYA3w-e", "v1.2": strings.TrimPrefix(slugDir("v1.2"), ".")} {
		var want []string
		for _, l := range letters {
			if l.mb.Name == name {
				want = append(want, shownDigest(l.body))
			}
		}
		got := c.fetchAll(dir)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("Dovecot shows %d messages in %q that are not the %d put there", len(got), dir, len(want))
		}
	}
	c.ask("LOGOUT")
	// And after Dovecot has been at work in it, it is still an archive.
	back := filepath.Join(ramDir(t), "back")
	mustDo(t, os.CopyFS(back, os.DirFS(server.MailDir("ann"))))
	a := open(t, back)
	defer shut(t, a)
	for _, l := range letters {
		if !a.Has(l.item.Ref) {
			t.Errorf("Has(%q) = false after Dovecot", l.item.Ref)
		}
	}
	checkNote(t, a, "")
}

// shownDigest returns the digest of a message as Dovecot shows it: with 0x80 in the place of NUL, which IMAP cannot
// say.
func shownDigest(body string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.ReplaceAll(canonical(body), "\x00", "\x80"))))
}

// A client speaks just enough IMAP to read what a server shows.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, port int) *client {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(dovecot.Host, strconv.Itoa(port)))
	mustDo(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &client{t, conn, bufio.NewReader(conn)}
	c.line()
	return c
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	mustDo(c.t, err)
	return strings.TrimSpace(line)
}

var literal = regexp.MustCompile(`\{(\d+)\}$`)

// ask sends a command and returns the literals of the answer and the rest of it.
func (c *client) ask(command string) (literals []string, text string) {
	c.t.Helper()
	fmt.Fprintf(c.conn, "a %s\r\n", command)
	for {
		line := c.line()
		text += line + "\n"
		if m := literal.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			body := make([]byte, n)
			_, err := io.ReadFull(c.r, body)
			mustDo(c.t, err)
			literals = append(literals, string(body))
		}
		if strings.HasPrefix(line, "a ") {
			if !strings.HasPrefix(line, "a OK") {
				c.t.Fatalf("%s: %s", command, line)
			}
			return literals, text
		}
	}
}

// fetchAll returns the digests of the messages in a mailbox, and checks the rest of what is shown of them.
func (c *client) fetchAll(mailbox string) (digests []string) {
	c.t.Helper()
	c.ask(`EXAMINE "` + mailbox + `"`)
	bodies, text := c.ask("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
	for _, b := range bodies {
		digests = append(digests, fmt.Sprintf("%x", sha256.Sum256([]byte(b))))
	}
	if n := strings.Count(text, " FETCH ("); strings.Count(text, `\Seen`) != n || strings.Count(text, then.UTC().Format("02-Jan-2006 15:04:05")) != n {
		c.t.Errorf("flags or dates in %q are not those put there: %.300s", mailbox, text)
	}
	return digests
}
