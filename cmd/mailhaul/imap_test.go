package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// awkward are names of folders that are difficult somewhere, as they go over the wire.
var awkward = []string{
	"Drafts", "Sent", "Trash", "Junk", "Archive", "Archive/2019", "Archive/2019/Q1", "Archive/2019/Q1/January",
	"Entw&APw-rfe", "&ZeVnLIqe-", "&2D3eAA-", "&BdAF0QXS-", "R &- D", "Tom &- Jerry/letters", "two words", " leading", "trailing ",
	`the "new" one`, `back\slash`, "a.b", "a.b/c.d", ".hidden", "con", "NUL.txt", "com1", "case", "CASE", "Case/lower", "caf&AOk-",
	"#news", "$HOME", "question?", "colon:name", "pipe|less", "100%", "wild*card", "(parentheses)", "[Gmail]/All", "semi;colon", "new", "cur",
	"tmp", "mailhaul", manyWords, "INBOX/below", "deep/er/than/any/one/would/like/it/to/be", strings.Repeat("long", 45), "-dash", "empty 1", "empty 2/empty 3",
}

// arrivedIn are the folders that get new mail.
var arrivedIn = []string{mail.Inbox, "Sent", "a.b", "Entw&APw-rfe", "CASE"}

// manyWords has more keywords than a Maildir has letters for: the archive keeps them all, and programs see 26.
const manyWords = "many keywords"

const (
	bigMessages = 5000
	newFlags    = 10
	expunged    = 5
	arrivals    = 10
)

// TestIMAP carries an account of a real server, with folders, flags, keywords and dates, through the archive to an
// empty account of another, and back up again after changes: what both show must be the same, and nothing is to be
// fetched or appended twice. With MAILHAUL_MAIL it carries that mail too; see realMail.
func TestIMAP(t *testing.T) {
	m := newBigMove(t)
	m.fill()
	m.backup("the first backup", sourceReport{Fetched: m.messages}, m.messages)
	m.backup("a second backup", sourceReport{Known: m.messages}, 0)
	m.restore("the first restore", "new@haul.example", destinationReport{Appended: m.messages})
	m.compare("after the restore", "new@haul.example")
	m.restore("a second restore", "new@haul.example", destinationReport{Known: m.messages})
	m.openInDovecot()

	m.change()
	known, sampled := m.messages-arrivals, 1+m.renumbered/100
	m.backup("the backup after the changes", sourceReport{Known: known, Fetched: arrivals}, arrivals+sampled)
	m.backup("one more", sourceReport{Known: m.messages}, 0)
	m.status()
	m.restore("a restore of what is new", "new@haul.example", destinationReport{Known: known + expunged, Appended: arrivals})
	m.restore("a restore into an empty account", "third@haul.example", destinationReport{Appended: m.messages, Gone: expunged})
	m.compare("after the changes", "third@haul.example")
	m.restore("with what is gone", "third@haul.example", destinationReport{Known: m.messages, Appended: expunged}, "--include-gone")
}

// TestIMAPMoved moves all messages of a folder to another. The server vouches for nothing, so that headers are looked
// at, and the octets of one in a hundred.
func TestIMAPMoved(t *testing.T) {
	m := newBigMove(t)
	line := openLine(t, m.server, m.user)
	for _, name := range []string{"From", "To"} {
		line.do("CREATE " + name)
		line.do("SUBSCRIBE " + name)
	}
	var letters []letterTo
	for n := range bigMessages {
		letters = append(letters, letterTo{"From", made(n), nil, dateOf(n)})
	}
	line.append(letters)
	m.backup("before", sourceReport{Fetched: bigMessages}, bigMessages)
	line.do("SELECT From")
	line.do("MOVE 1:* To")
	m.backup("moved", sourceReport{Linked: bigMessages}, bigMessages/100)
	m.backup("again", sourceReport{Known: bigMessages}, 0)
	m.restore("a restore", "new@haul.example", destinationReport{Appended: bigMessages, Gone: bigMessages})
	m.compare("moved", "new@haul.example")
}

