package backup_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestPullStoppedAnywhere guards P1: whatever step a pull dies at, the next one ends with every message once.
func TestPullStoppedAnywhere(t *testing.T) {
	root := inMemory(t)
	var total trial.Verdict
	kinds := map[string]int{}
	n := 1
	for ; ; n++ {
		dir := filepath.Join(root, strconv.Itoa(n))
		_, srv := office(t, postoffice.Trouble{})
		w := &world{stopAt: n}
		_, err := pull(t.Context(), dir, w.step, source(srv), noWait)
		if w.stopped == "" {
			if err != nil {
				t.Fatalf("an undisturbed pull: %v", err)
			}
			break
		}
		kinds[w.stopped]++
		if err != nil && !errors.Is(err, errStopped) {
			t.Errorf("stopped at step %d (%s): %v", n, w.stopped, err)
		}
		rep, err := pull(t.Context(), dir, nil, source(srv), noWait)
		if err != nil || rep.Failed > 0 || rep.Listed != rep.Known+rep.Fetched {
			t.Errorf("resumed after step %d (%s): %+v, %v", n, w.stopped, rep, err)
		}
		v := trial.Judge(trial.Mail(), held(t, dir))
		if v != (trial.Verdict{}) || left(t, dir) > 0 {
			t.Errorf("resumed after step %d (%s): %v, %d files left in tmp/", n, w.stopped, v, left(t, dir))
		}
		total.Add(v)
		os.RemoveAll(dir)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%4d × stopped at %s", kinds[kind], kind)
	}
	t.Logf("steps run: %d: %v", n-1, total)
}

// TestPullStoppedTwice stops the resuming run as well, at every step again, after a few of the first stops.
func TestPullStoppedTwice(t *testing.T) {
	root := inMemory(t)
	schedules := 0
	for first := 5; ; first += 17 {
		for second := 1; ; second += 3 {
			dir := filepath.Join(root, strconv.Itoa(first)+"-"+strconv.Itoa(second))
			_, srv := office(t, postoffice.Trouble{})
			one, two := &world{stopAt: first}, &world{stopAt: second}
			pull(t.Context(), dir, one.step, source(srv), noWait)
			if one.stopped == "" {
				t.Logf("schedules run: %d", schedules)
				return
			}
			pull(t.Context(), dir, two.step, source(srv), noWait)
			_, err := pull(t.Context(), dir, nil, source(srv), noWait)
			schedules++
			if v := trial.Judge(trial.Mail(), held(t, dir)); err != nil || v != (trial.Verdict{}) {
				t.Errorf("stopped at step %d (%s), then %d (%s): %v, %v", first, one.stopped, second, two.stopped, v, err)
			}
			os.RemoveAll(dir)
			if two.stopped == "" {
				break
			}
		}
	}
}
