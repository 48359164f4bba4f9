package backup

import (
	"context"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// reappeared is about messages that free has taken out of the account, and that are listed again by their keys. They may have
// come back; but there are servers that give the UIDL of a message that is gone to the next one. What has another header is
// another message: the entry gives up its key, and the message is fetched like any that is new.
func (r *run) reappeared(ctx context.Context, mb mail.Mailbox, listed []mail.Item) error {
	freed, err := r.Archive.FreedRefs(mb.Name)
	if err != nil || len(freed) == 0 {
		return err
	}
	again := those(listed, func(it mail.Item) bool { return freed[it.Ref] != 0 })
	if len(again) == 0 {
		return nil
	}
	heads, err := r.heads(ctx, again)
	if err != nil {
		return err
	}
	var same, others []int64
	for _, it := range again {
		id := freed[it.Ref]
		e, err := r.Archive.Entry(id)
		if err != nil {
			return err
		}
		digest, err := r.Archive.HeadDigest(e)
		if passDamage(err) != nil {
			return err
		}
		if head, had := heads[it.Ref]; had && err == nil && head == digest {
			same = append(same, id)
		} else {
			others = append(others, id)
		}
	}
	if err := r.Archive.CameBack(same); err != nil {
		return err
	}
	return r.Archive.Retire(others)
}
