package main

import (
	"errors"
	"fmt"
	"net/mail"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/migrate"
)

// Options for mail of POP3, which comes without folders and flags.
type pop3Options struct {
	to       string
	sentFrom []string
	seen     string // restore and migrate only
}

// addFolderFlags adds those that say where the mail goes.
func (o *pop3Options) addFolderFlags(f *pflag.FlagSet) {
	f.StringVar(&o.to, "to", "", "bring the mail of a POP3 account into `FOLDER` instead of the INBOX")
	f.StringArrayVar(&o.sentFrom, "sent-from", nil, "bring mail from `ADDRESS`, your own, into the folder for sent mail (POP3)")
}

// addFlagFlags adds those that say what flags the mail gets.
func (o *pop3Options) addFlagFlags(f *pflag.FlagSet) {
	f.StringVar(&o.seen, "seen", "", "bring POP3 mail as read: `all`, none or 'older-than 30d' (the first run all, later ones none)")
}

// rules adds what is said to the rules.
func (o *pop3Options) rules(r *migrate.Rules) error {
	if o.to != "" {
		rule, err := migrate.ParseRule("INBOX=" + o.to)
		if err != nil {
			return usageError{fmt.Errorf("--to '%s' is no name of one folder", o.to), "write the name as the destination has it, as Old/Mail"}
		}
		r.Map = append(r.Map, rule)
	}
	for _, s := range o.sentFrom {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return usageError{fmt.Errorf("--sent-from '%s' is no address", s), "write an address of yours, as me@example.org"}
		}
		r.SentFrom = append(r.SentFrom, a.Address)
	}
	return nil
}

// fits refuses them for a source of another protocol.
func (o *pop3Options) fits(protocol string) error {
	var flag, instead string
	switch {
	case protocol == account.POP3:
		return nil
	case o.to != "":
		flag, instead = "--to", "--prefix puts all folders beneath one, --map 'INBOX=FOLDER' moves one"
	case len(o.sentFrom) > 0:
		flag, instead = "--sent-from", "an IMAP account has a folder for sent mail"
	case o.seen != "":
		flag, instead = "--seen", "an IMAP account says itself what was read"
	default:
		return nil
	}
	return usageError{errors.New(flag + " is for POP3 mail, and this is the mail of an IMAP account"), instead}
}

// protocolOf returns what the mail of an archive came by; before the first backup, nobody knows.
func protocolOf(a *archive.Archive) string {
	if from, ok := a.Account(); ok {
		return from.Protocol
	}
	return account.POP3
}
