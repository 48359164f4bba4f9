//go:build unix

package peers

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice/dovecot"
)

var (
	compare = flag.Bool("compare", false, "measure")
	binary  = flag.String("mailhaul", "", "the program to measure; built if not given")
	only    = flag.String("only", "", "only scenarios whose names match this regular expression")
	runs    = flag.Int("runs", 3, "runs of every contender")
	scale   = flag.Float64("scale", 1, "size of the accounts, as a share of what is said of them")
	disk    = flag.String("disk", "", "a directory on a real disk; TMPDIR is for all else, and best in memory")
	into    = flag.String("into", "", "where table.md and runs.jsonl are written")
	limit   = flag.Duration("limit", 4*time.Minute, "how long a run may take before it is ended")
)

// TestMain is also the main of floors, and of what measures.
func TestMain(m *testing.M) {
	done, err := side(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !done {
		os.Exit(m.Run())
	}
}

// BenchmarkCompare is no test, so that it neither runs nor skips itself where nobody asked for it.
func BenchmarkCompare(b *testing.B) {
	if !*compare {
		b.Skip("make compare runs it: it takes long")
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		b.Fatal(err)
	}
	newBench(b, options{peers: true, mailhaul: *binary, runs: *runs, scale: *scale, disk: *disk, into: *into, limit: *limit, log: os.Stderr}).
		all(func(s scenario) bool { return match.MatchString(s.name()) })
}

// TestCompare guards that the measurement works where it is not asked for: that mailhaul and the floors bring all, and
// that there is a table of it. What it measures is of no account.
func TestCompare(t *testing.T) {
	dovecot.Require(t)
	dir := t.TempDir()
	bench := newBench(t, options{runs: 1, scale: 0.005, into: dir, limit: time.Minute, log: io.Discard})
	bench.all(func(s scenario) bool {
		return s.corpus.name == "A" && s.rtt == 0 || strings.HasSuffix(s.corpus.name, "x10")
	})
	for name, outcomes := range bench.results {
		for who, o := range outcomes {
			if o.wrong != "" {
				t.Errorf("%s, %s: %s", name, who, o.wrong)
			}
		}
	}
	table, err := os.ReadFile(filepath.Join(dir, "table.md"))
	for _, want := range []string{"| pull POP3 A disk | floor |", "| migrate A disk |", "| memory, peak, A |", "ten times the folders"} {
		if err != nil || !strings.Contains(string(table), want) {
			t.Errorf("there is no %q in %v\n%s", want, err, table)
		}
	}
	if runs, err := os.ReadFile(filepath.Join(dir, "runs.jsonl")); err != nil || strings.Count(string(runs), "\n") < 20 {
		t.Errorf("the runs are %s, %v", runs, err)
	}
}
