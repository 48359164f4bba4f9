package imap

import "github.com/emersion/go-imap/v2"

// Message numbers are what proves a listing whole: those of the rows follow one another without a gap from the first
// message asked for to the last there is.

// base is how many messages there are below the first that is listed.
func (l *look) base() uint32 {
	switch {
	case l.from == 1:
		return 0
	case len(l.rows) == 0:
		return l.status.Messages
	}
	return l.rows[0].seq - min(l.rows[0].seq, 1)
}

// A gap is where messages are counted that were not listed.
type gap struct {
	uids numbers // that they can have; 0 is without end
	seqs numbers
}

type numbers struct{ first, last uint32 }

// gaps returns where messages are missing; none if there are as many as are counted, whatever their numbers.
func (l *look) gaps() []gap {
	count := l.status.Messages
	last := line{uid: l.from - 1, seq: l.base()}
	if uint64(last.seq)+uint64(len(l.rows)) >= uint64(count) {
		return nil
	}
	var gaps []gap
	for _, m := range l.rows {
		if m.seq > last.seq+1 {
			gaps = append(gaps, gap{numbers{last.uid + 1, m.uid - 1}, numbers{last.seq + 1, m.seq - 1}})
		}
		last = line{uid: m.uid, seq: max(m.seq, last.seq)}
	}
	if last.seq < count {
		gaps = append(gaps, gap{numbers{last.uid + 1, 0}, numbers{last.seq + 1, count}})
	}
	return gaps
}

// fill asks for what is missing: for the UIDs where it should be as long as more is shown, which gets everything from
// a server that answers only for so many at a time; and then by its numbers, in ever smaller parts. So a message because
// of which a server says NO is found. Of that one the UID will do: whoever reads it will hear why it cannot be had. What
// is not shown in any way is not there.
func (l *look) fill() error {
	for before := -1; len(l.rows) > before; {
		before = len(l.rows)
		if err := l.ask(l.asks(uidRanges(l.gaps()), wholeItem)); err != nil {
			return err
		}
	}
	if err := l.part(); err != nil {
		return err
	}
	if l.refused != nil && len(l.rows) == 0 && len(l.gaps()) > 0 {
		return l.refused
	}
	return nil
}

// maxBarren is how often in a row parts are asked for of which none shows anything: then it is not about a message.
const maxBarren = 4

func (l *look) part() error {
	var parts []numbers
	for _, g := range l.gaps() {
		parts = append(parts, g.seqs)
	}
	barren := 0
	for asked := 0; len(parts) > 0 && asked < 2*maxMissing && barren < maxBarren; {
		before := len(l.rows)
		if err := l.ask(l.asks(seqRanges(parts), wholeItem)); err != nil {
			return err
		}
		if asked, barren = asked+len(parts), barren+1; len(l.rows) > before {
			barren = 0
		}
		parts = halves(parts, l.gaps())
	}
	if barren == maxBarren {
		return nil
	}
	l.alone = true
	return l.ask(l.asks(singles(l.gaps()), numberOnly))
}

// halves parts those in which something is still missing, if they can be parted.
func halves(parts []numbers, gaps []gap) (halves []numbers) {
	for _, p := range parts {
		for _, g := range gaps {
			if g.seqs.first <= p.last && p.first <= g.seqs.last && p.first < p.last {
				middle := p.first + (p.last-p.first)/2
				halves = append(halves, numbers{p.first, middle}, numbers{middle + 1, p.last})
				break
			}
		}
	}
	return halves
}

func uidRanges(gaps []gap) (sets []imap.NumSet) {
	for _, g := range gaps {
		if (g.uids.last == 0 || g.uids.first <= g.uids.last) && len(sets) < maxMissing {
			sets = append(sets, uidRange(uint64(g.uids.first), uint64(g.uids.last)))
		}
	}
	return sets
}

func seqRanges(parts []numbers) (sets []imap.NumSet) {
	for _, p := range parts {
		sets = append(sets, imap.SeqSet{{Start: p.first, Stop: p.last}})
	}
	return sets
}

func singles(gaps []gap) (sets []imap.NumSet) {
	for _, g := range gaps {
		for n := g.seqs.first; n <= g.seqs.last && len(sets) < maxMissing; n++ {
			sets = append(sets, imap.SeqSetNum(n))
		}
	}
	return sets
}
