package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
	"github.com/mailhaul/mailhaul/migrate"
)

const migrateHelp = `Migrate brings everything from SOURCE into the archive DIR and from there to
DESTINATION, both at the same time. It is backup and restore in one: either can
be run on the same archive before or after. Run it again to bring what has come
since; nothing is brought twice.
`

type migrateOptions struct {
	backupOptions
	restore restoreOptions
	archive string
}

func (o *migrateOptions) addFlags(f *pflag.FlagSet) {
	o.source = party{role: "source"}
	o.source.addFlags(f, false)
	o.restore.addFlags(f, false)
	o.source.reach.addFlags(f)
	f.BoolVar(&o.sameAccount, "same-account", false, "the archive's account has moved to this host")
	o.report.addFlag(f)
	f.StringVar(&o.archive, "archive", "", "the archive, a `DIR` that is made when it is not there (required)")
}

func newMigrateCommand(t *terminal, i *interrupt) *cobra.Command {
	var o migrateOptions
	cmd := &cobra.Command{
		Use:               "migrate SOURCE DESTINATION --archive DIR",
		Short:             "bring everything from one account to another, with an archive in between",
		Long:              migrateHelp,
		Example:           "  mailhaul migrate me@example.org me@example.net --archive ./mail",
		Args:              exactArgs("SOURCE", "DESTINATION"),
		ValidArgsFunction: completes("SOURCE", "DESTINATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.archive == "" {
				return usageError{errors.New("migrate needs --archive DIR: the mail is kept there on its way"), "usage: " + cmd.UseLine()}
			}
			return runMigrate(cmd.Context(), t, i, o, args[0], args[1])
		},
	}
	o.addFlags(cmd.Flags())
	cmd.MarkFlagDirname("archive")
	return cmd
}

func runMigrate(ctx context.Context, t *terminal, i *interrupt, o migrateOptions, from, to string) error {
	began := time.Now()
	o.restore.destination.reach = o.source.reach
	if err := errors.Join(o.source.parse(ctx, t, from), o.restore.destination.parse(ctx, t, to)); err != nil {
		return err
	}
	rules, err := o.restore.folders.rules()
	if err != nil {
		return err
	}
	seen, err := migrate.ParseSeen(o.restore.folders.seen)
	if err := cmp.Or(err, o.restore.folders.fits(o.source.account.Protocol)); err != nil {
		return err
	}
	if o.restore.dryRun {
		s := survey{folderOptions: o.restore.folders, daily: o.restore.limits.dailyOptions, source: o.source, destination: o.restore.destination,
			includeGone: o.restore.includeGone, merge: o.restore.merge}
		return dryRun(ctx, t, &s, from, to)
	}
	a, err := o.openArchive(t, o.archive)
	if err != nil {
		return err
	}
	defer a.Close()
	limits := &o.restore.limits
	source, err := limits.count(a, &o.source, i)
	if err != nil {
		return err
	}
	defer source.close()
	towards, err := limits.count(a, &o.restore.destination, i)
	if err != nil {
		return err
	}
	defer towards.close()
	src, err := t.openSource(ctx, &o.source)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := t.openDestination(ctx, &o.restore.destination)
	if err != nil {
		return err
	}
	defer dst.Close()
	if err := o.restore.reopen(a, dst); err != nil {
		return err
	}
	watch, end := t.watch(source, towards)
	rep := newReport("migrate")
	pull := backup.Job{Source: src, Archive: a, Watch: watch, Wanted: o.restore.folders.wanted(), Allow: source.carry(archive.Down)}
	push := o.restore.job(a, dst)
	push.Rules, push.Seen, push.Watch = rules, seen, watch
	push.Allow, push.AllowBack = towards.carry(archive.Up), towards.look(archive.Down)
	err = pipeline{pull, push, i}.run(ctx, rep)
	end()
	t.freshen(ctx, i, a)
	err = cmp.Or(err, source.close(), towards.close(), t.addFolders(rep, a, &dst.key, o.report))
	return t.conclude(rep, began, o.restore.acceptRefused, o.report, err)
}

// A pipeline is both halves at work on one archive: what is committed is brought on while more is fetched. The
// fetching never waits for the bringing.
type pipeline struct {
	pull      backup.Job
	push      migrate.Job
	interrupt *interrupt
}

