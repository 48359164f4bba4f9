// Package config reads the configuration file: accounts under names of their own, and the jobs that carry mail between
// them and archives.
//
//	[accounts.old]
//	url = "pop3s://me@pop.example.org"
//	password_command = "pass show mail/old"
//
//	[accounts.new]
//	address = "me@example.net"
//	daily_upload = "500MB"
//
//	[jobs.move]
//	source = "old"
//	archive = "~/mail/old"
//	destination = "new"
//	exclude = ["Spam"]
//
// A key means what the flag of the same name means, with _ for -, and there is none without a flag but for what an
// account or a job is. The file is TOML and is read strictly: a key that nobody knows, a value of another kind, a job
// with an account that is not there are errors that name the line. It holds no passwords.
//
// A path that begins with ~/ is in the home directory; any other that is not absolute is beside the file, wherever
// mailhaul is started.
package config

import (
	"strings"
)

// A File is a configuration that was read.
type File struct {
	Name     string     // as errors have it
	Accounts []*Account // in the order of the file
	Jobs     []*Job     // the same
}

// An Account is an [accounts.NAME].
type Account struct {
	Name  string
	Typed string // as it could be typed: a URL, or an address; with ca and pin as parameters

	Plaintext       bool   // insecure_plaintext
	PasswordFile    string // an absolute path; "" if there is none
	PasswordCommand string
	TokenCommand    string
	OAuth           *OAuth // nil: no oauth
	Settings        []Setting
}

// An OAuth is the oauth of an account: what mailhaul is registered as, and with whom.
type OAuth struct {
	Provider, Issuer, Tenant, Scope string
	ClientID, ClientSecret          string
	AppOnly                         bool
	Line                            int
}

// A Job is a [jobs.NAME]. Which of Source and Destination there is says what it does.
type Job struct {
	Name        string
	Source      string // the name of an account, a URL or an address; "": none
	Archive     string // an absolute path
	Destination string // as Source
	Schedule    Schedule
	Line        int
	Settings    []Setting
}

// Command returns the command that the job is.
func (j *Job) Command() string {
	switch {
	case j.Source == "":
		return "restore"
	case j.Destination == "":
		return "backup"
	}
	return "migrate"
}

// Arguments returns the arguments of the command, as they would be typed.
func (j *Job) Arguments() []string {
	switch j.Command() {
	case "restore":
		return []string{j.Archive, j.Destination}
	case "backup":
		return []string{j.Source, j.Archive}
	}
	return []string{j.Source, j.Destination}
}

// A Setting is one key that stands for a flag.
type Setting struct {
	Key    string
	Values []string // one, or those of a list
	Line   int
}

// Flag returns the name of the flag.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Account returns the account of that name, or nil. A nil File has none.
func (f *File) Account(name string) *Account {
	if f == nil {
		return nil
	}
	for _, a := range f.Accounts {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Job returns the job of that name, or nil.
func (f *File) Job(name string) *Job {
	for _, j := range f.Jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

// AccountNames returns the names of all accounts, in the order of the file.
func (f *File) AccountNames() (names []string) {
	for _, a := range f.Accounts {
		names = append(names, a.Name)
	}
	return names
}

// JobNames returns the names of all jobs, in the order of the file.
func (f *File) JobNames() (names []string) {
	for _, j := range f.Jobs {
		names = append(names, j.Name)
	}
	return names
}
