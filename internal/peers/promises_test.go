//go:build unix

package peers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// A promise is how long mailhaul may take in a scenario, in terms of what another took in the same run.
type promise struct {
	beside string  // whom
	times  float64 // so many times as long, and
	plus   time.Duration
	words  string // if it cannot be said by times alone
}

// What a promise may be beside that is no contender.
const (
	slowerHalf = "slower half"  // the halves of a migration, each alone
	waiting    = "waits of RTT" // one for each message, shared among the sessions
)

// What becomes of a promise that was measured.
const (
	missed = "**MISSED**"
	held   = "held"
)

func ofFloor(times float64) promise             { return promise{beside: theFloor, times: times} }
func beside(name string, times float64) promise { return promise{beside: name, times: times} }

func (p promise) String() string {
	if p.words != "" {
		return p.words
	}
	return fmt.Sprintf("≤ %.3g ×", p.times)
}

// keeps reports whether mailhaul is within the promise; both in seconds.
func (p promise) keeps(mailhaul, other float64) bool {
	return mailhaul <= p.times*other+p.plus.Seconds()
}

// verdict is a word for it.
func verdict(kept bool) string {
	if kept {
		return held
	}
	return missed
}

// results are what was measured: by scenario, then by contender.
type results map[string]map[string]*outcome

// An outcome is what several runs of a contender cost, or why they do not count.
type outcome struct {
	messages int
	costs    []cost
	wrong    string
}

// best is the least of the seconds: whatever else a machine does only adds to them.
func (o *outcome) best() float64 {
	return slices.MinFunc(o.costs, func(a, b cost) int { return cmp.Compare(a.Wall, b.Wall) }).Wall
}

func (o *outcome) median() float64 {
	var walls []float64
	for _, c := range o.costs {
		walls = append(walls, c.Wall)
	}
	slices.Sort(walls)
	return walls[len(walls)/2]
}

// cpu is the least of the seconds of processors.
func (o *outcome) cpu() float64 {
	least := math.Inf(1)
	for _, c := range o.costs {
		least = min(least, c.User+c.Sys)
	}
	return least
}

// peak is the most memory of all runs, in MB.
func (o *outcome) peak() (most float64) {
	for _, c := range o.costs {
		most = max(most, c.RSS)
	}
	return most
}

// counts returns the outcome of a contender that has one, and brought what it was to bring.
func (r results) counts(scenario, contender string) (*outcome, bool) {
	o := r[scenario][contender]
	return o, o != nil && o.wrong == "" && len(o.costs) > 0
}

// seconds returns how long somebody took whom a promise is beside.
func (r results) seconds(s scenario, name string) (float64, bool) {
	switch name {
	case waiting:
		return float64(s.corpus.messages()) * s.rtt.Seconds() / sessions, true
	case slowerHalf:
		one, ok := r.seconds(s, "backup alone")
		other, also := r.seconds(s, "restore alone")
		return max(one, other), ok && also
	}
	o, ok := r.counts(s.name(), name)
	if !ok {
		return 0, false
	}
	return o.best(), true
}

// A bound is a promise about something else than seconds.
type bound struct {
	what        string
	value, most float64
	unit        string
	how         string
}

// bounds returns those of which everything is measured.
func (r results) bounds(all []scenario) []bound {
	return slices.Concat(r.memory(all), r.processor(all), r.growth(all))
}

// memory is the peak of every corpus, and what it was reached by.
func (r results) memory(all []scenario) (bounds []bound) {
	at := map[string]int{}
	for _, s := range all {
		o, ok := r.counts(s.name(), ours)
		if !ok || s.corpus.messages() == 0 || s.corpus.folders > 0 {
			continue
		}
		name, _, _ := strings.Cut(s.corpus.name, "-")
		i, seen := at[name]
		if !seen {
			i = len(bounds)
			at[name] = i
			bounds = append(bounds, bound{what: "memory, peak, " + name, most: 100, unit: "MB"})
		}
		if peak := o.peak(); peak > bounds[i].value {
			bounds[i].value, bounds[i].how = peak, s.name()
		}
	}
	return bounds
}

// processor is what a message of B costs beyond the floor.
func (r results) processor(all []scenario) (bounds []bound) {
	for _, s := range all {
		if s.corpus.name != "B" || s.disk || s.rtt > 0 || s.plain {
			continue
		}
		mine, ok := r.counts(s.name(), ours)
		bare, also := r.counts(s.name(), theFloor)
		if !ok || !also {
			continue
		}
		beyond := (mine.cpu() - bare.cpu()) / float64(mine.messages) * 1e6
		bounds = append(bounds, bound{"CPU of a message beyond the floor, " + s.name(), beyond, 60, "µs",
			fmt.Sprintf("%.2f s; floor %.2f s", mine.cpu(), bare.cpu())})
	}
	return bounds
}

// growth compares what a message costs in a large account and in one of a tenth of it.
func (r results) growth(all []scenario) (bounds []bound) {
	for _, large := range all {
		small, ok := tenth(large, all)
		if !ok {
			continue
		}
		l, ok := r.beyond(large, theFloor)
		s, also := r.beyond(small, theFloor)
		if !ok || !also {
			continue
		}
		beyond := " beyond start-up and floor"
		if large.corpus.folders > 0 {
			beyond = r.floors(large, small)
		}
		if l <= 0 || s <= 0 { // then the floor is none, and its time no part of ours
			l, _ = r.beyond(large, "")
			s, _ = r.beyond(small, "")
			l, s, beyond = max(l, least), max(s, least), " beyond start-up, for it was faster than the floor"
		}
		b := bound{value: l / s, most: 1.2, unit: "×", how: fmt.Sprintf("%.3f s; %.3f s", l, s)}
		switch {
		case large.again: // for them all, not for a message
			b.what = "a run with nothing new, of one ten times smaller: " + large.name()
		case large.corpus.folders > 0:
			b.value /= float64(large.corpus.folders) / float64(small.corpus.folders)
			b.what = "ten times the folders, of ten times the time: " + large.name()
			b.how += beyond
		default:
			b.value /= float64(large.corpus.messages()) / float64(small.corpus.messages())
			b.what = "a message, of one in a tenth of the account: " + large.name()
			b.how += beyond
		}
		bounds = append(bounds, b)
	}
	return bounds
}

