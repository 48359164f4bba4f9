package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// modern is what servers announce that keep count of changes and vouch for messages.
var (
	modern  = postoffice.Trouble{With: []string{"CONDSTORE", "OBJECTID"}}
	counted = postoffice.Trouble{With: []string{"CONDSTORE"}}
	plain   = postoffice.Trouble{}
	bare    = postoffice.Trouble{Without: []string{"LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "NAMESPACE"}}
)

var servers = map[string]postoffice.Trouble{"modern": modern, "CONDSTORE": counted, "plain": plain, "bare": bare}

// A scene is an IMAP account, its server and an archive of it.
type scene struct {
	t       *testing.T
	acct    *postoffice.Account
	srv     *postoffice.Server
	trouble postoffice.Trouble
	dial    func() *imap.Source
	dir     string
	wanted  func(mail.Mailbox) bool
	stop    chan struct{}
	watch   progress.Watch
	notes   []string
	heard   int // commands up to the end of the run before
}

var noon = time.Date(2024, 3, 5, 12, 0, 0, 0, time.FixedZone("", 3600))

func newScene(t *testing.T, trouble postoffice.Trouble) *scene {
	o := postoffice.New()
	s := &scene{t: t, acct: o.Account(user, password), srv: o.IMAP(trouble), trouble: trouble, dir: filepath.Join(inMemory(t), "mail")}
	s.dial = func() *imap.Source { return imapSource(s.srv) }
	t.Cleanup(func() { s.srv.Close() })
	return s
}

// fill delivers the mail of the trials, a message a second, the second time into another folder.
func (s *scene) fill(mailbox string) {
	for i, m := range trial.Mail() {
		s.acct.Deliver(mailbox, postoffice.Message{Octets: m, Received: noon.Add(time.Duration(i) * time.Second)})
	}
}

// letter is a message like no other.
func letter(n int) postoffice.Message {
	return postoffice.Message{Received: noon.Add(time.Duration(n) * time.Minute), Octets: fmt.Appendf(nil,
		"From: a@trial.example\r\nMessage-ID: <letter-%d@trial.example>\r\nSubject: letter %d\r\n\r\n%s\r\n", n, n, strings.Repeat("x", 10+n%50))}
}

func (s *scene) deliver(mailbox string, from, to int) (uids []uint32) {
	for n := from; n < to; n++ {
		uids = append(uids, s.acct.Deliver(mailbox, letter(n)))
	}
	return uids
}

func imapSource(srv *postoffice.Server) *imap.Source {
	return imap.NewSource(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: srv.Dial}, login)
}

var imapAccount = mail.Account{Protocol: "imap", Host: "imap.example", User: user}

// run backs up once, as a process would.
func (s *scene) run() (backup.Report, error) {
	s.t.Helper()
	return s.runWith(s.dial(), nil)
}

func (s *scene) runWith(src *imap.Source, steps func(archive.Step) error) (backup.Report, error) {
	s.t.Helper()
	s.heard, s.notes = len(s.srv.Commands()), nil
	a, err := archive.Open(s.dir, archive.Options{Create: true, Steps: steps})
	if err != nil {
		return backup.Report{}, err
	}
	defer a.Close()
	defer src.Close()
	if err := a.Bind(imapAccount, false); err != nil {
		return backup.Report{}, err
	}
	watch := func(e progress.Event) {
		if n, ok := e.(progress.Note); ok {
			s.notes = append(s.notes, n.Text)
		}
		s.watch.Tell(e)
	}
	rep, err := backup.Job{Source: src, Archive: a, Pause: noWait, Watch: watch, Wanted: s.wanted, Stop: s.stop}.Run(context.Background())
	checkSums(s.t, s.t.Name(), rep)
	return rep, err
}

// a fate is what a report says, and how many bodies were asked for.
type fates struct{ known, fetched, linked, vanished, failed, bodies int }

// want runs, and compares.
func (s *scene) want(what string, want fates) {
	s.t.Helper()
	rep, err := s.run()
	got := fates{rep.Known, rep.Fetched, rep.Linked, rep.Vanished, rep.Failed, s.bodies()}
	if err != nil || got != want {
		s.t.Errorf("%s: %+v, want %+v; %v; %v", what, got, want, err, rep.Failures)
	}
}

// said returns the commands of the last run, without the greeting and the farewell.
func (s *scene) said() []string {
	return slices.DeleteFunc(s.srv.Commands()[s.heard:], func(c string) bool {
		verb, _, _ := strings.Cut(c, " ")
		return slices.Contains([]string{"CAPABILITY", "LOGIN", "LOGOUT", "NAMESPACE", "ID"}, verb)
	})
}

var bodyFetch = regexp.MustCompile(`^UID FETCH (\S+) .*BODY\.PEEK\[\]`)

// bodies returns how many whole messages the last run asked for.
func (s *scene) bodies() (n int) {
	for _, c := range s.said() {
		found := bodyFetch.FindStringSubmatch(c)
		if found == nil {
			continue
		}
		for _, part := range strings.Split(found[1], ",") {
			from, to, isRange := strings.Cut(part, ":")
			first, _ := strconv.Atoi(from)
			last, _ := strconv.Atoi(to)
			if n++; isRange {
				n += max(first, last) - min(first, last)
			}
		}
	}
	return n
}

// held returns what lies in the archive's directory of a folder.
func (s *scene) held(folder string) (all [][]byte) {
	s.t.Helper()
	dir := s.dir
	if folder != mail.Inbox {
		dir = filepath.Join(dir, "."+strings.ReplaceAll(folder, "/", "."))
	}
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	return held(s.t, dir)
}

// judge compares folders with what the account shows.
func (s *scene) judge(what string, folders ...string) {
	s.t.Helper()
	for _, f := range folders {
		var there [][]byte
		for _, m := range s.acct.Messages(f) {
			there = append(there, m.Octets)
		}
		if v := trial.Judge(there, s.held(f)); v != (trial.Verdict{}) {
			s.t.Errorf("%s: %s: %v", what, f, v)
		}
	}
}

// view looks into the archive.
func (s *scene) view(look func(a *archive.Archive)) {
	s.t.Helper()
	a, err := archive.View(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Close()
	look(a)
}

// live says how many entries of the folder the source shows, and how many are gone.
func (s *scene) live(folder string) (live, gone int) {
	s.t.Helper()
	s.view(func(a *archive.Archive) {
		entries, err := a.Pending(mail.Account{}, archive.Wanted{Gone: true}, folder, 0, 1<<20)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range entries {
			if e.Gone {
				gone++
			} else {
				live++
			}
		}
	})
	return live, gone
}

func (s *scene) wantLive(what, folder string, live, gone int) {
	s.t.Helper()
	if l, g := s.live(folder); l != live || g != gone {
		s.t.Errorf("%s: %s holds %d and %d that are gone, want %d and %d", what, folder, l, g, live, gone)
	}
}

// whole returns every file of the archive's messages with its path, and the octets of each.
func whole(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".mailhaul") {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func contains(notes []string, text string) bool {
	return slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, text) })
}

func hasText(m postoffice.Message, text string) bool { return bytes.Contains(m.Octets, []byte(text)) }
