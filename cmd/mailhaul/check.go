package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
)

const checkHelp = `Check connects to ACCOUNT, logs in and looks around: what the server can do, how
much is there, and what to know before mail is carried. It changes nothing.
`

type checkOptions struct {
	account  party
	insecure bool
}

func (o *checkOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.account.file, "password-file", "", "read the password from the first line of `FILE`")
	f.StringVar(&o.account.command, "password-command", "", "run `CMD` and take the first line it prints as the password")
	addInsecure(f, &o.insecure)
}

func newCheckCommand(t *terminal) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:     "check ACCOUNT",
		Short:   "connect to an account, log in and look; changes nothing",
		Long:    checkHelp + exitHelp,
		Example: "  mailhaul check pop3s://me@pop.example.org",
		Args:    exactArgs("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCheck(cmd.Context(), t, o, args[0])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runCheck(ctx context.Context, t *terminal, o checkOptions, typed string) error {
	acct, login, err := t.login(ctx, &o.account, typed, o.insecure)
	if err != nil {
		return err
	}
	found, err := look(ctx, acct, login)
	if err != nil {
		return err
	}
	if t.json {
		return writeJSON(t.out, found.object(acct))
	}
	for _, f := range found {
		fmt.Fprintf(t.out, "%-14s %s\n", f.name, mail.Printable(f.text()))
	}
	return nil
}

// look looks at the account in its protocol.
func look(ctx context.Context, acct account.Account, login mail.Login) (findings, error) {
	if acct.Protocol == account.POP3 {
		s := pop3.New(acct.Server(), login)
		defer s.Close()
		r, err := s.Check(ctx)
		return pop3Findings(r), err
	}
	c := imap.New(acct.Server(), login)
	defer c.Close()
	r, err := c.Check(ctx)
	return imapFindings(r), err
}

// findings are what a check has found, in the order they are shown.
type findings []finding

type finding struct {
	name  string
	value any // string, []string, int, int64 or bool
}

func (f finding) text() string {
	switch v := f.value.(type) {
	case []string:
		return strings.Join(v, " ")
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(f.value)
}

func (fs findings) object(acct account.Account) map[string]any {
	o := map[string]any{"event": "check", "account": acct.Key().String()}
	for _, f := range fs {
		o[strings.ReplaceAll(f.name, " ", "_")] = f.value
	}
	return o
}

func (fs *findings) add(name string, value any) { *fs = append(*fs, finding{name, value}) }

// addIf adds what is not empty.
func (fs *findings) addIf(name, value string) {
	if value != "" {
		fs.add(name, value)
	}
}

func pop3Findings(r pop3.Report) (fs findings) {
	fs.add("tls", orNone(r.TLS))
	fs.add("greeting", r.Greeting)
	fs.add("capabilities", r.After)
	fs.add("login", "accepted")
	fs.add("messages", r.Messages)
	fs.add("octets", r.Octets)
	fs.add("uidl", r.UIDL)
	if !r.UIDL {
		fs.add("note", "without usable UIDLs mail is told apart by its headers, which takes a look at each at every run")
	}
	fs.add("pipelining", r.Pipelining)
	if r.LoginDelay > 0 {
		fs.add("login delay", r.LoginDelay.Round(time.Second).String())
	}
	fs.addIf("trace", r.Trace)
	return fs
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func imapFindings(r imap.Report) (fs findings) {
	fs.add("tls", orNone(r.TLS))
	fs.add("greeting", r.Greeting)
	fs.add("capabilities", r.After)
	fs.add("login", "accepted")
	fs.add("names uids", r.UIDPlus)
	fs.add("literals", orNone(r.Literal))
	if r.AppendLimit > 0 {
		fs.add("largest", fmt.Sprintf("%d octets in a message", r.AppendLimit))
	}
	for _, q := range r.Quotas {
		fs.add("quota "+q.Resource, fmt.Sprintf("%d of %d used", q.Used, q.Limit))
	}
	var messages int64
	for _, mb := range r.Mailboxes {
		messages += max(mb.Messages, 0)
	}
	fs.add("folders", len(r.Mailboxes))
	fs.add("messages", messages)
	for _, said := range r.Said {
		fs.add("server says", said)
	}
	for _, note := range r.Notes {
		fs.add("note", note)
	}
	return fs
}
