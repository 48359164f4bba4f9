package backup_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// A saga is a scene that has been archived, and in which much has changed since.
type saga struct {
	*scene
	before string // the archive as it was before
	want   string // what it is to become
}

// folders of a saga, as they are in the end.
var inSaga = []string{mail.Inbox, "Projects", "Copies", "Anew"}

// newSaga has new mail, other flags, an expunge, a folder renamed, one numbered anew, copies, and a folder deleted.
func newSaga(t *testing.T, server postoffice.Trouble) *saga {
	t.Helper()
	s := &saga{scene: newScene(t, server)}
	s.fill(mail.Inbox)
	s.deliver("Work", 0, 8)
	s.deliver("Anew", 10, 16)
	s.deliver("Old", 20, 22)
	s.mustRun("at first")
	s.before = s.dir

	s.deliver(mail.Inbox, 30, 33)
	s.acct.Expunge(mail.Inbox, 6)
	s.acct.SetFlags(mail.Inbox, 2, `\Seen`, "later")
	s.acct.SetFlags(mail.Inbox, 3, `\Flagged`)
	s.acct.Rename("Work", "Projects")
	s.acct.SetFlags("Projects", 1, `\Answered`)
	s.deliver("Projects", 40, 41)
	s.acct.Renumber("Anew", 4711)
	s.fill("Copies")
	s.acct.DeleteMailbox("Old")
	s.restart()
	s.mustRun("undisturbed")
	s.want = s.portrait()
	return s
}

func (s *saga) mustRun(what string) {
	s.t.Helper()
	if rep, err := s.run(); err != nil || rep.Failed > 0 {
		s.t.Fatalf("%s: %+v, %v", what, rep, err)
	}
}

// restart begins again with the archive as it was before.
func (s *saga) restart() {
	s.t.Helper()
	if s.dir != s.before {
		os.RemoveAll(s.dir)
	}
	s.dir = filepath.Join(filepath.Dir(s.before), "again")
	if err := os.CopyFS(s.dir, os.DirFS(s.before)); err != nil {
		s.t.Fatal(err)
	}
}

// portrait says what the archive has of every message, and whether the source shows it.
func (s *saga) portrait() string {
	s.t.Helper()
	var lines []string
	s.view(func(a *archive.Archive) {
		boxes, err := a.Mailboxes()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, mb := range boxes {
			lines = append(lines, fmt.Sprintf("%q gone: %v", mb.Name, mb.Gone))
			entries, err := a.Pending(mail.Account{}, archive.Wanted{Gone: true}, mb.Name, 0, 1000)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, e := range entries {
				lines = append(lines, fmt.Sprintf("%v %v gone: %v %x", e.Ref, e.Flags, e.Gone, e.Digest[:4]))
			}
		}
		states, err := a.States()
		lines = append(lines, fmt.Sprint(states, err))
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// check runs to the end, and once more, when there must be nothing to do.
func (s *saga) check(what string) trial.Verdict {
	s.t.Helper()
	rep, err := s.run()
	if err != nil || rep.Failed > 0 {
		s.t.Errorf("%s: resumed: %+v, %v", what, rep, err)
	}
	var total trial.Verdict
	for _, f := range inSaga {
		var there [][]byte
		for _, m := range s.acct.Messages(f) {
			there = append(there, m.Octets)
		}
		live, gone := s.live(f)
		v := trial.Judge(there, s.held(f))
		v.Doubled -= min(v.Doubled, gone) // what is gone stays
		v.Altered -= min(v.Altered, gone)
		if live != len(there) {
			s.t.Errorf("%s: %s holds %d, want %d", what, f, live, len(there))
		}
		total.Add(v)
	}
	if total != (trial.Verdict{}) || left(s.t, s.dir) > 0 {
		s.t.Errorf("%s: %v, %d files left in tmp/", what, total, left(s.t, s.dir))
	}
	if got := s.portrait(); got != s.want {
		s.t.Errorf("%s: the archive is\n%s\nand should be\n%s", what, got, s.want)
	}
	if rep, err := s.run(); err != nil || rep.Listed != rep.Known || s.bodies() > 0 {
		s.t.Errorf("%s: a further run: %+v, %v, %d bodies", what, rep, err, s.bodies())
	}
	return total
}

// TestKeepStoppedAnywhere guards P1 for a source that remembers: whatever step a run dies at, the next one ends with
// the archive that an undisturbed one makes.
func TestKeepStoppedAnywhere(t *testing.T) {
	for name, stride := range map[string]int{"modern": 1, "plain": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSaga(t, servers[name])
			var total trial.Verdict
			kinds := map[string]int{}
			n := 1
			for ; ; n += stride {
				s.restart()
				w := &world{stopAt: n}
				_, err := s.runWith(s.dial(), w.step)
				if w.stopped == "" {
					break
				}
				kinds[w.stopped]++
				if err != nil && !errors.Is(err, errStopped) {
					t.Errorf("stopped at step %d (%s): %v", n, w.stopped, err)
				}
				total.Add(s.check(fmt.Sprintf("stopped at step %d (%s)", n, w.stopped)))
				if t.Failed() {
					return
				}
			}
			for _, kind := range slices.Sorted(maps.Keys(kinds)) {
				t.Logf("%4d × stopped at %s", kinds[kind], kind)
			}
			t.Logf("steps run: %d: %v", n/stride, total)
		})
	}
}
