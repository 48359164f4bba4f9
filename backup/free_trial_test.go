package backup_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// A room is an account whose mail is archived, and is to be taken out of it.
type room struct {
	t     *testing.T
	imap  bool
	tcp   bool // over real sockets
	acct  *postoffice.Account
	srv   *postoffice.Server
	dir   string // the archive
	fresh string // the archive as it was when all was archived
	first []postoffice.Message
	later []postoffice.Message // what came after, and must never go
	job   backup.Freeing       // what is wanted; From, Archive and Account are filled in
}

type remover interface {
	backup.Remover
	Close() error
}

var protocols = map[string]bool{"POP3": false, "IMAP": true}

// newRoom returns an account with these messages, all of which are archived.
func newRoom(t *testing.T, overIMAP bool, messages ...[]byte) *room {
	t.Helper()
	m := &room{t: t, imap: overIMAP, dir: filepath.Join(inMemory(t), "mail"),
		job: backup.Freeing{Max: backup.Ceiling{N: 100, Percent: true}, Pause: noWait}}
	m.build()
	t.Cleanup(func() { m.srv.Close() })
	for i, octets := range messages {
		m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: octets, Received: noon.AddDate(0, 0, i)})
	}
	m.backup()
	m.first = m.acct.Messages(mail.Inbox)
	m.fresh = m.dir
	return m
}

// build makes the account and its server anew.
func (m *room) build() {
	o := postoffice.New()
	m.acct = o.Account(user, password)
	if m.imap {
		m.srv = o.IMAP(postoffice.Trouble{})
	} else {
		m.srv = o.POP3(postoffice.Trouble{})
	}
}

// restart begins again: everything is in the account, under the same UIDs and UIDLs, and archived.
func (m *room) restart() {
	m.t.Helper()
	m.srv.Close()
	m.build()
	for _, was := range append(slices.Clone(m.first), m.later...) {
		m.acct.Deliver(mail.Inbox, was)
	}
	if m.dir != m.fresh {
		os.RemoveAll(m.dir)
	}
	m.dir = filepath.Join(filepath.Dir(m.fresh), "again")
	if err := os.CopyFS(m.dir, os.DirFS(m.fresh)); err != nil {
		m.t.Fatal(err)
	}
}

