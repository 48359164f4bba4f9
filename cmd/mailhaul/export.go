package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/mbox"
	"github.com/mailhaul/mailhaul/internal/progress"
)

const exportHelp = `Export takes mail out of ARCHIVE, into files that any mail program reads. TARGET is
  a directory         an mbox (mboxrd) for each folder; --format eml: a directory for
                      each folder, and in it a file for each message
  a name with .mbox   one mbox with everything in it
  a name with .zip    a zip file of EML files
Names of files and directories are made so that Linux, macOS and Windows take them.
No octet of a message is changed: what import reads of an export is what was in the
archive. Flags and the time of arrival, for which these formats have no place, are in
a file of JSON lines beside the mail (mailhaul.jsonl, NAME.mbox.jsonl); with a name
that ends in .mbox they are left behind.

TARGET must not be there yet. What is written gets its name when it is whole and
safe on disk. A message that is damaged is named and left out.
`

type exportOptions struct {
	target  string
	format  exportFormat
	folders []string
	choice  choice
	report  reportFile
}

// An exportFormat is "" until the person says or the target tells.
type exportFormat mbox.Format

func (f *exportFormat) String() string { return string(*f) }

// Type is what help calls it.
func (f *exportFormat) Type() string { return "FORMAT" }

// Set makes it a flag.
func (f *exportFormat) Set(s string) error {
	if !slices.Contains([]string{"mboxrd", "eml", "zip"}, s) {
		return errors.New("it is mboxrd, eml or zip")
	}
	*f = exportFormat(s)
	return nil
}

func (o *exportOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.target, "output", "o", "", "write to `TARGET`, which must not be there yet")
	f.Var(&o.format, "format", "mboxrd, eml or zip; if not given, the name of the target tells")
	f.StringArrayVar(&o.folders, "folder", nil, "only this `FOLDER`, as status shows it; may be given several times")
	o.choice.addFlag(f)
	f.Lookup("select").Usage = "only what `QUERY` finds, as mailhaul search does"
	o.report.addFlag(f)
}

func newExportCommand(t *terminal, i *interrupt) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:               "export ARCHIVE -o TARGET",
		Short:             "take mail out of an archive, as mbox, EML or zip",
		Long:              exportHelp,
		Example:           "  mailhaul export ./mail -o mail.zip\n  mailhaul export ./mail -o ./out --format eml --folder INBOX\n  mailhaul export ./mail -o found.mbox --select 'from:alice after:2020-01-01'",
		Args:              exactArgs("ARCHIVE"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.Context(), t, i, o, args[0])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// kind decides what is written.
func (o *exportOptions) kind() (mbox.Format, error) {
	ext := strings.ToLower(filepath.Ext(o.target))
	switch {
	case o.target == "":
		return "", usageError{errors.New("export needs a target"), "add -o and a directory, or a name that ends in .mbox or .zip"}
	case o.format == "mboxrd" && ext == ".mbox", o.format == "" && ext == ".mbox":
		return mbox.Single, nil
	case o.format == "" && ext == ".zip":
		return mbox.Zip, nil
	case o.format == "":
		return mbox.Tree, nil
	}
	return mbox.Format(o.format), nil
}

// An exportReport counts what was exported.
type exportReport struct {
	Target   string `json:"target"`
	Format   string `json:"format"`
	Folders  int    `json:"folders"`
	Messages int    `json:"messages"`
	Exported int    `json:"exported"`
	Damaged  int    `json:"damaged"`
	Bytes    int64  `json:"bytes"`
}

func (r *exportReport) text() string {
	return fmt.Sprintf("exported:    %d of %d messages of %d folders to %s (%s)\n", r.Exported, r.Messages, r.Folders, mail.Printable(r.Target), size(r.Bytes))
}

