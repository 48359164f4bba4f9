package mbox

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// plant writes files below a new directory, which has a name.
func plant(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(files[path]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pack writes the files into a zip file.
func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[path])
	}
	z.Close()
	name := filepath.Join(t.TempDir(), "mail.zip")
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// found lists what a pile holds, a line a message: folders, flags, and the first line.
func found(t *testing.T, path string, beneath ...string) (lines []string, p *Pile) {
	t.Helper()
	p, err := Open(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer p.Close()
	p.Beneath = beneath
	err = p.Each(context.Background(), func(m *Message) error {
		var where []string
		for _, f := range m.Folders {
			name := strings.Join(f.Levels, "/")
			if f.Role != "" {
				name += "(" + string(f.Role) + ")"
			}
			where = append(where, name)
		}
		line := strings.Join(where, ",") + " " + flagsText(m.Flags)
		if m.Err != nil {
			lines = append(lines, line+" lost: "+m.Err.Error())
			return nil
		}
		in, err := m.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		sum, err := mail.SumOf(in)
		if err != nil || sum.Digest != m.Sum.Digest {
			t.Errorf("%s: read again, it is another message: %v", m.Where, err)
		}
		line += " " + m.Sum.Header.Subject
		if !m.Received.IsZero() && time.Since(m.Received) > 48*time.Hour { // younger is the time of the file
			line += m.Received.UTC().Format(" 2006-01-02")
		}
		if m.Incomplete != "" {
			line += " incomplete"
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return lines, p
}

func letter(subject string) string {
	return "Subject: " + subject + "\nDate: Sun, 4 Jan 2015 10:00:00 +0100\n\nbody\n"
}

func moz(status string, subject string) string {
	return "From - Mon Jan 05 10:00:00 2015\nX-Mozilla-Status: " + status + "\nX-Mozilla-Status2: 00000000\n" + letter(subject) + "\n"
}

func gm(labels, subject string) string {
	return "From 12@xxx Mon Apr 07 14:31:02 +0000 2025\nX-GM-THRID: 12\nX-Gmail-Labels: " + labels + "\n" + letter(subject) + "\n"
}

var piles = []struct {
	name  string
	files map[string]string
	kind  string
	want  []string
}{
	{"a folder of Thunderbird's", map[string]string{
		"Inbox": moz("0001", "one") + moz("0008", "gone") + moz("1000", "two"), "Inbox.msf": "//", "Trash": "", "Trash.msf": "//",
		"Inbox.sbd/Work": moz("0000", "three"), "Inbox.sbd/Work.msf": "//", "Inbox.sbd/Work.sbd/2015": moz("0004", "four"), "popstate.dat": "x", "filterlog.html": "From x",
	}, "folders of Thunderbird", []string{
		`INBOX(inbox) \Seen one`, "INBOX(inbox) $Forwarded two", "INBOX/Work  three", `INBOX/Work/2015 \Flagged four`}},
	{"a profile of Thunderbird's", map[string]string{
		"prefs.js": "x", "Mail/pop.example.org/Inbox": moz("0001", "one"), "Mail/pop.example.org/Inbox.msf": "//",
		"ImapMail/imap.example.net/INBOX": moz("0001", "two"), "ImapMail/imap.example.net/INBOX.msf": "//", "ImapMail/imap.example.net/INBOX.sbd/Sub": moz("0001", "three"),
	}, "folders of Thunderbird", []string{`imap.example.net/INBOX \Seen two`, `imap.example.net/INBOX/Sub \Seen three`, `pop.example.org/Inbox \Seen one`}},
	{"a profile with one account", map[string]string{"Mail/pop.example.org/Inbox": moz("0001", "one"), "Mail/pop.example.org/Inbox.msf": "//",
		"Mail/pop.example.org/Inbox.sbd/Sub": moz("0001", "two"), "Mail/pop.example.org/Inbox.sbd/Sub.msf": "//"},
		"folders of Thunderbird", []string{`INBOX(inbox) \Seen one`, `INBOX/Sub \Seen two`}},
	{"Takeout", map[string]string{"Takeout/Mail/All mail Including Spam and Trash.mbox": gm("Inbox,Work/2019,Unread", "one") + gm("Gesendet,Geöffnet", "two"), "Takeout/archive_browser.html": "x"},
		"Google Takeout", []string{"INBOX(inbox),Work/2019  one 2025-04-07", `Gesendet(sent) \Seen two 2025-04-07`}},
	{"EML", map[string]string{"one.eml": letter("one"), "Sub/two.EML": letter("two"), "Sub/Sub/empty.eml": "", "Sub/photo.jpg": "\xff\xd8", "Sent/three.eml": letter("three")},
		"files of mail", []string{`EML \Seen one`, `Sent(sent) \Seen three`, `Sub \Seen two`, `Sub/Sub \Seen `}},
	{"Maildir", map[string]string{"cur/1.x:2,FS": letter("one"), "new/2.x": letter("two"), "tmp/3.x": letter("no"), "dovecot-keywords": "0 $Forwarded\n1 work\n",
		".Sent/cur/4.x:2,Sb": letter("three"), ".Sent/new/.keep": "", ".A&AOQ-.B/tmp/.keep": "", "nested/tmp/.keep": "", "photos/new/one.jpg": "\xff\xd8", ".Sent/dovecot-keywords": "1 play\nx y\n", ".A&AOQ-.B/cur/5.x;2,RPa": letter("four"), "nested/cur/6": letter("five")},
		"Maildir", []string{`Aä/B $Forwarded \Answered four`, `Sent(sent) \Seen play three`, `INBOX(inbox) \Flagged \Seen one`, "nested  five", "INBOX(inbox)  two"}},
	{"Apple Mail", map[string]string{
		"V10/A4F1B0C2-0000-4000-8000-000000000000/INBOX.mbox/B4F1B0C2-0000-4000-8000-000000000000/Data/1/Messages/1.emlx":         emlx("one", 1),
		"V10/A4F1B0C2-0000-4000-8000-000000000000/INBOX.mbox/B4F1B0C2-0000-4000-8000-000000000000/Data/1/Messages/2.partial.emlx": emlx("two", 0),
		"V10/A4F1B0C2-0000-4000-8000-000000000000/INBOX.mbox/B4F1B0C2-0000-4000-8000-000000000000/Data/1/Messages/3.emlx":         emlx("no", 2),
		"V10/A4F1B0C2-0000-4000-8000-000000000000/Work.mbox/Sub.mbox/Messages/4.emlx":                                             emlx("three", 16),
		"V10/A4F1B0C2-0000-4000-8000-000000000000/Work.mbox/Messages/5.emlx":                                                      "999\nshort",
		"Exported.mbox/mbox": moz("0001", "four"), "Exported.mbox/table_of_contents": "x"},
		"mail of Apple Mail", []string{`Exported \Seen four`, `INBOX(inbox) \Seen one 2015-01-04`, "INBOX(inbox)  two 2015-01-04 incomplete",
			"Work  lost: it says that the message has 999 octets, and only 5 are there", `Work/Sub \Flagged three 2015-01-04`}},
	{"mboxes", map[string]string{"Old.mbox": moz("0001", "one"), "sub/mbox": fromA + letter("two") + "\n", "sub/notes.txt": "From here on it rains\n", "empty.mbox": ""},
		"files of mail", []string{`Old \Seen one`, `sub \Seen two`}},
}

func emlx(subject string, flags int) string {
	m := letter(subject)
	return fmt.Sprintf("%d       \n%s<plist><dict><key>date-received</key><integer>1420362001</integer><key>flags</key><integer>%d</integer></dict></plist>", len(m), m, flags)
}

// TestPiles: everything that can be imported, as a directory and in a zip file.
func TestPiles(t *testing.T) {
	for _, tt := range piles {
		got, p := found(t, plant(t, tt.name, tt.files))
		compare(t, tt.name, got, tt.want)
		if p.Kind != tt.kind {
			t.Errorf("%s was taken for %s", tt.name, p.Kind)
		}
		want := slices.Clone(tt.want)
		for i := range want {
			want[i] = strings.Replace(want[i], "EML ", "mail ", 1) // which has the name of what was named
		}
		got, p = found(t, pack(t, tt.files))
		slices.Sort(got)
		slices.Sort(want)
		compare(t, tt.name+" in a zip file", got, want)
		if p.Kind != tt.kind {
			t.Errorf("%s in a zip file was taken for %s", tt.name, p.Kind)
		}
	}
}

func compare(t *testing.T, name string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBeneath(t *testing.T) {
	dir := plant(t, "mail", map[string]string{"one.eml": letter("one"), "Sub/two.eml": letter("two"), "Inbox.mbox": moz("0001", "three"), "t.mbox": gm("Sent", "four")})
	got, _ := found(t, dir, "Old", "2003")
	compare(t, "a directory", got, []string{`Old/2003/Inbox \Seen three`, `Old/2003 \Seen one`, `Old/2003/Sent \Seen four 2025-04-07`, `Old/2003/Sub \Seen two`})
	got, _ = found(t, filepath.Join(dir, "Inbox.mbox"), "Old")
	compare(t, "a file", got, []string{`Old \Seen three`})
	got, _ = found(t, filepath.Join(dir, "Inbox.mbox"))
	compare(t, "a file by itself", got, []string{`INBOX(inbox) \Seen three`})
}

// TestLinksAreNotFollowed: neither to files nor to directories.
func TestLinksAreNotFollowed(t *testing.T) {
	secret := plant(t, "secret", map[string]string{"one.eml": letter("secret")})
	dir := plant(t, "mail", map[string]string{"two.eml": letter("two")})
	for name, to := range map[string]string{"three.eml": filepath.Join(secret, "one.eml"), "dir": secret} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	got, p := found(t, dir)
	compare(t, "links", got, []string{`mail \Seen two`})
	if p.Links != 2 {
		t.Errorf("%d links", p.Links)
	}
}

func TestUnknown(t *testing.T) {
	dir := plant(t, "x", map[string]string{"photo.jpg": "\xff\xd8\xff\xe0", "notes.txt": "hello\nworld\n", "packed.tgz": "\x1f\x8b\x08", "cut.zip": "PK\x03\x04"})
	for name, want := range map[string]string{"photo.jpg": ErrUnknown.Error(), "notes.txt": ErrUnknown.Error(), "packed.tgz": "unpack it first", "cut.zip": "damaged", "nothing": "no such file"} {
		if _, err := Open(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestHostileZip: what is made to lead elsewhere, or to fill the disk, is not unpacked; the rest is.
func TestHostileZip(t *testing.T) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range []string{"../../evil.eml", "/etc/evil.eml", `..\evil.eml`, "c:/evil.eml", "good.eml"} {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		io.WriteString(w, letter(name))
	}
	link := &zip.FileHeader{Name: "link.eml"}
	link.SetMode(fs.ModeSymlink | 0o777)
	w, _ := z.CreateHeader(link)
	io.WriteString(w, "/etc/passwd")
	w, _ = z.CreateHeader(&zip.FileHeader{Name: "zz/bomb.eml", Method: zip.Deflate})
	zeros := make([]byte, 1<<20)
	for range 40 {
		w.Write(zeros)
	}
	z.Close()
	name := filepath.Join(t.TempDir(), "mail.zip")
	os.WriteFile(name, out.Bytes(), 0o644)
	got, p := found(t, name)
	good, lost := 0, 0
	for _, line := range got {
		switch {
		case strings.Contains(line, "leads out") || strings.Contains(line, errBomb.Error()):
			lost++
		case strings.HasSuffix(line, " good.eml"):
			good++
		}
	}
	if good != 1 || lost != 5 || len(got) != 6 || p.Links != 1 {
		t.Errorf("%d links, and\n%s", p.Links, strings.Join(got, "\n"))
	}
}

// TestOverlappingZip: a zip file whose files share their octets unpacks to more than there is.
func TestOverlappingZip(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("%02d.eml", i)] = letter(strings.Repeat("x", 5000))
	}
	octets, err := os.ReadFile(pack(t, files))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(octets), int64(len(octets)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zipFiles(z, 100, new(survey)); err == nil || !strings.Contains(err.Error(), "upon each other") {
		t.Errorf("it was read: %v", err)
	}
}

// TestChangedMeanwhile: of a file to which somebody writes, the last message is left for the next time: it may not have
// been all there.
func TestChangedMeanwhile(t *testing.T) {
	dir := plant(t, "x", map[string]string{"Inbox": moz("0001", "one") + moz("0001", "last")})
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	err = p.Each(context.Background(), func(m *Message) error {
		n++
		if m.Sum.Header.Subject != "one" {
			return nil
		}
		f, err := os.OpenFile(filepath.Join(dir, "Inbox"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		io.WriteString(f, moz("0000", "new"))
		return f.Close()
	})
	if err != nil || n != 1 || !slices.Equal(p.Changed, []string{"Inbox"}) {
		t.Errorf("%d messages, %q changed: %v", n, p.Changed, err)
	}
}

// TestLargeMessages: what is not kept in memory is read again from where it lies.
func TestLargeMessages(t *testing.T) {
	long := letter(strings.Repeat("x", 70)) + strings.Repeat(">From here on it is "+strings.Repeat("long ", 20)+"\n", 20_000)
	got, _ := found(t, plant(t, "x", map[string]string{"a.mbox": fromA + letter("one") + "\n" + fromB + long + "\n" + fromA + letter("two") + "\n", "b.eml": long}))
	if len(got) != 4 {
		t.Errorf("%d messages", len(got))
	}
	got, _ = found(t, pack(t, map[string]string{"a.mbox": fromA + letter("one") + "\n" + fromB + long + "\n" + fromA + letter("two") + "\n", "b.eml": long}))
	if len(got) != 4 {
		t.Errorf("%d messages in a zip file", len(got))
	}
}

func TestInterrupted(t *testing.T) {
	dir := plant(t, "x", map[string]string{"a.mbox": moz("0001", "one") + moz("0001", "two")})
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	n := 0
	err = p.Each(ctx, func(*Message) error {
		n++
		cancel(stop)
		return nil
	})
	if n != 1 || !errors.Is(err, stop) {
		t.Errorf("%d messages: %v", n, err)
	}
}

// TestReadMeanwhile guards that a message is the same to an import after somebody has read it, whatever his program has
// written into its header, and that another body is another message.
func TestReadMeanwhile(t *testing.T) {
	identity := func(text string) (id [2]mail.Digest) {
		t.Helper()
		for i, name := range []string{"a.mbox", "a.eml"} {
			files := map[string]string{name: text}
			if i == 0 {
				files[name] = fromA + text + "\n"
			}
			p, err := Open(filepath.Join(plant(t, "x", files), name))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.Each(context.Background(), func(m *Message) error {
				id[i] = m.Identity
				return m.Err
			})
		}
		return id
	}
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", keepOctets/90)
	for _, body := range []string{"", "body\n", long} {
		want := identity("Subject: x\nTo: y\n\n" + body)
		if want[0] != want[1] || want[0] == (mail.Digest{}) {
			t.Errorf("as mbox and as EML it is %v", want)
		}
		for _, head := range []string{"Subject: x\nTo: y\nStatus: RO\nX-Status: A\n", "Subject: x\nContent-Length: 5\nX-IMAPbase: 1 2\n 3\nTo: y\nX-Keywords: \nX-UID: 7\n"} {
			if got := identity(head + "\n" + body); got != want {
				t.Errorf("with %q it is %v, want %v", head, got, want)
			}
		}
		for _, other := range []string{"Subject: x\nTo: y\nX-Statuses: RO\n\n", "Subject: x\nTo: z\n\n", "Subject: x\nTo: y\n\nStatus: RO\n"} {
			if got := identity(other + body); got[0] == want[0] {
				t.Errorf("%q is taken for the same", other)
			}
		}
	}
}

func TestInternalData(t *testing.T) {
	internal := "From MAILER-DAEMON Sat Jan  3 01:05:34 1996\nFrom: Mail System Internal Data <MAILER-DAEMON@x>\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\nStatus: RO\n\nThis text is part of the internal format of your mail folder.\n\n"
	got, p := found(t, plant(t, "x", map[string]string{"a.mbox": internal + fromB + letter("one") + "\n"}))
	compare(t, "Pine's", got, []string{`a \Seen one`})
	if len(p.Notes) != 2 {
		t.Errorf("%q", p.Notes)
	}
}
