//go:build linux

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// newIdentityTown makes a town that has a provider of identities, and what a run in it needs to know.
func newIdentityTown(t *testing.T) (*town, []string) {
	t.Helper()
	w, err := newTown(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.close() })
	if err := w.openIdentity(); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "MAILHAUL_KEYRING=file", "XDG_STATE_HOME="+filepath.Join(w.work, "state"))
	for name, value := range w.identityEnv() {
		env = append(env, name+"="+value)
	}
	return w, env
}

var pageToOpen = regexp.MustCompile(`mailhaul: (http://\S+/authorize\?\S+)`)

// TestPaste guards that one can sign in on another machine and bring the address at which the browser ends, however long
// it is: a terminal has no more than 4,095 octets for a line, unless one knows better.
func TestPaste(t *testing.T) {
	t.Parallel()
	w, env := newIdentityTown(t)
	tty := openTTY(t)
	tty.cmd = exec.Command("mailhaul", "login", w.urls["imap"], "--issuer", w.identity.Issuer, "--no-browser")
	tty.cmd.Env = env
	tty.run(t)
	tty.until(t, func() bool { return strings.Contains(tty.shown.String(), "paste it here:") && !tty.echoes(t) })

	there := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := there.Get(pageToOpen.FindStringSubmatch(tty.shown.String())[1])
	if err != nil {
		t.Fatal(err)
	}
	tty.press(t, "what do I paste?\r")
	tty.until(t, func() bool { return strings.Contains(tty.shown.String(), "this is no address of a page") })
	tty.press(t, res.Header.Get("Location")+"&session_state="+strings.Repeat("x", 6000)+"\r")
	if status := tty.end(t); status != exitDone || !strings.Contains(tty.shown.String(), "is logged in") {
		t.Errorf("it ended with %d and showed:\n%s", status, &tty.shown)
	}
	if w.secretIn([]byte(tty.shown.String())) {
		t.Errorf("a secret is shown:\n%s", &tty.shown)
	}
	if !tty.echoes(t) {
		t.Error("the terminal is left without echo")
	}
}

// TestPasteInterrupted guards that Ctrl-C ends the wait for a browser, and leaves the terminal as it was.
func TestPasteInterrupted(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"--no-browser", "--device", "--issuer=ISSUER"} {
		w, env := newIdentityTown(t)
		tty := openTTY(t)
		tty.cmd = exec.Command("mailhaul", "login", w.urls["imap"], "--issuer", w.identity.Issuer, strings.Replace(how, "ISSUER", w.identity.Issuer, 1))
		tty.cmd.Env = append(env, "BROWSER=true") // which never comes
		tty.run(t)
		tty.until(t, func() bool {
			shown := tty.shown.String()
			return strings.Contains(shown, "waiting ") || strings.Contains(shown, "paste it here:") && !tty.echoes(t)
		})
		tty.press(t, "\x03")
		if status := tty.end(t); status != exitInterrupted || !tty.echoes(t) {
			t.Errorf("%s: it ended with %d and showed:\n%s", how, status, &tty.shown)
		}
	}
}

// TestCrash guards that what is left of a run that crashes, with secrets in its memory, shows none.
func TestCrash(t *testing.T) {
	t.Parallel()
	w, env := newIdentityTown(t)
	login := exec.Command("mailhaul", "login", w.urls["imap"], "--issuer", w.identity.Issuer)
	login.Env = env
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	underway := make(chan struct{}, 100)
	trouble := w.trouble()
	trouble.OnCommand = func(_ int, command string) { underway <- struct{}{} }
	trouble.Faults = []postoffice.Fault{{Verb: "LIST", End: postoffice.Silence}, {Verb: "SELECT", End: postoffice.Silence}}
	for _, srv := range w.servers {
		srv.SetTrouble(trouble)
	}
	run := exec.Command("mailhaul", "migrate", w.urls["pop3"], w.urls["imap"], "--archive", filepath.Join(w.work, "mail"))
	run.Env = append(env, "GOTRACEBACK=system", "MAILHAUL_SOURCE_PASSWORD="+canary)
	var said strings.Builder
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for range 6 { // both are logged in, or about to be
		select {
		case <-underway:
		case <-time.After(time.Minute):
			t.Fatal("it never came to that")
		}
	}
	if err := run.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	run.Wait()
	if !strings.Contains(said.String(), "goroutine ") {
		t.Errorf("it did not crash:\n%s", &said)
	}
	if w.secretIn([]byte(said.String())) {
		t.Error("a secret is in what is left of the crash")
	}
}
