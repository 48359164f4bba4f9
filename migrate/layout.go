package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A layout is where the mailboxes of the archive go in one run.
type layout struct {
	tree  Tree              // the destination's mailboxes, as they were when the run began
	there map[string]bool   // the names of those, and of those made since
	steps map[string][]Step // by the name in the archive; what was said once holds for the run
}

// layOut learns what is at the destination and says where everything goes.
func (r *run) layOut(ctx context.Context) error {
	err := r.persist(ctx, r.hands[0], func() (err error) {
		r.layout.tree, err = r.destinationTree(ctx)
		return err
	})
	if err != nil {
		return err
	}
	r.layout.there, r.layout.steps = make(map[string]bool), make(map[string][]Step)
	for _, mb := range r.layout.tree.Mailboxes {
		r.layout.there[mb.Name] = true
	}
	return r.mapFolders()
}

func (j Job) destinationTree(ctx context.Context) (Tree, error) {
	boxes, err := j.Destination.Mailboxes(ctx)
	if err != nil {
		return Tree{}, err
	}
	ns, err := j.Destination.Namespace(ctx)
	return Tree{Host: j.Account.Host, Namespace: ns, Mailboxes: boxes}, err
}

// archiveTree is the source as the archive has it.
func (j Job) archiveTree() (Tree, error) {
	boxes, err := j.Archive.Mailboxes()
	if err != nil {
		return Tree{}, err
	}
	account, _ := j.Archive.Account()
	tree := Tree{Host: account.Host, Partial: j.More != nil}
	for _, mb := range boxes {
		mb.NoSelect = mb.NoSelect && mb.Messages == 0 // it may have held mail once
		tree.Mailboxes = append(tree.Mailboxes, mb.Mailbox)
	}
	return tree, nil
}

// mapFolders says where the mailboxes of the archive go of which that was not said yet.
func (r *run) mapFolders() error {
	source, err := r.archiveTree()
	if err != nil {
		return err
	}
	steps, err := Map(source, r.layout.tree, r.Rules)
	if err != nil {
		return err
	}
	said := maps.Clone(r.layout.steps)
	for _, s := range steps {
		if said[s.From.Name] != nil {
			continue
		}
		s.To.Subscribed = s.From.Subscribed || !source.tellsSubscriptions()
		if err := r.layout.clash(s); err != nil {
			return err
		}
		r.layout.steps[s.From.Name] = append(r.layout.steps[s.From.Name], s)
	}
	return nil
}

// tellsSubscriptions reports whether it is known which mailboxes the owner wants to see. Some servers do not say.
func (t Tree) tellsSubscriptions() bool {
	return slices.ContainsFunc(t.Mailboxes, func(mb mail.Mailbox) bool { return mb.Subscribed })
}

// beforeRound takes in mailboxes that came since, and warns when more has come than there is room for.
func (r *run) beforeRound(mailboxes []archive.Mailbox) error {
	for _, mb := range mailboxes {
		if r.layout.steps[mb.Name] == nil && (mb.Messages > 0 || !mb.NoSelect) {
			if err := r.mapFolders(); err != nil {
				return err
			}
			break
		}
	}
	var err error
	if r.whole, err = r.lookedThrough(mailboxes); err != nil {
		return err
	}
	return r.watchRoom()
}

// clash is the error of a mailbox that came while the run was at work and would fall into the place of another.
func (l *layout) clash(s Step) error {
	for other := range l.all() {
		if s.claims() && other.claims() && s.To.Name == other.To.Name {
			return conflict([]*Step{&other, &s})
		}
	}
	return nil
}

// all returns the steps, in no order.
func (l *layout) all() iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for _, steps := range l.steps {
			for _, s := range steps {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// claims reports whether no other mailbox may go where this one goes, unless a person says so.
func (s Step) claims() bool { return !s.LeftOut && !s.Rest && !s.byUser }

// notMade adds what a person can do about a mailbox that the destination does not make.
func notMade(err error, s Step) error {
	var e *mail.Error
	if !errors.As(err, &e) || e.Op != "create" || e.Hint != "" {
		return err
	}
	hinted := *e
	hinted.Hint = fmt.Sprintf("give it another name with --map '%s=ANOTHER NAME', or leave it out with --exclude '%[1]s'", textOf(s.From))
	return &hinted
}
