package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// A phase is what a run was at when it was killed. That it was is not guessed from the time: the servers saw it
// (a command had come and was not answered), or what the dead process left behind shows it.
type phase int

const (
	opening    phase = iota // within moments of its start: it opens the archive, settles what the one before left, logs in
	pulling                 // a RETR or FETCH has come and is not answered
	committing              // files lie in cur/ that the ledger does not know
	appending               // an APPEND has come, or its message is stored, and the answer was not sent
	confirming              // all of a batch was answered, and the ledger holds intents and no outcome
	phases
	elsewhere = phases // it was aimed at one of these, and missed
)

var phaseNames = []string{"opened", "pulled", "committed", "appended", "confirmed", "(between)"}

// The source sends slowly, so that an undisturbed run lasts longer than 3 seconds.
const (
	killMessages = 240
	killSpeed    = 60_000 // octets per second
)

// TestKill kills the program with SIGKILL at every phase of a migration, again and again until it was allowed to
// end, and then every message must be in the archive and at the destination once, and a further run must have
// nothing to do.
func TestKill(t *testing.T) {
	want, chains := [phases]int{opening: 10, pulling: 22, committing: 22, appending: 24, confirming: 24}, 8
	if testing.Short() {
		want, chains = [phases]int{opening: 2, pulling: 3, committing: 3, appending: 4, confirming: 4}, 4
	}
	killAll(t, want, chains, newRig)
}

// TestKillFolders does the same to a migration from an IMAP account with several folders.
func TestKillFolders(t *testing.T) {
	want, chains := [phases]int{opening: 5, pulling: 10, committing: 10, appending: 5, confirming: 5}, 6
	if testing.Short() {
		want, chains = [phases]int{opening: 2, pulling: 3, committing: 3, appending: 2, confirming: 2}, 4
	}
	killAll(t, want, chains, newFolderRig)
}

func killAll(t *testing.T, want [phases]int, chains int, rig func(testing.TB, [][]byte) *rig) {
	bin := program(t)
	messages := killMail()
	if n := len(bytes.Join(messages, nil)); n < 3*killSpeed {
		t.Fatalf("%d octets at %d a second last less than 3 seconds", n, killSpeed)
	}
	b := &board{want: want}
	var group sync.WaitGroup
	for n := range chains {
		c := chain{bin: bin, board: b}
		if n%2 == 1 {
			c.without, c.with = []string{"UIDPLUS"}, []string{"CONDSTORE", "OBJECTID"}
		}
		group.Go(func() {
			for b.open() {
				if err := c.again(rig(t, messages)).run(); err != nil {
					b.fail()
					t.Errorf("without %v, with %v: %v", c.without, c.with, err)
					return
				}
			}
		})
	}
	group.Wait()
	b.show(t)
}

// killMail is trial.Mail with a few hundred messages around it; among those, too, some are equal, and some share
// their Message-ID and nothing else.
func killMail() [][]byte {
	all := trial.Mail()
	for i := len(all); i < killMessages; i++ {
		id, text := i, i
		switch {
		case i%20 == 7:
			id, text = i-1, i-1
		case i%20 == 13:
			id = i - 1
		}
		all = append(all, fmt.Appendf(nil, "Received: by mx.trial.example; Tue, 5 Mar 2024 11:%02d:%02d +0100\r\n"+
			"From: a@trial.example\r\nTo: b@trial.example\r\nDate: Tue, 5 Mar 2024 11:00:00 +0100\r\n"+
			"Message-ID: <kill-%d@trial.example>\r\nSubject: message %d\r\n\r\n%s",
			text/60, text%60, id, text, strings.Repeat(fmt.Sprintf("This is message %d, and no other.\r\n", text), 10+text%30)))
	}
	return all
}

// A board keeps how many kills hit which phase, over all chains.
type board struct {
	mu       sync.Mutex
	want     [phases]int
	underway [phases]int
	hit      [phases + 1][2]int // with UIDPLUS, and without
	verdicts [phases + 1]trial.Verdict
	aimed    int
	cycles   int
	failed   bool
}

// fail ends the shooting.
func (b *board) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = true
}

// open reports whether kills are still wanted. That too many missed is said by show.
func (b *board) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted := 0
	for _, n := range b.want {
		wanted += n
	}
	for p, n := range b.want {
		if b.hit[p][0]+b.hit[p][1] < n && !b.failed && b.aimed < 4*wanted {
			return true
		}
	}
	return false
}

