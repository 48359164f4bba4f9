package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
)

const listHelp = `List names the messages of ARCHIVE, those received last first: the number that
show wants, when it was received, from whom, what about, the folder and the size.
With a QUERY it names only what that finds; see mailhaul search --help. Dates are
in local time. Where the list goes to a program, its columns have tabs between
them and are not cut. It uses no network and takes no lock.
`

const searchHelp = `Search names the messages of ARCHIVE that a QUERY finds, as mailhaul list does.

  word  "several words"  wor*    in text, subject, addresses, names of attachments
  from: to: cc: subject: file:   only there (to: is To, Cc and Bcc)
  folder:NAME                    in that folder; * stands for anything
  after: before: date:           received then: 2024, 2024-03 or 2024-03-15
  larger: smaller:               than 500K, 10M, 1G
  has:attachment
  is:unread                      or read, flagged, answered, forwarded, draft, deleted, gone
  keyword:NAME  id:MESSAGE-ID  number:N

All of it must be true. -word or NOT word excludes; a OR b, which goes before all else,
is for either; ( ) group.
What has blanks in it is quoted: folder:"Sent Items". Case and accents do not count.
Put the query in single quotes, so that the shell leaves it alone.

What words there are stands in an index, mailhaul/find.db in the archive, which the
first search makes and later ones, and backups, bring up to date. It holds no more
than the archive does; it can be deleted, and is made again.
`

type listOptions struct {
	folder string
	limit  int
}

func (o *listOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.folder, "folder", "", "only the folder `NAME`; * stands for anything")
	f.IntVar(&o.limit, "limit", 0, "no more than `N` messages")
}

func newListCommand(t *terminal, i *interrupt) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:               "list ARCHIVE [QUERY]",
		Short:             "list the messages of an archive",
		Long:              listHelp,
		Example:           "  mailhaul list ./mail --folder INBOX",
		Args:              atLeastArgs(1, "an ARCHIVE, and perhaps a query"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runList(cmd.Context(), t, i, o, args[0], args[1:])
		},
	}
	o.addFlags(cmd.Flags())
	cmd.SetFlagErrorFunc(queryFlagError)
	return cmd
}

func newSearchCommand(t *terminal, i *interrupt) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:               "search ARCHIVE QUERY",
		Short:             "search the mail of an archive",
		Long:              searchHelp,
		Example:           "  mailhaul search ./mail 'from:alice \"annual report\" after:2024-03 -draft'",
		Args:              atLeastArgs(2, "an ARCHIVE and a query"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runList(cmd.Context(), t, i, o, args[0], args[1:])
		},
	}
	o.addFlags(cmd.Flags())
	cmd.SetFlagErrorFunc(queryFlagError)
	return cmd
}

// queryFlagError tells how a query begins with what it excludes.
func queryFlagError(cmd *cobra.Command, err error) error {
	var usage usageError
	if errors.As(flagError(cmd, err), &usage) {
		usage.hint += "; a query that begins with - has -- before it: mailhaul " + cmd.Name() + " ARCHIVE -- '-draft from:alice'"
	}
	return usage
}

func atLeastArgs(n int, takes string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return usageError{fmt.Errorf("%s takes %s", cmd.Name(), takes), "usage: " + cmd.UseLine()}
	}
}

func runList(ctx context.Context, t *terminal, i *interrupt, o listOptions, dir string, words []string) error {
	query := strings.Join(words, " ")
	if o.folder != "" {
		query = `folder:"` + strings.ReplaceAll(o.folder, `"`, "") + `" (` + query + ")"
		query = strings.TrimSuffix(query, " ()")
	}
	q, err := find.Parse(query)
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return usageError{fmt.Errorf("--limit %d: it is a number of messages", o.limit), "leave it out to have all"}
	}
	a, err := archive.View(dir)
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	ids, err := t.find(ctx, i, a, q)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		t.sayf("there is no such message")
	}
	if o.limit > 0 {
		ids = ids[:min(len(ids), o.limit)]
	}
	return t.page(func(out io.Writer, columns int) error { return t.listAll(ctx, a, ids, out, columns) })
}

// listTogether is how many rows are read at a time.
const listTogether = 200

func (t *terminal) listAll(ctx context.Context, a *archive.Archive, ids []int64, out io.Writer, columns int) error {
	s := sheetFor(columns, ids)
	for len(ids) > 0 {
		n := min(len(ids), listTogether)
		entries, err := a.Entries(ids[:n])
		if err != nil {
			return err
		}
		for _, e := range entries {
			if t.json {
				err = writeJSON(out, newMessageRow(e))
			} else {
				_, err = io.WriteString(out, s.line(newMessageRow(e)))
			}
			if err != nil {
				return err
			}
		}
		if ids = ids[n:]; ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
