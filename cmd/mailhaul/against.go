package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/account"
	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// An againstReport is how the archive was held against an account.
type againstReport struct {
	Account string `json:"account"`
	foundThere
	LeftOut  int             `json:"left_out"` // archived, and do not belong there, or are there no more
	Rewrites []string        `json:"rewrites,omitempty"`
	Folders  []againstFolder `json:"folders,omitempty"`
	source   bool
}

type againstFolder struct {
	Name string `json:"name"`
	foundThere
}

// foundThere counts messages by what was found of them in an account.
type foundThere struct {
	Present int `json:"present"`
	Missing int `json:"missing"`
	Altered int `json:"altered"`
	Extra   int `json:"extra"` // there and not ours; at the source, not archived
	Read    int `json:"read"`  // of those that are there: octet by octet
}

func newFoundThere(v archive.Verification) foundThere {
	return foundThere{v.Present, v.Missing, v.Altered, v.Extra, v.Read}
}

func (f foundThere) text() string {
	return fmt.Sprintf("%d present, %d missing, %d altered, %d extra, %d compared octet by octet", f.Present, f.Missing, f.Altered, f.Extra, f.Read)
}

// runAgainst holds the archive against an account, which is its source if it is that, else a destination.
func runAgainst(ctx context.Context, t *terminal, i *interrupt, o *verifyOptions, dir string) error {
	began := time.Now()
	if err := o.account.parse(ctx, t, o.against); err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		return in(dir, err)
	}
	defer a.Close()
	t.notes(a)
	rep := newReport("verify")
	from, _ := a.Account()
	switch {
	case o.account.account.Key() == from:
		err = t.againstSource(ctx, i, o, a, rep)
	case o.account.account.Protocol != account.IMAP:
		return usageError{errors.New("that account is not the archive's source, and POP3 can be no destination"), "status names the accounts of the archive"}
	default:
		err = t.againstDestination(ctx, i, o, a, rep)
	}
	return t.conclude(rep, began, true, o.report, err)
}

func (t *terminal) againstDestination(ctx context.Context, i *interrupt, o *verifyOptions, a *archive.Archive, rep *report) (err error) {
	rules, err := o.folders.rules()
	if err != nil {
		return err
	}
	back, err := o.limits.count(a, &o.account, i)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, back.close()) }()
	login, err := t.login(ctx, &o.account)
	if err != nil {
		return err
	}
	dst := imap.NewViewer(o.account.server(), login)
	defer dst.Close()
	watch, end := t.watch(nil, nil)
	defer end()
	v := migrate.Verification{Deep: o.deep || o.sample > 0, Sample: o.sample,
		Job: migrate.Job{Archive: a, Destination: dst, Account: o.account.account.Key(), Rules: rules, IncludeGone: o.includeGone, Watch: watch, Stop: i.stop, AllowBack: back.look(archive.Down)}}
	got, err := v.Run(ctx)
	rep.Against = newAgainst(got.Verification, o)
	rep.Against.LeftOut, rep.Against.Rewrites = got.LeftOut, got.Rewrites
	for _, f := range got.Folders {
		rep.Against.Folders = append(rep.Against.Folders, againstFolder{f.Mailbox, foundThere{f.Present, f.Missing, f.Altered, f.Extra, f.Read}})
	}
	for _, f := range got.Findings {
		rep.Findings = append(rep.Findings, findingReport{Kind: f.Kind, Mailbox: f.Ref.Mailbox, MessageID: f.MessageID, Reason: f.Reason})
	}
	return err
}

func (t *terminal) againstSource(ctx context.Context, i *interrupt, o *verifyOptions, a *archive.Archive, rep *report) (err error) {
	if o.sample > 0 {
		return usageError{errors.New("--sample is for destinations"), "give --deep, or neither"}
	}
	from, err := o.limits.count(a, &o.account, i)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, from.close()) }()
	src, err := t.openSource(ctx, &o.account)
	if err != nil {
		return err
	}
	defer src.Close()
	watch, end := t.watch(nil, nil)
	defer end()
	got, err := backup.Verification{Source: src, Archive: a, Account: o.account.account.Key(), Watch: watch,
		Wanted: o.folders.wanted(), Deep: o.deep, Stop: i.stop, Allow: from.look(archive.Down)}.Run(ctx)
	rep.Against = newAgainst(got.Verification, o)
	rep.Against.LeftOut, rep.Against.source = got.Gone, true
	for _, f := range got.Findings {
		rep.Findings = append(rep.Findings, findingReport{Kind: f.Kind, Mailbox: f.Ref.Mailbox, MessageID: f.MessageID, Reason: f.Reason + " (" + f.Ref.String() + ")"})
	}
	return err
}

func newAgainst(v archive.Verification, o *verifyOptions) *againstReport {
	return &againstReport{Account: o.account.account.Key().String(), foundThere: newFoundThere(v)}
}

// text is the result as a table, one line for each folder.
func (r *againstReport) text() string {
	var b strings.Builder
	for _, f := range r.Folders {
		fmt.Fprintf(&b, "%s: %s\n", mail.Printable(mail.NameText(f.Name)), f.text())
	}
	fmt.Fprintf(&b, "%s: ", mail.Printable(r.Account))
	if r.source {
		fmt.Fprintf(&b, "%s\n", counts("archived", r.Present, "not archived", r.Extra, "altered", r.Altered, "compared octet by octet", r.Read,
			"archived and not shown any more", r.LeftOut))
		return b.String()
	}
	b.WriteString(r.foundThere.text())
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, ", %d do not belong there", r.LeftOut)
	}
	b.WriteByte('\n')
	for _, way := range r.Rewrites {
		fmt.Fprintf(&b, "the server's way, counted as no difference: %s\n", mail.Printable(way))
	}
	return b.String()
}

// A verifiedStatus is the last verification against an account.
type verifiedStatus struct {
	Event   string `json:"event"`
	Account string `json:"account"`
	When    string `json:"when,omitempty"` // it ended; none: it was broken off
	Deep    bool   `json:"deep"`
	foundThere
}

func (t *terminal) showVerified(a *archive.Archive) error {
	all, err := a.Verifications()
	for _, v := range all {
		s := verifiedStatus{"verified", v.Account.String(), stamp(v.Ended), v.Deep, newFoundThere(v)}
		if t.json {
			writeJSON(t.out, s)
			continue
		}
		said := "a verification was broken off; verify goes on with it"
		if s.When != "" {
			said = "verified " + s.When + ": " + s.text()
		}
		fmt.Fprintf(t.out, "%s: %s\n", mail.Printable(s.Account), said)
	}
	return err
}
