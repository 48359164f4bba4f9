package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/migrate"
)

const restoreHelp = `Restore brings what ARCHIVE holds to DESTINATION, an IMAP account. What is there
already is recognised by its content and left alone; two equal messages of the
archive are two at the destination, unless --merge message-id is given. A message
the server refuses is named with the server's word; the others go on. With
--repair a copy of it is brought whose form is mended (NUL octets, bare line ends,
lines that are too long, header lines that are none), and what was mended is said;
the archive keeps what it has.

With --select only what a query finds is brought, as mailhaul search --help says;
all else is left out, and can be brought by another run.
`

type restoreOptions struct {
	destination   party
	folders       folderOptions
	retryRefused  bool
	acceptRefused bool
	repair        bool
	includeGone   bool
	choice        choice // restore only
	merge         mergeBy
	dryRun        bool
	limits        limitOptions
	report        reportFile
}

func (o *restoreOptions) addFlags(f *pflag.FlagSet, alone bool) {
	o.destination = party{role: "destination"}
	o.destination.addFlags(f, alone)
	o.destination.addSessions(f)
	f.BoolVar(&o.retryRefused, "retry-refused", false, "try what the server refused in earlier runs once more")
	f.BoolVar(&o.repair, "repair", false, "bring a mended copy of what the server refuses, or has refused, for its form")
	f.BoolVar(&o.acceptRefused, "accept-refused", false, "exit with 0 although the server refused messages")
	f.BoolVar(&o.includeGone, "include-gone", false, "bring also what the source showed once and does not show any more")
	o.merge.addFlag(f)
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would be brought where, and change nothing")
	o.folders.addFlags(f)
	o.folders.addFlagFlags(f)
	o.limits.addFlags(f)
}

func newRestoreCommand(t *terminal, i *interrupt) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:               "restore ARCHIVE DESTINATION",
		Short:             "bring what an archive holds to an IMAP account",
		Long:              restoreHelp,
		Example:           "  mailhaul restore ./mail me@example.net\n  mailhaul restore ./mail me@example.net --select 'folder:Work date:2024-03'",
		Args:              exactArgs("ARCHIVE", "DESTINATION"),
		ValidArgsFunction: completes("ARCHIVE", "DESTINATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestore(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags(), true)
	o.choice.addFlag(cmd.Flags())
	o.report.addFlag(cmd.Flags())
	o.destination.reach.addFlags(cmd.Flags())
	return cmd
}

func runRestore(ctx context.Context, t *terminal, i *interrupt, o restoreOptions, dir, to string) error {
	began := time.Now()
	if err := cmp.Or(o.choice.check(), o.destination.parse(ctx, t, to)); err != nil {
		return err
	}
	rules, err := o.folders.rules()
	if err != nil {
		return err
	}
	seen, err := migrate.ParseSeen(o.folders.seen)
	if err != nil {
		return err
	}
	if o.dryRun {
		s := survey{folderOptions: o.folders, daily: o.limits.dailyOptions, destination: o.destination, includeGone: o.includeGone, choice: o.choice, interrupt: i, fromArchive: true, merge: o.merge}
		s.source.reach = o.destination.reach
		return dryRun(ctx, t, &s, dir, to)
	}
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	if err := o.folders.fits(protocolOf(a)); err != nil {
		return err
	}
	if err := o.choice.choose(ctx, t, i, a, o.includeGone); err != nil {
		return err
	}
	towards, err := o.limits.count(a, &o.destination, i)
	if err != nil {
		return err
	}
	defer towards.close()
	dst, err := t.openDestination(ctx, &o.destination)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err := o.reopen(a, dst); err != nil {
		return err
	}
	watch, end := t.watch(nil, towards)
	rep := newReport("restore")
	push := o.job(a, dst)
	push.Rules, push.Seen, push.Watch, push.Stop = rules, seen, watch, i.stop
	push.Allow, push.AllowBack = towards.carry(archive.Up), towards.look(archive.Down)
	got, err := push.Run(ctx)
	end()
	rep.addDestination(got)
	err = cmp.Or(err, towards.close(), t.addFolders(rep, a, &dst.key, o.report))
	return t.conclude(rep, began, o.acceptRefused, o.report, err)
}

// job returns what is to be done, but for what the person said about folders and flags.
func (o *restoreOptions) job(a *archive.Archive, dst *destination) migrate.Job {
	j := dst.job(a)
	j.IncludeGone, j.Chosen, j.MergeByID, j.Repair = o.includeGone, o.choice.made(), o.merge == mergeByID, o.repair
	return j
}

// dryRun says what restore or migrate would do.
func dryRun(ctx context.Context, t *terminal, s *survey, from, to string) error {
	o, err := s.look(ctx, t, []string{from, to})
	t.show(o)
	if err == nil && s.merge == mergeByID {
		t.sayf("of mail with one Message-ID one message would be brought to each folder")
	}
	if err == nil {
		t.sayf("a dry run: nothing was changed")
	}
	return err
}

// reopen makes what was refused pending again, if that was asked for.
func (o *restoreOptions) reopen(a *archive.Archive, dst *destination) error {
	if !o.retryRefused {
		return nil
	}
	return a.Reopen(dst.key)
}
