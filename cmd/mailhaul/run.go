package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/config"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const runHelp = `Run does jobs of the configuration, one after the other, each with its own archive,
lock and report. One that fails does not keep the others. At the end all of them
stand in a table, and the exit status is the worst. Ctrl-C ends the job at hand; the
rest is not run. With --quiet only what failed is said.

A job is a [jobs.NAME] of the configuration: a source and an archive are a backup,
an archive and a destination a restore, all three a migration. Its keys are the
flags of these commands, with _ for -. mailhaul init writes one.
`

func newRunCommand(t *terminal, i *interrupt) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:               "run JOB...|--all",
		Short:             "do jobs of the configuration, one after the other",
		Long:              runHelp,
		Example:           "  mailhaul run --all --quiet",
		ValidArgsFunction: t.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := t.configuration()
			if err != nil {
				return err
			}
			jobs, err := choose(f, args, all)
			if err != nil {
				return err
			}
			return t.runJobs(cmd.Context(), i, f, jobs)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all jobs, in the order of the file")
	return cmd
}

// choose returns the jobs that are meant, or an error before any is run.
func choose(f *config.File, names []string, all bool) (jobs []*config.Job, err error) {
	there := "there are " + strings.Join(f.JobNames(), ", ")
	switch {
	case len(f.Jobs) == 0:
		return nil, usageError{fmt.Errorf("%s has no jobs", f.Name), "mailhaul init adds one"}
	case all && len(names) > 0:
		return nil, usageError{errors.New("all jobs are wanted, and some"), "leave out --all or the names"}
	case all:
		return f.Jobs, nil
	case len(names) == 0:
		return nil, usageError{errors.New("run takes the names of jobs, or --all"), there}
	}
	for _, name := range names {
		j := f.Job(name)
		if j == nil {
			if near := config.Near(name, f.JobNames()); near != "" {
				there = "perhaps " + near
			}
			return nil, usageError{fmt.Errorf("%s has no job %s", f.Name, mail.Printable(name)), there}
		}
		if !slices.Contains(jobs, j) {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// A jobResult is what became of a job.
type jobResult struct {
	Job     string  `json:"job"`
	Command string  `json:"command"`
	NotRun  bool    `json:"not_run,omitempty"`
	Exit    int     `json:"exit"`
	Seconds float64 `json:"seconds"`
	Result  string  `json:"result"` // in words; of what failed, why
	Hint    string  `json:"hint,omitempty"`
}

// A summary is the last line of run --json.
type summary struct {
	Event   string      `json:"event"`
	Exit    int         `json:"exit"`
	Seconds float64     `json:"seconds"`
	Jobs    []jobResult `json:"jobs"`
}

func (t *terminal) runJobs(ctx context.Context, i *interrupt, f *config.File, jobs []*config.Job) error {
	began := time.Now()
	s := summary{Event: "summary"}
	var statuses []int
	for _, j := range jobs {
		r := jobResult{Job: j.Name, Command: j.Command(), NotRun: true, Exit: exitInterrupted, Result: "not run"}
		if ctx.Err() == nil && !i.asked() {
			r = t.runJob(ctx, i, f, j)
		}
		s.Jobs = append(s.Jobs, r)
		statuses = append(statuses, r.Exit)
	}
	s.Exit, s.Seconds = worst(statuses...), time.Since(began).Seconds()
	if err := t.showSummary(s); err != nil {
		return err
	}
	return reported{status: s.Exit}
}

// runJob runs one job to its end, whatever that is, and says what is to be said of it.
func (t *terminal) runJob(ctx context.Context, i *interrupt, f *config.File, j *config.Job) jobResult {
	began := time.Now()
	t.job, t.last = j.Name, nil
	defer func() { t.job = "" }()
	cmd, err := t.commandOf(i, f, j)
	if err == nil {
		cmd.SetContext(ctx)
		err = cmd.RunE(cmd, j.Arguments())
	}
	r := jobResult{Job: j.Name, Command: j.Command(), Exit: t.farewell(j.Command(), err), Seconds: time.Since(began).Seconds()}
	var said reported
	switch {
	case r.Exit == exitInterrupted:
		r.Result = "interrupted"
	case errors.As(err, &said) && said.error == nil || err == nil:
		r.Result = t.last.brief()
	default:
		why := causes(err)[0]
		if errors.As(err, &said) {
			why = causes(said.error)[0]
		}
		r.Result, r.Hint = mail.Printable(why.Error()), mail.Printable(hintFor(why))
	}
	return r
}

// showSummary shows what became of all jobs; when quiet, of those that failed.
func (t *terminal) showSummary(s summary) error {
	if t.json {
		return writeJSON(t.out, s)
	}
	if t.quiet && s.Exit == exitDone {
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\njob\tcommand\texit\tresult")
	for _, r := range s.Jobs {
		switch {
		case r.NotRun:
			fmt.Fprintf(w, "%s\t%s\t-\t%s\n", r.Job, r.Command, r.Result)
		case !t.quiet || r.Exit != exitDone:
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", r.Job, r.Command, r.Exit, r.Result)
		}
	}
	return w.Flush()
}

// brief says what a run came to, in a few words.
func (r *report) brief() string {
	if r == nil {
		return "done"
	}
	var some []string
	if s := r.Source; s != nil {
		some = append(some, counts("fetched", s.Fetched, "linked", s.Linked, "vanished", s.Vanished, "failed", s.Failed))
	}
	if d := r.Destination; d != nil {
		some = append(some, counts("appended", d.Appended, "present", d.Present, "merged", d.Merged, "refused", d.Refused, "failed", d.Failed))
	}
	if len(r.Findings) > 0 { // the report has the others
		some = append(some, mail.Printable(r.Findings[0].Kind+": "+r.Findings[0].Mailbox))
	}
	return strings.Join(slices.Compact(some), "; ")
}
