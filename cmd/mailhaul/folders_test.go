package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

// A house is an IMAP account in memory and its server.
type house struct {
	*postoffice.Account
	srv *postoffice.Server
	url string
}

func newHouse(t *testing.T, trouble postoffice.Trouble) *house {
	t.Helper()
	office := postoffice.New()
	h := &house{Account: office.Account("me", canary), srv: office.IMAP(trouble)}
	t.Cleanup(func() { h.srv.Close() })
	addr, err := h.srv.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.url = "imap://me@" + addr + "?tls=none"
	return h
}

// fill makes the folders, and puts as many messages into each.
func (h *house) fill(folders []folder) {
	for _, f := range folders {
		h.CreateMailbox(f.name, f.use)
		for i := range f.messages {
			h.Deliver(f.name, postoffice.Message{Octets: letter(f.contents(), i)})
		}
	}
}

type folder struct {
	name, use string
	messages  int
}

// contents is the folder whose mail f shows.
func (f folder) contents() string {
	if slices.Contains([]string{`\All`, `\Flagged`, `\Important`}, f.use) {
		return mail.Inbox
	}
	return f.name
}

func letter(folder string, i int) []byte {
	return fmt.Appendf(nil, "Message-ID: <%d.%x@folders.example>\r\nFrom: a@b.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: %d\r\n\r\nin %s\r\n", i, folder, i, folder)
}

// gmail is the tree of an account at Gmail.
var gmail = []folder{
	{mail.Inbox, "", 3}, {"[Gmail]", `\Noselect`, 0}, {"[Gmail]/All Mail", `\All`, 3}, {"[Gmail]/Drafts", `\Drafts`, 1},
	{"[Gmail]/Important", `\Important`, 1}, {"[Gmail]/Sent Mail", `\Sent`, 4}, {"[Gmail]/Spam", `\Junk`, 2},
	{"[Gmail]/Starred", `\Flagged`, 1}, {"[Gmail]/Trash", `\Trash`, 2}, {"Family", "", 1}, {"Family/Photos", "", 2},
	{"example.com", "", 1}, {"B&APw-cher", "", 1},
}

// haul runs the program and returns what it printed; it must end with that status.
func haul(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	t.Setenv("MAILHAUL_PASSWORD", canary)
	var out, err bytes.Buffer
	if got := run(args, nil, &out, &err); got != status {
		t.Fatalf("mailhaul %s ended with %d, want %d\n%s%s", strings.Join(args, " "), got, status, &out, &err)
	}
	return out.String(), err.String()
}

