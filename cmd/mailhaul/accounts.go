package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
)

// A party is one account on the command line with the ways to its password.
type party struct {
	role    string // "source" or "destination"
	file    string
	command string
}

// addFlags adds the flags of the party's password; where there is one account, under their short names too.
func (p *party) addFlags(f *pflag.FlagSet, alone bool) {
	f.StringVar(&p.file, p.role+"-password-file", "", "read the password of the "+p.role+" from the first line of `FILE`")
	f.StringVar(&p.command, p.role+"-password-command", "", "run `CMD` and take the first line it prints as the password of the "+p.role)
	if alone {
		f.StringVar(&p.file, "password-file", "", "the same as --"+p.role+"-password-file")
		f.StringVar(&p.command, "password-command", "", "the same as --"+p.role+"-password-command")
	}
}

// login returns the account as typed and how it logs in. The password is fetched at once, so that a question for it
// comes before the work, and kept in memory only.
func (t *terminal) login(ctx context.Context, p *party, typed string, insecure bool) (account.Account, mail.Login, error) {
	acct, err := account.Parse(typed, insecure)
	if err != nil {
		return acct, mail.Login{}, err
	}
	secrets := account.Secrets{File: p.file, Command: p.command,
		Env: []string{"MAILHAUL_" + strings.ToUpper(p.role) + "_PASSWORD", "MAILHAUL_PASSWORD"}}
	if t.canAsk() {
		secrets.Prompt = func() (string, error) {
			return t.askPassword(fmt.Sprintf("%s wants the password for %s", acct.Host, mail.Printable(acct.User)))
		}
	}
	password, err := secrets.Get(ctx)
	if err != nil {
		return acct, mail.Login{}, fmt.Errorf("%s: %w", p.role, err)
	}
	get := func(context.Context) (string, error) { return password, nil }
	return acct, mail.Login{User: acct.User, Password: get}, nil
}

func addInsecure(f *pflag.FlagSet, to *bool) {
	f.BoolVar(to, "insecure-plaintext", false, "allow tls=none to another machine: passwords and mail can be read on the way")
}

// A source is an account opened for reading.
type source struct {
	backup.Source
	key   mail.Account
	Close func() error
}

// openSource makes the source; it connects when it is first used.
func (t *terminal) openSource(ctx context.Context, p *party, typed string, insecure bool) (*source, error) {
	acct, login, err := t.login(ctx, p, typed, insecure)
	if err != nil {
		return nil, err
	}
	if acct.Protocol != "pop3" {
		return nil, usageError{errors.New("the source must be a pop3s:// account: IMAP as a source is not there yet")}
	}
	s := pop3.New(acct.Server(), login)
	return &source{Source: s, key: acct.Key(), Close: s.Close}, nil
}

// A destination is an account opened for writing.
type destination struct {
	*imap.Client
	key mail.Account
}

// openDestination makes the destination; it connects when it is first used.
func (t *terminal) openDestination(ctx context.Context, p *party, typed string, insecure bool) (*destination, error) {
	acct, login, err := t.login(ctx, p, typed, insecure)
	if err != nil {
		return nil, err
	}
	if acct.Protocol != "imap" {
		return nil, usageError{errors.New("the destination must be an imaps:// account: POP3 can only hand mail out")}
	}
	return &destination{Client: imap.New(acct.Server(), login), key: acct.Key()}, nil
}