func runExport(ctx context.Context, t *terminal, i *interrupt, o exportOptions, dir string) error {
	began := time.Now()
	kind, err := o.kind()
	if err != nil {
		return err
	}
	if err := o.choice.check(); err != nil {
		return err
	}
	a, err := archive.View(dir)
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	x := exporting{t: t, a: a, rep: newReport("export")}
	if err := x.choose(ctx, i, o.choice); err != nil {
		return err
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
	x.rep.Exported = &exportReport{Target: o.target, Format: string(kind)}
	err = x.run(ctx, o, kind)
	return t.conclude(x.rep, began, true, o.report, err)
}

// exporting is one export under way.
type exporting struct {
	t     *terminal
	a     *archive.Archive
	rep   *report
	watch progress.Watch
	to    *mbox.Exporter
	ids   map[int64]bool // of what is wanted; nil: everything
}

// choose finds what is wanted, if that is not everything.
func (x *exporting) choose(ctx context.Context, i *interrupt, c choice) error {
	if !c.made() {
		return nil
	}
	q, err := find.Parse(c.query)
	if err != nil {
		return err
	}
	ids, err := x.t.find(ctx, i, x.a, q)
	x.ids = make(map[int64]bool, len(ids))
	for _, id := range ids {
		x.ids[id] = true
	}
	x.t.sayf("%d messages chosen", len(ids))
	return err
}

func (x *exporting) run(ctx context.Context, o exportOptions, kind mbox.Format) error {
	boxes, err := x.chosen(o)
	if err != nil {
		return err
	}
	for _, name := range mbox.Leftovers(o.target) {
		x.t.sayf("%s is left of an export that was broken off, and can be removed", mail.Printable(name))
	}
	x.to, err = mbox.Export(o.target, kind)
	if errors.Is(err, mbox.ErrThere) {
		return usageError{err, "name another target, or remove this one"}
	}
	if err != nil {
		return exportError(o.target, err)
	}
	watch, end := x.t.watch(nil, nil)
	defer end()
	x.watch = watch
	for _, mb := range boxes {
		if x.ids != nil {
			break // nobody has counted its octets
		}
		watch(progress.Listed{Half: progress.Archive, Mailbox: mb.Name, Messages: mb.Messages, Octets: mb.Octets})
	}
	for _, mb := range boxes {
		if err = x.folder(ctx, mb.Mailbox); err != nil {
			x.to.Abort()
			return exportError(o.target, err)
		}
	}
	if err = x.to.Commit(); err != nil {
		x.to.Abort()
	}
	return exportError(o.target, err)
}

// chosen returns the folders that hold something that is wanted.
func (x *exporting) chosen(o exportOptions) ([]archive.Mailbox, error) {
	all, err := x.a.Mailboxes()
	if err != nil {
		return nil, err
	}
	for _, name := range o.folders {
		if !slices.ContainsFunc(all, func(mb archive.Mailbox) bool { return isCalled(mb.Name, name) }) {
			return nil, usageError{fmt.Errorf("there is no folder %s in the archive", name), "mailhaul status shows the folders"}
		}
	}
	return slices.DeleteFunc(all, func(mb archive.Mailbox) bool {
		wanted := len(o.folders) == 0 || slices.ContainsFunc(o.folders, func(name string) bool { return isCalled(mb.Name, name) })
		return !wanted || mb.Messages == 0
	}), nil
}

// isCalled reports whether a person means the mailbox by the name: as it is shown, or as it is on the wire.
func isCalled(mailbox, name string) bool {
	return mailbox == name || mail.NameText(mailbox) == name || mail.IsInbox(mailbox) && mail.IsInbox(name)
}

const exportPage = 500

// folder exports what is wanted of one, and nothing at all if nothing is.
func (x *exporting) folder(ctx context.Context, mb mail.Mailbox) error {
	begun := false
	for after := int64(0); ; {
		page, err := x.a.Page(mb.Name, after, exportPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if x.ids != nil && !x.ids[e.ID] {
				continue
			}
			if err := x.begin(mb, &begun); err != nil {
				return err
			}
			if err := x.message(e); err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}

// begin begins with a folder, the first time.
func (x *exporting) begin(mb mail.Mailbox, begun *bool) error {
	if *begun {
		return nil
	}
	*begun = true
	x.rep.Exported.Folders++
	return x.to.Folder(mb)
}

// message exports one. What is damaged is named, and left out.
func (x *exporting) message(e archive.Entry) error {
	x.rep.Exported.Messages++
	err := x.to.Add(mbox.Outgoing{Subject: e.Header.Subject, Received: e.Received, Flags: e.Flags, Digest: e.Digest,
		Open: func() (io.ReadCloser, error) { return x.a.OpenMessage(e) }})
	if errors.As(err, new(*mbox.TargetError)) {
		return err
	}
	x.watch(progress.Moved{Half: progress.Archive, Octets: e.Octets})
	if err == nil {
		x.rep.Exported.Exported++
		x.rep.Exported.Bytes += e.Octets
		return nil
	}
	if !errors.As(err, new(*archive.DamagedError)) {
		return err
	}
	x.rep.Exported.Damaged++
	x.rep.Failures = append(x.rep.Failures, failureReport{Mailbox: e.Mailbox, Ref: e.Ref.String(), MessageID: e.Header.MessageID,
		Date: e.Header.Date, From: e.Header.From, Subject: e.Header.Subject, State: "damaged", Reason: err.Error(), half: progress.Archive})
	return nil
}

// exportError is trouble with the target as trouble with a disk, which it is.
func exportError(path string, err error) error {
	var e *mbox.TargetError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mbox.ErrThere):
		return usageError{err, "somebody has put something there meanwhile; name another target"}
	case !errors.As(err, &e):
		return err
	}
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	hint := "look whether the directory of the target is there and can be written to"
	if full {
		hint = "make space, or export to another disk; nothing was left there"
	}
	return &archive.DiskError{Op: "export to", Path: path, Full: full, Hint: hint, Err: cmp.Or(e.Err, err)}
}