// archivedFolders makes an archive of an IMAP account with these folders.
func archivedFolders(t *testing.T, delim rune, folders []folder) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "mail")
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "imap.example", User: "me"}, false); err != nil {
		t.Fatal(err)
	}
	b := a.NewBatch()
	for n, f := range folders {
		mb := mail.Mailbox{Name: f.name, Delim: delim, Role: mail.Role(strings.ToLower(strings.TrimPrefix(f.use, `\`)))}
		for i := range f.messages {
			octets := letter(f.contents(), i)
			item := mail.Item{Ref: mail.Ref{Mailbox: f.name, Validity: uint32(n + 1), UID: fmt.Sprint(i + 1)}, Size: int64(len(octets)), Received: time.Unix(1_000_000_000, 0)}
			if _, err := b.Put(item, mb, bytes.NewReader(octets)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// holds returns how many messages each mailbox holds that has any.
func (h *house) holds() map[string]int {
	all := make(map[string]int)
	for _, name := range h.Mailboxes() {
		if n := len(h.Messages(name)); n > 0 {
			all[name] = n
		}
	}
	return all
}

// A tree of Gmail's goes to a server with INBOX. and dots, and everything is where its owner looks for it; run again,
// nothing is sent. From there it goes to one with slashes.
func TestFoldersThereAndBack(t *testing.T) {
	dir := archivedFolders(t, '/', gmail)
	dots := newHouse(t, postoffice.Trouble{})
	dots.SetNamespace("INBOX.", '.')
	dots.CreateMailbox("INBOX.Sent", `\Sent`)
	dots.CreateMailbox("INBOX.Trash", "")

	out, _ := haul(t, exitDone, "restore", dir, dots.url, "--json")
	rep := finalReport(t, []byte(out))
	want := map[string]int{mail.Inbox: 3, "INBOX.Drafts": 1, "INBOX.Sent": 4, "INBOX.Junk": 2, "INBOX.Trash": 2, "INBOX.Family": 1,
		"INBOX.Family.Photos": 2, "INBOX.example_com": 1, "INBOX.B&APw-cher": 1}
	if got := dots.holds(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there is %v, want %v", got, want)
	}
	if d := rep.Destination; d.Archived != 22 || d.Appended != 17 || d.LeftOut != 5 || d.Failed != 0 {
		t.Errorf("%+v", d)
	}
	appends := dots.srv.Count("APPEND")
	out, _ = haul(t, exitDone, "restore", dir, dots.url, "--json")
	if rep := finalReport(t, []byte(out)); rep.Destination.Known != 17 || rep.Destination.LeftOut != 5 || dots.srv.Count("APPEND") != appends {
		t.Errorf("a second run: %+v, %d APPENDs more", rep.Destination, dots.srv.Count("APPEND")-appends)
	}

	var moved []folder
	for name, n := range dots.holds() {
		moved = append(moved, folder{name, "", n})
	}
	back := archivedFolders(t, '.', moved)
	slashes := newHouse(t, postoffice.Trouble{})
	haul(t, exitDone, "restore", back, slashes.url)
	want = map[string]int{mail.Inbox: 3, "Drafts": 1, "Sent": 4, "Junk": 2, "Trash": 2, "Family": 1, "Family/Photos": 2, "example_com": 1, "B&APw-cher": 1}
	if got := slashes.holds(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there is %v, want %v", got, want)
	}
}

// harmless are the commands of a dry run.
var harmless = []string{"CAPABILITY", "LOGIN", "AUTHENTICATE", "ID", "NAMESPACE", "LIST", "STATUS", "GETQUOTAROOT", "EXAMINE", "NOOP", "LOGOUT"}

// Looking changes nothing: not the destination, and not the archive.
func TestDryRunsSendNothing(t *testing.T) {
	dir := archivedFolders(t, '/', gmail)
	before := tree(t, dir)
	there := newHouse(t, postoffice.Trouble{})
	from := newHouse(t, postoffice.Trouble{})
	from.fill(gmail)
	names := there.Mailboxes()
	for _, args := range [][]string{
		{"restore", dir, there.url, "--dry-run"},
		{"restore", dir, there.url, "-n", "--json", "--map", "Family/*=Home/*"},
		{"folders", dir, there.url},
		{"folders", from.url, there.url},
		{"plan", dir, there.url, "-o", filepath.Join(t.TempDir(), "plan.toml")},
	} {
		out, _ := haul(t, exitDone, args...)
		if out == "" && args[0] != "plan" {
			t.Errorf("%v says nothing", args)
		}
	}
	for _, h := range []*house{there, from} {
		for _, cmd := range h.srv.Commands() {
			verb, _, _ := strings.Cut(cmd, " ")
			if !slices.Contains(harmless, verb) {
				t.Errorf("a dry run says %s", cmd)
			}
		}
	}
	if got := there.Mailboxes(); !slices.Equal(got, names) {
		t.Errorf("the mailboxes became %v", got)
	}
	if after := tree(t, dir); !slices.Equal(after, before) {
		t.Errorf("the archive changed:\n%v\n%v", before, after)
	}
}

// tree lists every file below dir with its size and time.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		files = append(files, fmt.Sprintf("%s %d %s", path, info.Size(), info.ModTime()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Two folders that would fall into one end the run before anything is sent; a word of the user's puts them together.
func TestClashingFoldersEndTheRun(t *testing.T) {
	dir := archivedFolders(t, '/', []folder{{mail.Inbox, "", 1}, {"Sent Items", `\Sent`, 2}, {"Sent", "", 3}})
	there := newHouse(t, postoffice.Trouble{})
	there.CreateMailbox("Sent", `\Sent`)
	_, stderr := haul(t, exitUsage, "restore", dir, there.url)
	for _, want := range []string{`"Sent Items"`, `"Sent"`, "would fall into one", "hint: --map 'Sent"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %s in:\n%s", want, stderr)
		}
	}
	if n := there.srv.Count("APPEND") + there.srv.Count("CREATE"); n > 0 {
		t.Errorf("%d commands that change something", n)
	}
	haul(t, exitDone, "restore", dir, there.url, "--map", "Sent=Sent")
	if got := there.holds(); got["Sent"] != 5 || got[mail.Inbox] != 1 {
		t.Errorf("there is %v", got)
	}
}

// A plan of 40 folders is edited: two are put together, one is left out, one gets another name. It is obeyed.
func TestEditedPlan(t *testing.T) {
	folders := []folder{{mail.Inbox, "", 1}}
	for i := range 39 {
		folders = append(folders, folder{fmt.Sprintf("Project %02d", i), "", 1 + i%3})
	}
	dir := archivedFolders(t, '/', folders)
	there := newHouse(t, postoffice.Trouble{})
	there.SetNamespace("INBOX.", '.')
	there.CreateMailbox("INBOX.Trash", `\Trash`)
	file := filepath.Join(t.TempDir(), "plan.toml")
	haul(t, exitDone, "plan", dir, there.url, "-o", file)
	haul(t, exitUsage, "plan", dir, there.url, "-o", file) // somebody's work is not overwritten
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n[[folder]]\n"); n != 40 {
		t.Fatalf("%d folders in the plan", n)
	}
	for old, edited := range map[string]string{
		"to = \"INBOX.Project 01\"\n": "to = \"INBOX.Project 02\"\n",
		"to = \"INBOX.Project 03\"\n": "leave_out = true\n",
		"to = \"INBOX.Project 04\"\n": "to = \"INBOX.Old.Fourth\"\n",
	} {
		if !strings.Contains(string(text), old) {
			t.Fatalf("the plan has no %s", old)
		}
		text = []byte(strings.Replace(string(text), old, edited, 1))
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := haul(t, exitDone, "restore", dir, there.url, "--plan", file, "--json")
	got := there.holds()
	if got["INBOX.Project 01"] != 0 || got["INBOX.Project 02"] != 5 || got["INBOX.Project 03"] != 0 || got["INBOX.Old.Fourth"] != 2 || len(got) != 38 {
		t.Errorf("there is %v", got)
	}
	if d := finalReport(t, []byte(out)).Destination; d.LeftOut != 1 || d.Failed != 0 || d.Appended != d.Archived-1 {
		t.Errorf("%+v", d)
	}

	os.WriteFile(file, append(text, "\n[[folder]]\nfrom = \"Nowhere\"\nto = \"x\"\n"...), 0o600)
	_, stderr := haul(t, exitUsage, "restore", dir, there.url, "--plan", file, "--dry-run")
	if !strings.Contains(stderr, "the source has no folder \"Nowhere\"") || !strings.Contains(stderr, fmt.Sprintf("line %d", strings.Count(string(text), "\n")+2)) {
		t.Errorf("%s", stderr)
	}
}

// Over POP3 there is the INBOX, and it can go elsewhere.
func TestFoldersOverPOP3(t *testing.T) {
	office := postoffice.New()
	me := office.Account("me", canary)
	me.Deliver(mail.Inbox, postoffice.Message{Octets: letter(mail.Inbox, 1)})
	pop := office.POP3(postoffice.Trouble{})
	t.Cleanup(func() { pop.Close() })
	addr, err := pop.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	there := newHouse(t, postoffice.Trouble{})
	source := "pop3://me@" + addr + "?tls=none"
	if out, _ := haul(t, exitDone, "folders", source, there.url); out != "INBOX -> INBOX: 1 message, 125 B; the INBOX\n" {
		t.Errorf("%s", out)
	}
	dir := filepath.Join(t.TempDir(), "mail")
	if out, _ := haul(t, exitDone, "migrate", source, there.url, "--archive", dir, "-n", "--map", "INBOX=From/Old"); out != "INBOX -> From/Old (new): 1 message, 125 B; --map 'INBOX=From/Old'\n" {
		t.Errorf("%s", out)
	}
	if _, err := os.Stat(dir); err == nil || pop.Count("RETR")+there.srv.Count("CREATE")+there.srv.Count("SELECT") > 0 {
		t.Errorf("a dry run has made %s, or said %v and %v", dir, pop.Commands(), there.srv.Commands())
	}
	haul(t, exitDone, "migrate", source, there.url, "--archive", dir, "--map", "INBOX=From/Old")
	if got := there.holds(); got["From/Old"] != 1 || len(got) != 1 {
		t.Errorf("there is %v", got)
	}
}

// What folders prints as JSON is what scripts rely on.
func TestFoldersJSON(t *testing.T) {
	dir := archivedFolders(t, '/', gmail)
	there := newHouse(t, postoffice.Trouble{})
	out, _ := haul(t, exitDone, "folders", dir, there.url, "--json")
	rows := make(map[string]folderRow)
	for line := range strings.Lines(out) {
		var r folderRow
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Event != "folder" {
			t.Fatalf("%v: %s", err, line)
		}
		rows[r.Name] = r
	}
	sent, starred := rows["[Gmail]/Sent Mail"], rows["[Gmail]/Starred"]
	if sent.Role != mail.RoleSent || *sent.Messages != 4 || *sent.Pending != 4 || sent.To != "Sent" || !sent.New || sent.Why == "" {
		t.Errorf("%+v", sent)
	}
	if !starred.LeftOut || starred.To != "" || *starred.Messages != 1 {
		t.Errorf("%+v", starred)
	}
}

// On real Dovecots: from Gmail's tree to INBOX. and dots, and from there to slashes; the second run sends nothing, and
// neither does a third that has lost the ledger.
func TestFoldersAtDovecot(t *testing.T) {
	t.Setenv("MAILHAUL_PASSWORD", dovecot.Password)
	dots, slashes := dovecot.Start(t, dovecot.Options{Prefix: "INBOX."}), dovecot.Start(t, dovecot.Options{})
	dir := archivedFolders(t, '/', gmail)
	t.Setenv("MAILHAUL_PASSWORD", dovecot.Password)
	there := fmt.Sprintf("imaps://new@%s:%d?ca=%s", dovecot.Host, dots.IMAPS, dots.CAFile)
	bring := func(args ...string) report {
		t.Helper()
		var out, err bytes.Buffer
		if status := run(append(args, "--json"), nil, &out, &err); status != exitDone {
			t.Fatalf("%v ended with %d: %s%s", args, status, &out, &err)
		}
		return finalReport(t, out.Bytes())
	}
	if d := bring("restore", dir, there).Destination; d.Appended != 17 || d.LeftOut != 5 {
		t.Errorf("%+v", d)
	}
	where := map[string]int{"Sent": 4, "Junk": 2, "Trash": 2, "Family/Photos": 2, "example_com": 1, "B&APw-cher": 1}
	for name, n := range where {
		if got := len(dots.Messages(t, "new", name)); got != n {
			t.Errorf("%d messages in %s, want %d", got, name, n)
		}
	}
	if d := bring("restore", dir, there).Destination; d.Known != 17 || d.Appended != 0 {
		t.Errorf("again: %+v", d)
	}
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		os.Remove(filepath.Join(dir, "mailhaul", name))
	}
	if d := bring("restore", dir, there).Destination; d.Present != 17 || d.Appended != 0 {
		t.Errorf("without the ledger: %+v", d)
	}
	var moved []folder
	for name, n := range where {
		moved = append(moved, folder{"INBOX." + strings.ReplaceAll(name, "/", "."), "", n})
	}
	back := archivedFolders(t, '.', append(moved, folder{mail.Inbox, "", 3}))
	if d := bring("restore", back, fmt.Sprintf("imaps://new@%s:%d?ca=%s", dovecot.Host, slashes.IMAPS, slashes.CAFile)).Destination; d.Appended != 15 {
		t.Errorf("%+v", d)
	}
	for name, n := range where {
		if got := len(slashes.Messages(t, "new", name)); got != n {
			t.Errorf("%d messages in %s, want %d", got, name, n)
		}
	}
}

// Over the quota: it is said before the first message.
func TestQuotaIsForeseen(t *testing.T) {
	s := dovecot.Start(t, dovecot.Options{Quota: 2000})
	dir := archivedFolders(t, '/', []folder{{mail.Inbox, "", 30}})
	t.Setenv("MAILHAUL_PASSWORD", dovecot.Password)
	var out, stderr bytes.Buffer
	there := fmt.Sprintf("imaps://me@%s:%d?ca=%s", dovecot.Host, s.IMAPS, s.CAFile)
	if status := run([]string{"restore", dir, there, "-n"}, nil, &out, &stderr); status != exitDone {
		t.Fatalf("%d: %s", status, &stderr)
	}
	if !strings.Contains(stderr.String(), "the quota there leaves") {
		t.Errorf("%s%s", &out, &stderr)
	}
	stderr.Reset()
	if status := run([]string{"restore", dir, there}, nil, &out, &stderr); status != exitQuota {
		t.Errorf("the run ended with %d, want %d", status, exitQuota)
	}
	if !strings.Contains(stderr.String(), "the quota there leaves") {
		t.Errorf("%s", &stderr)
	}
}
