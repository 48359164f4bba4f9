package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/pop3"
	"github.com/mailhaul/mailhaul/migrate"
)

const foldersHelp = `Folders lists the folders of an account or of an archive. With a DESTINATION it
says where the mail of each would go there, and why: by --map, --prefix or a plan
file, else by what each folder is for, or else to the same path. It changes
nothing.
`

// A selection is the folders that the person wants.
type selection struct{ include, exclude []string }

func (o *selection) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.include, "include", nil, "bring only folders like `GLOB`, where * is anything")
	f.StringArrayVar(&o.exclude, "exclude", nil, "leave out folders like `GLOB`")
}

func (o *selection) rules() (r migrate.Rules) {
	for _, s := range o.include {
		r.Include = append(r.Include, migrate.ParseGlob(s))
	}
	for _, s := range o.exclude {
		r.Exclude = append(r.Exclude, migrate.ParseGlob(s))
	}
	return r
}

// wanted returns what says which folders of a source are brought; nil: all.
func (o *selection) wanted() func(mail.Mailbox) bool {
	if len(o.include)+len(o.exclude) == 0 {
		return nil
	}
	return o.rules().Wants
}

// folderOptions are what the person says about folders.
type folderOptions struct {
	selection
	pop3Options
	maps         []string
	prefix, plan string
}

func (o *folderOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVar(&o.maps, "map", nil, "bring folder FROM to TO, as `FROM=TO`; with * for anything, or /REGEXP/=REPLACEMENT")
	f.StringVar(&o.prefix, "prefix", "", "bring everything else beneath the folder `NAME`")
	f.StringVar(&o.plan, "plan", "", "obey the plan in `FILE`, which mailhaul plan wrote")
	o.selection.addFlags(f)
	o.addFolderFlags(f)
}

// rules reads what the person said.
func (o *folderOptions) rules() (migrate.Rules, error) {
	r := o.selection.rules()
	r.Prefix = o.prefix
	if err := o.pop3Options.rules(&r); err != nil {
		return r, err
	}
	for _, s := range o.maps {
		rule, err := migrate.ParseRule(s)
		if err != nil {
			return r, err
		}
		r.Map = append(r.Map, rule)
	}
	if o.plan == "" {
		return r, nil
	}
	text, err := os.ReadFile(o.plan)
	if err != nil {
		return r, usageError{fmt.Errorf("the plan cannot be read: %w", err), "mailhaul plan writes one"}
	}
	r.Plan, err = migrate.ReadPlan(o.plan, text)
	return r, err
}

// A survey is what folders and plan look at, and how they get there.
type survey struct {
	folderOptions
	daily               dailyOptions
	source, destination party
	includeGone         bool
	choice              choice
	interrupt           *interrupt // with a choice
	fromArchive         bool       // what is looked at is an archive, whatever its name
	merge               mergeBy
}

func (s *survey) addFlags(f *pflag.FlagSet) {
	s.source, s.destination = party{role: "source"}, party{role: "destination"}
	s.source.addFlags(f, false)
	s.destination.addFlags(f, false)
	s.folderOptions.addFlags(f)
	s.daily.addFlags(f)
	s.source.reach.addFlags(f)
}

func newFoldersCommand(t *terminal) *cobra.Command {
	var s survey
	cmd := &cobra.Command{
		Use:     "folders ACCOUNT|ARCHIVE [DESTINATION]",
		Short:   "list folders, and where each would go",
		Long:    foldersHelp,
		Example: "  mailhaul folders imaps://me@imap.example.org imaps://me@imap.example.net",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) == 2 {
				return nil
			}
			return usageError{errors.New("folders takes an account or an archive, and perhaps a destination"), "usage: " + cmd.UseLine()}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFolders(cmd.Context(), t, &s, args)
		},
	}
	s.addFlags(cmd.Flags())
	return cmd
}

func runFolders(ctx context.Context, t *terminal, s *survey, args []string) error {
	o, err := s.look(ctx, t, args)
	t.show(o)
	return err
}

// An outlook is what a look at folders has found.
type outlook struct {
	folders  []folderRow
	warnings []string
	// How many octets, as far as is known, there are at the source, and are to be brought to the destination.
	source, destination int64
}

// look looks at the folders, and at where they would go if there is a destination. An error about where they go
// comes with what was found.
func (s *survey) look(ctx context.Context, t *terminal, args []string) (outlook, error) {
	o, err := s.lookAt(ctx, t, args)
	s.foretell(&o)
	return o, err
}

func (s *survey) lookAt(ctx context.Context, t *terminal, args []string) (outlook, error) {
	rules, err := s.rules()
	if err != nil {
		return outlook{}, err
	}
	s.destination.reach = s.source.reach
	if len(args) > 1 {
		if err := s.destination.parse(ctx, t, args[1]); err != nil {
			return outlook{}, err
		}
	}
	fromAccount, err := t.isAccount(args[0])
	if err != nil && !s.fromArchive {
		return outlook{}, err
	}
	if fromAccount && !s.fromArchive {
		return s.lookAtAccount(ctx, t, args, rules)
	}
	a, err := archive.View(args[0])
	if err != nil {
		return outlook{}, in(args[0], err)
	}
	defer a.Close()
	t.notes(a)
	if err := s.fits(protocolOf(a)); err != nil {
		return outlook{}, err
	}
	if len(args) == 1 {
		return archiveFolders(a)
	}
	if err := s.choice.choose(ctx, t, s.interrupt, a, s.includeGone); err != nil {
		return outlook{}, err
	}
	dst, err := t.openDestination(ctx, &s.destination)
	if err != nil {
		return outlook{}, err
	}
	defer dst.Close()
	return preview(ctx, migrate.Job{Archive: a, Destination: dst, Account: dst.key, Rules: rules, IncludeGone: s.includeGone, Chosen: s.choice.made(), MergeByID: s.merge == mergeByID})
}

