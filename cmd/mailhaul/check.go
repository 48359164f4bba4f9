package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/discover"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
)

const checkHelp = `Check finds the servers of ACCOUNT if it is an address, saying whom it asks and
what comes of it, connects, logs in and looks around: what the server can do, how
much is there, and what to know before mail is carried. It changes nothing.
`

func newCheckCommand(t *terminal) *cobra.Command {
	var p party
	cmd := &cobra.Command{
		Use:               "check ACCOUNT",
		Short:             "find an account's server, log in and look; changes nothing",
		Long:              checkHelp,
		Example:           "  mailhaul check me@example.org",
		Args:              exactArgs("ACCOUNT"),
		ValidArgsFunction: completes("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCheck(cmd.Context(), t, &p, args[0])
		},
	}
	p.addFlags(cmd.Flags(), true)
	p.reach.addFlags(cmd.Flags())
	return cmd
}

func runCheck(ctx context.Context, t *terminal, p *party, typed string) error {
	c := check{t: t}
	p.watch = c.step
	err := p.parse(ctx, t, typed)
	if err == nil {
		err = c.run(ctx, p, typed)
	}
	if t.json && len(c.findings)+len(c.steps) > 0 {
		if werr := writeJSON(t.out, c.object(p.account)); werr != nil {
			return werr
		}
	}
	return err
}

// A check shows what it finds as it goes, or all of it at the end.
type check struct {
	t *terminal
	findings
	steps []discover.Step
}

func (c *check) step(s discover.Step) {
	c.steps = append(c.steps, s)
	if c.t.json {
		return
	}
	mark := "-"
	if s.Good {
		mark = "+"
	}
	fmt.Fprintf(c.t.out, "%s %s: %s\n", mark, s.Asked, s.Found)
}

// show adds findings and, for people, shows them.
func (c *check) show(some findings) {
	c.findings = append(c.findings, some...)
	if c.t.json {
		return
	}
	for _, f := range some {
		fmt.Fprintf(c.t.out, "%-14s %s\n", f.name, mail.Printable(f.text()))
	}
}

// run goes from the server to the account. Where it ends early, what was found by then has been shown.
func (c *check) run(ctx context.Context, p *party, typed string) error {
	c.show(serverFindings(p))
	some, err := certificateFindings(ctx, p)
	c.show(some)
	if err != nil {
		return err
	}
	login, err := c.t.login(ctx, p)
	if err != nil {
		return err
	}
	found, err := look(ctx, p.account, login)
	if err != nil {
		return p.explain(err)
	}
	c.show(found)
	c.show(limitFindings(p.account))
	c.show(findings{{"next", "mailhaul backup " + quoteArg(typed) + " ./mail"}})
	return nil
}

// serverFindings are what is known before anybody connects.
func serverFindings(p *party) (fs findings) {
	fs.add("server", p.account.String())
	fs.addIf("found by", p.named)
	if p.named != "" && strings.Contains(p.account.User, "+") {
		fs.add("note", "if the login is refused, try the address without what stands from the + to the @")
	}
	if p.provider == nil {
		return fs
	}
	fs.add("provider", p.provider.Name)
	fs.addIf("login by", p.provider.HowToLogIn())
	for _, s := range p.provider.ToTurnOn(p.account.Protocol) {
		fs.add("to turn on", s.What+": "+s.Page)
	}
	for _, note := range p.provider.Notes {
		fs.add("note", note)
	}
	return fs
}

// certificateFindings connects once for the certificate alone, so that it is known also when the login fails.
func certificateFindings(ctx context.Context, p *party) (fs findings, err error) {
	conn, err := p.server().Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if state := conn.TLS(); state != nil && len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		names := leaf.DNSNames
		if len(names) > 5 {
			names = append(names[:5:5], "...")
		}
		fs.add("certificate", fmt.Sprintf("for %s, until %s, by %s", strings.Join(names, ", "), leaf.NotAfter.Format(time.DateOnly), leaf.Issuer.CommonName))
		fs.add("pin", conn.Pin().String())
	}
	return fs, nil
}

// explain adds the provider's ways to a login that was refused without another hint.
func (p *party) explain(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) || e.Cause != mail.CauseLogin || e.Hint != "" || p.provider == nil {
		return err
	}
	explained := *e
	explained.Hint = p.provider.HowToLogIn()
	if switches := p.provider.ToTurnOn(p.account.Protocol); explained.Hint == "" && len(switches) > 0 {
		explained.Hint = switches[0].What + ": " + switches[0].Page
	}
	return &explained
}

// limitFindings are what the provider lets through in a day.
func limitFindings(a account.Account) (fs findings) {
	limit := a.Allowance()
	if limit.Down > 0 {
		fs.add("a day", size(limit.Down)+" may be fetched")
	}
	if limit.Up > 0 {
		fs.add("a day", size(limit.Up)+" may be brought")
	}
	return fs
}

// quoteArg writes an argument as a shell reads it.
func quoteArg(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+=:/%,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
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

// object is the check as JSON; what there are several of, as notes, is a list.
func (c *check) object(acct account.Account) map[string]any {
	o := map[string]any{"event": "check"}
	if acct.Host != "" {
		o["account"] = acct.Key().String()
	}
	if len(c.steps) > 0 {
		o["steps"] = c.steps
	}
	for _, f := range c.findings {
		name := strings.ReplaceAll(f.name, " ", "_")
		switch name {
		case "note", "server_says", "to_turn_on", "a_day":
			list, _ := o[name].([]string)
			o[name] = append(list, f.text())
		default:
			o[name] = f.value
		}
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
