package backup

import (
	"context"
	"strconv"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// countOlder returns how many messages a look has shown that are not among the new ones.
func (k *keeper) countOlder(mb mail.Mailbox, since mail.Status, ch mail.Changes) (int, error) {
	switch {
	case since.Validity != ch.Status.Validity:
		return 0, nil
	case ch.Partial != "":
		known, err := k.Archive.Known(mb.Name, since.Validity)
		for _, it := range ch.New {
			delete(known, uidOf(it))
		}
		return len(known), err
	}
	return max(int(ch.Status.Messages)-len(ch.New), 0), nil
}

// uidOf returns the UID of a message of an IMAP source.
func uidOf(it mail.Item) uint32 {
	n, err := strconv.ParseUint(it.Ref.UID, 10, 32)
	if err != nil {
		return 0 // which none has
	}
	return uint32(n)
}

// lookForVanished looks whether messages that were listed, and gone when they were asked for, are gone. A server that
// goes on listing what it does not hand over has not been emptied, it is broken.
func (k *keeper) lookForVanished(ctx context.Context, mb mail.Mailbox) error {
	var uids []uint32
	for ref, f := range k.tally {
		if f == vanished {
			uids = append(uids, uidOf(mail.Item{Ref: ref}))
		}
	}
	if len(uids) == 0 {
		return nil
	}
	items, err := k.src.Items(ctx, mb.Name, uids)
	for _, it := range items {
		k.refute(it.Ref)
	}
	return err
}

// refute says of a message that was called vanished that it is still there.
func (k *keeper) refute(ref mail.Ref) {
	k.tally[ref] = failed
	for i, f := range k.report.Failures {
		if f.Ref == ref && f.State == string(vanished) {
			k.report.Failures[i].State = string(failed)
			k.report.Failures[i].Reason = "the server lists the message, and says that it is not there when it is asked for"
		}
	}
}
