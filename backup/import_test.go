package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// A scrap is a message in a pile.
type scrap struct {
	octets  []byte
	folders []string
	flags   mail.Flags
	err     error
}

// A pile is letters in memory.
type pile []scrap

func (p pile) Each(_ context.Context, fn func(backup.Found) error) error {
	for i, l := range p {
		sum, err := mail.SumOf(bytes.NewReader(l.octets))
		if err != nil {
			return err
		}
		f := backup.Found{Flags: l.flags, Sum: sum, Identity: sum.Match, Where: strconv.Itoa(i), Taken: int64(len(l.octets)), Err: l.err,
			Open: func() (backup.Body, error) { return io.NopCloser(bytes.NewReader(l.octets)), nil }}
		for _, name := range l.folders {
			w := backup.Wherein{Levels: []string{name}}
			if name == "Sent" {
				w.Role = mail.RoleSent
			}
			f.Mailboxes = append(f.Mailboxes, w)
		}
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

func inInbox(messages [][]byte) (p pile) {
	for _, m := range messages {
		p = append(p, scrap{octets: m, folders: []string{"Inbox"}})
	}
	return p
}

func bring(t testing.TB, dir string, steps func(archive.Step) error, p pile) (backup.Report, error) {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{Create: true, Steps: steps})
	if err != nil {
		return backup.Report{}, err
	}
	defer a.Close()
	rep, err := backup.Import{Pile: p, Archive: a}.Run(t.Context())
	if rep.Listed != rep.Known+rep.Fetched+rep.Linked+rep.Failed {
		t.Errorf("the sums do not hold: %+v", rep)
	}
	return rep, err
}

func mustBring(t testing.TB, dir string, p pile, listed, known, fetched, linked int) {
	t.Helper()
	rep, err := bring(t, dir, nil, p)
	got := [...]int{rep.Listed, rep.Known, rep.Fetched, rep.Linked}
	if want := [...]int{listed, known, fetched, linked}; err != nil || got != want {
		t.Errorf("listed, known, fetched, linked: %v, want %v: %v", got, want, err)
	}
}

// TestImportTwice guards that a second import adds nothing, though the file has grown, was compacted or sorted.
func TestImportTwice(t *testing.T) {
	dir, all := t.TempDir(), trial.Mail()
	mustBring(t, dir, inInbox(all[:8]), 8, 0, 8, 0)
	mustBring(t, dir, inInbox(all[:8]), 8, 8, 0, 0)
	mustBring(t, dir, inInbox(all), len(all), 8, len(all)-8, 0)
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	mustBring(t, dir, inInbox(backwards[3:]), len(all)-3, len(all)-3, 0, 0)
	if v := trial.Judge(all, held(t, dir)); v != (trial.Verdict{}) {
		t.Error(v)
	}
}

// TestImportLabels: one message in several folders is one file.
func TestImportLabels(t *testing.T) {
	dir, p := t.TempDir(), pile{}
	for i, m := range trial.Mail()[:4] {
		p = append(p, scrap{octets: m, folders: []string{"Inbox", "Work", "Sent"}[:i%3+1]})
	}
	mustBring(t, dir, p, 7, 0, 4, 3)
	mustBring(t, dir, p, 7, 7, 0, 0)
	for i := range p {
		p[i].folders = append(p[i].folders, "New") // somebody has labelled them
	}
	mustBring(t, dir, p, 11, 7, 0, 4)
	p[0].folders = append(p[0].folders, "INBOX", "inbox") // which are one
	mustBring(t, dir, p, 11, 11, 0, 0)
	a, err := archive.View(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	entries, err := a.Page("New", 0, 100)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%d entries: %v", len(entries), err)
	}
	for _, e := range entries {
		in, err := a.OpenMessage(e)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := mail.SumOf(in); err != nil || sum.Digest != e.Digest || !e.Linked || !e.Ref.Imported() {
			t.Errorf("%+v: %v", e, err)
		}
		in.Close()
	}
}

// TestImportBesideAnAccount: what the account has brought is not brought again, by its octets, or by Message-ID and body
// where a program has written into the header. What is there twice is not brought twice, and a third time is.
func TestImportBesideAnAccount(t *testing.T) {
	dir, all := t.TempDir(), trial.Mail()
	_, srv := office(t, postoffice.Trouble{})
	if _, err := pull(t.Context(), dir, nil, source(srv), noWait); err != nil {
		t.Fatal(err)
	}
	mustBring(t, dir, inInbox(all), len(all), len(all), 0, 0)
	third := append(slices.Clone(all), all[1]) // 2 and 4 are equal
	mustBring(t, dir, inInbox(third), len(third), len(third)-1, 1, 0)
	mustBring(t, dir, inInbox(third), len(third), len(third), 0, 0)
	status := append([]byte("Status: RO\r\n"), all[4]...)
	mustBring(t, dir, inInbox([][]byte{status}), 1, 1, 0, 0)
	other := append(slices.Clone(all[4]), "and more\r\n"...)
	mustBring(t, dir, inInbox([][]byte{other}), 1, 0, 1, 0)
	rep, err := pull(t.Context(), dir, nil, source(srv), noWait)
	if err != nil || rep.Known != len(all) || rep.Listed != rep.Known {
		t.Errorf("a backup afterwards: %+v, %v", rep, err)
	}
}

// TestImportFailures: what cannot be had is named, and the others come.
func TestImportFailures(t *testing.T) {
	dir, all := t.TempDir(), trial.Mail()
	p := inInbox(all[:3])
	p[1].err = errors.New("it is torn")
	rep, err := bring(t, dir, nil, p)
	if err != nil || rep.Failed != 1 || rep.Fetched != 2 || len(rep.Failures) != 1 || rep.Failures[0].Reason != "it is torn" {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestImportStoppedAnywhere guards that whatever step an import dies at, the next one ends with every message once in
// each of its folders.
func TestImportStoppedAnywhere(t *testing.T) {
	root, kinds := inMemory(t), map[string]int{}
	var p pile
	for i, m := range trial.Mail() {
		p = append(p, scrap{octets: m, folders: []string{"Inbox", "Work"}[:i%2+1], flags: mail.MakeFlags(`\Seen`)})
	}
	for n := 1; ; n++ {
		dir := filepath.Join(root, strconv.Itoa(n))
		w := &world{stopAt: n}
		_, err := bring(t, dir, w.step, p)
		if w.stopped == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		kinds[w.stopped]++
		if err != nil && !errors.Is(err, errStopped) {
			t.Errorf("stopped at step %d (%s): %v", n, w.stopped, err)
		}
		rep, err := bring(t, dir, nil, p)
		if err != nil || rep.Failed > 0 {
			t.Errorf("resumed after step %d (%s): %+v, %v", n, w.stopped, rep, err)
		}
		if v := trial.Judge(trial.Mail(), held(t, dir)); v != (trial.Verdict{}) || left(t, dir) > 0 || held(t, filepath.Join(dir, ".Work")) == nil {
			t.Errorf("resumed after step %d (%s): %v, %d files left", n, w.stopped, v, left(t, dir))
		}
		if in := held(t, filepath.Join(dir, ".Work")); len(in) != len(p)/2 {
			t.Errorf("resumed after step %d (%s): %d in the other folder", n, w.stopped, len(in))
		}
		os.RemoveAll(dir)
	}
	t.Log(fmt.Sprint(slices.Sorted(maps.Keys(kinds))))
}

// TestImportPlaces: folders of files are those of the archive, where it has them, by name or by what they are for.
func TestImportPlaces(t *testing.T) {
	dir := t.TempDir()
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	boxes := []mail.Mailbox{{Name: "INBOX", Delim: '.', Role: mail.RoleInbox}, {Name: "INBOX.Gesendet", Delim: '.', Role: mail.RoleSent},
		{Name: "INBOX.&BB8EQAQ4BDIENQRC-", Delim: '.'}, {Name: "Alles", Delim: '.', Role: mail.RoleAll}}
	if err := a.AddMailboxes(boxes); err != nil {
		t.Fatal(err)
	}
	a.Close()
	for _, tt := range []struct {
		in   backup.Wherein
		want string
	}{
		{backup.Wherein{Levels: []string{"Inbox"}}, "INBOX"},
		{backup.Wherein{Levels: []string{"inbox", "Привет"}}, "INBOX.&BB8EQAQ4BDIENQRC-"},
		{backup.Wherein{Levels: []string{"Sent"}, Role: mail.RoleSent}, "INBOX.Gesendet"},
		{backup.Wherein{Levels: []string{"Archived"}, Role: mail.RoleArchive}, "Alles"},
		{backup.Wherein{Levels: []string{"a.b", "Über"}}, "a_b.&ANw-ber"},
		{backup.Wherein{Levels: []string{"a\x00b\n"}}, "a_b_"},
		{backup.Wherein{Levels: []string{"\xff"}}, "_"},
	} {
		a, err := archive.Open(dir, archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		body := []byte("Subject: " + tt.want + "\r\n\r\n")
		sum, _ := mail.SumOf(bytes.NewReader(body))
		_, err = backup.Import{Archive: a, Pile: one(backup.Found{Mailboxes: []backup.Wherein{tt.in}, Sum: sum, Identity: sum.Match,
			Open: func() (backup.Body, error) { return io.NopCloser(bytes.NewReader(body)), nil }})}.Run(t.Context())
		page, perr := a.Page(tt.want, 0, 10)
		if err != nil || perr != nil || !slices.ContainsFunc(page, func(e archive.Entry) bool { return e.Digest == sum.Digest }) {
			t.Errorf("%+v is not in %q: %v", tt.in, tt.want, errors.Join(err, perr))
		}
		a.Close()
	}
}

type one backup.Found

func (o one) Each(_ context.Context, fn func(backup.Found) error) error { return fn(backup.Found(o)) }

// TestBackupAfterImport guards that what was imported into a folder before the account was ever backed up is not
// fetched again, whatever its times, and is the account's from then on; what is there twice stays two.
func TestBackupAfterImport(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, server)
			s.fill(mail.Inbox)
			all := trial.Mail()
			mustBring(t, s.dir, inInbox(all[:9]), 9, 0, 9, 0)
			s.want("after an import", fates{known: 9, fetched: len(all) - 9, bodies: len(all) - 9 + 1}) // and a sample
			s.judge("after an import", mail.Inbox)
			s.want("again", fates{known: len(all)})
			mustBring(t, s.dir, inInbox(all), len(all), len(all), 0, 0)
			s.wantLive("after all", mail.Inbox, len(all), 0)
		})
	}
}
