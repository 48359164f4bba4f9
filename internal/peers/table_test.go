//go:build unix

package peers

import (
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// table is what was measured, as Markdown. Every promise has a row.
func (b *bench) table(all []scenario) string {
	var t strings.Builder
	fmt.Fprintf(&t, "Measured on %s: %s/%s, %d processors, %s; runs of each: %d", time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), versions(), b.runs)
	if b.scale != 1 {
		fmt.Fprintf(&t, "; accounts of %g of their size", b.scale)
	}
	t.WriteString(".\nSeconds are the least of the runs, with the median in brackets where there were several.\n\n")
	t.WriteString("| | beside | s | mailhaul, s | ratio | promised | | others, s |\n|---|---|--:|--:|--:|---|---|---|\n")
	for _, s := range all {
		for i, row := range b.rows(s) {
			if i > 0 {
				row[0] = ""
			}
			t.WriteString("| " + strings.Join(row[:], " | ") + " |\n")
		}
	}
	t.WriteString("\n| | measured | promised | | |\n|---|--:|--:|---|---|\n")
	for _, bound := range b.results.bounds(all) {
		fmt.Fprintf(&t, "| %s | %.3g %s | ≤ %g %s | %s | %s |\n", bound.what, bound.value, bound.unit, bound.most, bound.unit, verdict(bound.value <= bound.most), bound.how)
	}
	return t.String()
}

// rows are one for each promise of the scenario, or one beside the floor, or beside nobody.
func (b *bench) rows(s scenario) (rows [][8]string) {
	promises := s.promises
	if len(promises) == 0 {
		promises = []promise{{beside: theFloor}}
	}
	mine, done := b.results.counts(s.name(), ours)
	for i, p := range promises {
		row := [8]string{0: s.name(), 1: p.beside, 3: "–"}
		if i == 0 {
			row[7] = b.others(s, promises)
		}
		if done {
			row[3] = mine.seconds()
		}
		other, known := b.results.seconds(s, p.beside)
		if known {
			row[2] = b.beside(s, p.beside, other)
		}
		if known && done {
			row[4] = fmt.Sprintf("%.2f", mine.best()/other)
		}
		if p.times > 0 {
			row[5], row[6] = p.String(), b.judge(s, p)
		} else if !known {
			row[1] = "–"
		}
		rows = append(rows, row)
	}
	return rows
}

func (b *bench) beside(s scenario, name string, seconds float64) string {
	if o, ok := b.results.counts(s.name(), name); ok {
		return o.seconds()
	}
	return fmt.Sprintf("%.2f", seconds)
}

// judge says whether the promise is kept. What mailhaul did wrong it has not done at all.
func (b *bench) judge(s scenario, p promise) string {
	other, known := b.results.seconds(s, p.beside)
	if mine, done := b.results.counts(s.name(), ours); done && known {
		return verdict(p.keeps(mine.best(), other))
	}
	for _, name := range []string{ours, p.beside} {
		if o := b.results[s.name()][name]; o != nil && o.wrong != "" {
			return name + ": " + cell(o.wrong)
		}
	}
	return "not measured"
}

// others are the contenders that no row of the scenario is about.
func (b *bench) others(s scenario, promises []promise) string {
	told := map[string]bool{ours: true}
	for _, p := range promises {
		told[p.beside] = true
	}
	var others []string
	for _, c := range s.contenders {
		o := b.results[s.name()][c.name]
		switch {
		case o == nil || told[c.name]:
		case o.wrong != "":
			others = append(others, c.name+": "+cell(o.wrong))
		default:
			name := c.name
			if o.messages < s.corpus.messages() {
				name += fmt.Sprintf(" (first %d)", o.messages)
			}
			others = append(others, name+" "+o.seconds())
		}
	}
	return strings.Join(others, " · ")
}

func (o *outcome) seconds() string {
	digits := 2
	if o.best() < 0.1 {
		digits = 3
	}
	if len(o.costs) == 1 {
		return fmt.Sprintf("%.*f", digits, o.best())
	}
	return fmt.Sprintf("%.*f (%.*f)", digits, o.best(), digits, o.median())
}

// cell makes a text one that a table can hold; all of it is with the runs.
func cell(text string) string {
	const enough = 120
	if short := []rune(text); len(short) > enough {
		text = string(short[:enough]) + "…"
	}
	return strings.NewReplacer("|", "/", "\n", " ").Replace(text)
}

// versions are those of what took part and is installed.
func versions() string {
	var all []string
	for _, program := range []string{"dovecot", "mpop", "mbsync", "offlineimap", "getmail", "fetchmail", "interimap"} {
		if v := version(program); v != "" {
			all = append(all, v)
		}
	}
	return strings.Join(all, ", ")
}

// version is a program with its number, or "" where it is not installed.
func version(program string) string {
	path, err := exec.LookPath(program)
	if err != nil && program == "dovecot" {
		path, err = exec.LookPath("/usr/sbin/dovecot")
	}
	if err != nil {
		return ""
	}
	out, _ := exec.Command(path, "--version").Output() // what it exits with is of no interest
	line, _, _ := strings.Cut(string(out), "\n")
	name, number := program, ""
	if program == "mbsync" {
		name = "isync" // what its versions are of
	}
	if found := versionNumber.FindString(line); found != "" {
		number = " " + found
	}
	return name + number
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// TestTable guards that every promise has its row and its word, and that what is wrong is not listed with a time.
func TestTable(t *testing.T) {
	took := func(wall float64) *outcome { return &outcome{messages: 2_000, costs: []cost{{Wall: wall}}} }
	s := scenario{kind: pullPOP3, corpus: corpusA(1), disk: true, contenders: []contender{{name: theFloor}, mailhaul, mpop, getmail6.slowed(500), fetchmail},
		promises: []promise{ofFloor(1.3), beside("mpop", 0.7)}}
	b := &bench{results: results{s.name(): {theFloor: took(1), ours: took(1.25), "mpop": took(1.5), "getmail6": {messages: 500, costs: []cost{{Wall: 3}}},
		"fetchmail": {costs: []cost{{Wall: 0.1}}, wrong: "1 of 2 messages | have not arrived"}}}}
	got := b.table([]scenario{s})
	for _, want := range []string{
		"| pull POP3 A disk | floor | 1.00 | 1.25 | 1.25 | ≤ 1.3 × | held | getmail6 (first 500) 3.00 · fetchmail: 1 of 2 messages / have not arrived |\n",
		"|  | mpop | 1.50 | 1.25 | 0.83 | ≤ 0.7 × | **MISSED** |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	b.results[s.name()]["mpop"] = &outcome{wrong: "not installed"}
	if got := b.table([]scenario{s}); !strings.Contains(got, "|  | mpop |  | 1.25 |  | ≤ 0.7 × | mpop: not installed |  |\n") {
		t.Errorf("without mpop:\n%s", got)
	}
}
