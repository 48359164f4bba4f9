//go:build unix

package peers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

type options struct {
	mailhaul   string // "": built
	runs       int
	scale      float64
	disk, into string // directories, the latter for the tables
	peers      bool   // all that are installed take part, and everything is as it must be to measure
	limit      time.Duration
	log        io.Writer
}

// A bench is what a comparison is made on.
type bench struct {
	options
	tb       testing.TB
	self     string // this very program
	from, to *dovecot.Server
	memory   string // a directory that is not on the disk
	results  results
	runsFile *os.File
	written  map[string]corpus   // the corpora that lie at the server
	archives map[place]string    // of corpora, made by mailhaul
	tallies  map[string]tally    // of corpora, without a field
	ways     map[distance]string // the addresses of distances
	served   int                 // users at the destination, so far
}

// A place is where the archive of a corpus lies.
type place struct {
	corpus string
	disk   bool
}

func newBench(tb testing.TB, o options) *bench {
	b := &bench{options: o, tb: tb, results: results{}, written: map[string]corpus{}, archives: map[place]string{},
		tallies: map[string]tally{}, ways: map[distance]string{}}
	b.from, b.to = dovecot.Start(tb, dovecot.Options{}), dovecot.Start(tb, dovecot.Options{Store: "mdbox"})
	b.memory = b.tempDir("")
	if b.peers {
		b.disk = b.tempDir(b.disk)
	} else {
		b.disk = b.memory
	}
	var err error
	b.self, err = os.Executable()
	b.must(err)
	if b.mailhaul == "" {
		b.mailhaul = filepath.Join(b.memory, "mailhaul")
		out, err := exec.Command("go", "build", "-o", b.mailhaul, "../../cmd/mailhaul").CombinedOutput()
		if err != nil {
			tb.Fatalf("go build: %v\n%s", err, out)
		}
	}
	b.must(os.MkdirAll(o.into, 0o755))
	b.runsFile, err = os.Create(filepath.Join(o.into, "runs.jsonl"))
	b.must(err)
	tb.Cleanup(func() { b.runsFile.Close() })
	return b
}

// tempDir makes a directory in another, that is gone after the test; unlike those of package testing it is one that
// everybody can get to.
func (b *bench) tempDir(in string) string {
	dir, err := os.MkdirTemp(in, "peers-")
	b.must(err)
	b.must(os.Chmod(dir, 0o755))
	b.tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (b *bench) must(err error) {
	b.tb.Helper()
	if err != nil {
		b.tb.Fatal(err)
	}
}

// all runs the scenarios that are wanted, and writes the tables after each: what is measured is not lost with the rest.
func (b *bench) all(wanted func(scenario) bool) {
	var all []scenario
	for _, s := range scenarios(b.scale) {
		if !b.peers {
			s.contenders = slices.DeleteFunc(slices.Clone(s.contenders), func(c contender) bool { return c.program != "" })
		}
		if wanted(s) {
			all = append(all, s)
		}
	}
	for i, s := range all {
		fmt.Fprintf(b.log, "%d/%d %s\n", i+1, len(all), s.name())
		b.run(s)
		b.must(os.WriteFile(filepath.Join(b.into, "table.md"), []byte(b.table(all[:i+1])), 0o644))
		b.forget(all[i+1:])
	}
}

// run has the contenders of a scenario take turns.
func (b *bench) run(s scenario) {
	outcomes := map[string]*outcome{}
	b.results[s.name()] = outcomes
	errands := map[string]errand{}
	for _, c := range s.contenders {
		outcomes[c.name] = &outcome{messages: s.corpus.first(c.first).messages()}
		if _, err := exec.LookPath(c.program); c.program != "" && err != nil {
			outcomes[c.name].wrong = "not installed"
		}
	}
	for n := range b.times(s) {
		for _, c := range s.contenders {
			if o := outcomes[c.name]; o.wrong == "" && (n == 0 || o.best() < patience) {
				b.turn(s, c, o, errands)
				b.note(s, c, n, o)
			}
		}
	}
	for _, e := range errands {
		b.tidy(e)
	}
}

// turn is one run of a contender. An errand that is to be done again is kept.
func (b *bench) turn(s scenario, c contender, o *outcome, kept map[string]errand) {
	e, ready := kept[c.name]
	if !ready {
		e = b.errand(s, c)
	}
	switch {
	case !s.again:
		defer b.tidy(e)
	case !ready: // the first time is for what all there is to have come
		kept[c.name] = e
		if o.wrong = b.try(c, e, nil); o.wrong != "" {
			return
		}
	}
	o.wrong = b.try(c, e, o)
}

// patience is how many seconds a contender may take to be asked again.
const patience = 30

// times is how often a scenario is run; a run with nothing to do is short, and easily disturbed.
func (b *bench) times(s scenario) int {
	if s.again || s.corpus.messages() == 0 {
		return max(5, b.runs)
	}
	return b.runs
}
