package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	maxSecret      = 64 << 10        // octets; OAuth2 tokens are the longest, at a few thousand
	commandTimeout = 2 * time.Minute // somebody may have to unlock a vault
)

// Secrets are the places a password may come from, in this order: the file if one is named, else the command,
// else the first variable of the environment that is set and not empty, else the first credential that the service
// manager has handed over, else the prompt. A place that is named and fails is an error; the next one is not tried.
type Secrets struct {
	File        string // its first line; it must be the user's own, and closed to all others
	Command     string // the first line it prints; run by the shell
	Env         []string
	Credentials []string               // names of files in $CREDENTIALS_DIRECTORY, as systemd makes it (LoadCredential=)
	Prompt      func() (string, error) // nil: nobody can be asked
	Stderr      io.Writer              // what the command says there; nil: nowhere
	Flags       string                 // how the flags for File and Command begin, for hints: "--source-password"
}

// Named reports whether one of the places but the prompt has the password: then nobody needs to look elsewhere.
func (s Secrets) Named() bool {
	return s.File != "" || s.Command != "" || s.variable() != "" || s.credential() != ""
}

// Get returns the password, without the line end. Errors are *mail.Error, but for a cancelled context, and never
// hold it or a part of it.
func (s Secrets) Get(ctx context.Context) (string, error) {
	secret, place, err := s.find(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case secret == "":
		return "", wrong("", "the password from %s is empty", place)
	case len(secret) > maxSecret:
		return "", wrong("", "the password from %s is longer than %d octets", place, maxSecret)
	case strings.ContainsAny(secret, "\x00\r\n"): // it would end the command it is sent in
		return "", wrong("", "the password from %s holds a line end or a NUL", place)
	}
	return secret, nil
}

// find returns what the first of the places says, and what the place is called.
func (s Secrets) find(ctx context.Context) (secret, place string, err error) {
	switch name := s.variable(); {
	case s.File != "":
		secret, err = readSecret(s.File, private)
		return secret, s.File, err
	case s.Command != "":
		secret, err = runSecret(ctx, s.Command, "the password command", s.Stderr)
		return secret, "the password command", err
	case name != "":
		return os.Getenv(name), "$" + name, nil
	case s.credential() != "":
		secret, err = readSecret(s.credential(), notPublic)
		return secret, s.credential(), err
	case s.Prompt != nil:
		secret, err = s.prompt(ctx)
		return secret, "the prompt", err
	}
	return "", "", wrong(s.hint(), "there is no password, and no terminal to ask for it")
}

func (s Secrets) hint() string {
	hint := fmt.Sprintf("use %s-file FILE or %s-command COMMAND", s.Flags, s.Flags)
	if len(s.Env) > 0 {
		hint += ", or set " + strings.Join(s.Env, " or ")
	}
	return hint + ", or keep it with mailhaul login"
}

func (s Secrets) variable() string {
	for _, name := range s.Env {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

func (s Secrets) prompt(ctx context.Context) (string, error) {
	secret, err := s.Prompt()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", &mail.Error{Op: "ask for the password", Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: err}
	}
	return secret, nil
}

// credential returns the file of the first credential that is there. Who may read it, the service manager has seen to.
func (s Secrets) credential() string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	for _, name := range s.Credentials {
		file := filepath.Join(dir, name)
		if _, err := os.Lstat(file); err == nil {
			return file
		}
	}
	return ""
}

// readSecret reads the first line of a file that nobody else can read or could have written; closed says so.
func readSecret(name string, closed func(fs.FileInfo, string) error) (string, error) {
	f, err := openAtOnce(name)
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if err != nil {
		return "", wrong("", "the password file %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", wrong("", "the password file: %w", err)
	case !info.Mode().IsRegular():
		return "", wrong("", "the password file %s is not a regular file", name)
	}
	if err := closed(info, name); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+2))
	if err != nil {
		return "", wrong("", "the password file: %w", err)
	}
	return firstLine(text), nil
}

// runSecret returns the first line that a command prints. what is what the command is to people.
func runSecret(ctx context.Context, command, what string, stderr io.Writer) (string, error) {
	limited, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	shell := []string{"/bin/sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/c"}
	}
	var out head
	c := exec.CommandContext(limited, shell[0], shell[1], command)
	c.Stdout, c.Stderr = &out, stderr
	c.WaitDelay = time.Second // for what the shell left behind
	err := c.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case limited.Err() != nil:
		err = fmt.Errorf("it did not end within %s", commandTimeout)
	case errors.Is(err, exec.ErrWaitDelay): // it ended well; a child of its own keeps the pipe open
		err = nil
	}
	if err != nil {
		return "", &mail.Error{Op: "run " + what, Scope: mail.ScopeAccount, Cause: mail.CauseLogin, Err: err}
	}
	return firstLine(out.text), nil
}

// A head keeps the beginning of what is written to it, and takes the rest.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	room := maxSecret + 2 - len(h.text)
	h.text = append(h.text, p[:min(room, len(p))]...)
	return len(p), nil
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r")
}
