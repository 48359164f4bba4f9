//go:build unix

package account

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func TestTokenCommand(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	c := TokenCommand{Command: "echo x >>" + asked + "; echo CANARY-$(grep -c x " + asked + "); echo more"}
	for i, want := range []string{"CANARY-1", "CANARY-2", "CANARY-3"} {
		refused := ""
		if i == 2 {
			refused = "CANARY-2"
		}
		if got, err := c.Token(t.Context(), refused); got != want || err != nil {
			t.Errorf("Token = %q, %v; want %q, for it is asked at every login", got, err, want)
		}
	}
}

func TestTokenCommandErrors(t *testing.T) {
	var stderr bytes.Buffer
	for _, tt := range []struct {
		command, refused string
		cause            mail.Cause
		want             string
	}{
		{"echo sign in first >&2; exit 1", "", mail.CauseLogin, "run the token command: exit status 1"},
		{"true", "", mail.CauseUsage, "prints no token"},
		{"echo; echo CANARY", "", mail.CauseUsage, "prints no token"},
		{"echo access token: CANARY", "", mail.CauseUsage, "what is no token"},
		{"printf 'CANARY\\rx\\n'", "", mail.CauseUsage, "what is no token"},
		{"echo CANARYé", "", mail.CauseUsage, "what is no token"},
		{"echo CANARY", "CANARY", mail.CauseLogin, "no other token than the one that the server refused"},
		{"head -c 70000 /dev/zero | tr '\\0' x", "", mail.CauseUsage, "longer than"},
	} {
		c := TokenCommand{Command: tt.command, Stderr: &stderr}
		got, err := c.Token(t.Context(), tt.refused)
		var e *mail.Error
		if !errors.As(err, &e) || got != "" || e.Cause != tt.cause || e.Scope != mail.ScopeAccount || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.command, got, err, tt.want)
			continue
		}
		if strings.Contains(e.Error()+e.Hint, "CANARY") {
			t.Errorf("%q shows the token", e)
		}
	}
	if stderr.String() != "sign in first\n" {
		t.Errorf("on standard error: %q", &stderr)
	}
}

// TestCredentials guards what is taken from systemd: after the environment, before anybody is asked.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	s := Secrets{Credentials: []string{"mailhaul-source-password", "mailhaul-password"}, Env: []string{"MAILHAUL_TEST_PASSWORD"}, Prompt: asks("other")}
	if got, err := s.Get(t.Context()); got != "other" || s.Named() {
		t.Errorf("without one: %q, %v", got, err)
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(name, []byte(text), 0o600), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write("mailhaul-password", "general", 0o440)
	if got, err := s.Get(t.Context()); got != "general" || err != nil || !s.Named() {
		t.Errorf("Get = %q, %v", got, err)
	}
	write("mailhaul-source-password", secret+"\n", 0o400)
	if got, err := s.Get(t.Context()); got != secret || err != nil {
		t.Errorf("Get = %q, %v; want the one of the source", got, err)
	}
	t.Setenv("MAILHAUL_TEST_PASSWORD", "nearer")
	if got, err := s.Get(t.Context()); got != "nearer" || err != nil {
		t.Errorf("Get = %q, %v; want the environment's", got, err)
	}
	t.Setenv("MAILHAUL_TEST_PASSWORD", "")
	write("mailhaul-source-password", secret, 0o444)
	if got, err := s.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "open to everybody") {
		t.Errorf("Get = %q, %v", got, err)
	}
}

// TestFIFO guards that nobody waits for a writer.
func TestFIFO(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, err := (Secrets{File: name}).Get(t.Context()); done <- err }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("Get = %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits")
	}
}