// lookAtAccount logs in at both accounts before it looks at either: a question for a password comes before the work.
func (s *survey) lookAtAccount(ctx context.Context, t *terminal, args []string, rules migrate.Rules) (outlook, error) {
	if err := s.source.parse(ctx, t, args[0]); err != nil {
		return outlook{}, err
	}
	if err := s.fits(s.source.account.Protocol); err != nil {
		return outlook{}, err
	}
	login, err := t.login(ctx, &s.source)
	if err != nil {
		return outlook{}, err
	}
	if len(args) == 1 {
		boxes, err := accountFolders(ctx, s.source.account, login)
		return s.listed(boxes), err
	}
	dst, err := t.openDestination(ctx, &s.destination)
	if err != nil {
		return outlook{}, err
	}
	defer dst.Close()
	boxes, err := accountFolders(ctx, s.source.account, login)
	if err != nil {
		return outlook{}, err
	}
	o, err := mapped(ctx, s.source.account, boxes, dst, rules)
	o.source = s.listed(boxes).source
	return o, err
}

// accountFolders returns what an account says of its folders without opening any.
func accountFolders(ctx context.Context, acct account.Account, login mail.Login) ([]imap.MailboxReport, error) {
	if acct.Protocol == account.POP3 {
		s := pop3.New(acct.Server(), login)
		defer s.Close()
		r, err := s.Check(ctx)
		inbox := mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox}
		return []imap.MailboxReport{{Mailbox: inbox, Messages: int64(r.Messages), Octets: r.Octets}}, err
	}
	c := imap.New(acct.Server(), login)
	defer c.Close()
	r, err := c.Check(ctx)
	return r.Mailboxes, err
}

func (s *survey) listed(boxes []imap.MailboxReport) (o outlook) {
	for _, mb := range boxes {
		o.folders = append(o.folders, accountRow(mb))
	}
	o.source = toFetch(boxes, s.wanted())
	return o
}

// toFetch returns how many octets the mailboxes that are wanted hold. What is in the mailbox of all mail is fetched
// once.
func toFetch(boxes []imap.MailboxReport, wanted func(mail.Mailbox) bool) int64 {
	var sum, once int64
	hasAll := false
	for _, mb := range boxes {
		if wanted != nil && !wanted(mb.Mailbox) {
			continue
		}
		sum += max(mb.Octets, 0)
		switch mb.Role {
		case mail.RoleAll, mail.RoleJunk, mail.RoleTrash:
			hasAll = hasAll || mb.Role == mail.RoleAll && mb.Octets > 0
			once += max(mb.Octets, 0)
		}
	}
	if hasAll {
		return once
	}
	return sum
}

// mapped says where the folders of one account go at another.
func mapped(ctx context.Context, acct account.Account, boxes []imap.MailboxReport, dst *destination, rules migrate.Rules) (outlook, error) {
	source := migrate.Tree{Host: acct.Key().Host}
	counts := make(map[string]imap.MailboxReport)
	for _, mb := range boxes {
		source.Mailboxes = append(source.Mailboxes, mb.Mailbox)
		counts[mb.Name] = mb
	}
	there, err := dst.Mailboxes(ctx)
	if err != nil {
		return outlook{}, err
	}
	ns, err := dst.Namespace(ctx)
	if err != nil {
		return outlook{}, err
	}
	room, err := dst.Room(ctx)
	if err != nil {
		return outlook{}, err
	}
	steps, mapErr := migrate.Map(source, migrate.Tree{Host: dst.key.Host, Namespace: ns, Mailboxes: there}, rules)
	var o outlook
	var all archive.Amount
	for _, s := range steps {
		row := accountRow(counts[s.From.Name])
		row.goes(s)
		o.folders = append(o.folders, row)
		if !s.LeftOut && !s.Rest && len(s.SentFrom) == 0 {
			all.Messages += int(max(counts[s.From.Name].Messages, 0))
			all.Octets += max(counts[s.From.Name].Octets, 0)
		}
	}
	o.destination = all.Octets
	if w := migrate.Shortage(room, all); w != "" {
		o.warnings = append(o.warnings, w)
	}
	return o, mapErr
}

func archiveFolders(a *archive.Archive) (o outlook, err error) {
	boxes, err := a.Mailboxes()
	for _, mb := range boxes {
		row := newFolderRow(mb.Mailbox)
		row.count(int64(mb.Messages), mb.Octets)
		row.LastRun, row.Damaged = stamp(mb.Ran), mb.Damaged
		o.folders = append(o.folders, row)
	}
	return o, err
}

// preview says where the folders of an archive go, and how much of each is to be brought.
func preview(ctx context.Context, job migrate.Job) (outlook, error) {
	p, err := job.Preview(ctx)
	o := outlook{warnings: p.Warnings}
	for _, f := range p.Folders {
		row := newFolderRow(f.From)
		row.count(int64(f.All.Messages), f.All.Octets)
		row.goes(f.Step)
		row.Pending, row.PendingOctets, row.Refused = &f.Waiting.Messages, f.Waiting.Octets, f.Refused
		o.folders = append(o.folders, row)
		if !row.LeftOut {
			o.destination += f.Waiting.Octets
		}
	}
	return o, err
}
