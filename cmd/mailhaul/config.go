package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/config"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
)

// configPath returns where the configuration is, or is to be.
func (t *terminal) configPath() (string, error) {
	if t.configFile != "" {
		return t.configFile, nil
	}
	return config.Path()
}

// configuration reads the configuration, once. All of it is checked, whatever is wanted of it: the error of a job that
// runs at night is said by day.
func (t *terminal) configuration() (*config.File, error) {
	if t.configured != nil {
		return t.configured, nil
	}
	name, err := t.configPath()
	if err != nil {
		return nil, err
	}
	f, err := config.Open(name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range f.Accounts {
		_, err := limitsOf(f, a)
		errs = append(errs, err, checkClient(f, a))
	}
	for _, j := range f.Jobs {
		_, err := t.commandOf(nil, f, j)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t.configured = f
	return f, nil
}

// named returns the account of the configuration that has the name which was typed; nil if it is no name of one. It is
// an error if it could be one, and the configuration cannot be read.
func (t *terminal) named(typed string) (*config.Account, error) {
	if !config.IsName(typed) {
		return nil, nil
	}
	f, err := t.configuration()
	if errors.Is(err, config.ErrNone) && t.configFile == "" {
		return nil, nil
	}
	return f.Account(typed), err
}

// isAccount tells an account from the directory of an archive, where either may stand. A name of the configuration is
// the account; ./NAME is the directory.
func (t *terminal) isAccount(typed string) (bool, error) {
	info, missing := os.Stat(typed)
	a, err := t.named(typed)
	switch {
	case a != nil:
		if missing == nil && info.IsDir() {
			t.sayf("%s is the account of that name; the directory is ./%s", typed, typed)
		}
		return true, nil
	case err != nil && missing != nil:
		return false, err
	}
	return isAccount(typed), nil
}

// lookUp takes what the configuration says of an account, if it has one of the name that was typed, and returns what
// could have been typed instead. What is said on the command line holds.
func (p *party) lookUp(t *terminal, typed string) (string, error) {
	a, err := t.named(typed)
	if err != nil {
		return typed, p.say(err)
	}
	if a == nil {
		return typed, p.say(t.noSuchAccount(typed))
	}
	if p.limits, err = limitsOf(t.configured, a); err != nil {
		return typed, err
	}
	p.insecure = p.insecure || a.Plaintext
	if p.file == "" && p.command == "" && p.tokenCommand == "" {
		p.file, p.command, p.tokenCommand = a.PasswordFile, a.PasswordCommand, a.TokenCommand
	}
	if p.connections != nil && !p.connections.Changed && p.limits.sessions > 0 {
		p.sessions = p.limits.sessions
	}
	p.client = clientOf(a)
	return a.Typed, nil
}

// noSuchAccount is the error for a name that the configuration has not; nil for what is none, or if there is no
// configuration.
func (t *terminal) noSuchAccount(typed string) error {
	if !config.IsName(typed) || t.configured == nil {
		return nil
	}
	hint := "an account is a name from the configuration, an address or a URL"
	if near := config.Near(typed, t.configured.AccountNames()); near != "" {
		hint = "perhaps " + near
	}
	return usageError{fmt.Errorf("%s has no account %s", t.configured.Name, typed), hint}
}

// An accountLimits is what the configuration says of limits of an account.
type accountLimits struct {
	limitOptions
	sessions int
}

func limitsOf(f *config.File, a *config.Account) (*accountLimits, error) {
	var l accountLimits
	flags := pflag.NewFlagSet(a.Name, pflag.ContinueOnError)
	l.addFlags(flags)
	flags.IntVar(&l.sessions, "max-connections", 0, "")
	err := set(flags, f, a.Settings)
	for _, s := range a.Settings {
		if s.Key == "max_connections" && (l.sessions < 1 || l.sessions > maxSessions) {
			err = errors.Join(err, f.Wrong(s.Line, "", fmt.Errorf("max_connections: from 1 to %d make sense", maxSessions)))
		}
	}
	return &l, err
}

func clientOf(a *config.Account) (c oauth.Client) {
	if o := a.OAuth; o != nil {
		c = oauth.Client{Provider: o.Provider, Issuer: o.Issuer, Tenant: o.Tenant, ID: o.ClientID, Secret: o.ClientSecret, Scope: o.Scope, AppOnly: o.AppOnly}
	}
	return c
}

func checkClient(f *config.File, a *config.Account) error {
	c := clientOf(a)
	if c.Provider == "" && c.Issuer == "" { // the host says it
		return nil
	}
	var e *mail.Error
	if errors.As(c.Check(), &e) {
		return f.Wrong(a.OAuth.Line, e.Hint, e.Err)
	}
	return nil
}

// set sets flags to what the file says. What is wrong is the file's fault, and said of its line.
func set(flags *pflag.FlagSet, f *config.File, settings []config.Setting) error {
	var errs []error
	for _, s := range settings {
		for _, value := range s.Values {
			err := flags.Set(s.Flag(), value)
			var invalid *pflag.InvalidValueError
			if errors.As(err, &invalid) {
				err = invalid.Unwrap()
			}
			if err != nil {
				errs = append(errs, f.Wrong(s.Line, "", fmt.Errorf("%s: %w", s.Key, err)))
			}
		}
	}
	return errors.Join(errs...)
}

// commandOf returns the command that a job is, with its flags set.
func (t *terminal) commandOf(i *interrupt, f *config.File, j *config.Job) (*cobra.Command, error) {
	var cmd *cobra.Command
	switch j.Command() {
	case "backup":
		cmd = newBackupCommand(t, i)
	case "restore":
		cmd = newRestoreCommand(t, i)
	default:
		cmd = newMigrateCommand(t, i)
		cmd.Flags().Set("archive", j.Archive)
	}
	return cmd, set(cmd.Flags(), f, j.Settings)
}

// completeJobs completes the names of jobs.
func (t *terminal) completeJobs(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	f, err := t.configuration()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var left []cobra.Completion
	for _, name := range f.JobNames() {
		if !slices.Contains(args, name) {
			left = append(left, name)
		}
	}
	return left, cobra.ShellCompDirectiveNoFileComp
}
