package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
)

// signInByCode has the person sign in on another device.
func (t *terminal) signInByCode(ctx context.Context, client oauth.Client) (*oauth.Source, error) {
	d, err := client.Device(ctx)
	if err != nil {
		return nil, err
	}
	t.line("open " + mail.Printable(d.Page) + " on any device, and type " + mail.Printable(d.Code))
	t.sayf("waiting until %s; Ctrl-C ends it", d.Until.Format("15:04"))
	return d.Wait(ctx)
}

// signInByBrowser has the person sign in with a browser: here if open is wanted and there is one, else on whatever
// machine, from which the person brings the last address.
func (t *terminal) signInByBrowser(ctx context.Context, client oauth.Client, user string, open bool) (*oauth.Source, error) {
	s, err := client.SignIn(ctx, user)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	opened := open && s.Port != 0 && openBrowser(s.URL)
	if opened {
		t.line("sign in with the browser; if none has opened, open this page:")
	} else {
		t.line("open this page and sign in:")
	}
	t.line(s.URL) // alone in its line, to be copied
	if opened {
		t.sayf("waiting for the browser; Ctrl-C ends it")
		return s.Wait(ctx)
	}
	if s.Port != 0 {
		t.sayf("(a browser on another machine comes back by itself through ssh -L %d:localhost:%d)", s.Port, s.Port)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	undo := t.takePasted(s, cancel)
	defer undo()
	return s.Wait(ctx)
}

// openBrowser reports whether a browser may have opened the page. Who works on this machine from another one has none
// here, whatever is installed.
func openBrowser(page string) bool {
	var c *exec.Cmd
	switch browser := os.Getenv("BROWSER"); {
	case browser != "":
		c = exec.Command(browser, page)
	case runtime.GOOS == "darwin":
		c = exec.Command("open", page)
	case runtime.GOOS == "windows":
		c = exec.Command("rundll32", "url.dll,FileProtocolHandler", page)
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return false
	default:
		c = exec.Command("xdg-open", page)
	}
	if c.Start() != nil {
		return false
	}
	go c.Wait()
	return true
}

// takePasted takes the address that the person pastes, while the browser may come back by itself too (through a tunnel
// that somebody has dug). The caller calls undo at the end.
func (t *terminal) takePasted(s *oauth.SignIn, interrupt context.CancelCauseFunc) (undo func()) {
	switch {
	case t.in == nil:
		return func() {}
	case t.canAsk():
		return t.takeTyped(s, interrupt)
	}
	go func() { // from a pipe; nothing can end the reading but the end of the program, which follows
		line, _ := bufio.NewReader(io.LimitReader(t.in, 64<<10)).ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			if err := s.Paste(line); err != nil {
				interrupt(usageError{err, "the address is the browser's last one, in one line"})
			}
		}
	}()
	return func() {}
}

// takeTyped reads from the terminal without echo, and without its limit of 4,095 octets, which the codes of some
// providers are longer than. In this mode Ctrl-C is ours to see.
func (t *terminal) takeTyped(s *oauth.SignIn, interrupt context.CancelCauseFunc) (undo func()) {
	t.line("at the end the browser goes to an address that begins with http and may show nothing; paste it here:")
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return func() {}
	}
	go func() {
		screen := term.NewTerminal(readWriter{t.in, io.Discard}, "")
		for {
			line, err := screen.ReadPassword("")
			if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
				interrupt(errInterrupted)
				return
			}
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := s.Paste(line); err == nil {
				return
			} else {
				t.line(err.Error() + "\r")
			}
		}
	}()
	return func() { term.Restore(fd, before) }
}

type readWriter struct {
	io.Reader
	io.Writer
}
