package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/config"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

const initHelp = `Init asks for the account whose mail is to be kept, and for the one it is to be
brought to, if there is one; finds their servers, logs in, counts, and adds the
accounts and a job to the configuration. What stands there stays as it is, and
passwords are not written. Before its end nothing is written at all.
`

func newInitCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "init",
		Short:   "make a configuration, by questions and answers",
		Long:    initHelp,
		Example: "  mailhaul init",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runInit(cmd.Context(), t)
		},
	}
}

// maxTries is how often one question is asked before init gives up.
const maxTries = 3

func runInit(ctx context.Context, t *terminal) error {
	name, err := t.configPath()
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return err
	}
	if !t.canAsk() {
		return usageError{errors.New("init asks questions, and there is no terminal"), fmt.Sprintf(
			`write %s yourself: [accounts.me] with url = "imaps://USER@HOST", and [jobs.me] with source = "me" and archive = "~/mail/me"`, name)}
	}
	if _, err := t.configuration(); err != nil && !errors.Is(err, config.ErrNone) {
		return err
	}
	if t.configured == nil {
		t.configured = &config.File{Name: name} // which is not there yet
	}
	d := draft{file: t.configured}
	source, err := t.meet(ctx, "source", "whose mail is it? an address, or a pop3s:// or imaps:// URL")
	if err != nil {
		return err
	}
	destination, err := t.meet(ctx, "destination", "to which account is it to be brought? (nothing: it is only backed up)")
	if err != nil {
		return err
	}
	d.add(source, destination)
	t.expect(source, destination)
	if d.archive, err = t.askArchive(ctx, "~/mail/"+d.job); err != nil {
		return err
	}
	return t.finish(ctx, name, &d)
}

// An acquaintance is an account that has been logged in to.
type acquaintance struct {
	party
	typed  string
	boxes  []imap.MailboxReport
	amount archive.Amount
	room   mail.Room
}

// meet asks for an account and logs in to it; nil: the person wants none, where that is possible. What was typed wrongly
// is asked for again.
func (t *terminal) meet(ctx context.Context, role, question string) (*acquaintance, error) {
	for try := 1; ; try++ {
		typed, err := t.ask(ctx, question)
		if err != nil {
			return nil, err
		}
		if typed == "" && role == "destination" {
			return nil, nil
		}
		who := &acquaintance{party: party{role: role}, typed: typed}
		err = who.parse(ctx, t, typed)
		if err == nil {
			return who, t.tryLogin(ctx, who)
		}
		if try == maxTries || exitStatus(err) != exitUsage {
			return nil, err
		}
		t.complain(err)
	}
}

// tryLogin logs in and counts. A password that is refused is asked for again.
func (t *terminal) tryLogin(ctx context.Context, who *acquaintance) error {
	for try := 1; ; try++ {
		login, err := t.login(ctx, &who.party)
		if err != nil {
			return err
		}
		who.boxes, err = accountFolders(ctx, who.account, login)
		if err == nil && who.role == "destination" {
			who.room, err = roomOf(ctx, who.account, login)
		}
		if err == nil {
			t.count(who)
			return nil
		}
		err = who.explain(err)
		if try == maxTries || exitStatus(err) != exitLogin {
			return who.say(err)
		}
		t.complain(who.say(err))
	}
}

func roomOf(ctx context.Context, acct account.Account, login mail.Login) (mail.Room, error) {
	c := imap.New(acct.Server(), login)
	defer c.Close()
	return c.Room(ctx)
}

// count says what there is.
func (t *terminal) count(who *acquaintance) {
	for _, mb := range who.boxes {
		who.amount.Messages += int(max(mb.Messages, 0))
	}
	who.amount.Octets = toFetch(who.boxes, nil)
	text := fmt.Sprintf("%s is there: %d messages", mail.Printable(who.account.Key().String()), who.amount.Messages)
	if who.amount.Octets > 0 {
		text += ", " + size(who.amount.Octets)
	}
	t.line(text)
}

// expect says what will not fit, and what will take days.
func (t *terminal) expect(source, destination *acquaintance) {
	known := source.account.Allowance()
	all := []string{moreDays(source.amount.Octets, known.Down, "from", &source.party)}
	if destination != nil {
		all = append(all, moreDays(source.amount.Octets, destination.account.Allowance().Up, "to", &destination.party),
			migrate.Shortage(destination.room, source.amount))
	}
	for _, text := range all {
		if text != "" {
			t.line(text)
		}
	}
}

// askArchive asks for a directory that an archive can be in.
func (t *terminal) askArchive(ctx context.Context, usual string) (string, error) {
	for try := 1; ; try++ {
		dir, err := t.ask(ctx, "where is the archive to be? (nothing: "+usual+")")
		if err != nil {
			return "", err
		}
		if dir == "" {
			dir = usual
		}
		if err = fitForArchive(dir); err == nil || try == maxTries {
			return dir, err
		}
		t.complain(err)
	}
}

func fitForArchive(dir string) error {
	rest, home := strings.CutPrefix(dir, "~/")
	if home {
		h, err := os.UserHomeDir()
		if err != nil {
			return usageError{err, "write the path in full"}
		}
		dir = filepath.Join(h, rest)
	}
	if !filepath.IsAbs(dir) {
		return usageError{fmt.Errorf("%s is not the same place from everywhere", dir), "write the path in full, or from ~/ on"}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return usageError{err, "name a directory that is empty or not there yet"}
	}
	a, err := archive.View(dir)
	if err != nil {
		return usageError{fmt.Errorf("there is something else in %s", dir), "name a directory that is empty or not there yet"}
	}
	return a.Close()
}

// finish shows what is to be written, writes it, and says what comes next.
func (t *terminal) finish(ctx context.Context, name string, d *draft) error {
	t.line("this comes into " + name + ":")
	for line := range strings.Lines(d.text()) {
		fmt.Fprintf(t.err, "  %s\n", mail.Printable(strings.TrimRight(line, "\n")))
	}
	yes, err := t.askYes(ctx, "write it?")
	if err != nil {
		return err
	}
	if !yes {
		t.line("nothing was written")
		return nil
	}
	if err := config.Add(name, d.text()); err != nil {
		return err
	}
	flag := ""
	if t.configFile != "" {
		flag = " --config " + quoteArg(name)
	}
	t.line("written. Next: mailhaul run " + d.job + flag)
	t.line("for runs without you, keep the password first: mailhaul login " + strings.Join(d.names, flag+", mailhaul login ") + flag)
	t.line("and then in crontab: " + usualSchedule.Cron() + " mailhaul run --quiet " + d.job + flag)
	t.line("or in a systemd timer: OnCalendar=" + usualSchedule.Systemd() + "; the README has both")
	return nil
}
