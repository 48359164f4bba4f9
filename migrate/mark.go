package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A sentMail is a message that this run has sent.
type sentMail struct {
	entry int64
	flags *flagging
}

// A flagging is what became of the flags of a message that was sent. Messages alike share one.
type flagging struct {
	kept    mail.Flags // what it must have
	dropped mail.Flags // what it is known not to have
}

// flagging returns the one of these.
func (r *run) flagging(kept, dropped mail.Flags) *flagging {
	var key string
	for _, f := range slices.Concat(kept, mail.Flags{"\x00"}, dropped) {
		key += string(f) + "\n"
	}
	f := r.flaggings[key]
	if f == nil {
		f = &flagging{kept, dropped}
		r.flaggings[key] = f
	}
	return f
}

// lack notes the flags that a message of ours is there without.
func (s *sending) lack(e archive.Entry, flags mail.Flags) {
	if len(flags) == 0 {
		return
	}
	if s.lacks == nil {
		s.lacks = make(map[int64]mail.Flags)
	}
	s.lacks[e.ID] = flags
}

// mark gives the messages that were stored the flags they were sent without. Only then are they done: whoever finds
// their intents after a crash in between sees what they lack.
func (b *box) mark(ctx context.Context, s *sending) error {
	var lacking []*archive.Outcome
	var marks []mail.Marking
	for i := range s.outcomes {
		o := &s.outcomes[i]
		if flags := s.lacks[o.Entry]; len(flags) > 0 && o.State == archive.Done {
			lacking = append(lacking, o)
			marks = append(marks, mail.Marking{UID: o.UID, Flags: flags})
		}
	}
	if len(marks) == 0 {
		return nil
	}
	dropped, err := b.at.Mark(ctx, b.name, marks)
	if err != nil {
		return err
	}
	for i, o := range lacking {
		o.Lacks = dropped[i]
		delete(s.lacks, o.Entry)
		if sent, ok := b.sent[o.UID]; ok {
			b.sent[o.UID] = sentMail{sent.entry, b.run.flagging(sent.flags.kept.Without(o.Lacks), o.Lacks)}
		}
	}
	return nil
}

// holdBack takes the outcome back of what could not be marked: it keeps its intent, and is looked for.
func (b *box) holdBack(s *sending) {
	s.outcomes = slices.DeleteFunc(s.outcomes, func(o archive.Outcome) bool {
		held := o.State == archive.Done && len(s.lacks[o.Entry]) > 0
		if held {
			delete(b.claimed, o.UID)
			delete(b.sent, o.UID)
		}
		return held
	})
}

// sameSession reports whether what an APPEND ended with leaves the session as it was, so that what was stored before
// can be looked after.
func sameSession(err error) bool {
	var e *mail.Error
	return err == nil || mailboxOnly(err) || errors.As(err, &e) && isFull(e)
}

// isFull reports whether there is no room, as opposed to no more for now.
func isFull(e *mail.Error) bool {
	return e.Cause == mail.CauseQuota && e.Scope == mail.ScopeAccount && e.Later == 0
}

// unflagged returns what is told of a message that the server shows without flags it has said OK to, if there are any.
func (b *box) unflagged(sent sentMail, shown mail.Item) (lie archive.Outcome, lied bool) {
	lost := sent.flags.kept.Without(shown.Flags)
	if len(lost) == 0 {
		return lie, false
	}
	b.run.drop(lost)
	return archive.Outcome{Entry: sent.entry, State: archive.Done, Mailbox: b.name, Validity: b.status.Validity,
		UID: uidOf(shown), Lacks: slices.Concat(sent.flags.dropped, lost)}, true
}

// drop counts flags that a message is without.
func (r *run) drop(flags mail.Flags) {
	for _, f := range flags {
		r.dropped[f]++
	}
}

// maxDropped is how many flags are named that are not kept.
const maxDropped = 20

// noteDropped tells of the flags that messages of this run are without.
func (r *run) noteDropped() {
	flags := slices.Sorted(maps.Keys(r.dropped))
	for i, f := range flags {
		if i == maxDropped {
			r.note(fmt.Sprintf("so it is with %d flags more; the report counts them", len(flags)-i))
			return
		}
		r.note(droppedText(f, r.dropped[f]))
	}
}

func droppedText(f mail.Flag, n int) string {
	who := fmt.Sprintf("%d messages are", n)
	if n == 1 {
		who = "1 message is"
	}
	if f.Is(mail.Deleted) {
		return who + ` there without the flag \Deleted, for anybody's EXPUNGE would remove what has it`
	}
	return who + fmt.Sprintf(" there without the flag %s, which the server does not keep", f)
}
