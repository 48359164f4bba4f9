package migrate_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

const (
	user     = "me"
	password = "secret"
)

var (
	login = mail.Login{User: user, Password: func(context.Context) (string, error) { return password, nil }}
	there = mail.Account{Protocol: "imap", Host: "imap.example", User: user}
)

// office returns an empty IMAP account and its server.
func office(t testing.TB, trouble postoffice.Trouble) (*postoffice.Account, *postoffice.Server) {
	o := postoffice.New()
	acct := o.Account(user, password)
	srv := o.IMAP(trouble)
	t.Cleanup(func() { srv.Close() })
	return acct, srv
}

// client writes to srv over a line in memory.
func client(srv *postoffice.Server) *imap.Client {
	return imap.New(dial.Server{Host: "imap.example", Port: 143, Plain: true, Dialer: srv.Dial}, login)
}

// filled makes an archive in a new directory that holds the messages in its INBOX.
func filled(t testing.TB, messages ...[]byte) (dir string) {
	t.Helper()
	return flagged(t, nil, messages...)
}

// flagged makes one in which all of them have these flags.
func flagged(t testing.TB, flags mail.Flags, messages ...[]byte) (dir string) {
	t.Helper()
	dir = inMemory(t)
	fill(t, dir, 0, flags, messages...)
	return dir
}

// fill puts messages into the INBOX of an archive, under UIDLs from that number on.
func fill(t testing.TB, dir string, from int, flags mail.Flags, messages ...[]byte) {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Bind(mail.Account{Protocol: "pop3", Host: "pop.example", User: user}, false); err != nil {
		t.Fatal(err)
	}
	b := a.NewBatch()
	inbox := mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox}
	for i, m := range messages {
		item := mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UID: strconv.Itoa(from + i)}, Size: int64(len(m)), Flags: flags}
		if _, err := b.Put(item, inbox, bytes.NewReader(m)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// forget removes the ledger of an archive.
func forget(t testing.TB, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "mailhaul", "ledger.db")); err != nil {
		t.Fatal(err)
	}
}

// inMemory is a directory for archives whose fsyncs are not what is tried.
func inMemory(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "mailhaul-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// A push is one run as a process would do it: it opens the archive and closes it.
type push struct {
	dir    string
	world  *world // nil: nothing stops
	dst    migrate.Destination
	pause  func(context.Context, time.Duration) error
	watch  progress.Watch
	repair bool
	merge  bool // by Message-ID
}

func (p push) run(ctx context.Context) (migrate.Report, error) {
	var o archive.Options
	if p.world != nil {
		o.Steps = p.world.step
	}
	a, err := archive.Open(p.dir, o)
	if err != nil {
		return migrate.Report{}, err
	}
	defer a.Close()
	if c, ok := p.dst.(io.Closer); ok {
		defer c.Close()
	}
	return migrate.Job{Archive: a, Destination: p.dst, Account: there, Pause: p.pause, Watch: p.watch, Repair: p.repair, MergeByID: p.merge}.Run(ctx)
}

// shown returns the octets of what the account's INBOX holds.
func shown(acct *postoffice.Account) (all [][]byte) {
	for _, m := range acct.Messages(mail.Inbox) {
		all = append(all, m.Octets)
	}
	return all
}

// noWait is a clock that has passed already.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

var errStopped = errors.New("the world stopped here")

// A world stops at its n-th step: that one fails, and everything after it, as for a process that is no more.
type world struct {
	mu      sync.Mutex
	stopAt  int
	steps   int
	stopped string // the step it stopped at
}

func (w *world) step(s archive.Step) error { return w.at(s.Op, s.After) }

func (w *world) at(op string, after bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps++
	if w.steps == w.stopAt {
		w.stopped = op
		if after {
			w.stopped += " (done)"
		}
	}
	if w.stopped != "" {
		return errStopped
	}
	return nil
}

func (w *world) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped != ""
}

// A mortal destination dies with its world, before or after each APPEND.
type mortal struct {
	*imap.Client
	world *world
}

func (m mortal) Append(ctx context.Context, mailbox string, batch []mail.Outgoing, done func(int, mail.Stored, error)) error {
	for i := range batch {
		if err := m.world.at("APPEND", false); err != nil {
			return err
		}
		err := m.Client.Append(ctx, mailbox, batch[i:i+1], func(_ int, got mail.Stored, err error) {
			if m.world.at("APPEND", true) == nil {
				done(i, got, err)
			}
		})
		if err != nil {
			return err
		}
		if m.world.isStopped() {
			return errStopped
		}
	}
	return nil
}

// Mark is a step too.
func (m mortal) Mark(ctx context.Context, mailbox string, marks []mail.Marking) ([]mail.Flags, error) {
	if err := m.world.at("STORE", false); err != nil {
		return nil, err
	}
	dropped, err := m.Client.Mark(ctx, mailbox, marks)
	return dropped, cmp.Or(m.world.at("STORE", true), err)
}

// checkOnce fails the test unless everything is at the destination once.
func checkOnce(t *testing.T, what string, acct *postoffice.Account, rep migrate.Report, err error) trial.Verdict {
	t.Helper()
	v := trial.Judge(trial.Mail(), shown(acct))
	sum := rep.Known + rep.Appended + rep.Present + rep.Merged + rep.Refused + rep.Failed + rep.LeftOut + rep.Gone
	if err != nil || v != (trial.Verdict{}) || rep.Archived != len(trial.Mail()) || sum != rep.Archived || rep.Failed+rep.Refused > 0 {
		t.Errorf("%s: %v, %+v, %v", what, v, rep, err)
	}
	return v
}
