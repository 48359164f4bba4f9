package migrate

import (
	"context"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// mayLackFolders learns of which mailboxes of the archive mail was brought before, and reports whether there are
// others: nobody has noted whether those are at the destination.
func (r *run) mayLackFolders() (bool, error) {
	mailboxes, err := r.Archive.Mailboxes()
	if err != nil {
		return false, err
	}
	counts, err := r.Archive.MailboxCounts(r.Account)
	if err != nil {
		return false, err
	}
	destinations, err := r.Archive.Destinations()
	if err != nil {
		return false, err
	}
	for _, d := range destinations {
		r.ranBefore = r.ranBefore || d.Account == r.Account && !d.Ran.IsZero()
	}
	r.brought = map[string]bool{}
	lacking := false
	for _, mb := range mailboxes {
		n := counts[mb.Name]
		r.brought[mb.Name] = n[archive.Done]+n[archive.Present]+n[archive.Merged] > 0
		lacking = lacking || r.isShown(mb) && !r.brought[mb.Name] && mb.Name != mail.Inbox
	}
	return lacking && !r.Chosen, nil
}

// isShown reports whether the source shows the mailbox, and mail could be in it.
func (r *run) isShown(mb archive.Mailbox) bool {
	return !mb.NoSelect && (!mb.Gone || mb.Imported > 0 || r.IncludeGone)
}

// makeFolder sees to it that a mailbox that the source shows is at the destination, be it empty, and is subscribed to
// if it is at the source. What a person has done about it there since is left as it is: of a mailbox of which mail was
// brought nothing is made, and no run but the first subscribes to what is there.
func (r *run) makeFolder(ctx context.Context, h *hand, mb archive.Mailbox, p share) error {
	there := r.layout.there[p.To.Name]
	if r.Chosen || p.takes != nil && p.key() != mb.Name || !r.isShown(mb) || r.brought[mb.Name] || there && (r.ranBefore || !p.From.Subscribed) {
		return nil
	}
	if err := h.Create(ctx, p.To); err != nil {
		return err
	}
	r.layout.there[p.To.Name], r.brought[mb.Name] = true, true
	return nil
}
