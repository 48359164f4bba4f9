package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/text/width"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/parts"
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

All of it must be true. -word or NOT word excludes, a OR b is for either, ( ) group.
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
	return cmd
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

// A messageRow is one message of the archive.
type messageRow struct {
	Event     string     `json:"event"` // "message"
	Number    int64      `json:"number"`
	Received  string     `json:"received"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Subject   string     `json:"subject"`
	Folder    string     `json:"folder"`
	Octets    int64      `json:"octets"`
	Flags     mail.Flags `json:"flags"`
	Gone      bool       `json:"gone"`
	MessageID string     `json:"message_id"`
	Path      string     `json:"path"`
	received  time.Time
}

func newMessageRow(e archive.Entry) messageRow {
	return messageRow{Event: "message", Number: e.ID, Received: e.Received.Format(time.RFC3339), From: parts.DecodeField(e.Header.From), To: parts.DecodeField(e.Header.To),
		Subject: parts.DecodeField(e.Header.Subject), Folder: mail.NameText(e.Mailbox), Octets: e.Octets, Flags: append(mail.Flags{}, e.Flags...), Gone: e.Gone,
		MessageID: e.Header.MessageID, Path: e.Path, received: e.Received}
}

// sender is who the mail is from as people call them.
func (r messageRow) sender() string {
	name, address, found := strings.Cut(r.From, "<")
	name = strings.Trim(name, " \t\"")
	if !found || name == "" {
		name = strings.Trim(r.From, "<> ")
	}
	if name == "" && found {
		name = address
	}
	return name
}

// A sheet is how wide the columns are; zero: as wide as what is in them.
type sheet struct{ number, sender, subject, folder int }

// sheetFor returns the sheet for a terminal, of which the subject takes what is left.
func sheetFor(columns int, ids []int64) sheet {
	if columns == 0 {
		return sheet{}
	}
	s := sheet{sender: 20, folder: 14}
	for _, id := range ids {
		s.number = max(s.number, len(strconv.FormatInt(id, 10)))
	}
	if columns < 90 {
		s.sender, s.folder = 16, 10
	}
	// Between the columns stand two blanks; the date takes 10, the size 8, and the last column stays free.
	s.subject = max(10, columns-1-s.number-10-s.sender-s.folder-8-5*2)
	return s
}

func (s sheet) line(r messageRow) string {
	number, sender, subject, folder := strconv.FormatInt(r.Number, 10), mail.Printable(r.sender()), mail.Printable(r.Subject), mail.Printable(r.Folder)
	when := r.received.In(time.Local)
	if s == (sheet{}) {
		return strings.Join([]string{number, when.Format("2006-01-02 15:04"), sender, subject, folder, strconv.FormatInt(r.Octets, 10)}, "\t") + "\n"
	}
	return fmt.Sprintf("%*s  %s  %s  %s  %s  %8s\n", s.number, number, when.Format("2006-01-02"), fit(sender, s.sender), fit(subject, s.subject), fit(folder, s.folder), size(r.Octets))
}

// fit cuts or fills a text, which is printable, so that it takes so many columns.
func fit(s string, columns int) string {
	taken, whole := 0, 0 // whole is how much fits with an ellipsis behind it
	for i, r := range s {
		n := columnsOf(r)
		if taken+n > columns {
			return s[:whole] + "…" + strings.Repeat(" ", columns-1-columnsIn(s[:whole]))
		}
		if taken += n; taken < columns {
			whole = i + len(string(r))
		}
	}
	return s + strings.Repeat(" ", columns-taken)
}

func columnsIn(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// columnsOf returns how many columns of a terminal a character takes.
func columnsOf(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
