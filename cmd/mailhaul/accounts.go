package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
	"github.com/mailhaul/mailhaul/internal/discover"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/oauth"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/migrate"
)

// A party is one account on the command line with the ways to its password.
type party struct {
	role string // "source" or "destination"; "" where there is one account and it is neither
	reach
	file    string
	command string
	// tokenCommand is what has tokens instead of a password; client, what to sign in with, where it is configured.
	tokenCommand string
	client       oauth.Client
	sessions     int            // at most so many at once; 0: one
	connections  *pflag.Flag    // what says so
	limits       *accountLimits // of the configuration; nil: it says nothing
	watch        func(discover.Step)
	typed        string             // what was parsed
	account      account.Account    // after parse
	provider     *discover.Provider // after parse; nil: unknown
	named        string             // whose word it is that this is the server; "": the person's own
	pace         *dial.Pace         // of all its logins, after parse
	meter        *dial.Meter        // counts what goes over the wire; nil: nobody counts
	throttle     *dial.Throttle     // holds it back; nil: nothing does
}

// server returns how to connect, the same for all sessions of the party.
func (p *party) server() dial.Server {
	s := p.account.Server()
	s.Pace, s.Meter, s.Throttle = p.pace, p.meter, p.throttle
	return s
}

// addFlags adds the flags of the party's password; where there is one account, under their short names too.
func (p *party) addFlags(f *pflag.FlagSet, alone bool) {
	if p.role != "" {
		f.StringVar(&p.file, p.role+"-password-file", "", "read the password of the "+p.role+" from the first line of `FILE`")
		f.StringVar(&p.command, p.role+"-password-command", "", "run `CMD` and take the first line it prints as the password of the "+p.role)
		f.StringVar(&p.tokenCommand, p.role+"-token-command", "", "run `CMD` at every login and take the first line it prints as the OAuth2 token of the "+p.role)
	}
	if alone {
		f.StringVar(&p.file, "password-file", "", "read the password from the first line of `FILE`")
		f.StringVar(&p.command, "password-command", "", "run `CMD` and take the first line it prints as the password")
		f.StringVar(&p.tokenCommand, "token-command", "", "run `CMD` at every login and take the first line it prints as an OAuth2 token")
	}
}

// say tells which of two accounts an error is about.
func (p *party) say(err error) error {
	if err == nil || p.role == "" {
		return err
	}
	return fmt.Errorf("%s: %w", p.role, err)
}

// A source is an account opened for reading. It is the adapter itself: what else than a backup.Source it can do,
// backup asks it.
type source interface {
	backup.Source
	Close() error
}

// openSource makes the source; it connects when it is first used.
func (t *terminal) openSource(ctx context.Context, p *party) (source, error) {
	login, err := t.login(ctx, p)
	if err != nil {
		return nil, err
	}
	if p.account.Protocol == account.IMAP {
		return imap.NewSource(p.server(), login), nil
	}
	return pop3.New(p.server(), login), nil
}

// maxSessions is more than any provider is known to allow.
const maxSessions = 30

// addSessions adds the flag for how many connections there may be at once.
func (p *party) addSessions(f *pflag.FlagSet) {
	f.IntVar(&p.sessions, "max-connections", 3, "use at most `N` connections at once to the destination")
	p.connections = f.Lookup("max-connections")
}

// A destination is an account opened for writing, in as many sessions as are wanted.
type destination struct {
	*imap.Client
	others []*imap.Client
	key    mail.Account
}

// job returns the beginning of a job: where to, and from what archive.
func (d *destination) job(a *archive.Archive) migrate.Job {
	j := migrate.Job{Archive: a, Destination: d.Client, Account: d.key}
	for _, c := range d.others {
		j.Others = append(j.Others, c)
	}
	return j
}

// Close ends all sessions.
func (d *destination) Close() error {
	errs := []error{d.Client.Close()}
	for _, c := range d.others {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openDestination makes the destination; it connects when it is first used.
func (t *terminal) openDestination(ctx context.Context, p *party) (*destination, error) {
	login, err := t.login(ctx, p)
	if err != nil {
		return nil, err
	}
	server := p.server()
	d := &destination{Client: imap.New(server, login), key: p.account.Key()}
	for range p.sessions - 1 {
		d.others = append(d.others, imap.New(server, login))
	}
	return d, nil
}
