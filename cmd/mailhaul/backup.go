package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
)

const backupHelp = `Backup brings everything new from SOURCE into ARCHIVE, a directory that is made
when it is not there. It leaves the account as it is: nothing is deleted or
marked read. A message counts as archived when it is safe on disk; stop at any
moment, and the next run goes on from there.
`

type backupOptions struct {
	source      party
	insecure    bool
	sameAccount bool
}

func (o *backupOptions) addFlags(f *pflag.FlagSet) {
	o.source = party{role: "source"}
	o.source.addFlags(f, true)
	addInsecure(f, &o.insecure)
	f.BoolVar(&o.sameAccount, "same-account", false, "the archive's account has moved to this host")
}

func newBackupCommand(t *terminal, i *interrupt) *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:     "backup SOURCE ARCHIVE",
		Short:   "bring what is new from an account into an archive",
		Long:    backupHelp + exitHelp,
		Example: "  mailhaul backup pop3s://me@pop.example.org ./mail",
		Args:    exactArgs("SOURCE", "ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBackup(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runBackup(ctx context.Context, t *terminal, i *interrupt, o backupOptions, source, dir string) error {
	began := time.Now()
	src, err := t.openSource(ctx, &o.source, source, o.insecure)
	if err != nil {
		return err
	}
	defer src.Close()
	a, err := openArchive(t, dir, src, o.sameAccount)
	if err != nil {
		return err
	}
	defer a.Close()
	watch, end, err := t.watch(false)
	if err != nil {
		return err
	}
	rep := newReport("backup")
	got, err := backup.Job{Source: src, Archive: a, Watch: watch, Stop: i.stop}.Run(ctx)
	end()
	rep.addSource(got)
	return t.conclude(rep, began, true, err)
}

// openArchive opens the archive for a source, and makes it if it is not there.
func openArchive(t *terminal, dir string, src *source, same bool) (*archive.Archive, error) {
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		return nil, err
	}
	for _, note := range a.Notes() {
		t.sayf("%s", note)
	}
	if err := a.Bind(src.key, same); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}
