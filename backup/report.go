package backup

import (
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A Report says what became of every message the source listed. Each has one fate:
// Listed = Known + Fetched + Linked + Vanished + Failed, also when the run ended early.
type Report struct {
	Listed   int
	Known    int // archived by an earlier run
	Fetched  int // archived by this run
	Linked   int // the same message as in another mailbox, by an identity the source vouches for
	Vanished int // listed, and gone when it was asked for
	Failed   int // not archived; the next run tries again
	Octets   int64
	Partial  []Partial // the mailboxes of which the source shows only a part
	Failures []Failure // one for each that vanished or failed, but those the run did not come to
}

// A Failure is one message that could not be archived.
type Failure struct {
	Ref    mail.Ref
	State  string // "vanished" or "failed"
	Reason string
}

// A Partial is a mailbox of which the source shows only a part, and why, for a person.
type Partial struct{ Mailbox, Reason string }

// A tally keeps the fates of one mailbox's messages in this run. A mailbox may be listed several times, after a
// cut or for another window, and every message counts once.
type tally map[mail.Ref]fate

type fate string

const (
	waiting  fate = "waiting"
	known    fate = "known"
	fetched  fate = "fetched"
	linked   fate = "linked"
	vanished fate = "vanished"
	failed   fate = "failed"
)

// list enters a listing and returns what is to be fetched.
func (t tally) list(items []mail.Item, has func(mail.Ref) bool) (todo []mail.Item) {
	return those(items, func(it mail.Item) bool {
		if f, seen := t[it.Ref]; seen {
			return f == waiting
		}
		if has(it.Ref) {
			t[it.Ref] = known
			return false
		}
		t[it.Ref] = waiting
		return true
	})
}

// those returns the items that are wanted. If all are, it is not a copy: listings are long.
func those(items []mail.Item, wanted func(mail.Item) bool) []mail.Item {
	n := 0
	for n < len(items) && wanted(items[n]) {
		n++
	}
	some := items[:n:n]
	for _, it := range items[min(n+1, len(items)):] {
		if wanted(it) {
			some = append(some, it)
		}
	}
	return some
}

// complete reports whether everything listed is archived, or was gone when it was asked for.
func (t tally) complete() bool {
	for _, f := range t {
		if f == waiting || f == failed {
			return false
		}
	}
	return true
}

// addTo adds the mailbox's fates to the report; what still waits was not reached and failed.
func (t tally) addTo(r *Report) {
	for _, f := range t {
		r.Listed++
		switch f {
		case known:
			r.Known++
		case fetched:
			r.Fetched++
		case linked:
			r.Linked++
		case vanished:
			r.Vanished++
		default:
			r.Failed++
		}
	}
}

func (r *run) fail(it mail.Item, f fate, reason string) {
	r.tally[it.Ref] = f
	r.report.Failures = append(r.report.Failures, Failure{Ref: it.Ref, State: string(f), Reason: reason})
	r.Watch.Tell(progress.Failed{Half: progress.Source, Ref: it.Ref, State: string(f), Reason: reason})
}