// A bigMove is an account on a real server, with what it takes to back it up and to restore it there.
type bigMove struct {
	t       *testing.T
	server  *dovecot.Server
	user    string
	bin     string
	archive string
	tap     *wiretap

	messages   int // that the account shows
	renumbered int // of the folder that is numbered anew
}

func newBigMove(t *testing.T) *bigMove {
	t.Helper()
	m := &bigMove{t: t, server: dovecot.Start(t, dovecot.Options{Store: "mdbox"}), user: "old@haul.example", bin: program(t)}
	m.archive, m.tap = filepath.Join(t.TempDir(), "mail"), newWiretap(t, m.server.IMAP)
	return m
}

// made is a message like no other.
func made(n int) []byte {
	return fmt.Appendf(nil, "From: a%d@trial.example\r\nTo: b@trial.example\r\nDate: Tue, 5 Mar 2024 11:00:00 +0100\r\n"+
		"Message-ID: <made-%d@trial.example>\r\nSubject: message %d\r\n\r\n%s", n%7, n, n, strings.Repeat(fmt.Sprintf("This is message %d.\r\n", n), 3+n%30))
}

func dateOf(n int) time.Time {
	zones := []int{0, 3600, -8 * 3600, 5*3600 + 1800, 13 * 3600}
	return time.Date(2001, 2, 3, 4, 5, 6, 0, time.FixedZone("", zones[n%len(zones)])).Add(time.Duration(n) * 7919 * time.Second)
}

// flagsOf gives every message some flags and keywords.
func flagsOf(n int) (flags []string) {
	for i, f := range []string{`\Seen`, `\Answered`, `\Flagged`, `\Draft`, "$Forwarded", "$Label1", "NonJunk", "$MDNSent", "work", "berfl"} {
		if n>>i&1 == 1 {
			flags = append(flags, f)
		}
	}
	if n%50 == 0 {
		flags = append(flags, fmt.Sprintf("keyword%d", n/50%40))
	}
	return flags
}

// fill makes the folders, some of them empty and some not subscribed to, and the mail.
func (m *bigMove) fill() {
	m.t.Helper()
	line := openLine(m.t, m.server, m.user)
	folders := []string{mail.Inbox}
	for i, name := range awkward {
		if _, said := line.try("CREATE " + quoted(name)); !strings.HasPrefix(said, "OK") && !strings.Contains(said, "EXISTS") {
			m.t.Logf("the server makes no folder %q: %s", name, said)
			continue
		}
		if i%3 > 0 {
			line.do("SUBSCRIBE " + quoted(name))
		}
		if !strings.HasPrefix(name, "empty") {
			folders = append(folders, name)
		}
	}
	line.do("SUBSCRIBE INBOX")
	var letters []letterTo
	for n, octets := range realMail(m.t) {
		letters = append(letters, letterTo{folders[n%len(folders)], octets, flagsOf(n), dateOf(n)})
	}
	for n := len(letters); n < bigMessages; n++ {
		octets := made(n)
		if n%500 == 499 {
			octets = letters[n-1].octets // the same in another folder
		}
		letters = append(letters, letterTo{folders[n%len(folders)], octets, flagsOf(n), dateOf(n)})
	}
	for n := range 60 {
		letters = append(letters, letterTo{manyWords, made(200_000 + n), []string{fmt.Sprintf("word%d", n%40), `\Seen`}, dateOf(n)})
	}
	refused := line.append(letters)
	m.messages = len(letters) - refused
	names := line.names("LIST")
	m.t.Logf("%d folders, %d of them with mail; %d messages, and %d that the server would not have", len(names), len(folders), m.messages, refused)
	if len(folders) < 40 {
		m.t.Errorf("%d folders are not 40", len(folders))
	}
}