// dial returns the account as what mail is taken out of.
func (m *room) dial() remover {
	m.t.Helper()
	server := dial.Server{Host: "pop.example", Port: 1, Plain: true, Dialer: m.srv.Dial}
	if m.tcp {
		addr, err := m.srv.Listen(nil)
		if err != nil {
			m.t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		server = dial.Server{Host: host, Port: n, Plain: true}
	}
	if m.imap {
		return imap.NewRemover(server, login)
	}
	return pop3.NewRemover(server, login)
}

func (m *room) account() mail.Account {
	return mail.Account{Protocol: map[bool]string{true: "imap", false: "pop3"}[m.imap], Host: "pop.example", User: user}
}

// open opens the archive.
func (m *room) open(steps func(archive.Step) error) (*archive.Archive, error) {
	a, err := archive.Open(m.dir, archive.Options{Create: true, Steps: steps})
	if err != nil {
		return nil, err
	}
	if err := a.Bind(m.account(), false); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// backup runs a backup, which must have no failures, and returns how many messages it fetched.
func (m *room) backup() (rep backup.Report) {
	m.t.Helper()
	a, err := m.open(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	defer a.Close()
	server := dial.Server{Host: "pop.example", Port: 1, Plain: true, Dialer: m.srv.Dial}
	var src interface {
		backup.Source
		Close() error
	} = pop3.New(server, login)
	if m.imap {
		src = imap.NewSource(server, login)
	}
	defer src.Close()
	rep, err = backup.Job{Source: src, Archive: a, Pause: noWait}.Run(context.Background())
	if err != nil || rep.Failed > 0 {
		m.t.Fatalf("backup: %+v, %v", rep, err)
	}
	return rep
}

// deliver puts mail into the account that nobody has archived.
func (m *room) deliver(messages ...[]byte) {
	for _, octets := range messages {
		m.acct.Deliver(mail.Inbox, postoffice.Message{Octets: octets, Received: noon})
	}
	all := m.acct.Messages(mail.Inbox)
	m.later = append(m.later, all[len(all)-len(messages):]...)
}

// free runs once, as a process would.
func (m *room) free(ctx context.Context, steps func(archive.Step) error) (*backup.Freed, error) {
	m.t.Helper()
	return m.freeBetween(ctx, steps, func() {})
}

// freeBetween does something between the plan and its execution.
func (m *room) freeBetween(ctx context.Context, steps func(archive.Step) error, between func()) (*backup.Freed, error) {
	m.t.Helper()
	a, err := m.open(steps)
	if err != nil {
		return &backup.Freed{}, err
	}
	defer a.Close()
	f := m.job
	f.Archive, f.Account = a, m.account()
	from := m.dial()
	defer from.Close()
	f.From = from
	plan, err := f.Plan(ctx)
	m.sums("plan", plan)
	if err != nil {
		return plan, err
	}
	between()
	err = f.Carry(ctx, plan)
	m.sums("free", plan)
	return plan, err
}

// sums checks that each message has one fate.
func (m *room) sums(what string, f *backup.Freed) {
	m.t.Helper()
	n, octets := len(f.Going)+f.Gone.Messages, f.GoingOctets()+f.Gone.Octets
	for _, a := range f.Stays {
		n, octets = n+a.Messages, octets+a.Octets
	}
	if n != f.Listed.Messages || octets != f.Listed.Octets {
		m.t.Errorf("%s: %+v listed, %d messages of %d octets have a fate: %+v", what, f.Listed, n, octets, f)
	}
}

// there returns what another client sees.
func (m *room) there() []postoffice.Message { return m.acct.Messages(mail.Inbox) }

// gone returns which of the archived messages are not there any more, by their place in first.
func (m *room) gone() (gone []int) {
	for i, was := range m.first {
		if !slices.ContainsFunc(m.there(), func(is postoffice.Message) bool { return is.UIDL == was.UIDL }) {
			gone = append(gone, i)
		}
	}
	return gone
}

// wrongly returns how many messages are gone and should not be, by what lies on disk and in the account and nothing that the
// code under test says: each that is gone must lie in the archive, octet by octet, and what came later must be there.
func (m *room) wrongly() (n int) {
	m.t.Helper()
	withNUL := func(octets []byte) []byte { return bytes.ReplaceAll(octets, []byte{0x80}, []byte{0}) } // which IMAP has none of
	var files [][]byte
	for _, octets := range whole(m.t, m.dir) {
		files = append(files, withNUL(octets))
	}
	for _, i := range m.gone() {
		gone := withNUL(m.first[i].Octets)
		at := slices.IndexFunc(files, func(f []byte) bool { return trial.Judge([][]byte{gone}, [][]byte{f}) == trial.Verdict{} })
		if at < 0 {
			n++
			continue
		}
		files = slices.Delete(files, at, at+1)
	}
	for _, was := range m.later {
		if !slices.ContainsFunc(m.there(), func(is postoffice.Message) bool { return is.UIDL == was.UIDL }) {
			n++
		}
	}
	for _, is := range m.there() {
		was := slices.IndexFunc(append(slices.Clone(m.first), m.later...), func(was postoffice.Message) bool { return is.UIDL == was.UIDL })
		if was < 0 || slices.Contains(is.Flags, `\Deleted`) {
			n++
		}
	}
	return n
}

// recorded compares what the ledger says with what is there; settled says that nothing may be open.
func (m *room) recorded(what string, settled bool) {
	m.t.Helper()
	a, err := archive.View(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	defer a.Close()
	amounts, err := a.FreedAmounts()
	if err != nil {
		m.t.Fatal(err)
	}
	var got archive.FreedAmount
	if len(amounts) > 0 {
		got = amounts[0]
	}
	gone := len(m.gone())
	if settled && (got.Messages != gone || got.Open != 0) || got.Messages > gone || got.Messages+got.Open < gone {
		m.t.Errorf("%s: %d are gone; the ledger says %+v", what, gone, got)
	}
}

// fileOf returns the path of the file that holds this text.
func (m *room) fileOf(text string) string {
	m.t.Helper()
	for path, octets := range whole(m.t, m.dir) {
		if strings.Contains(string(octets), text) {
			return path
		}
	}
	m.t.Fatalf("no file holds %q", text)
	return ""
}

// letters returns the octets of so many messages that are like no other.
func letters(n int) (all [][]byte) {
	for i := range n {
		all = append(all, letter(i).Octets)
	}
	return all
}
