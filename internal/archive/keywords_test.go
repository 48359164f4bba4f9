package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// TestKeywordsWithDovecot hands an archive to and fro between us and a real Dovecot: each sees the keywords the other
// has set, and no letter ever gets another meaning.
func TestKeywordsWithDovecot(t *testing.T) {
	dovecot.Require(t)
	server := dovecot.Start(t, dovecot.Options{})
	dir := ramDir(t)
	a := open(t, dir)
	letters := twins(inbox, 3)
	letters[1].item = flagged(letters[1], `\Answered`, "$Forwarded", "NonJunk", `\XOdd`)
	letters[2].item = flagged(letters[2])
	elsewhere := newLetter(work, 1, "A: elsewhere\r\n\r\n")
	elsewhere.item = flagged(elsewhere, "later")
	mustTake(t, a, append(letters, elsewhere)...)
	shut(t, a)

	c := serve(t, server, dir)
	checkShown(t, c, "INBOX", map[string]string{"000001": `\Seen work`, "000002": `$Forwarded NonJunk \Answered`, "000003": ``})
	checkShown(t, c, "Work/2019", map[string]string{"elsewhere": `later`})
	c.ask("SELECT INBOX")
	c.ask("UID STORE " + c.uidOf("000001") + " -FLAGS (work \\Seen)")
	c.ask("UID STORE " + c.uidOf("000002") + " -FLAGS (nonjunk)")
	c.ask("UID STORE " + c.uidOf("000003") + " +FLAGS (later WORK \\Flagged)")
	c.ask("LOGOUT")

	dir = takeBack(t, server)
	before, _ := os.ReadFile(filepath.Join(dir, lettersFile))
	a = open(t, dir)
	for id, want := range map[int64]string{1: ``, 2: `$Forwarded \Answered \XOdd`, 3: `\Flagged later work`} {
		if got := flagsOf(t, a, id); got != want {
			t.Errorf("after Dovecot, entry %d has %q, want %q", id, got, want)
		}
	}
	look := Look{Since: status(4, 3), Changes: mail.Changes{Status: status(4, 3), Flags: []mail.Item{
		flagged(letters[0], `\Seen`, "work", "third"), flagged(letters[1], `\Answered`, "NonJunk"), flagged(letters[2])}}}
	mustLook(t, a, "INBOX", look)
	mustDo(t, a.Rekey([]Move{moveTo(4, jobs, epoch, 1)}))
	shut(t, a)
	if after, _ := os.ReadFile(filepath.Join(dir, lettersFile)); string(after) != string(before)+fmt.Sprintf("%d third\n", strings.Count(string(before), "\n")) {
		t.Errorf("the letters were\n%sand are\n%s", before, after)
	}

	c = serve(t, server, dir)
	checkShown(t, c, "INBOX", map[string]string{"000001": `third`, "000002": `\Answered`, "000003": `\Flagged later work`})
	checkShown(t, c, "Jobs", map[string]string{"elsewhere": `later`})
	c.ask("LOGOUT")
	a = open(t, takeBack(t, server))
	defer shut(t, a)
	checkNote(t, a, "")
	checkBodies(t, a, append(letters, elsewhere))
}

// serve has Dovecot serve the archive, as ann's.
func serve(t *testing.T, server *dovecot.Server, dir string) *client {
	t.Helper()
	server.Adopt(t, "ann", dir)
	c := dial(t, server.IMAP)
	c.ask("LOGIN ann " + dovecot.Password)
	return c
}

// takeBack returns a copy of what Dovecot has made of it.
func takeBack(t *testing.T, server *dovecot.Server) string {
	t.Helper()
	dir := filepath.Join(ramDir(t), "back")
	mustDo(t, os.CopyFS(dir, os.DirFS(server.MailDir("ann"))))
	return dir
}

// checkShown checks the flags that Dovecot shows, by what stands in the message.
func checkShown(t *testing.T, c *client, mailbox string, want map[string]string) {
	t.Helper()
	c.ask(`EXAMINE "` + mailbox + `"`)
	bodies, text := c.ask("UID FETCH 1:* (FLAGS BODY.PEEK[])")
	var shown []mail.Flags
	for part := range strings.SplitSeq(text, " FETCH (") {
		if _, flags, found := strings.Cut(part, "FLAGS ("); found {
			flags, _, _ = strings.Cut(flags, ")")
			shown = append(shown, mail.MakeFlags(strings.Fields(flags)...))
		}
	}
	if len(shown) != len(bodies) || len(bodies) != len(want) {
		t.Fatalf("Dovecot shows %q and %q in %s", shown, bodies, mailbox)
	}
	for i, body := range bodies {
		for mark, flags := range want {
			if strings.Contains(body, mark) && !shown[i].Equal(mail.MakeFlags(strings.Fields(flags)...)) {
				t.Errorf("Dovecot shows %q in %s with %q, want %q", mark, mailbox, shown[i], flags)
			}
		}
	}
}

// uidOf returns the UID of the message that says mark, in the mailbox that is open.
func (c *client) uidOf(mark string) string {
	c.t.Helper()
	_, text := c.ask("UID SEARCH TEXT " + mark)
	_, uid, _ := strings.Cut(text, "* SEARCH ")
	uid, _, _ = strings.Cut(uid, "\n")
	return uid
}
