//go:build unix

package peers

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A kind is what is done in a scenario.
type kind string

const (
	pullPOP3  kind = "pull POP3"
	pullIMAP  kind = "pull IMAP"
	restoring kind = "restore"
	migration kind = "migrate"
)

const (
	far      = 50 * time.Millisecond // the RTT where there is one
	sessions = 8                     // to a server without LITERAL+
	some     = 500                   // messages for slow tools: those that do one after the other, and take their time
)

// A scenario is done by several contenders, the floor first.
type scenario struct {
	kind       kind
	corpus     corpus
	disk       bool // the target lies on a disk and everything is synced; else in memory
	rtt        time.Duration
	plain      bool // the destination has no LITERAL+
	again      bool // all is there already
	contenders []contender
	promises   []promise
}

func (s scenario) name() string {
	words := []string{string(s.kind), s.corpus.name}
	if s.again {
		words = append([]string{"nothing new,"}, words...)
	}
	switch {
	case s.rtt > 0:
		words = append(words, fmt.Sprintf("RTT %d", s.rtt.Milliseconds()))
	case s.disk:
		words = append(words, "disk")
	}
	if s.plain {
		words = append(words, "without LITERAL+")
	}
	return strings.Join(words, " ")
}

// scenarios returns all there are, those of a corpus together.
func scenarios(scale float64) (all []scenario) {
	a, b := corpusA(scale), corpusB(scale)
	for _, c := range []corpus{a, b} {
		all = append(all, pulls(c)...)
		all = append(all, restores(c)...)
		if c.name == "A" {
			all = append(all, nothingNew(c)...)
			all = append(all, migrations(c)...)
		}
	}
	all = append(all, alone(corpusBig(scale), pullPOP3, pullIMAP, restoring)...)
	all = append(all, alone(nothing(scale), pullPOP3, pullIMAP, restoring)...)
	for _, c := range []corpus{tenthOfC(scale), corpusC(scale)} {
		for _, s := range alone(c, pullPOP3, pullIMAP, restoring) {
			bare := basic(s.kind)
			if s.kind == restoring { // a Dovecot is slower at each of 100,000 APPENDs than at each of 10,000
				bare = floorOf(theFloor, "multiappend", 100)
			}
			s.contenders = slices.Insert(s.contenders, 0, bare)
			all = append(all, s)
		}
		for _, k := range []kind{pullPOP3, pullIMAP} {
			all = append(all, scenario{kind: k, corpus: c, again: true, contenders: []contender{idle(k), mailhaul}})
		}
	}
	for _, n := range []int{100, 1_000} {
		for _, s := range alone(folders(n)(scale), pullIMAP, restoring) {
			mode := map[kind]string{pullIMAP: "imap tree", restoring: "append tree"}[s.kind]
			s.contenders = slices.Insert(s.contenders, 0, floorOf(theFloor, mode, 100))
			all = append(all, s)
		}
	}
	return all
}

// basic is the floor of what is done.
func basic(k kind) contender {
	return floorOf(theFloor, map[kind]string{pullPOP3: "pop3", pullIMAP: "imap", restoring: "append"}[k], 100)
}

// idle is the floor of finding nothing to do.
func idle(k kind) contender {
	return floorOf(theFloor, map[kind]string{pullPOP3: "uidl", pullIMAP: "examine"}[k], 1)
}

func alone(c corpus, kinds ...kind) (all []scenario) {
	for _, k := range kinds {
		all = append(all, scenario{kind: k, corpus: c, contenders: []contender{mailhaul}})
	}
	return all
}

func pulls(c corpus) []scenario {
	pop3 := []contender{basic(pullPOP3), mailhaul, mpop}
	imap := []contender{basic(pullIMAP), mailhaul, mbsync}
	slowPOP3, slowIMAP := pop3, imap
	if c.name == "A" {
		slowPOP3 = append(slices.Clone(pop3), getmail6.slowed(some), fetchmail.slowed(some))
		slowIMAP = append(slices.Clone(imap), offlineimap.slowed(some))
	}
	farPOP3 := append(slices.Clone(slowPOP3), floorOf("floor, 1,000 ahead", "pop3", 1_000))
	inMemory := ofFloor(1.5)
	if c.name == "B" {
		inMemory = ofFloor(2.5)
	}
	return []scenario{
		{kind: pullPOP3, corpus: c, contenders: slowPOP3, promises: []promise{inMemory}},
		{kind: pullIMAP, corpus: c, contenders: slowIMAP, promises: []promise{inMemory}},
		{kind: pullPOP3, corpus: c, disk: true, contenders: pop3, promises: []promise{ofFloor(1.3), beside("mpop", 0.7)}},
		{kind: pullIMAP, corpus: c, disk: true, contenders: imap, promises: []promise{ofFloor(1.3), beside("mbsync", 0.7)}},
		{kind: pullPOP3, corpus: c, rtt: far, contenders: farPOP3, promises: []promise{ofFloor(1.3)}},
		{kind: pullIMAP, corpus: c, rtt: far, contenders: slowIMAP, promises: []promise{
			{beside: theFloor, times: 1, plus: 8 * far, words: "≤ floor + 8 RTT"}, beside("mbsync", 1)}},
	}
}

func nothingNew(c corpus) (all []scenario) {
	for _, rtt := range []time.Duration{0, far} {
		all = append(all,
			scenario{kind: pullPOP3, corpus: c, rtt: rtt, again: true, contenders: []contender{idle(pullPOP3), mailhaul, mpop}, promises: []promise{beside("mpop", 1)}},
			scenario{kind: pullIMAP, corpus: c, rtt: rtt, again: true, contenders: []contender{idle(pullIMAP), mailhaul, mbsync}, promises: []promise{beside("mbsync", 1)}})
	}
	return all
}

func restores(c corpus) []scenario {
	multi := floorOf("MULTIAPPEND", "multiappend", 100)
	// Where each message is a wait, 2,000 tell as much as 10,000.
	waited := c.first(len(corpusA(1).sizes))
	waits := promise{beside: waiting, times: 1.3, words: fmt.Sprintf("≤ 1.3 × messages × RTT / %d", sessions)}
	return []scenario{
		{kind: restoring, corpus: c, contenders: []contender{basic(restoring), mailhaul, mbsync, multi}, promises: []promise{ofFloor(1.3)}},
		{kind: restoring, corpus: c, rtt: far, contenders: []contender{basic(restoring), mailhaul, mbsync, multi}, promises: []promise{ofFloor(1.5)}},
		{kind: restoring, corpus: c, plain: true, contenders: []contender{mailhaul}},
		{kind: restoring, corpus: waited, plain: true, rtt: far, contenders: []contender{mailhaul}, promises: []promise{waits}},
	}
}

func migrations(c corpus) []scenario {
	all := []contender{half("backup alone", pullIMAP), half("restore alone", restoring), mailhaul, interimap, mbsync}
	return []scenario{
		{kind: migration, corpus: c, contenders: all, promises: []promise{beside("interimap", 1.5)}},
		{kind: migration, corpus: c, disk: true, contenders: all},
		{kind: migration, corpus: c, rtt: far, contenders: all, promises: []promise{beside(slowerHalf, 1.2), {beside: "interimap", times: 1. / 3, words: "≤ ⅓ ×"}}},
	}
}
