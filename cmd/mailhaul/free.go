package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/migrate"
)

const freeHelp = `Free removes from ACCOUNT the mail that is safe in ARCHIVE, and only that. Without
--yes it lists what would go, says why the rest stays, and changes nothing.

A message is safe when its file has been read from disk in this run, to the end, and
has the octets that were archived; when it has been in the archive for --keep-days;
and, if the archive was brought to a destination, when it was seen there in the
last seven days: mailhaul verify ARCHIVE --against DESTINATION looks for it.
--after archived leaves that out. Before a message goes, its header is fetched
once more and compared with the archived one. What cannot be known for certain to
be the same stays, and is named (exit status 3); the others go.

No more than --max go in one run: a tenth of the mailbox, unless you say otherwise.
With --target, mail goes until less than that is left, the oldest first.

What went is written down in the archive: status shows it, and restore brings it
back, for the archive keeps all of it. If the connection breaks, the next session
finds out what became of the messages that were on their way.

Over POP3 the provider has the last word: Gmail does with mail that is deleted
what its settings say (Forwarding and POP/IMAP), and it may take up room as before.
A server that announces EXPIRE removes mail by itself, in its own time. Over IMAP
nothing but single messages is expunged (UIDPLUS); where a server cannot do that,
they are moved to the trash, which takes up room until it is emptied.
`

type freeOptions struct {
	source       party
	yes, dryRun  bool
	after        string
	keepDays     int
	largerThan   amount
	target       amount
	largestFirst bool
	folders      []string
	max          ceiling
	trustUIDL    bool
	report       reportFile
}

func (o *freeOptions) addFlags(f *pflag.FlagSet) {
	o.source = party{role: "source"}
	o.source.addFlags(f, true)
	o.source.reach.addFlags(f)
	f.BoolVar(&o.yes, "yes", false, "remove it; without this nothing is changed")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would go, and change nothing; it is so anyway without --yes")
	f.StringVar(&o.after, "after", "", "archived, or delivered: seen at every destination as well (the default where there is one)")
	f.IntVar(&o.keepDays, "keep-days", 30, "let mail stay until it has been in the archive for `N` days")
	f.Var(&o.largerThan, "larger-than", "only messages larger than this, as 500k or 5MB")
	f.Var(&o.target, "target", "stop when less than this is left, as 500MB")
	f.BoolVar(&o.largestFirst, "largest-first", false, "begin with the largest messages, not with the oldest")
	f.StringArrayVar(&o.folders, "folder", nil, "IMAP: only from folders like `GLOB`, where * is anything; all of them if there is none")
	o.max = ceiling{backup.Ceiling{N: 10, Percent: true}}
	f.Var(&o.max, "max", "remove at most so many messages, or such a part of all")
	f.BoolVar(&o.trustUIDL, "trust-uidl", false, "POP3: where the server cannot show a header alone (TOP), go by its UIDL")
	o.report.addFlag(f)
}

