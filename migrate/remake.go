package migrate

import (
	"errors"
	"fmt"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// remake reports whether a mailbox is to be begun anew: somebody has deleted it at the destination while mail was
// brought. It is made again once; whoever deletes it twice means it. What was in it is theirs to miss.
func (r *run) remake(err error, name string) bool {
	var e *mail.Error
	if !errors.As(err, &e) || e.Cause != mail.CauseVanished || e.Scope != mail.ScopeMailbox || r.remade[name] {
		return false
	}
	r.remade[name] = true
	text := fmt.Sprintf("the folder %s has been deleted there meanwhile, and is made again", mail.NameText(name))
	if b := r.boxes[name]; b != nil && len(b.sent) > 0 {
		text += fmt.Sprintf("; %d messages that this run had brought are gone with it", len(b.sent))
	}
	r.note(text)
	delete(r.boxes, name)
	delete(r.layout.there, name)
	return true
}
