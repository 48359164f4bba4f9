package migrate

import (
	"cmp"
	"slices"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Report says what became of every message of the archive at one destination. Each has one fate:
// Archived = Known + Appended + Present + Merged + Refused + Failed + LeftOut + Gone, also when the run ended early.
type Report struct {
	Archived int
	Known    int // confirmed by earlier runs
	Appended int // by this run, and confirmed
	Present  int // was there already
	Merged   int // one that is there counts for it too
	Refused  int // the server's definite no, in this run or an earlier one
	Failed   int // not brought; the next run tries again
	LeftOut  int // not to be brought
	Gone     int // the source no longer shows it
	Octets   int64
	Mended   []Mended  // those that this run has brought as mended copies; they are among the others
	Mendable bool      // of the refused ones some could be brought as mended copies
	Failures []Failure // the refused ones, and the failed ones that this run came to
	Findings []Finding
	// Dropped is how many messages that were appended, in this run or an earlier one, are there without which flags.
	Dropped map[mail.Flag]int
	Merges  []Merge // those of this run

	layout layout
}

// A Failure is one message that is not at the destination.
type Failure struct {
	Ref    mail.Ref
	Header mail.Header
	State  string
	Reason string
}

// The states of a Failure.
const (
	StateRefused = "refused"
	StateFailed  = "failed"
)

// A Finding is one message that is at the destination, but not as it was sent.
type Finding struct {
	Kind      string // "altered" or "missing"
	Ref       mail.Ref
	MessageID string
	Reason    string
	mailbox   string // at the destination; Verification only
}

func failure(e archive.Entry, state, reason string) Failure {
	return Failure{Ref: e.Ref, Header: e.Header, State: state, Reason: reason}
}

// report counts by the ledger, so that the sum holds whatever happened: what an outcome has and had not before
// is this run's work, and what has none failed.
func (r *run) report(before map[archive.State]int) (Report, error) {
	after, err := r.Archive.Counts(r.Account)
	if err != nil {
		return Report{}, err
	}
	rep := Report{
		Known:    before[archive.Done] + before[archive.Present] + before[archive.Merged],
		Appended: after[archive.Done] - before[archive.Done],
		Present:  after[archive.Present] - before[archive.Present],
		Merged:   after[archive.Merged] - before[archive.Merged],
		Refused:  after[archive.Refused],
		Octets:   r.octets,
		Findings: r.findings,
	}
	rep.layout = r.layout
	if err := r.countUndone(&rep, after); err != nil {
		return rep, err
	}
	if rep.Dropped, err = r.Archive.Lacking(r.Account); err != nil {
		return rep, err
	}
	rep.Mended = r.mended()
	if rep.Mendable, err = r.anyMendable(); err != nil {
		return rep, err
	}
	if rep.Failures, err = r.failures(); err != nil {
		return rep, err
	}
	rep.Merges, err = r.merged()
	return rep, err
}

// Recount adds to the report what has been archived since Run ended early: nobody has brought it, so it failed.
func (j Job) Recount(rep *Report) error {
	counts, err := j.Archive.Counts(j.Account)
	if err != nil {
		return err
	}
	return j.countUndone(rep, counts)
}

// countUndone counts all there is, and what of it nobody has brought.
func (j Job) countUndone(rep *Report, counts map[archive.State]int) error {
	rep.Failed, rep.Gone = counts[archive.Pending]+counts[archive.Intended], counts[archive.Gone]
	if j.IncludeGone {
		rep.Failed, rep.Gone = rep.Failed+rep.Gone, 0
	}
	rep.Archived = 0
	for _, n := range counts {
		rep.Archived += n
	}
	return j.countLeftOut(rep)
}

// countLeftOut takes what is not to be brought from what failed.
func (j Job) countLeftOut(rep *Report) error {
	counts, err := j.Archive.MailboxCounts(j.Account)
	if err != nil {
		return err
	}
	others, err := j.Archive.NotChosen(j.Account, j.wanted())
	if err != nil {
		return err
	}
	rep.LeftOut = 0
	for _, n := range others {
		rep.LeftOut += n
	}
	for s := range rep.layout.all() {
		if !s.LeftOut && !s.Rest {
			continue
		}
		n := counts[s.From.Name]
		rep.LeftOut += n[archive.Pending] - others[s.From.Name]
		if j.IncludeGone {
			rep.LeftOut += n[archive.Gone]
		}
		if s.Rest {
			alone, err := j.Archive.Alone(j.Account, j.wanted(), s.From.Name, rep.layout.views())
			if err != nil {
				return err
			}
			rep.LeftOut -= len(alone)
		}
	}
	rep.Failed -= rep.LeftOut
	return nil
}

func (r *run) failures() ([]Failure, error) {
	refused, err := r.Archive.Refused(r.Account)
	if err != nil {
		return nil, err
	}
	var all []Failure
	for _, o := range refused {
		e, err := r.Archive.Entry(o.Entry)
		if err != nil {
			return nil, err
		}
		all = append(all, failure(e, StateRefused, o.Reason))
	}
	skipped := make([]int64, 0, len(r.skipped))
	for id := range r.skipped {
		skipped = append(skipped, id)
	}
	slices.SortFunc(skipped, cmp.Compare)
	for _, id := range skipped {
		all = append(all, r.skipped[id])
	}
	return all, nil
}
