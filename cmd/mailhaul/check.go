package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
)

const checkHelp = `Check connects to ACCOUNT, logs in and looks around: what the server can do, how
much is there, and what to know before mail is carried. It changes nothing.
`

func newCheckCommand(t *terminal) *cobra.Command {
	var p party
	cmd := &cobra.Command{
		Use:               "check ACCOUNT",
		Short:             "connect to an account, log in and look; changes nothing",
		Long:              checkHelp,
		Example:           "  mailhaul check pop3s://me@pop.example.org",
		Args:              exactArgs("ACCOUNT"),
		ValidArgsFunction: completes("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCheck(cmd.Context(), t, &p, args[0])
		},
	}
	p.addFlags(cmd.Flags(), true)
	addInsecure(cmd.Flags(), &p.insecure)
	return cmd
}

func runCheck(ctx context.Context, t *terminal, p *party, typed string) error {
	if err := p.parse(typed); err != nil {
		return err
	}
	login, err := t.login(ctx, p)
	if err != nil {
		return err
	}
	found, err := look(ctx, p.account, login)
	if err != nil {
		return err
	}
	if t.json {
		return writeJSON(t.out, found.object(p.account))
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
	fs.addIf("pin", r.Pin)
	fs.addIf("greeting", r.Greeting)
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
	fs.addIf("pin", r.Pin)
	fs.addIf("greeting", r.Greeting)
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
