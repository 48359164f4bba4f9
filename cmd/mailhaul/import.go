package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/mbox"
	"github.com/mailhaul/mailhaul/internal/progress"
)

const importHelp = `Import brings mail that is in files into ARCHIVE, which is made when it is not
there: an mbox of any dialect, a profile or a folder of Thunderbird, a Takeout of
Google Mail, directories of EML files, Maildirs, mail of Apple Mail (emlx), and zip
files of all that. Directories become folders; so do Gmail's labels, in any of 29
languages. Flags are taken over where there are some; where a format has no place for
them, mail counts as read.

What the archive has already is not brought twice: import again when the file has
grown. What the account has brought into a folder is recognised there, be it that
another program has written into its header; and what was imported first, the next
backup recognises. Flags of what is there already are not changed. Of a message that
Thunderbird has deleted and not taken out of its file yet, nothing is brought. The
lines that Thunderbird and Takeout keep on top of each message are read for what they
say and are not part of the message; else no octet is changed.
`

type importOptions struct {
	folder string
	report reportFile
}

func (o *importOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.folder, "folder", "", "put the mail into `FOLDER`, and folders beneath it (levels are separated by /)")
	o.report.addFlag(f)
}

func newImportCommand(t *terminal, i *interrupt) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import FILE|DIR ARCHIVE",
		Short:   "bring mail that is in files into an archive",
		Long:    importHelp,
		Example: "  mailhaul import ~/.thunderbird/abcd1234.default ./mail\n  mailhaul import 'All mail Including Spam and Trash.mbox' ./mail\n  mailhaul import old.mbox ./mail --folder 'Old/2003'",
		Args:    exactArgs("FILE|DIR", "ARCHIVE"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImport(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runImport(ctx context.Context, t *terminal, i *interrupt, o importOptions, from, dir string) error {
	began := time.Now()
	pile, err := openPile(from, dir)
	if err != nil {
		return err
	}
	defer pile.Close()
	if o.folder != "" {
		pile.Beneath = strings.Split(strings.Trim(o.folder, "/"), "/")
	}
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	t.sayf("%s: %s, %s", mail.Printable(from), pile.Kind, size(pile.Octets))
	watch, end := t.watch(nil, nil)
	watch(progress.Listed{Half: progress.Source, Octets: pile.Octets})
	p := &found{Pile: pile, watch: watch}
	pile.Passing = func(octets int64) { watch(progress.Moving{Half: progress.Source, Octets: octets}) }
	got, err := backup.Import{Pile: p, Archive: a, Watch: watch, Stop: i.stop}.Run(ctx)
	p.tellNotes()
	end()
	if err == nil {
		err = a.NoteImport(archive.Import{From: absolute(from), Kind: pile.Kind, Ended: time.Now(), Added: got.Fetched + got.Linked, Known: got.Known})
	}
	t.freshen(ctx, i, a)
	rep := newReport("import")
	rep.addSource(got)
	rep.addImported(p)
	err = cmp.Or(err, t.addFolders(rep, a, nil, o.report))
	return t.conclude(rep, began, true, o.report, err)
}

// openPile opens what is to be imported, unless the archive lies in it: that would never end.
func openPile(from, dir string) (*mbox.Pile, error) {
	if liesIn(dir, from) {
		return nil, usageError{fmt.Errorf("the archive %s lies in what is to be imported", dir), "name a directory for the archive that lies elsewhere"}
	}
	pile, err := mbox.Open(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usageError{fmt.Errorf("there is no %s", from), "name a file or a directory with mail"}
	case errors.Is(err, mbox.ErrUnknown):
		return nil, usageError{fmt.Errorf("%s: %w", from, err), "import reads mbox, EML, Maildir, emlx, and directories and zip files of them; of Outlook's .pst, readpst -D -e makes EML files"}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return pile, nil
}

// liesIn reports whether dir is the directory parent or lies in it.
func liesIn(dir, parent string) bool {
	rel, err := filepath.Rel(resolved(parent), resolved(dir))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved returns an absolute path without links, as far as it is there.
func resolved(path string) string {
	path = absolute(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// found hands mail of files over to the import, and keeps what is to be said of it.
type found struct {
	*mbox.Pile
	watch      progress.Watch
	incomplete []incompleteReport
	told       int // notes
}

// Each makes it a backup.Pile.
func (p *found) Each(ctx context.Context, fn func(backup.Found) error) error {
	return p.Pile.Each(ctx, func(m *mbox.Message) error {
		p.tellNotes()
		if m.Incomplete != "" {
			p.incomplete = append(p.incomplete, incompleteReport{m.Where, m.Incomplete})
		}
		f := backup.Found{Flags: m.Flags, Received: m.Received, Sum: m.Sum, Identity: m.Identity, Where: m.Where, Taken: m.Taken, Err: m.Err, Open: m.Open}
		for _, folder := range m.Folders {
			f.Mailboxes = append(f.Mailboxes, backup.Wherein(folder))
		}
		return fn(f)
	})
}

const maxImportNotes = 20

func (p *found) tellNotes() {
	for ; p.told < min(len(p.Notes), maxImportNotes); p.told++ {
		p.watch(progress.Note{Half: progress.Source, Text: p.Notes[p.told]})
	}
}

// An importReport is what is to be said of files besides what became of the messages in them.
type importReport struct {
	Kind       string             `json:"kind"`
	Deleted    int                `json:"deleted"`     // messages that their program had deleted
	PassedOver int                `json:"passed_over"` // files that are no mail
	Links      int                `json:"links"`       // symbolic links, which are not followed
	Incomplete []incompleteReport `json:"incomplete,omitempty"`
}

type incompleteReport struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

func (r *report) addImported(p *found) {
	r.Imported = &importReport{p.Kind, p.Deleted, p.Passed, p.Links, p.incomplete}
	for _, name := range p.Changed {
		r.Findings = append(r.Findings, findingReport{Kind: kindPartial, Path: name, Reason: "somebody wrote to the file while it was read; import it again"})
	}
}

func (r *importReport) text() string {
	var b strings.Builder
	if r.Deleted+r.PassedOver+r.Links > 0 {
		fmt.Fprintf(&b, "passed over: %s\n", counts("deleted messages", r.Deleted, "files that are no mail", r.PassedOver, "symbolic links", r.Links))
	}
	for i, one := range r.Incomplete {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more; --json lists them all\n", len(r.Incomplete)-i)
			break
		}
		fmt.Fprintf(&b, "incomplete: %s: %s\n", mail.Printable(one.Path), one.Reason)
	}
	return b.String()
}

// An importStatus is mail that was imported, as status shows it.
type importStatus struct {
	Event string `json:"event"` // "import"
	From  string `json:"from"`
	Kind  string `json:"kind"`
	Ended string `json:"ended"`
	Added int    `json:"added"`
	Known int    `json:"known"`
}

func (t *terminal) showImports(a *archive.Archive) error {
	imports, err := a.Imports()
	for _, i := range imports {
		if t.json {
			writeJSON(t.out, importStatus{"import", i.From, i.Kind, stamp(i.Ended), i.Added, i.Known})
		} else {
			fmt.Fprintf(t.out, "imported from %s (%s) on %s: %d messages, %d known before\n", mail.Printable(i.From), i.Kind, stamp(i.Ended), i.Added, i.Known)
		}
	}
	return err
}
