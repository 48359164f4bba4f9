package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

const (
	user     = "me"
	password = "secret"
)

// office returns a POP3 server with the mail of the trials.
func office(t testing.TB, trouble postoffice.Trouble) (*postoffice.Account, *postoffice.Server) {
	o := postoffice.New()
	acct := o.Account(user, password)
	for _, m := range trial.Mail() {
		acct.Deliver(mail.Inbox, postoffice.Message{Octets: m})
	}
	srv := o.POP3(trouble)
	t.Cleanup(func() { srv.Close() })
	return acct, srv
}

// source reads from srv over a line in memory.
func source(srv *postoffice.Server) *pop3.Source {
	return pop3.New(dial.Server{Host: "pop.example", Port: 110, Plain: true, Dialer: srv.Dial}, login)
}

var login = mail.Login{User: user, Password: func(context.Context) (string, error) { return password, nil }}

// pull runs one backup as a process would: it opens the archive and closes it.
func pull(ctx context.Context, dir string, steps func(archive.Step) error, src *pop3.Source, pause func(context.Context, time.Duration) error) (backup.Report, error) {
	a, err := archive.Open(dir, archive.Options{Create: true, Steps: steps})
	if err != nil {
		return backup.Report{}, err
	}
	defer a.Close()
	defer src.Close()
	if err := a.Bind(mail.Account{Protocol: "pop3", Host: "pop.example", User: user}, false); err != nil {
		return backup.Report{}, err
	}
	return backup.Job{Source: src, Archive: a, Pause: pause}.Run(ctx)
}

// inMemory is a directory for archives whose fsyncs are not what is tried.
func inMemory(t testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "mailhaul-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// held returns what lies in cur/ of the archive's INBOX, without a line of the code under test in between.
func held(t testing.TB, dir string) (all [][]byte) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "cur"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".mailhaul,") {
			return err
		}
		octets, err := os.ReadFile(path)
		all = append(all, octets)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// left returns what lies in tmp/.
func left(t testing.TB, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

var errStopped = errors.New("the world stopped here")

// A world stops at its n-th step: that one fails, and everything after it, as for a process that is no more.
type world struct {
	mu      sync.Mutex
	stopAt  int
	steps   int
	stopped string // the step it stopped at
}

func (w *world) step(s archive.Step) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps++
	if w.steps == w.stopAt {
		w.stopped = s.Op
		if s.After {
			w.stopped += " (done)"
		}
	}
	if w.stopped != "" {
		return errStopped
	}
	return nil
}

// noWait is a clock that has passed already.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }
