package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/migrate"
)

const planHelp = `Plan writes down where the mail of each folder would go at DESTINATION, as a file
to be read and edited: folders can be put together, left out or given another
name. restore and migrate obey it with --plan FILE. It changes nothing else.
`

func newPlanCommand(t *terminal) *cobra.Command {
	var s survey
	var file string
	cmd := &cobra.Command{
		Use:               "plan ACCOUNT|ARCHIVE DESTINATION -o FILE",
		Short:             "write down where each folder goes, as a file to edit",
		Long:              planHelp,
		Example:           "  mailhaul plan ./mail imaps://me@imap.example.net -o plan.toml\n  mailhaul restore ./mail imaps://me@imap.example.net --plan plan.toml",
		Args:              exactArgs("ACCOUNT|ARCHIVE", "DESTINATION"),
		ValidArgsFunction: completes("ARCHIVE", "DESTINATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usageError{errors.New("plan needs -o FILE, or -o - for standard output"), "usage: " + cmd.UseLine()}
			}
			return runPlan(cmd.Context(), t, &s, args, file)
		},
	}
	s.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the plan to `FILE`, which must not be there yet; - is standard output")
	return cmd
}

func runPlan(ctx context.Context, t *terminal, s *survey, args []string, file string) error {
	o, err := s.look(ctx, t, args)
	if len(o.folders) == 0 {
		return err
	}
	for _, w := range o.warnings {
		t.warn(w)
	}
	if werr := o.write(t, s.title(args), file); werr != nil {
		return werr
	}
	if err != nil {
		t.sayf("the plan wants an edit before it can be obeyed")
	}
	return err
}

// title says what the plan is about. The accounts are in it without what may be secret about them.
func (s *survey) title(args []string) string {
	from := args[0]
	if s.source.account.Host != "" {
		from = s.source.account.Key().String()
	}
	return fmt.Sprintf("Where the folders of %s go at %s.", from, s.destination.account.Key())
}

// write writes the plan. A file that is there is somebody's work and stays as it is.
func (o outlook) write(t *terminal, title, file string) error {
	var steps []migrate.Step
	rows := make(map[string]*folderRow)
	for i := range o.folders {
		row := &o.folders[i]
		steps = append(steps, *row.step)
		rows[row.Name] = row
	}
	text := migrate.WritePlan(title, steps, func(s migrate.Step) string { return rows[s.From.Name].counts() })
	if file == "-" {
		_, err := t.out.Write(text)
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s is there already", file), "choose another name, or remove it first"}
	}
	if err != nil {
		return fmt.Errorf("the plan cannot be written: %w", err)
	}
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
