package backup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/retry"
)

var errEnough = &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Err: errors.New("enough for today")}

// A warden lets messages go, some at a time, and then no more.
type warden struct {
	t           *testing.T
	left, stint int
	ends        error
	asked       int // about messages
	underway    bool
}

func (w *warden) allow(_ context.Context, octets []int64) (int, func(), error) {
	if w.underway {
		w.t.Error("asked before the others were done")
	}
	if len(octets) == 0 {
		if w.left == 0 {
			return 0, nil, w.ends
		}
		return 0, func() {}, nil
	}
	w.asked++
	n := min(len(octets), w.stint, w.left)
	if n == 0 {
		return 0, nil, w.ends
	}
	w.left -= n
	w.underway = true
	return n, func() { w.underway = false }, nil
}

// A guarded is an account with a warden before it.
type guarded struct {
	name    string
	srv     *postoffice.Server
	source  func() backup.Source
	fetches func() int // messages asked for
	account mail.Account
}

func guardedAccounts(t *testing.T) []guarded {
	_, pop := office(t, postoffice.Trouble{})
	s := newScene(t, modern)
	s.fill(mail.Inbox)
	return []guarded{
		{"POP3", pop, func() backup.Source { return source(pop) }, func() int { return pop.Count("RETR") }, mail.Account{Protocol: "pop3", Host: "pop.example", User: user}},
		{"IMAP", s.srv, func() backup.Source { return s.dial() }, nil, mail.Account{Protocol: "imap", Host: "imap.example", User: user}},
	}
}

// run pulls with the warden, into the archive in dir.
func (g guarded) run(t *testing.T, dir string, w *warden) (backup.Report, error) {
	t.Helper()
	w.t = t
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Bind(g.account, false); err != nil {
		t.Fatal(err)
	}
	src := g.source()
	defer src.(interface{ Close() error }).Close()
	rep, err := backup.Job{Source: src, Archive: a, Pause: noWait, Allow: w.allow}.Run(t.Context())
	checkSums(t, g.name, rep)
	return rep, err
}

// TestAllow: nothing comes that is not allowed to; what came is archived, the rest comes in another run.
func TestAllow(t *testing.T) {
	for _, g := range guardedAccounts(t) {
		dir := inMemory(t)
		rep, err := g.run(t, dir, &warden{left: 7, stint: 3, ends: errEnough})
		if !errors.Is(err, errEnough) || rep.Listed != 12 || rep.Fetched != 7 || rep.Failed != 5 || len(rep.Failures) != 0 {
			t.Errorf("%s: %+v, %v; want 7 fetched and the warden's word", g.name, rep, err)
		}
		if n := len(held(t, dir)); n != 7 {
			t.Errorf("%s: %d are archived, want 7", g.name, n)
		}
		if g.fetches != nil && (g.fetches() != 7 || g.srv.Count("QUIT") != 1) {
			t.Errorf("%s: %d RETRs and %d QUITs, want 7 and 1: the server may forget what is archived", g.name, g.fetches(), g.srv.Count("QUIT"))
		}

		heard := len(g.srv.Commands())
		rep, err = g.run(t, dir, &warden{ends: errEnough})
		if !errors.Is(err, errEnough) || rep.Listed != 0 || len(g.srv.Commands()) != heard {
			t.Errorf("%s: %+v, %v after %d commands; want none", g.name, rep, err, len(g.srv.Commands())-heard)
		}

		w := &warden{left: 100, stint: 2}
		rep, err = g.run(t, dir, w)
		if err != nil || rep.Fetched != 5 || rep.Known != 7 || w.asked != 3 {
			t.Errorf("%s: %+v, %v, asked %d times; want the other 5 in 3 parts", g.name, rep, err, w.asked)
		}
		if v := trial.Judge(trial.Mail(), held(t, dir)); v != (trial.Verdict{}) {
			t.Errorf("%s: %v", g.name, v)
		}
	}
}

// TestAllowEnds: a stop, or trouble here, that a warden meets is not his word.
func TestAllowEnds(t *testing.T) {
	for _, want := range []error{retry.ErrStopped, fmt.Errorf("the disk: %w", &archive.DiskError{Op: "write", Err: errStopped})} {
		for _, g := range guardedAccounts(t) {
			rep, err := g.run(t, inMemory(t), &warden{left: 4, stint: 4, ends: want})
			if !errors.Is(err, want) || rep.Fetched != 4 || rep.Failed != 8 {
				t.Errorf("%s: %+v, %v; want 4 fetched and %v", g.name, rep, err, want)
			}
		}
	}
}
