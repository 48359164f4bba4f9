package migrate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// A Verification holds the archive against a destination: every message that belongs there is looked for. It changes
// nothing there, and its Destination should be one that opens mailboxes with EXAMINE. What is found of each message is
// written down as a proof.
type Verification struct {
	Job         // of it Archive, Destination, Account, Rules, IncludeGone, Watch, Pause and Stop count
	Deep   bool // read what is there, and compare it octet by octet
	Sample int  // with Deep: read so many of all; 0: all
}

// Verdicts say what was found. Present, Missing, Altered and LeftOut are all messages of the archive.
type Verdicts struct {
	archive.Verification
	LeftOut  int // messages that do not belong there
	Folders  []FolderVerdict
	Rewrites []string // what the server does to all mail that it is given, and counts as no difference
	Findings []Finding
}

// A FolderVerdict is the result for one mailbox of the destination.
type FolderVerdict struct {
	Mailbox                                string
	Present, Missing, Altered, Extra, Read int
}

// The kinds of findings.
const (
	FoundAltered = "altered"
	FoundMissing = "missing"
)

// Run looks for everything, and returns what it found; after an error, what it has found till then, which it will not
// read again.
func (v Verification) Run(ctx context.Context) (Verdicts, error) {
	v.Job.More, v.Job.Repair, v.Job.Others = nil, false, nil
	p := &proving{Verification: v, run: newRun(v.Job), learnt: newLessons(), folders: map[string]*FolderVerdict{}}
	p.run.hire(v.Destination)
	p.run.floor.Lock()
	defer p.run.floor.Unlock()
	err := p.prove(ctx)
	p.verdicts.Rewrites = p.learnt.said()
	p.verdicts.Account, p.verdicts.Deep, p.verdicts.Sample = v.Account, v.Deep, v.Sample
	for _, name := range slices.Sorted(maps.Keys(p.folders)) {
		p.sum(*p.folders[name])
	}
	if err == nil {
		p.verdicts.Began, p.verdicts.Ended = p.began, time.Now()
		err = v.Archive.EndVerification(p.verdicts.Verification)
	}
	return p.verdicts, err
}

// proving is one Verification under way.
type proving struct {
	Verification
	run      *run
	began    time.Time
	learnt   *lessons
	sampled  map[int64]bool // nil: all
	folders  map[string]*FolderVerdict
	verdicts Verdicts
}

// An expected is an entry that should be in a mailbox at the destination.
type expected struct {
	archive.Outcome
	why string // what there is to say if it is not there
}

func (p *proving) prove(ctx context.Context) (err error) {
	if err := p.run.mayBegin(ctx); err != nil {
		return err
	}
	record := archive.Verification{Account: p.Account, Began: time.Now(), Deep: p.Deep, Sample: p.Sample}
	if p.began, err = p.Archive.BeginVerification(record); err != nil {
		return err
	}
	if err := p.run.layOut(ctx); err != nil {
		return err
	}
	all, err := p.expect()
	if err != nil {
		return err
	}
	p.choose(all)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := p.run.persist(ctx, p.run.hands[0], func() error { return p.mailbox(ctx, name, all[name]) }); err != nil {
			return err
		}
	}
	return p.condemn()
}

func (p *proving) sum(f FolderVerdict) {
	v := &p.verdicts
	v.Present, v.Missing, v.Altered = v.Present+f.Present, v.Missing+f.Missing, v.Altered+f.Altered
	v.Extra, v.Read = v.Extra+f.Extra, v.Read+f.Read
	v.Folders = append(v.Folders, f)
}

