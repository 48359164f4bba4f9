package main

// This file is where the program talks. The rules are:
//
//   - what was asked for goes to standard output, everything else to standard error;
//   - lines to people begin with "mailhaul: ", in lower case, without a full stop;
//   - an error is one line, and if something can be done about it, a second one says what;
//   - nothing a server or a mail said reaches the terminal but through mail.Printable.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mailhaul/mailhaul/internal/mail"
)

type terminal struct {
	in       *os.File
	out, err io.Writer
	json     bool
	quiet    bool
	progress string // auto, bar, plain or none

	mu  sync.Mutex // one line at a time
	bar *bar       // the bar on the terminal, which lines must not tear; nil if none
}

func (t *terminal) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&t.json, "json", false, "events as JSON lines on standard output, the report last")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "nothing but the result")
	f.StringVar(&t.progress, "progress", "auto", "auto, bar, plain or none")
}

// sayf says something to the person.
func (t *terminal) sayf(format string, args ...any) {
	if !t.quiet {
		t.line(fmt.Sprintf(format, args...))
	}
}

func (t *terminal) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bar.erase()
	fmt.Fprintf(t.err, "mailhaul: %s\n", text)
}

// farewell says why the program ended, if there is something to say, and returns the exit status.
func (t *terminal) farewell(err error) int {
	status := exitStatus(err)
	var said reported
	if err == nil || errors.As(err, &said) && said.error == nil {
		return status
	}
	if status == exitInterrupted {
		t.line("interrupted; run the same command again to go on")
		return status
	}
	for _, e := range causes(err) {
		t.line("error: " + mail.Printable(e.Error()))
		if hint := hintFor(e); hint != "" {
			t.line("hint: " + mail.Printable(hint))
		}
	}
	return status
}

// causes returns the errors that were joined, each for itself.
func causes(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, causes(e)...)
		}
		return all
	}
	return []error{err}
}

// askPassword asks without echo; it needs a terminal.
func (t *terminal) askPassword(question string) (string, error) {
	t.line(question)
	fmt.Fprint(t.err, "mailhaul: password: ")
	secret, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(t.err)
	return string(secret), err
}

// canAsk reports whether there is a person to ask.
func (t *terminal) canAsk() bool {
	return t.in != nil && term.IsTerminal(int(t.in.Fd()))
}

// An interrupt is what Ctrl-C asks for: once to finish the batch, twice to stop at once.
type interrupt struct {
	stop chan struct{}
	end  func()
}

var errInterrupted = errors.New("interrupted")

// interrupts returns a context that ends with the second signal, and the channel that closes with the first.
func (t *terminal) interrupts(parent context.Context) (context.Context, *interrupt) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	i := &interrupt{stop: make(chan struct{})}
	over, gone := make(chan struct{}), make(chan struct{})
	i.end = sync.OnceFunc(func() {
		signal.Stop(signals)
		close(over)
		<-gone
		cancel(nil)
	})
	go func() {
		defer close(gone)
		select {
		case <-signals:
			close(i.stop)
			t.line("stopping when this batch is done; once more stops at once")
		case <-over:
			return
		}
		select {
		case <-signals:
			signal.Stop(signals) // a third one ends the program as the system does
			cancel(errInterrupted)
		case <-over:
		}
	}()
	return ctx, i
}

func (i *interrupt) asked() bool {
	select {
	case <-i.stop:
		return true
	default:
		return false
	}
}
