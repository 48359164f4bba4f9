package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/config"
)

// notInJobs are the flags that a job has no key for, and why.
var notInJobs = map[string]string{
	"archive": "what the job is", "dry-run": "a job does what it does", "same-account": "said once, not every night", "offline": "of the accounts",
	"select":             "a job is done again and again, and a choice is made once",
	"insecure-plaintext": "of the accounts", "password-file": "of the accounts", "password-command": "of the accounts", "token-command": "of the accounts",
	"source-password-file": "of the accounts", "source-password-command": "of the accounts", "source-token-command": "of the accounts",
	"destination-password-file": "of the accounts", "destination-password-command": "of the accounts", "destination-token-command": "of the accounts",
}

// TestKeysAreFlags guards that what can be said in a job can be said on the command line, and the other way round.
func TestKeysAreFlags(t *testing.T) {
	for _, j := range []*config.Job{{Source: "a"}, {Destination: "b"}, {Source: "a", Destination: "b"}} {
		cmd, err := new(terminal).commandOf(nil, nil, j)
		if err != nil {
			t.Fatal(err)
		}
		var flags []string
		for _, key := range j.Keys() {
			flags = append(flags, config.Setting{Key: key}.Flag())
			if cmd.Flags().Lookup(flags[len(flags)-1]) == nil {
				t.Errorf("%s has no flag for %s", cmd.Name(), key)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if notInJobs[f.Name] == "" && !slices.Contains(flags, f.Name) {
				t.Errorf("a job has no key for --%s of %s", f.Name, cmd.Name())
			}
		})
	}
}

func TestNameOf(t *testing.T) {
	for _, tt := range []struct{ user, host, want string }{
		{"me@old-isp.example", "pop.old-isp.example", "old-isp"},
		{"me", "imap.example.org", "example"},
		{"me", "pop.gmail.com", "gmail"},
		{"me", "127.0.0.1", "mail"},
		{"me", "::1", "mail"},
		{"me@münchen.example", "x.example", "mail"},
		{"me", "a-name-that-is-far-too-long-to-type.example", "mail"},
	} {
		if got := nameOf(tt.user, tt.host); got != tt.want {
			t.Errorf("nameOf(%q, %q) = %q, want %q", tt.user, tt.host, got, tt.want)
		}
	}
}
