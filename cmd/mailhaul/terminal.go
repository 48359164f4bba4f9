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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mailhaul/mailhaul/internal/config"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
)

type terminal struct {
	in         *os.File
	out, err   io.Writer
	json       bool
	quiet      bool
	progress   progressMode
	configFile string                   // --config
	configured *config.File             // as it was read; nil: it was not
	job        string                   // what run is at
	last       *report                  // the one shown last
	sources    map[string]*oauth.Source // of tokens, by account

	working atomic.Bool // a job is at work: an interrupt lets it finish its batch
	mu      sync.Mutex  // one line at a time
	bar     *bar        // the bar on the terminal, which lines must not tear; nil if none
}

func (t *terminal) addFlags(f *pflag.FlagSet) {
	t.progress = "auto"
	f.BoolVar(&t.json, "json", false, "events as JSON lines on standard output, the report last")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "nothing but the result")
	f.StringVar(&t.configFile, "config", "", "the configuration is in `FILE`")
	f.Var(&t.progress, "progress", "auto, bar, plain or none")
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
	if t.job != "" {
		text = t.job + ": " + text
	}
	fmt.Fprintf(t.err, "mailhaul: %s\n", text)
}

// farewell says why the command ended, if there is something to say, and returns the exit status. With --json there
// is a report of every end.
func (t *terminal) farewell(command string, err error) int {
	status := exitStatus(err)
	var said reported
	if err == nil || errors.As(err, &said) && said.error == nil {
		return status
	}
	if t.json && said.error == nil {
		r := newReport(command)
		r.Exit = status
		r.blame(err)
		t.showReport(r)
	}
	if status == exitInterrupted {
		t.line("interrupted; run the same command again to go on")
		return status
	}
	t.complain(err)
	return status
}

// complain says what went wrong, and what can be done about it.
func (t *terminal) complain(err error) {
	given := ""
	for _, e := range causes(err) {
		t.line("error: " + mail.Printable(e.Error()))
		if hint := hintFor(e); hint != given && hint != "" { // both halves may have met the same
			t.line("hint: " + mail.Printable(hint))
			given = hint
		}
	}
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

// askPassword asks without echo; it needs a terminal. An interrupt gives the echo back.
func (t *terminal) askPassword(ctx context.Context, question string) (string, error) {
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(t.err, "mailhaul: %s: ", question)
	defer fmt.Fprintln(t.err)
	typed := make(chan func() (string, error), 1)
	go func() {
		secret, err := term.ReadPassword(fd)
		typed <- func() (string, error) { return string(secret), err }
	}()
	select {
	case answer := <-typed:
		return answer()
	case <-ctx.Done(): // nothing can end the reading but the end of the program, which follows
		term.Restore(fd, before)
		return "", context.Cause(ctx)
	}
}

// askYes asks for a yes; anything else is a no. It needs a terminal.
func (t *terminal) askYes(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(t.err, "mailhaul: %s [y/N] ", question)
	answer, err := t.readLine(ctx)
	if err == io.EOF {
		err = nil
	}
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes", err
}

// ask asks for a line; it needs a terminal.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	t.line(question)
	fmt.Fprint(t.err, "> ")
	text, err := t.readLine(ctx)
	if err == io.EOF { // the person has closed the terminal, or pressed Ctrl-D
		err = errInterrupted
	}
	return text, err
}

// readLine returns the next line that is typed, without the blanks around it. Where none comes any more, what was typed
// comes with io.EOF.
func (t *terminal) readLine(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		var text []byte
		one := make([]byte, 1) // one by one: what follows may be a password, which is not read here
		for {
			if n, err := t.in.Read(one); n == 0 || err != nil {
				typed <- line{strings.TrimSpace(string(text)), io.EOF}
				return
			}
			if one[0] == '\n' {
				typed <- line{strings.TrimSpace(string(text)), nil}
				return
			}
			text = append(text, one[0])
		}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done(): // as with a password
		fmt.Fprintln(t.err)
		return "", context.Cause(ctx)
	}
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

// interrupts returns a context that ends with the second signal, or with the first when no job is at work, and the
// channel that closes with the first.
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
		case <-over:
			return
		}
		close(i.stop)
		if t.working.Load() {
			t.line("stopping when this batch is done; once more stops at once")
			select {
			case <-signals:
			case <-over:
				return
			}
		}
		signal.Stop(signals) // one more ends the program as the system does
		cancel(errInterrupted)
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
