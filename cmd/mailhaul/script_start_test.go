package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A started run is at work while the script goes on.
type started struct {
	cmd      *exec.Cmd
	out, err said
}

// said is what a run has said so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // gets a token when there is more
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (w *town) start(ts *testscript.TestScript, args []string) {
	run := &started{cmd: exec.Command(args[0], args[1:]...), err: said{more: make(chan struct{}, 1)}}
	run.cmd.Dir = ts.MkAbs(".")
	run.cmd.Env = append(os.Environ(), "MAILHAUL_PASSWORD="+ts.Getenv("MAILHAUL_PASSWORD"))
	run.cmd.Stdout, run.cmd.Stderr = &run.out, &run.err
	w.begin()
	ts.Check(run.cmd.Start())
	ts.Defer(func() { run.cmd.Process.Kill() })
	w.run = run
	if w.holding != nil {
		wait(ts, w.holding.reached)
	}
}

func (w *town) interrupt(ts *testscript.TestScript, args []string) {
	ts.Check(w.run.cmd.Process.Signal(os.Interrupt))
	for re := regexp.MustCompile(args[0]); !re.MatchString(w.run.err.String()); {
		wait(ts, w.run.err.more)
	}
}

func (w *town) finish(ts *testscript.TestScript, args []string) {
	ended := make(chan struct{})
	go func() {
		w.run.cmd.Wait()
		close(ended)
	}()
	wait(ts, ended)
	ts.Stdout().Write([]byte(w.run.out.String()))
	ts.Stderr().Write([]byte(w.run.err.String()))
	if got := w.run.cmd.ProcessState.ExitCode(); got != number(ts, args[0]) {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// wait waits for what must come.
func wait(ts *testscript.TestScript, c <-chan struct{}) {
	select {
	case <-c:
	case <-time.After(time.Minute):
		ts.Fatalf("it never came to that")
	}
}

// A hold is a command that a server has heard and does not answer.
type hold struct{ reached, over chan struct{} }

func (w *town) hold(ts *testscript.TestScript, args []string) {
	h := &hold{make(chan struct{}), make(chan struct{})}
	w.holding = h
	left, t := number(ts, args[2]), w.trouble()
	var mu sync.Mutex
	t.OnCommand = func(_ int, command string) {
		mu.Lock()
		if command == args[1] || strings.HasPrefix(command, args[1]+" ") {
			left--
			if left == 0 {
				close(h.reached)
			}
		}
		held := left <= 0
		mu.Unlock()
		if held {
			<-h.over
		}
	}
	w.servers[args[0]].SetTrouble(t)
}

func (w *town) release() {
	if w.holding != nil {
		close(w.holding.over)
		w.holding = nil
	}
}