// expect returns what should be in which mailbox of the destination: what was brought there, and what would be.
func (p *proving) expect() (map[string][]expected, error) {
	mailboxes, err := p.Archive.Mailboxes()
	if err != nil {
		return nil, err
	}
	if p.run.whole, err = p.run.lookedThrough(mailboxes); err != nil {
		return nil, err
	}
	all := map[string][]expected{}
	for _, mb := range mailboxes {
		fates, err := p.Archive.Fates(p.Account, p.wanted(), mb.Name)
		if err != nil {
			return nil, err
		}
		shares, err := p.run.shares(mb.Name)
		if err != nil {
			return nil, err
		}
		for _, o := range fates {
			e, belongs, err := p.place(o, shares)
			if err != nil {
				return nil, err
			}
			if belongs {
				all[e.Mailbox] = append(all[e.Mailbox], e)
			} else {
				p.verdicts.LeftOut++
			}
		}
	}
	return all, nil
}

// place says where an entry should be, if anywhere.
func (p *proving) place(o archive.Outcome, shares []share) (expected, bool, error) {
	switch o.State {
	case archive.Done, archive.Present, archive.Merged:
		return expected{o, "the server does not have it any more"}, true, nil
	case archive.Intended:
		return expected{o, "it was on its way when a run ended; restore finds out"}, true, nil
	case archive.Refused:
		o.Mended = ""
		return expected{o, "the server has refused it: " + o.Reason}, true, nil
	case archive.Gone:
		return expected{}, false, nil
	}
	for _, s := range shares {
		if s.takes != nil {
			e, err := p.Archive.Entry(o.Entry)
			if err != nil {
				return expected{}, false, err
			}
			if !s.takes(e) {
				continue
			}
		}
		o.Mailbox = s.To.Name
		return expected{o, "it was not brought yet; restore does it"}, true, nil
	}
	return expected{}, false, nil
}

// mailbox looks through one mailbox at the destination.
func (p *proving) mailbox(ctx context.Context, name string, all []expected) error {
	p.folders[name] = &FolderVerdict{Mailbox: name}
	p.verdicts.Findings = slices.DeleteFunc(p.verdicts.Findings, func(f Finding) bool { return f.mailbox == name })
	p.learnt.forget(name) // it may be looked through again, after a cut
	b := &proofBox{proving: p, box: p.run.box(p.run.hands[0], name), verdict: p.folders[name]}
	if !p.run.layout.there[name] {
		return b.nothing(all)
	}
	return b.look(ctx, all)
}

// choose picks the sample: always the same messages, so that a run that was broken off goes on with them.
func (p *proving) choose(all map[string][]expected) {
	if !p.Deep || p.Sample <= 0 {
		return
	}
	var ids []int64
	for _, list := range all {
		for _, e := range list {
			ids = append(ids, e.Entry)
		}
	}
	slices.SortFunc(ids, func(x, y int64) int { return cmp.Or(cmp.Compare(scatter(x), scatter(y)), cmp.Compare(x, y)) })
	p.sampled = map[int64]bool{}
	for _, id := range ids[:min(len(ids), p.Sample)] {
		p.sampled[id] = true
	}
}

// scatter spreads numbers that follow each other.
func scatter(id int64) uint64 {
	x := uint64(id) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	return x * 0xbf58476d1ce4e5b9
}

// condemn calls altered what differs in a way that the server does not treat all mail in.
func (p *proving) condemn() error {
	var proofs []archive.Proof
	for _, d := range p.learnt.doubts {
		why := p.learnt.unknown(d.kinds)
		if why == "" {
			continue
		}
		f := p.folders[d.proof.Mailbox]
		f.Present, f.Altered = f.Present-1, f.Altered+1
		d.proof.Verdict, d.proof.Why = archive.ProvedAltered, why
		proofs = append(proofs, d.proof)
		e, err := p.Archive.Entry(d.proof.Entry)
		if err != nil {
			return err
		}
		p.find(FoundAltered, e, d.proof.Mailbox, why)
	}
	if len(proofs) == 0 {
		return nil
	}
	return p.Archive.Prove(p.Account, proofs)
}

func (p *proving) find(kind string, e archive.Entry, mailbox, why string) {
	p.verdicts.Findings = append(p.verdicts.Findings, Finding{Kind: kind, Ref: e.Ref, MessageID: e.Header.MessageID,
		Reason: fmt.Sprintf("in %s: %s", mailbox, why), mailbox: mailbox})
}