// aim returns the phase that lacks most; false if enough are under way.
func (b *board) aim(r *rand.Rand) (phase, bool) {
	if !b.open() {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	best, lack := elsewhere, 0
	for _, p := range r.Perm(int(phases)) {
		if n := b.want[p] - b.hit[p][0] - b.hit[p][1] - b.underway[p]; n > lack {
			best, lack = phase(p), n
		}
	}
	if best == elsewhere {
		return 0, false
	}
	b.underway[best]++
	b.aimed++
	return best, true
}

func (b *board) shot(aimed, hit phase, killed bool, without []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underway[aimed]--
	if killed {
		b.hit[hit][len(without)]++
	}
}

// ended enters the verdict on a migration that was killed in these phases on its way.
func (b *board) ended(in map[phase]bool, v trial.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cycles++
	for p := range in {
		b.verdicts[p].Add(v)
	}
}

func (b *board) show(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "%-10s %5s %8s %8s %5s %7s %7s\n", "killed as", "kills", "UIDPLUS", "without", "lost", "doubled", "altered")
	total := 0
	for p, name := range phaseNames {
		v, n := b.verdicts[p], b.hit[p][0]+b.hit[p][1]
		fmt.Fprintf(&text, "%-10s %5d %8d %8d %5d %7d %7d\n", name, n, b.hit[p][0], b.hit[p][1], v.Lost, v.Doubled, v.Altered)
		total += n
		if phase(p) < phases && n < b.want[p] {
			t.Errorf("%d kills while it %s, want %d", n, name, b.want[p])
		}
	}
	t.Logf("%d kills in %d migrations of %d messages, each followed by a run that had nothing to do:\n%s",
		total, b.cycles, killMessages, &text)
}

// A chain is one migration, killed again and again and at last let go.
type chain struct {
	*rig
	bin     string
	board   *board
	without []string // of the destination
	with    []string // of an IMAP source
	rand    *rand.Rand
	in      map[phase]bool // where it was killed
}

// maxInChain is how often a migration is killed before it may end.
const maxInChain = 14

// again returns a chain of the same kind on another rig.
func (c chain) again(r *rig) *chain {
	c.rig, c.in, c.rand = r, map[phase]bool{}, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return &c
}

func (c *chain) run() error {
	for range maxInChain {
		aim, more := c.board.aim(c.rand)
		if !more {
			break
		}
		s := &shot{chain: c, aim: aim, process: newProcess(c.bin, c.migrate()...)}
		hit, killed, err := s.fire()
		c.board.shot(aim, hit, killed, c.without)
		if err != nil {
			return fmt.Errorf("aimed at what it %s: %w", phaseNames[aim], err)
		}
		if !killed {
			break // it was through before the moment came
		}
		c.in[hit] = true
	}
	return c.letGo()
}

// letGo runs the migration to its end, and judges; then once more, when there must be nothing to do.
func (c *chain) letGo() error {
	(&shot{chain: c}).hook(postoffice.Trouble{}, postoffice.Trouble{})
	for _, again := range []bool{false, true} {
		fetches, appends := c.fetches(), c.dst.Count("APPEND")
		p := newProcess(c.bin, c.migrate()...)
		if status, err := p.finish(); err != nil || status != exitDone {
			return fmt.Errorf("it ended with %d, %w:\n%s%s", status, err, &p.out, &p.err)
		}
		fetches, appends = c.fetches()-fetches, c.dst.Count("APPEND")-appends
		if again && fetches+appends > 0 {
			return fmt.Errorf("a further run fetched %d times and appended %d", fetches, appends)
		}
		v, err := c.judge()
		if err != nil {
			return err
		}
		if !again {
			c.board.ended(c.in, v)
		}
		if v != (trial.Verdict{}) {
			return fmt.Errorf("killed while it %v: %v", c.names(), v)
		}
	}
	return nil
}

func (c *chain) names() (names []string) {
	for p := range c.in {
		names = append(names, phaseNames[p])
	}
	slices.Sort(names)
	return names
}

// A ledger is what the ledger holds for the destination.
type ledger struct{ entries, intents, settled int }

// ledgerIn reads the ledger beside a run that may be at work.
func ledgerIn(dir string) (l ledger, err error) {
	a, err := archive.View(dir)
	if err != nil {
		return l, err
	}
	defer a.Close()
	counts, err := a.Counts(mail.Account{Protocol: "imap", Host: "127.0.0.1", User: rigUser})
	for _, n := range counts {
		l.entries += n
	}
	l.intents = counts[archive.Intended]
	l.settled = l.entries - l.intents - counts[archive.Pending]
	return l, err
}

// autopsy reads a copy of the ledger that a dead run has left, and leaves the dead alone.
func (c *chain) autopsy() (l ledger, err error) {
	dir, err := os.MkdirTemp("", "mailhaul-autopsy-")
	if err != nil {
		return l, err
	}
	defer os.RemoveAll(dir)
	err = os.CopyFS(filepath.Join(dir, "mailhaul"), os.DirFS(filepath.Join(c.archive, "mailhaul")))
	if err == nil {
		l, err = ledgerIn(dir)
	}
	if errors.Is(err, archive.ErrLedger) || errors.Is(err, os.ErrNotExist) { // it had not come so far
		return ledger{}, nil
	}
	return l, err
}
