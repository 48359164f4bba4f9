package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// A shot is one run of a chain that is to be killed in a certain phase.
type shot struct {
	*chain
	*process
	aim phase

	mu    sync.Mutex
	seen  int    // of what is counted
	batch ledger // as it was when the batch under way began
	left  int    // answers it still lacks
}

// fire starts the run, waits until it is dead or through, and says in which phase it was killed.
func (s *shot) fire() (hit phase, killed bool, err error) {
	s.arm()
	if err := s.start(); err != nil {
		return elsewhere, false, err
	}
	status, err := s.wait()
	if err != nil {
		return elsewhere, false, err
	}
	if s.killed() {
		hit, err = s.where()
		return hit, true, err
	}
	if status != exitDone {
		err = fmt.Errorf("it ended with %d:\n%s%s", status, &s.out, &s.err)
	}
	return elsewhere, false, err
}

// arm sees to it that the run is killed when its moment has come.
func (s *shot) arm() {
	var source, dest postoffice.Trouble
	switch s.aim {
	case opening:
		time.AfterFunc(rand.N(150*time.Millisecond), s.kill)
	case pulling:
		source.OnCommand = s.nth("RETR", 1+s.rand.IntN(40), nil)
		if len(s.folders) > 1 {
			source.OnCommand = s.nth("UID FETCH", 1+s.rand.IntN(6), nil)
		}
	case committing:
		go s.watch(maildir(s.archive, s.folders[s.rand.IntN(len(s.folders))]))
	case appending:
		s.aimAtAppend(&dest)
	case confirming:
		dest.OnCommand, dest.Rewrite = s.begun, s.answered
	}
	s.hook(source, dest)
}

// hook sets the servers' troubles, with what they have always.
func (c *chain) hook(source, dest postoffice.Trouble) {
	source.Trickle.ToClient, source.With = killSpeed, c.with
	dest.Without = c.without
	c.src.SetTrouble(source)
	c.dst.SetTrouble(dest)
}

// nth returns a hook that kills when the n-th command of that verb has come; then it does what is to be done then.
func (s *shot) nth(verb string, n int, then func()) func(int, string) {
	return func(_ int, command string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !strings.HasPrefix(command, verb) {
			return
		}
		if s.seen++; s.seen == n {
			s.kill()
			if then != nil {
				then()
			}
		}
	}
}

// aimAtAppend kills when an APPEND has come: one that is stored now, with all that came behind it, or lost with all
// that did; or when it was stored and its answer is about to be sent.
func (s *shot) aimAtAppend(dest *postoffice.Trouble) {
	n := 1 + s.rand.IntN(30)
	switch s.rand.IntN(3) {
	case 0:
		dest.OnCommand = s.nth("APPEND", n, nil)
	case 1:
		dest.OnCommand = s.nth("APPEND", n, func() {
			s.hook(postoffice.Trouble{}, postoffice.Trouble{Faults: []postoffice.Fault{{Verb: "APPEND", End: postoffice.RST}}})
		})
	case 2:
		count := s.nth("", n, nil)
		dest.Rewrite = func(command, line string) []string {
			if answersAppend(command, line) {
				count(0, command)
			}
			return []string{line}
		}
	}
}

func answersAppend(command, line string) bool {
	return strings.HasPrefix(command, "APPEND") && !strings.HasPrefix(line, "+")
}

// begun is told of every command; at the first APPEND of a batch it learns how many there will be.
func (s *shot) begun(_ int, command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left > 0 || !strings.HasPrefix(command, "APPEND") {
		return
	}
	if batch, err := ledgerIn(s.archive); err == nil {
		s.batch, s.left = batch, batch.intents
	}
}

// answered is told of every answer, and kills shortly after the last one of a batch was sent.
func (s *shot) answered(command, line string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answersAppend(command, line) && s.left > 0 {
		if s.left--; s.left == 0 {
			time.AfterFunc(rand.N(4*time.Millisecond), s.kill)
		}
	}
	return []string{line}
}

// watch kills when something has come into the directory, or shortly after.
func (s *shot) watch(dir string) {
	var before time.Time
	tick := time.NewTicker(time.Millisecond / 2)
	defer tick.Stop()
	for {
		select {
		case <-s.exited:
			return
		case <-tick.C:
		}
		info, err := os.Stat(dir)
		switch {
		case err != nil:
		case before.IsZero():
			before = info.ModTime()
		case before != info.ModTime():
			time.Sleep(rand.N(3 * time.Millisecond))
			s.kill()
			return
		}
	}
}

// where looks at what the dead run has left. Whatever it was at, it must not have said more than was so.
func (s *shot) where() (phase, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.autopsy()
	if err != nil {
		return elsewhere, err
	}
	files, stored, err := s.held()
	if err != nil {
		return elsewhere, err
	}
	switch {
	case l.entries > files:
		err = fmt.Errorf("%d messages in the ledger, %d in the Maildir", l.entries, files)
	case l.settled > stored:
		err = fmt.Errorf("%d messages are called done, %d are", l.settled, stored)
	case stored > l.settled+l.intents:
		err = fmt.Errorf("%d messages are at the destination, of %d is known that they may be", stored, l.settled+l.intents)
	case s.aim == appending && l.intents == 0:
		err = fmt.Errorf("an APPEND came without an intent")
	case s.aim == committing && files == l.entries:
		return elsewhere, nil
	case s.aim == confirming && (l.intents == 0 || l.intents != s.batch.intents || l.settled != s.batch.settled):
		return elsewhere, nil
	}
	return s.aim, err
}
