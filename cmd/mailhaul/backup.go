package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const backupHelp = `Backup brings everything new from SOURCE into ARCHIVE, a directory that is made
when it is not there. It leaves the account as it is: nothing is deleted or
marked read. A message counts as archived when it is safe on disk; stop at any
moment, and the next run goes on from there.
`

type backupOptions struct {
	source      party
	folders     selection
	sameAccount bool
	limits      limitOptions
	report      reportFile
}

func (o *backupOptions) addFlags(f *pflag.FlagSet) {
	o.source = party{role: "source"}
	o.source.addFlags(f, true)
	o.source.reach.addFlags(f)
	o.folders.addFlags(f)
	f.BoolVar(&o.sameAccount, "same-account", false, "the archive's account has moved to this host")
	o.limits.addFlags(f)
	o.report.addFlag(f)
}

func newBackupCommand(t *terminal, i *interrupt) *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:               "backup SOURCE ARCHIVE",
		Short:             "bring what is new from an account into an archive",
		Long:              backupHelp,
		Example:           "  mailhaul backup me@example.org ./mail",
		Args:              exactArgs("SOURCE", "ARCHIVE"),
		ValidArgsFunction: completes("SOURCE", "ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBackup(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runBackup(ctx context.Context, t *terminal, i *interrupt, o backupOptions, source, dir string) error {
	began := time.Now()
	if err := o.source.parse(ctx, t, source); err != nil {
		return err
	}
	a, err := o.openArchive(t, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	from, err := o.limits.count(a, &o.source, i)
	if err != nil {
		return err
	}
	defer from.close()
	src, err := t.openSource(ctx, &o.source)
	if err != nil {
		return err
	}
	defer src.Close()
	watch, end := t.watch(from, nil)
	rep := newReport("backup")
	got, err := backup.Job{Source: src, Archive: a, Watch: watch, Wanted: o.folders.wanted(), Allow: from.carry(archive.Down), Stop: i.stop}.Run(ctx)
	end()
	t.freshen(ctx, i, a)
	rep.addSource(got)
	err = cmp.Or(err, from.close(), t.addFolders(rep, a, nil, o.report))
	return t.conclude(rep, began, true, o.report, err)
}

// openArchive opens the archive for the source, and makes it if it is not there.
func (o *backupOptions) openArchive(t *terminal, dir string) (*archive.Archive, error) {
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		return nil, in(dir, err)
	}
	t.notes(a)
	if err := a.Bind(o.source.account.Key(), o.sameAccount); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// in tells which directory an error is about that is about the whole of it.
func in(dir string, err error) error {
	if errors.Is(err, archive.ErrNone) || errors.Is(err, archive.ErrLedger) {
		return fmt.Errorf("%w: %s", err, dir)
	}
	return err
}

// notes says what the archive has to say of its opening.
func (t *terminal) notes(a *archive.Archive) {
	for _, note := range a.Notes() {
		t.sayf("%s", mail.Printable(note))
	}
}