// change is what a day brings: new mail, other flags, mail deleted, a folder with another name, and one that is
// numbered anew.
func (m *bigMove) change() {
	m.t.Helper()
	line := openLine(m.t, m.server, m.user)
	var letters []letterTo
	for n := range arrivals {
		letters = append(letters, letterTo{arrivedIn[n%len(arrivedIn)], made(100_000 + n), flagsOf(n), dateOf(n)})
	}
	line.append(letters)
	for n := range newFlags {
		mailbox := []string{mail.Inbox, "Junk", "two words"}[n%3]
		uids := line.uids(mailbox)
		line.do("UID STORE " + uids[2*n] + ` FLAGS (\Flagged changed)`)
	}
	uids := line.uids("Drafts")
	line.do("UID STORE " + strings.Join(uids[3:3+expunged], ",") + ` +FLAGS (\Deleted)`)
	line.do("EXPUNGE")
	m.messages += arrivals - expunged
	line.do(`RENAME "case" "another case"`)
	// What copies of all there is under the old name are to a client: the folder with another UIDVALIDITY.
	line.do("CREATE between")
	m.renumbered = len(line.uids("Archive/2019/Q1/January"))
	line.do("COPY 1:* between")
	line.do("UNSELECT")
	line.do("DELETE Archive/2019/Q1/January")
	line.do("RENAME between Archive/2019/Q1/January")
}

func (m *bigMove) run(what string, args ...string) (rep report, said talk) {
	m.t.Helper()
	m.tap.take()
	p := newProcess(m.bin, append(args, "--json")...)
	p.cmd.Env = append(p.cmd.Env, "MAILHAUL_PASSWORD="+dovecot.Password)
	status, err := p.finish()
	if err != nil {
		m.t.Fatal(err)
	}
	rep, said = finalReport(m.t, p.out.Bytes()), m.tap.take()
	if status != exitDone || len(rep.Failures) > 0 || len(rep.Findings) > 0 {
		m.t.Errorf("%s ended with %d: %s %+v %+v\n%s", what, status, rep.Error, rep.Failures, rep.Findings, &p.err)
	}
	m.t.Logf("%s took %.1f s: %s", what, rep.Seconds, said)
	return rep, said
}

// backup backs up, and checks what the report says, and how many bodies were asked for.
func (m *bigMove) backup(what string, want sourceReport, bodies int) {
	m.t.Helper()
	rep, said := m.run(what, "backup", m.tap.url(m.user), m.archive)
	got := *rep.Source
	want.Listed = want.Known + want.Fetched + want.Linked
	got.Bytes = 0
	if got != want || said.bodies != bodies {
		m.t.Errorf("%s: %+v and %d bodies asked for, want %+v and %d", what, got, said.bodies, want, bodies)
	}
}

func (m *bigMove) restore(what, user string, want destinationReport, flags ...string) {
	m.t.Helper()
	rep, said := m.run(what, append([]string{"restore", m.archive, m.tap.url(user)}, flags...)...)
	got := *rep.Destination
	got.Bytes, got.Archived = 0, 0
	appends := said.verbs["APPEND"] // each of one message or of many
	if got != want || appends > want.Appended || want.Appended > 128*appends {
		m.t.Errorf("%s: %+v and %d APPENDs, want %+v", what, got, said.verbs["APPEND"], want)
	}
}

// status checks what status says of each folder.
func (m *bigMove) status() {
	m.t.Helper()
	p := newProcess(m.bin, "status", m.archive, "--json")
	if status, err := p.finish(); err != nil || status != exitDone {
		m.t.Fatal(status, err)
	}
	messages, gone := 0, map[string]int{}
	for line := range strings.Lines(p.out.String()) {
		var f folderStatus
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			m.t.Fatal(err)
		}
		if f.Event != "folder" {
			continue
		}
		messages += f.Messages
		gone[f.Name] = f.Gone
		if f.LastRun == "" || f.Refused+f.Damaged > 0 || (f.Pending > 0) != slices.Contains(arrivedIn, f.Name) {
			m.t.Errorf("status says %+v", f)
		}
	}
	if messages != m.messages+expunged || gone["Drafts"] != expunged {
		m.t.Errorf("status counts %d messages, want %d; of Drafts %d are gone", messages, m.messages+expunged, gone["Drafts"])
	}
}

