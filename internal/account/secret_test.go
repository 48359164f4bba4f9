package account

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const secret = "canary 7f3a\t\xff"

func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func asks(answer string) func() (string, error) {
	return func() (string, error) { return answer, nil }
}

func TestGet(t *testing.T) {
	t.Setenv("MAILHAUL_TEST_EMPTY", "")
	t.Setenv("MAILHAUL_TEST_PASSWORD", secret)
	t.Setenv("MAILHAUL_TEST_OTHER", "other")
	env := []string{"MAILHAUL_TEST_UNSET", "MAILHAUL_TEST_EMPTY", "MAILHAUL_TEST_PASSWORD", "MAILHAUL_TEST_OTHER"}
	for name, s := range map[string]Secrets{
		"file":             {File: file(t, secret, 0o600), Command: "echo other", Env: env[3:], Prompt: asks("other")},
		"file, first line": {File: file(t, secret+"\r\nlogin: ann\n", 0o400)},
		"file, LF":         {File: file(t, secret+"\n", 0o600)},
		"command":          {Command: "printf 'canary 7f3a\\t\\377\\nlogin: ann\\n'", Env: env[3:], Prompt: asks("other")},
		"endless command":  {Command: "printf 'canary 7f3a\\t\\377\\n'; head -c 1000000 /dev/zero"},
		"environment":      {Env: env, Prompt: asks("other")},
		"prompt":           {Env: env[:2], Prompt: asks(secret)},
	} {
		if got, err := s.Get(t.Context()); got != secret || err != nil {
			t.Errorf("%s: Get = %q, %v; want %q", name, got, err, secret)
		}
	}
}

func TestGetErrors(t *testing.T) {
	t.Setenv("MAILHAUL_TEST_PASSWORD", "canary\r\nDELE 1")
	dir := t.TempDir()
	for _, tt := range []struct {
		s     Secrets
		cause mail.Cause
		want  string
		hint  string
	}{
		{Secrets{File: file(t, secret, 0o640)}, mail.CauseUsage, "is open to others (mode 0640)", "chmod 600 "},
		{Secrets{File: file(t, secret, 0o602)}, mail.CauseUsage, "is open to others (mode 0602)", "chmod 600 "},
		{Secrets{File: dir}, mail.CauseUsage, "is not a regular file", ""},
		{Secrets{File: filepath.Join(dir, "missing")}, mail.CauseUsage, "no such file", ""},
		{Secrets{File: "/dev/stdin"}, mail.CauseUsage, "is not a regular file", ""},
		{Secrets{File: file(t, "\nsecond line\n", 0o600)}, mail.CauseUsage, "is empty", ""},
		{Secrets{File: file(t, "canary\rx\n", 0o600)}, mail.CauseUsage, "holds a line end or a NUL", ""},
		{Secrets{File: file(t, "canary\x00x\n", 0o600)}, mail.CauseUsage, "holds a line end or a NUL", ""},
		{Secrets{File: file(t, strings.Repeat("canary", 20_000), 0o600)}, mail.CauseUsage, "is longer than 65536 octets", ""},
		{Secrets{Command: "echo canary; exit 3"}, mail.CauseLogin, "run the password command: exit status 3", ""},
		{Secrets{Command: "true"}, mail.CauseUsage, "the password from the password command is empty", ""},
		{Secrets{Env: []string{"MAILHAUL_TEST_PASSWORD"}}, mail.CauseUsage, "$MAILHAUL_TEST_PASSWORD holds a line end", ""},
		{Secrets{Prompt: asks("")}, mail.CauseUsage, "the password from the prompt is empty", ""},
		{Secrets{Prompt: func() (string, error) { return "canary", errors.New("closed") }}, mail.CauseLogin, "ask for the password: closed", ""},
		{Secrets{Env: []string{"MAILHAUL_TEST_UNSET"}, Flags: "--source-password"}, mail.CauseUsage, "there is no password, and no terminal",
			"use --source-password-file FILE or --source-password-command COMMAND, or set MAILHAUL_TEST_UNSET"},
	} {
		got, err := tt.s.Get(t.Context())
		var e *mail.Error
		if !errors.As(err, &e) || got != "" {
			t.Errorf("Get of %+v = %q, %v; want a *mail.Error", tt.s, got, err)
			continue
		}
		if e.Cause != tt.cause || e.Scope != mail.ScopeAccount || !strings.Contains(e.Error(), tt.want) || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("Get of %+v = %q %+v, want cause %d, %q, hint %q", tt.s, e, e, tt.cause, tt.want, tt.hint)
		}
		if strings.Contains(e.Error()+e.Hint, "canary") {
			t.Errorf("%q shows the password", e)
		}
	}
}

func TestFileOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	name := file(t, secret, 0o600)
	if err := os.Chown(name, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := (Secrets{File: name}).Get(t.Context()); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Errorf("Get = %v", err)
	}
}

func TestCommandShowsItsErrors(t *testing.T) {
	var stderr bytes.Buffer
	s := Secrets{Command: "echo the vault is locked >&2; exit 1", Stderr: &stderr}
	if _, err := s.Get(t.Context()); err == nil || stderr.String() != "the vault is locked\n" {
		t.Errorf("Get = %v with %q on standard error", err, &stderr)
	}
}

func TestCancel(t *testing.T) {
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	began := file(t, "", 0o600)
	reading := Secrets{Command: "echo x >" + began + "; exec sleep 1000"}
	done := make(chan error)
	go func() { _, err := reading.Get(ctx); done <- err }()
	for {
		if text, _ := os.ReadFile(began); len(text) > 0 {
			break
		}
	}
	cancel(interrupted)
	if err := <-done; err != interrupted {
		t.Errorf("a cancelled command: %v", err)
	}
	prompt := func() (string, error) { return "", errors.New("read: interrupted system call") }
	if _, err := (Secrets{Prompt: prompt}).Get(ctx); err != interrupted {
		t.Errorf("a cancelled prompt: %v", err)
	}
}