func newFreeCommand(t *terminal, i *interrupt) *cobra.Command {
	var o freeOptions
	cmd := &cobra.Command{
		Use:               "free ACCOUNT ARCHIVE",
		Short:             "remove from an account what is safe in the archive",
		Long:              freeHelp,
		Example:           "  mailhaul free pop3s://me@pop.example.org ./mail --target 500MB\n  mailhaul free pop3s://me@pop.example.org ./mail --target 500MB --max 50% --yes",
		Args:              exactArgs("ACCOUNT", "ARCHIVE"),
		ValidArgsFunction: completes("ACCOUNT", "ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFree(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// An amount is octets as a flag; 0: none were given.
type amount struct {
	text   string
	octets int64
}

func (a *amount) String() string { return a.text }

// Type is what help calls it.
func (a *amount) Type() string { return "SIZE" }

// Set makes it a flag.
func (a *amount) Set(s string) (err error) {
	a.text = s
	a.octets, err = parseOctets(s)
	return err
}

// A ceiling is a number of messages, or a part of all, as a flag.
type ceiling struct{ backup.Ceiling }

func (c *ceiling) String() string {
	if c.Percent {
		return strconv.Itoa(c.N) + "%"
	}
	return strconv.Itoa(c.N)
}

// Type is what help calls it.
func (c *ceiling) Type() string { return "N|N%" }

// Set makes it a flag.
func (c *ceiling) Set(s string) error {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n == 0 || percent && n > 100 {
		return errors.New("write a number of messages, or 1% to 100%")
	}
	c.N, c.Percent = int(n), percent
	return nil
}

// fit refuses flags that say nothing together.
func (o *freeOptions) fit() error {
	switch {
	case o.yes && o.dryRun:
		return usageError{errors.New("--yes and --dry-run cannot both be meant"), "leave one of them out"}
	case o.after != "" && o.after != "archived" && o.after != "delivered":
		return usageError{fmt.Errorf("--after %q: it is archived or delivered", o.after), "leave it out for what is right where there is a destination, and where there is none"}
	case o.keepDays < 0 || o.keepDays > math.MaxInt32:
		return usageError{fmt.Errorf("--keep-days %d: it is a number of days", o.keepDays), "0 lets mail go as soon as it is safe"}
	case len(o.folders) > 0 && o.source.account.Protocol == account.POP3:
		return usageError{errors.New("--folder is for IMAP: over POP3 there is one mailbox"), "leave it out"}
	case o.trustUIDL && o.source.account.Protocol == account.IMAP:
		return usageError{errors.New("--trust-uidl is for POP3"), "leave it out"}
	}
	return nil
}

func runFree(ctx context.Context, t *terminal, i *interrupt, o freeOptions, from, dir string) error {
	began := time.Now()
	if err := o.source.parse(ctx, t, from); err != nil {
		return err
	}
	if err := o.fit(); err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	delivered, err := o.destinations(a)
	if err != nil {
		return err
	}
	traffic, err := (&limitOptions{}).count(a, &o.source, i)
	if err != nil {
		return err
	}
	defer traffic.close()
	rm, err := t.openRemover(ctx, &o.source)
	if err != nil {
		return err
	}
	defer rm.Close()
	f := o.freeing(a, rm, delivered)
	f.Stop = i.stop
	rep := newReport("free")
	err = t.free(ctx, f, &o, rep)
	rep.adviseFree(&o, from, dir, delivered)
	return t.conclude(rep, began, true, o.report, cmp.Or(err, traffic.close()))
}

func (o *freeOptions) freeing(a *archive.Archive, rm backup.Remover, delivered []mail.Account) backup.Freeing {
	f := backup.Freeing{From: rm, Archive: a, Account: o.source.account.Key(), Delivered: delivered, KeepDays: o.keepDays, LargerThan: o.largerThan.octets,
		Target: o.target.octets, LargestFirst: o.largestFirst, Max: o.max.Ceiling, TrustUIDL: o.trustUIDL, Now: clock()}
	if len(o.folders) > 0 {
		var rules migrate.Rules
		for _, glob := range o.folders {
			rules.Include = append(rules.Include, migrate.ParseGlob(glob))
		}
		f.Wanted = rules.Wants
	}
	return f
}

// destinations returns the accounts at which a message must have been seen. The account itself, to which mail may have been
// put back, is no place where it is safe.
func (o *freeOptions) destinations(a *archive.Archive) ([]mail.Account, error) {
	key := o.source.account.Key()
	if held, ok := a.Account(); ok && held != key {
		return nil, usageError{fmt.Errorf("the archive holds the mail of %s, and not of %s", mail.Printable(held.String()), mail.Printable(key.String())),
			"mail is removed from the account that it was fetched from, over the same protocol"}
	}
	all, err := a.Destinations()
	if err != nil || o.after == "archived" {
		return nil, err
	}
	var others []mail.Account
	for _, d := range all {
		if d.Account != key {
			others = append(others, d.Account)
		}
	}
	if len(others) == 0 && o.after == "delivered" {
		return nil, usageError{errors.New("the archive was brought to no destination"), "bring it there with mailhaul restore, or say --after archived"}
	}
	return others, nil
}

// A remover is an account opened to take mail out of it.
type remover interface {
	backup.Remover
	Close() error
}

func (t *terminal) openRemover(ctx context.Context, p *party) (remover, error) {
	login, err := t.login(ctx, p)
	if err != nil {
		return nil, err
	}
	if p.account.Protocol == account.IMAP {
		return imap.NewRemover(p.server(), login), nil
	}
	return pop3.NewRemover(p.server(), login), nil
}

// free plans, shows the plan, and carries it out if that is wanted.
func (t *terminal) free(ctx context.Context, f backup.Freeing, o *freeOptions, rep *report) error {
	watch, end := t.watch(nil, nil)
	f.Watch = watch
	plan, err := f.Plan(ctx)
	end()
	rep.addFreed(f, plan, o)
	if errors.Is(err, backup.ErrNoMailbox) {
		return usageError{err, "mailhaul folders lists them"}
	}
	if err != nil {
		return err
	}
	if err := t.showGoing(f.Archive, plan); err != nil {
		return err
	}
	if !o.yes {
		t.sayf("a dry run: nothing was changed; --yes removes it")
		return nil
	}
	if len(plan.Going) == 0 {
		return nil
	}
	t.sayf("removing %d of %d messages, %s of %s, from %s", len(plan.Going), plan.Listed.Messages, size(plan.GoingOctets()), size(plan.Listed.Octets),
		mail.Printable(f.Account.String()))
	f.Watch, end = t.watch(nil, nil)
	err = f.Carry(ctx, plan)
	end()
	rep.addFreed(f, plan, o)
	return err
}