// compare compares what two accounts show, folder by folder and message by message.
func (m *bigMove) compare(what, user string) {
	m.t.Helper()
	here, there := openLine(m.t, m.server, m.user), openLine(m.t, m.server, user)
	for _, verb := range []string{"LIST", "LSUB"} {
		want, got := here.names(verb), there.names(verb)
		maps.DeleteFunc(want, func(name, _ string) bool { // a subscription outlives a name
			_, there := here.names("LIST")[name]
			return !there
		})
		for _, names := range []map[string]string{want, got} {
			for name, attrs := range names {
				names[name] = strings.NewReplacer(`\UnMarked`, "", `\Marked`, "", " ", "").Replace(attrs)
			}
		}
		if !maps.Equal(got, want) {
			m.t.Errorf("%s: %s shows\n%q, want\n%q", what, verb, got, want)
		}
	}
	total, same := 0, 0
	for _, mailbox := range slices.Sorted(maps.Keys(here.names("LIST"))) {
		if strings.Contains(here.names("LIST")[mailbox], `\No`) {
			continue
		}
		n, exact := compareFolders(m.t, what+": "+mailbox, here.messages(mailbox), there.messages(mailbox))
		total, same = total+n, same+exact
	}
	m.t.Logf("%s: %d messages compared, %d of them the same to the octet, the others but for runs of CR, NUL or a last line end", what, total, same)
	if total != m.messages && m.messages > 0 {
		m.t.Errorf("%s: %d messages compared, want %d", what, total, m.messages)
	}
}

// compareFolders checks that both hold the same messages with the same flags and dates, each as often.
func compareFolders(t *testing.T, what string, want, got []seen) (n, exact int) {
	t.Helper()
	key := func(m seen) string {
		sum := sumOf(t, m.octets)
		return fmt.Sprintf("%x %s %s", sum.Match, m.flags, m.received)
	}
	count, octets := map[string]int{}, map[string]int{}
	for _, m := range want {
		count[key(m)]++
		octets[string(m.octets)]++
	}
	for _, m := range got {
		if count[key(m)]--; count[key(m)] < 0 {
			t.Errorf("%s: there is one more, or another: %s %s %.80q", what, m.flags, m.received, m.octets)
		}
		if octets[string(m.octets)]--; octets[string(m.octets)] >= 0 {
			exact++
		}
	}
	for key, n := range count {
		if n > 0 {
			t.Errorf("%s: %d lack of %s", what, n, key)
		}
	}
	return len(got), exact
}

// openInDovecot has a mail server open the archive: folders, flags, keywords and dates must be what the account shows.
// A name that a Maildir cannot hold goes by another.
func (m *bigMove) openInDovecot() {
	m.t.Helper()
	server := dovecot.Shared(m.t)
	server.Adopt(m.t, "big-archive@haul.example", m.archive)
	here, there := openLine(m.t, m.server, m.user), openLine(m.t, server, "big-archive@haul.example")
	var named, total int
	var other []string
	names := there.names("LIST")
	for mailbox, attrs := range here.names("LIST") {
		if strings.Contains(attrs, `\No`) {
			continue
		}
		if _, there := names[mailbox]; !there {
			other = append(other, mailbox)
			continue
		}
		if mailbox == manyWords {
			continue
		}
		n, _ := compareFolders(m.t, "the archive in Dovecot: "+mailbox, here.messages(mailbox), there.messages(mailbox))
		named, total = named+1, total+n
	}
	slices.Sort(other)
	m.t.Logf("the archive in Dovecot: %d folders by their names with %d messages, the same; by other names: %q", named, total, other)
	if named < 25 {
		m.t.Errorf("only %d folders have their names", named)
	}
}
