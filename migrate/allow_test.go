package migrate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
	"github.com/mailhaul/mailhaul/internal/retry"
)

var errEnough = &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseQuota, Err: errors.New("enough for today")}

// A warden lets messages go, some at a time, and then no more. Those of no size are none.
type warden struct {
	mu          sync.Mutex
	left, stint int
	ends        error
	underway    int
}

func (w *warden) allow(_ context.Context, octets []int64) (int, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(octets) == 0 && w.left > 0 {
		return 0, func() {}, nil
	}
	n, some := 0, 0
	for n < len(octets) && (octets[n] == 0 || some < min(w.left, w.stint)) {
		if octets[n] > 0 {
			some++
		}
		n++
	}
	if n == 0 {
		return 0, nil, w.ends
	}
	w.left -= some
	w.underway += n
	return n, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.underway -= n
	}, nil
}

func opened(t *testing.T, dir string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// TestAllow: nothing goes that is not allowed to; what went is made sure of, the rest goes in another run.
func TestAllow(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	job := crew(t, opened(t, filled(t, trial.Mail()...)), srv, 0)
	w := &warden{left: 7, stint: 3, ends: errEnough}
	job.Allow = w.allow
	rep, err := job.Run(t.Context())
	if !errors.Is(err, errEnough) || rep.Appended != 7 || rep.Failed != 5 || len(rep.Failures) != 0 || !sums(rep) || w.underway != 0 {
		t.Errorf("%+v, %v, %d under way; want 7 appended and the warden's word", rep, err, w.underway)
	}
	if len(shown(acct)) != 7 || srv.Count("APPEND") != 7 {
		t.Errorf("%d are there after %d APPENDs, want 7", len(shown(acct)), srv.Count("APPEND"))
	}
	if last := srv.Commands()[len(srv.Commands())-1]; !strings.HasPrefix(last, "UID FETCH") {
		t.Errorf("the last command was %q; want a look at what went", last)
	}

	heard := len(srv.Commands())
	job.Allow = (&warden{ends: errEnough}).allow
	rep, err = job.Run(t.Context())
	if !errors.Is(err, errEnough) || rep.Known != 7 || rep.Failed != 5 || len(srv.Commands()) != heard {
		t.Errorf("%+v, %v after %d commands; want none", rep, err, len(srv.Commands())-heard)
	}

	job.Allow = (&warden{left: 100, stint: 2}).allow
	rep, err = job.Run(t.Context())
	checkOnce(t, "the rest", acct, rep, err)
	job.Allow = (&warden{ends: errEnough}).allow
	if rep, err := job.Run(t.Context()); err != nil || rep.Known != 12 { // nothing is to go: nobody is asked
		t.Errorf("with nothing to bring: %+v, %v", rep, err)
	}
}

// TestAllowBack: what is there is not read to be compared when that is not allowed; what need not be read goes all the
// same.
func TestAllowBack(t *testing.T) {
	messages := trial.Mail()
	acct, srv := office(t, postoffice.Trouble{})
	for _, m := range messages[6:] {
		acct.Deliver(mail.Inbox, postoffice.Message{Octets: m})
	}
	job := crew(t, opened(t, filled(t, messages...)), srv, 0)
	job.AllowBack = (&warden{left: 2, stint: 2, ends: errEnough}).allow
	rep, err := job.Run(t.Context())
	if !errors.Is(err, errEnough) || rep.Present < 1 || rep.Present > 2 || rep.Appended == 0 || !sums(rep) {
		t.Errorf("%+v, %v; want 2 compared", rep, err)
	}
	job.AllowBack = (&warden{left: 100, stint: 100}).allow
	if rep, err = job.Run(t.Context()); err != nil {
		t.Errorf("%+v, %v", rep, err)
	}
	if v := trial.Judge(messages, shown(acct)); v != (trial.Verdict{}) {
		t.Errorf("%v", v)
	}
}

// TestAllowSeveralSessions: all sessions ask one warden.
func TestAllowSeveralSessions(t *testing.T) {
	for _, trouble := range []postoffice.Trouble{{}, {Without: []string{"LITERAL+", "LITERAL-"}}} {
		a := shelved(t, named("One", 60), named("Two", 60), named("Three", 60), named("Four", 60))
		_, srv := office(t, trouble)
		job := crew(t, a, srv, 2)
		appended := 0
		for _, left := range []int{100, 1, 90, 1000} {
			w := &warden{left: left, stint: 10, ends: errEnough}
			job.Allow = w.allow
			rep, err := job.Run(t.Context())
			appended = min(appended+left, 240)
			if (appended < 240) != errors.Is(err, errEnough) || appended == 240 && err != nil || !sums(rep) || w.underway != 0 {
				t.Errorf("%+v, %v; %d under way", rep, err, w.underway)
			}
			if got := rep.Known + rep.Appended; got != appended || srv.Count("APPEND") != appended {
				t.Errorf("%d are there after %d APPENDs, want %d", got, srv.Count("APPEND"), appended)
			}
		}
	}
}

// TestAllowEnds: a stop that a warden meets while he waits is a stop.
func TestAllowEnds(t *testing.T) {
	_, srv := office(t, postoffice.Trouble{})
	job := crew(t, opened(t, filled(t, trial.Mail()...)), srv, 0)
	job.Allow = (&warden{left: 4, stint: 4, ends: retry.ErrStopped}).allow
	rep, err := job.Run(t.Context())
	if err != retry.ErrStopped || rep.Appended != 4 {
		t.Errorf("%+v, %v; want 4 appended and ErrStopped", rep, err)
	}
}

var _ retry.Allow = (*warden)(nil).allow