// floors says how much more the server alone takes of the larger.
func (r results) floors(large, small scenario) string {
	l, ok := r.seconds(large, theFloor)
	s, also := r.seconds(small, theFloor)
	if !ok || !also {
		return ""
	}
	return fmt.Sprintf(" beyond start-up and floor, whose own is %.2f ×", l/s*float64(small.corpus.folders)/float64(large.corpus.folders))
}

// tenth returns the scenario that does the same with a tenth of the account.
func tenth(large scenario, all []scenario) (scenario, bool) {
	base, _, part := strings.Cut(large.corpus.name, "-")
	for _, s := range all {
		small := s.corpus
		name, _, isPart := strings.Cut(small.name, "-")
		grows := base == "C" && !part && name == base && isPart || large.corpus.folders > 0 && small.folders > 0 && small.folders < large.corpus.folders
		if grows && s.kind == large.kind && s.again == large.again {
			return s, true
		}
	}
	return scenario{}, false
}

// least is the shortest time, in seconds, that counts as one.
const least = 0.001

// beyond is how long mailhaul took, without its start-up and what the floor took, if it is named, where all was to be
// brought.
func (r results) beyond(s scenario, floor string) (float64, bool) {
	mine, ok := r.seconds(s, ours)
	if s.again {
		return mine, ok
	}
	bare, also := 0., true
	if floor != "" {
		bare, also = r.seconds(s, floor)
	}
	empty := scenario{kind: s.kind, corpus: nothing(1)}
	start, too := r.seconds(empty, ours)
	return mine - bare - start, ok && also && (too || s.corpus.folders > 0)
}

func TestPromises(t *testing.T) {
	took := func(wall, cpu, rss float64) *outcome {
		return &outcome{messages: 10, costs: []cost{{Wall: wall * 1.5, User: 2 * cpu, RSS: rss}, {Wall: wall, User: cpu, RSS: rss / 2}}}
	}
	a := scenario{kind: migration, corpus: corpusA(1), rtt: far}
	b := scenario{kind: pullIMAP, corpus: corpusB(1)}
	empty := scenario{kind: pullIMAP, corpus: nothing(1)}
	small := scenario{kind: pullIMAP, corpus: tenthOfC(1)}
	large := scenario{kind: pullIMAP, corpus: corpusC(1)}
	r := results{
		a.name():     {theFloor: took(1, 1, 10), ours: took(1.3, 1, 99), "backup alone": took(1, 1, 10), "restore alone": took(1.2, 1, 10), "liar": {wrong: "x"}},
		b.name():     {theFloor: took(1, 1, 10), ours: took(2, 1.0005, 101)},
		empty.name(): {ours: took(1, 1, 10)},
		small.name(): {theFloor: took(1, 1, 10), ours: took(4, 1, 10)},  // 2 beyond
		large.name(): {theFloor: took(9, 1, 10), ours: took(35, 1, 10)}, // 25 beyond
	}
	for _, tt := range []struct {
		promise promise
		known   bool
		kept    bool
	}{
		{ofFloor(1.3), true, true},
		{ofFloor(1.2), true, false},
		{promise{beside: theFloor, times: 1, plus: 300 * time.Millisecond}, true, true},
		{promise{beside: theFloor, times: 1, plus: 299 * time.Millisecond}, true, false},
		{beside(slowerHalf, 1.1), true, true},
		{beside(slowerHalf, 1.05), true, false},
		{beside(waiting, 0.2), true, true}, // 12.5
		{beside("liar", 1), false, false},
		{beside("nobody", 1), false, false},
	} {
		other, known := r.seconds(a, tt.promise.beside)
		if kept := known && tt.promise.keeps(1.3, other); known != tt.known || kept != tt.kept {
			t.Errorf("%s of %s: known %t, kept %t, want %t, %t", tt.promise, tt.promise.beside, known, kept, tt.known, tt.kept)
		}
	}
	var got []string
	for _, b := range r.bounds([]scenario{a, b, empty, small, large}) {
		got = append(got, fmt.Sprintf("%s: %.3g %s %s", b.what, b.value, b.unit, verdict(b.value <= b.most)))
	}
	want := []string{
		"memory, peak, A: 99 MB held",
		"memory, peak, B: 101 MB **MISSED**",
		"memory, peak, C: 10 MB held",
		"CPU of a message beyond the floor, pull IMAP B: 50 µs held",
		"a message, of one in a tenth of the account: pull IMAP C: 1.25 × **MISSED**",
	}
	if !slices.Equal(got, want) {
		t.Errorf("bounds %q,\nwant   %q", got, want)
	}

	r[small.name()][theFloor] = took(5, 1, 10) // slower than what it is the floor of
	if got := r.growth([]scenario{empty, small, large}); len(got) != 1 || math.Abs(got[0].value-34./3/10) > 1e-9 || !strings.Contains(got[0].how, "faster than the floor") {
		t.Errorf("faster than the floor: %+v", got)
	}
}