func (p pipeline) run(ctx context.Context, rep *report) error {
	more := make(chan struct{}, 1)
	held, err := p.connect(more)
	if err != nil {
		return err
	}
	stop := p.stopOfPull()
	push, pull := p.push, p.pull
	push.Stop, pull.Stop = p.interrupt.stop, stop.c
	var whole atomic.Bool // the source was gone through to its end
	push.Whole = whole.Load
	var brought migrate.Report
	var pushErr error
	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		brought, pushErr = push.Run(ctx)
		if text := fullText(pushErr); text != "" {
			push.Watch.Tell(progress.Note{Half: progress.Destination, Text: text})
		}
		if hopeless(pushErr) {
			stop.now() // nobody wants to wait for the first half to hear that the password of the second is wrong
		}
	}()
	got, pullErr := pull.Run(ctx)
	whole.Store(pullErr == nil)
	held.releaseAll()
	close(more)
	<-pushed
	stop.now()
	rep.addSource(got)
	if errors.Is(pullErr, retry.ErrStopped) && !p.interrupt.asked() {
		pullErr = nil
	}
	err = push.Recount(&brought)
	rep.addDestination(brought)
	return cmp.Or(bothErrors(pullErr, pushErr), err)
}

// connect has the pull tell the push what has been archived, and of which mailboxes.
func (p *pipeline) connect(more chan struct{}) (*heldBack, error) {
	tell := func() {
		select {
		case more <- struct{}{}:
		default: // it has been told and not looked yet
		}
	}
	held, err := holdBack(p.pull)
	p.push.More, p.push.Held = more, held.has
	p.pull.Committed, p.pull.Looked = tell, func(mailbox string) {
		if held.release(mailbox) {
			tell()
		}
	}
	return held, err
}

// A heldBack is the mailboxes of which nothing is brought yet: what an earlier run has archived of them may have been moved
// or deleted since, which a source that remembers tells when it is looked at.
type heldBack struct {
	mu        sync.Mutex
	mailboxes map[string]bool
}

func holdBack(pull backup.Job) (*heldBack, error) {
	h := &heldBack{mailboxes: map[string]bool{}}
	if _, ok := pull.Source.(backup.Stateful); !ok {
		return h, nil
	}
	archived, err := pull.Archive.Mailboxes()
	for _, mb := range archived {
		h.mailboxes[mb.Name] = mb.Messages > 0
	}
	return h, err
}

func (h *heldBack) has(mailbox string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mailboxes[mailbox]
}

// release reports whether the mailbox was held back.
func (h *heldBack) release(mailbox string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.mailboxes[mailbox]
	delete(h.mailboxes, mailbox)
	return was
}

func (h *heldBack) releaseAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.mailboxes)
}

// bothErrors joins why the halves ended. A disk that is full stops both; one word of it is enough.
func bothErrors(pull, push error) error {
	var disk *archive.DiskError
	if errors.As(pull, &disk) && errors.As(push, &disk) {
		return pull
	}
	return errors.Join(pull, push)
}

// A stopper is a channel that is closed once.
type stopper struct {
	c   chan struct{}
	now func()
}

// stopOfPull stops with the interrupt, or before.
func (p pipeline) stopOfPull() stopper {
	s := stopper{c: make(chan struct{})}
	s.now = sync.OnceFunc(func() { close(s.c) })
	go func() {
		select {
		case <-p.interrupt.stop:
			s.now()
		case <-s.c:
		}
	}()
	return s
}

// hopeless reports whether the destination cannot be written to until the person has done something about the account.
// One that is full, and a day that is used up, are none of it: the archive becomes whole meanwhile, and the next run only
// has to bring it.
func hopeless(err error) bool {
	var e *mail.Error
	return errors.As(err, &e) && e.Scope == mail.ScopeAccount && e.Cause != mail.CauseQuota
}

// fullText is what is said at once when the destination takes no more, "" for other errors.
func fullText(err error) string {
	var e *mail.Error
	if !errors.As(err, &e) || e.Cause != mail.CauseQuota {
		return ""
	}
	return fmt.Sprintf("%v; nothing more is brought in this run, and the archive is filled to its end", err)
}
