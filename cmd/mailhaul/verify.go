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
	"github.com/mailhaul/mailhaul/internal/progress"
)

const verifyHelp = `Verify reads every message of ARCHIVE from disk and compares it with what was
archived. It names messages that are damaged, missing, or moved to another place,
and files that other programs have put there. What a mail program does to flags is
no difference. It changes nothing and can run beside a backup.

With --repair, moved messages are taken in where they lie, damaged files are put
aside in mailhaul/damaged, and what the archive holds twice is copied. What is
left then is fetched again from the account given with --source, as backup does;
without it, by the next backup.

With --against, every message of the archive is looked for in an account. At a
destination it is present, missing or altered, as its folders show; --deep reads
what is there and compares it octet by octet, --sample N so many of all. What a
server does to all mail that it is given, as adding a field, is said and is no
difference; in single messages it is. At the source it is the other way round:
what it shows must be archived. Nothing there is changed or marked. A run that is
broken off goes on where it stopped, and status shows the last result.
`

type verifyOptions struct {
	repair      bool
	from        string
	source      party
	against     string
	account     party
	deep        bool
	sample      int
	includeGone bool
	limits      limitOptions
	folders     folderOptions
	report      reportFile
}

func (o *verifyOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.repair, "repair", false, "mend what can be mended")
	f.StringVar(&o.from, "source", "", "with --repair: fetch what is damaged or missing again from `ACCOUNT`")
	o.source = party{role: "source"}
	o.source.addFlags(f, false)
	o.source.reach.addFlags(f)
	f.StringVar(&o.against, "against", "", "look for every message in `ACCOUNT`, the source or a destination")
	f.BoolVar(&o.deep, "deep", false, "with --against: read what is there and compare it octet by octet")
	f.IntVar(&o.sample, "sample", 0, "with --against: read only `N` messages, always the same")
	f.BoolVar(&o.includeGone, "include-gone", false, "with --against: look also for what the source does not show any more")
	o.account.addFlags(f, true)
	f.Var(&o.limits.download, "daily-download", "with --against: stop when so much came from the account in 24 hours, as 2.5GB, or none")
	o.folders.addFlags(f)
	o.report.addFlag(f)
}

