package migrate_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// The servers a push is stopped at: one that names the UIDs of what it stores, one that does not, and one that takes many
// messages with one command.
var servers = map[string]postoffice.Trouble{
	"UIDPLUS":     {},
	"no UIDPLUS":  {Without: []string{"UIDPLUS"}},
	"MULTIAPPEND": {With: []string{"MULTIAPPEND"}},
}

// TestPushStoppedAnywhere guards P2: whatever step a push dies at, the next one ends with every message once.
func TestPushStoppedAnywhere(t *testing.T) {
	for name, trouble := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var total trial.Verdict
			kinds := map[string]int{}
			n := 1
			for ; ; n++ {
				stopped, v := pushStopped(t, trouble, n)
				if stopped == "" {
					break
				}
				kinds[stopped]++
				total.Add(v)
			}
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				t.Logf("%4d × stopped at %s", kinds[kind], kind)
			}
			t.Logf("steps run: %d: %v", n-1, total)
		})
	}
}

func pushStopped(t *testing.T, trouble postoffice.Trouble, n int) (stopped string, v trial.Verdict) {
	dir := filled(t, trial.Mail()...)
	defer os.RemoveAll(dir)
	acct, srv := office(t, trouble)
	defer srv.Close()
	w := &world{stopAt: n}
	rep, err := push{dir: dir, world: w, dst: mortal{client(srv), w}, pause: noWait}.run(t.Context())
	if w.stopped == "" {
		return "", checkOnce(t, "undisturbed", acct, rep, err)
	}
	what := fmt.Sprintf("step %d (%s)", n, w.stopped)
	if err != nil && !errors.Is(err, errStopped) {
		t.Errorf("stopped at %s: %v", what, err)
	}
	rep, err = push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
	v = checkOnce(t, "resumed after "+what, acct, rep, err)
	if appends := srv.Count("APPEND"); appends > 2*len(trial.Mail()) {
		t.Errorf("resumed after %s: %d APPENDs", what, appends)
	}
	rep, err = push{dir: dir, dst: client(srv), pause: noWait}.run(t.Context())
	checkOnce(t, "run again after "+what, acct, rep, err)
	if rep.Known != rep.Archived {
		t.Errorf("run again after %s: %+v, want all of them known", what, rep)
	}
	return w.stopped, v
}
