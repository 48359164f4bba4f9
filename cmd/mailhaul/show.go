package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/parts"
)

const showHelp = `Show prints one message of ARCHIVE to be read: ID is its number in mailhaul list,
or its Message-ID. Texts are decoded, HTML comes as text with its links in < >, and
whatever a terminal could obey or hide is written as \x.. or \u....: nothing of it
is fetched, opened or run. Where there are other parts, a line names each; --part N
prints it, if it is text, or writes its octets to the file given with -o, or to a
pipe. No file is overwritten, and none gets its name from a mail.

--headers prints the whole header, decoded; --raw the message as it was archived,
octet for octet, to a pipe or with -o to a file.
`

type showOptions struct {
	raw, headers bool
	part, output string
}

func (o *showOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.raw, "raw", false, "the message octet for octet, not for terminals")
	f.BoolVar(&o.headers, "headers", false, "the whole header, and nothing else")
	f.StringVar(&o.part, "part", "", "only part `N`, as 2 or 2.1")
	f.StringVarP(&o.output, "output", "o", "", "write the octets of the part, or of the message, to `FILE`, which must not exist")
}

func newShowCommand(t *terminal) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:               "show ARCHIVE ID",
		Short:             "print a message of an archive, or take a part of it out",
		Long:              showHelp,
		Example:           "  mailhaul show ./mail 12\n  mailhaul show ./mail 12 --part 2 -o report.pdf",
		Args:              exactArgs("ARCHIVE", "ID"),
		ValidArgsFunction: completes("ARCHIVE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShow(cmd.Context(), t, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// fit refuses flags that say nothing together.
func (o showOptions) fit() error {
	switch {
	case o.raw && (o.headers || o.part != ""), o.headers && o.part != "":
		return usageError{errors.New("--raw, --headers and --part show different things"), "give one of them"}
	case o.output != "" && !o.raw && o.part == "":
		return usageError{errors.New("-o is for the octets of a part, or of the whole message"), "add --part N, or --raw"}
	}
	return nil
}

func runShow(ctx context.Context, t *terminal, o showOptions, dir, id string) error {
	if err := o.fit(); err != nil {
		return err
	}
	a, err := archive.View(dir)
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	e, err := entryOf(a, id)
	if err != nil {
		return err
	}
	m, err := a.OpenMessage(e)
	if err != nil {
		return err
	}
	defer m.Close()
	body := &within{ctx, m}
	if o.raw {
		return t.octets(o.output, "message", func(out io.Writer) error {
			_, err := io.Copy(out, body)
			return err
		})
	}
	if o.part != "" {
		return t.showPart(body, o)
	}
	if t.json {
		return t.showJSON(e, body)
	}
	return t.page(func(out io.Writer, columns int) error {
		s := showing{out: wrapped(out, columns), entry: e, headers: o.headers}
		return s.message(body)
	})
}

// A within is a reader that ends with its context.
type within struct {
	ctx context.Context
	r   io.Reader
}

func (w *within) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.r.Read(p)
}

// entryOf returns the entry of a number or a Message-ID.
func entryOf(a *archive.Archive, id string) (archive.Entry, error) {
	c := archive.HasMessageID(id)
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		c = archive.WithIDs(n)
	}
	ids, err := a.Find(c)
	if err != nil {
		return archive.Entry{}, err
	}
	switch len(ids) {
	case 0:
		return archive.Entry{}, usageError{fmt.Errorf("there is no message %q in the archive", id), "mailhaul list, or search, tells the numbers"}
	case 1:
		return a.Entry(ids[0])
	}
	numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(ids[:min(len(ids), 10)]), " ", ", "), "[]")
	return archive.Entry{}, usageError{fmt.Errorf("%d messages have that Message-ID", len(ids)), "give the number of one of them: " + numbers}
}

// octets gives what write writes to a new file, or to standard output if that is no terminal.
func (t *terminal) octets(file, what string, write func(io.Writer) error) error {
	if file == "" {
		if f, ok := t.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return usageError{fmt.Errorf("the octets of a %s are not for a terminal, which would obey some of them", what),
				"write them to a file with -o FILE, or pipe them to a program"}
		}
		return write(t.out)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usageError{fmt.Errorf("%s is there already", file), "name a file that is not there; nothing is overwritten"}
	}
	if err != nil {
		return archive.Trouble("make", file, err)
	}
	out := bufio.NewWriter(f)
	err = write(out)
	err = errors.Join(err, archive.Trouble("write", file, errors.Join(out.Flush(), f.Close())))
	if err != nil {
		os.Remove(file)
	}
	return err
}

// maxShown is how many octets of a text are shown; what is longer, --part gives out whole.
const maxShown = 4 << 20

var errFound = errors.New("found")

// showPart prints a text, or gives the octets of any part out.
func (t *terminal) showPart(m io.Reader, o showOptions) error {
	err := parts.Walk(m, func(p parts.Part, body io.Reader) error {
		if p.Number != o.part {
			return nil
		}
		f, ok := t.out.(*os.File)
		if o.output == "" && p.IsText() && ok && term.IsTerminal(int(f.Fd())) {
			text, err := parts.ReadText(p, body, maxShown, true)
			if err == nil {
				err = t.page(func(out io.Writer, columns int) error { return writeText(wrapped(out, columns), text) })
			}
			return firstOf(err, errFound)
		}
		return firstOf(t.octets(o.output, "part", func(out io.Writer) error {
			_, err := io.Copy(out, body)
			if err == nil {
				_, err = io.Copy(io.Discard, m) // its last octets tell whether all of them were the message's
			}
			return err
		}), errFound)
	})
	switch {
	case errors.Is(err, errFound):
		_, err = io.Copy(io.Discard, m)
		return err
	case err == nil:
		return usageError{fmt.Errorf("the message has no part %q", o.part), "mailhaul show without --part names them"}
	}
	return err
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