func newVerifyCommand(t *terminal, i *interrupt) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:               "verify ARCHIVE",
		Short:             "compare every message of an archive with what was archived",
		Long:              verifyHelp,
		Example:           "  mailhaul verify ./mail\n  mailhaul verify ./mail --repair --source pop3s://me@pop.example.org\n  mailhaul verify ./mail --against imaps://me@imap.example.net --deep",
		Args:              exactArgs("ARCHIVE"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVerify(cmd.Context(), t, i, o, args[0])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// fit refuses flags that say nothing together.
func (o *verifyOptions) fit() error {
	switch {
	case o.from != "" && !o.repair:
		return usageError{errors.New("--source is for --repair"), "add --repair, or leave --source out"}
	case o.against == "" && (o.deep || o.sample > 0 || o.includeGone):
		return usageError{errors.New("--deep, --sample and --include-gone are for --against"), "add --against ACCOUNT; the archive's own mail is always read"}
	case o.against != "" && o.repair:
		return usageError{errors.New("--repair mends the archive, not an account"), "give one of --repair and --against; restore brings what is missing"}
	case o.sample < 0:
		return usageError{fmt.Errorf("--sample %d: it is a number of messages", o.sample), "leave it out to read all, with --deep"}
	}
	return nil
}

// A verifyReport counts what verify has looked at.
type verifyReport struct {
	Messages int   `json:"messages"`
	Sound    int   `json:"sound"`
	Repaired int   `json:"repaired"`
	Bytes    int64 `json:"bytes"`
}

func runVerify(ctx context.Context, t *terminal, i *interrupt, o verifyOptions, dir string) error {
	began := time.Now()
	if err := o.fit(); err != nil {
		return err
	}
	if o.against != "" {
		o.account.reach = o.source.reach
		return runAgainst(ctx, t, i, &o, dir)
	}
	if o.from != "" {
		if err := o.source.parse(ctx, t, o.from); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // there is no batch to be finished
		select {
		case <-i.stop:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	rep := newReport("verify")
	found, err := t.verify(ctx, dir, o.repair)
	rep.addVerified(found)
	if err == nil && o.repair {
		err = t.repair(ctx, i, &o, dir, rep)
	}
	return t.conclude(rep, began, true, o.report, err)
}

// verify reads the archive. If there is no ledger to go by, one is made first, if anything is to be repaired.
func (t *terminal) verify(ctx context.Context, dir string, repair bool) (v archive.Verified, err error) {
	a, err := archive.View(dir)
	if errors.Is(err, archive.ErrLedger) && repair {
		if a, err = archive.Open(dir, archive.Options{}); err == nil {
			t.notes(a)
		}
	}
	if err != nil {
		return v, in(dir, err)
	}
	defer a.Close()
	held, err := a.Held()
	if err != nil {
		return v, err
	}
	watch, end := t.watch(nil, nil)
	defer end()
	watch(progress.Listed{Half: progress.Archive, Messages: held.Messages, Octets: held.Octets})
	return a.Verify(ctx, func(octets int64) { watch(progress.Moved{Half: progress.Archive, Octets: octets}) })
}

// repair mends what was found, and leaves in the report what it could not mend.
func (t *terminal) repair(ctx context.Context, i *interrupt, o *verifyOptions, dir string, rep *report) error {
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	mended, left, err := a.Repair(ctx, rep.found)
	if err == nil && o.from != "" && countMessages(left) > 0 {
		err = t.fetchAgain(ctx, i, o, a, left)
	}
	again, left, rerr := a.Repaired(left)
	mended = append(mended, again...)
	rep.Verified.Repaired, rep.Verified.Sound = len(mended), rep.Verified.Sound+len(mended)
	rep.Findings = []findingReport{}
	rep.addFound(left)
	for _, f := range mended {
		t.sayf("repaired: %s", mail.Printable(fmt.Sprintf("%s %s: %s", f.Mailbox, f.MessageID, f.Kind)))
	}
	if n := countMessages(left); n > 0 && o.from == "" {
		rep.Hint = fmt.Sprintf("%d messages are to be fetched again: mailhaul backup does it, or verify --repair with --source ACCOUNT", n)
		if a.HoldsImports() {
			rep.Hint += "; for those that were imported, mailhaul import does it"
		}
	}
	return cmp.Or(err, rerr)
}

// countMessages returns how many of the findings are about messages of the archive.
func countMessages(findings []archive.Finding) (n int) {
	for _, f := range findings {
		if f.Entry != 0 {
			n++
		}
	}
	return n
}

// fetchAgain brings what is not sound from the source, and whatever else is new in the same folders.
func (t *terminal) fetchAgain(ctx context.Context, i *interrupt, o *verifyOptions, a *archive.Archive, left []archive.Finding) error {
	if err := a.Bind(o.source.account.Key(), false); err != nil {
		return err
	}
	src, err := t.openSource(ctx, &o.source)
	if err != nil {
		return err
	}
	defer src.Close()
	hurt := map[string]bool{}
	for _, f := range left {
		hurt[f.Mailbox] = hurt[f.Mailbox] || f.Entry != 0
	}
	watch, end := t.watch(nil, nil)
	defer end()
	_, err = backup.Job{Source: src, Archive: a, Watch: watch, Stop: i.stop, Wanted: func(mb mail.Mailbox) bool { return hurt[mb.Name] }}.Run(ctx)
	return err
}

func (r *report) addVerified(v archive.Verified) {
	r.Verified = &verifyReport{Messages: v.Messages, Sound: v.Sound, Bytes: v.Octets}
	r.found = v.Findings
	r.addFound(v.Findings)
}

func (r *report) addFound(findings []archive.Finding) {
	for _, f := range findings {
		r.Findings = append(r.Findings, findingReport{Kind: f.Kind, Mailbox: f.Mailbox, Path: f.Path, MessageID: f.MessageID, Reason: f.Reason})
	}
}

// text says how much was looked at.
func (v *verifyReport) text() string {
	s := fmt.Sprintf("archive: %d messages, %d sound (%s read)", v.Messages, v.Sound, size(v.Bytes))
	if v.Repaired > 0 {
		s += fmt.Sprintf(", %d repaired", v.Repaired)
	}
	return s + "\n"
}
