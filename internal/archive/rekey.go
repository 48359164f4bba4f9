package archive

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Move gives an entry another Ref: the source has renamed its folder, or numbered it anew.
type Move struct {
	Entry   int64
	Ref     mail.Ref
	Mailbox mail.Mailbox // Ref's
}

// Rekey has the entries go on under new Refs, with all outcomes: their files get the names of the new keys, and those
// that lie in their mailbox's directory go into the new one's. Entries may exchange their Refs. A Ref that is that of
// another sound message, which does not move, is refused with ErrKnown, and nothing is done. An entry that is not
// sound stays as it is, as does one whose file turns out to be missing; Has says which Refs are known then.
//
// It is two transactions, one before the files are renamed and one after. What is stopped in between, the next Open
// brings to its end.
func (a *Archive) Rekey(moves []Move) error {
	if a.lock == nil {
		return errReadOnly
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	if err := a.settleMoves(); err != nil {
		return err
	}
	p, err := a.planMoves(moves)
	if err != nil || len(p.steps) == 0 {
		return err
	}
	if err := a.makeFolders(p.folders()); err != nil {
		return err
	}
	if err := p.intend(); err != nil {
		return err
	}
	a.moving = true
	return a.settleMoves()
}

// A step is one entry on its way to its new Ref.
type step struct {
	row
	ref      mail.Ref
	mailbox  *folder
	to       *folder // its place
	nth      int
	keywords string
	key      key
	lost     bool // the file is not there any more
}

// base returns the name its file gets.
func (s *step) base() fileName {
	n := s.name
	n.key, n.nth = s.key, s.nth
	return n
}

// moves are those of one Rekey.
type moves struct {
	a     *Archive
	steps []*step
	taken map[*folder]map[string]bool // the base names that are there, or will be
}

func (p *moves) folders() []*folder {
	var all []*folder
	for _, s := range p.steps {
		for _, f := range []*folder{s.mailbox, s.to, s.place} {
			if !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	return all
}

// planMoves decides where everything goes, before anything does.
func (a *Archive) planMoves(list []Move) (*moves, error) {
	p := &moves{a: a, taken: map[*folder]map[string]bool{}}
	byID := a.folders.byID()
	leaving := map[key]bool{}
	for _, m := range list {
		s := &step{ref: m.Ref, mailbox: a.folders.of(m.Mailbox), key: keyOf(a.original, m.Ref)}
		s.ref.Mailbox = s.mailbox.Name
		was, err := p.read(s, m.Entry, byID)
		if err != nil {
			return nil, err
		}
		if s.place == nil || s.state != sound || s.key == s.name.key {
			continue
		}
		if s.to = s.place; was == s.place {
			s.to = s.mailbox
		}
		leaving[s.name.key] = true
		p.steps = append(p.steps, s)
	}
	if err := p.refuse(leaving); err != nil {
		return nil, err
	}
	for _, s := range p.steps {
		if err := p.number(s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// read takes the entry's row in, and returns the folder of its mailbox.
func (p *moves) read(s *step, id int64, byID map[int64]*folder) (was *folder, err error) {
	s.id = id
	err = p.a.ledger.each(`select key, nth, received, stored, octets, info, keywords, sub, state, place, mailbox
		from entry where id = ?`, func(scan func(...any) error) error {
		var k []byte
		var place, mailbox int64
		err := scan(&k, &s.name.nth, &s.name.received, &s.name.stored, &s.name.octets, &s.name.info, &s.keywords, &s.sub, &s.state,
			&place, &mailbox)
		copy(s.name.key[:], k)
		s.place, was = byID[place], byID[mailbox]
		return err
	}, id)
	if err == nil && s.place == nil {
		err = fmt.Errorf("there is no entry %d", id)
	}
	return was, err
}

// refuse fails if a Ref is, or will be, that of two messages.
func (p *moves) refuse(leaving map[key]bool) error {
	p.a.mu.RLock()
	defer p.a.mu.RUnlock()
	coming := map[key]bool{}
	for _, s := range p.steps {
		if coming[s.key] || p.a.underway[s.key] || p.a.keys[s.key] && !leaving[s.key] {
			return fmt.Errorf("%s %w", s.ref, ErrKnown)
		}
		coming[s.key] = true
	}
	return nil
}

// number sees to it that the file's name is free, and that of all files with its key it counts as the newest.
func (p *moves) number(s *step) error {
	if u := p.a.notSound(s.key); u.id != 0 {
		s.nth = u.nth + 1
	}
	err := p.a.ledger.each("select max(nth) from entry where key = ? and state = 3", func(scan func(...any) error) error {
		var last *int
		err := scan(&last)
		if last != nil {
			s.nth = max(s.nth, *last+1)
		}
		return err
	}, s.key[:])
	if err != nil {
		return err
	}
	taken := p.taken[s.to]
	if taken == nil {
		taken = map[string]bool{}
		l, err := p.a.list(s.to)
		if err != nil {
			return err
		}
		for base := range l.paths {
			taken[base] = true
		}
		p.taken[s.to] = taken
	}
	for taken[s.base().base()] {
		s.nth++
	}
	taken[s.base().base()] = true
	return nil
}

// intend writes the moves down.
func (p *moves) intend() error {
	changed := p.a.folders.changes()
	err := p.a.write("move", func() error {
		if err := p.a.enterFolders(changed); err != nil {
			return err
		}
		for _, s := range p.steps {
			_, err := p.a.ledger.exec("insert into move (entry, key, mailbox, place, validity, uid, nth) values (?, ?, ?, ?, ?, ?, ?)",
				s.id, s.key[:], s.mailbox.id, s.to.id, s.ref.Validity, []byte(s.ref.UID), s.nth)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.a.folders.keep(changed)
	}
	return err
}

// settleMoves brings the moves that are written down to their end.
func (a *Archive) settleMoves() error {
	if !a.moving {
		return nil
	}
	p, err := a.openMoves()
	if err != nil {
		return err
	}
	if err := a.makeFolders(p.folders()); err != nil {
		return err
	}
	if err := a.inFolders(p.folders(), p.perform); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		a.stranded = true
		return err
	}
	p.know()
	a.moving = false
	return a.loadUnsound()
}

// finishMoves brings to an end what an earlier run has left.
func (a *Archive) finishMoves() error {
	err := a.ledger.each("select exists (select 1 from move)", func(scan func(...any) error) error { return scan(&a.moving) })
	if err != nil {
		return err
	}
	return a.settleMoves()
}

// openMoves reads the moves that are written down.
func (a *Archive) openMoves() (*moves, error) {
	p := &moves{a: a}
	byID := a.folders.byID()
	err := a.ledger.each(`select e.id, e.key, e.nth, e.received, e.stored, e.octets, e.info, e.keywords, e.sub, e.state, e.place,
		v.key, v.mailbox, v.place, v.validity, v.uid, v.nth from move v join entry e on e.id = v.entry order by e.id`,
		func(scan func(...any) error) error {
			s := &step{}
			var was, is []byte
			var place, mailbox, to int64
			err := scan(&s.id, &was, &s.name.nth, &s.name.received, &s.name.stored, &s.name.octets, &s.name.info, &s.keywords, &s.sub,
				&s.state, &place, &is, &mailbox, &to, &s.ref.Validity, &s.ref.UID, &s.nth)
			copy(s.name.key[:], was)
			copy(s.key[:], is)
			s.place, s.mailbox, s.to = byID[place], byID[mailbox], byID[to]
			if err == nil && (s.place == nil || s.mailbox == nil || s.to == nil) {
				err = errors.Join(errNotSound, err)
			}
			p.steps = append(p.steps, s)
			return err
		})
	return p, err
}

// perform renames the files, those that have been renamed already left aside.
func (p *moves) perform() error {
	at := map[*folder]*whereabouts{}
	letters := map[*folder]*letters{}
	for _, f := range p.folders() {
		var keywords mail.Flags
		for _, s := range p.steps {
			if s.to == f {
				keywords = union(keywords, allFlags("", s.keywords))
			}
		}
		l, err := p.a.lettersFor(f, keywords)
		if err != nil {
			return err
		}
		at[f], letters[f] = &whereabouts{a: p.a, folder: f}, l
	}
	for _, s := range p.steps {
		if err := p.performOne(s, at[s.place], at[s.to], letters[s.place], letters[s.to]); err != nil {
			return err
		}
	}
	return nil
}

func (p *moves) performOne(s *step, from, to *whereabouts, was, will *letters) error {
	is, err := from.move(s.row, func(is found) found {
		keywords := keywordsNow(s.keywords, was, s.name.info, was, is.name.info)
		flags := allFlags(is.name.info, keywords)
		dst := s.base()
		dst.info = will.info(flags, was.strange(is.name.info))
		return found{folder: s.to, name: dst}
	})
	if err == nil && is == nil { // an earlier run has renamed it
		is, err = to.find(0, s.base())
	}
	if err != nil {
		return err
	}
	if is == nil {
		s.lost = true
		return nil
	}
	s.keywords = keywordsNow(s.keywords, was, s.name.info, will, is.name.info)
	s.sub, s.name.info = is.sub, is.name.info
	return nil
}

// enter tells the ledger.
func (p *moves) enter() error {
	return p.a.write("rekey", func() error {
		for _, s := range p.steps { // some may take the keys of others
			if !s.lost {
				if _, err := p.a.ledger.exec("update entry set key = randomblob(16) where id = ?", s.id); err != nil {
					return err
				}
			}
		}
		for _, s := range p.steps {
			if err := p.enterOne(s); err != nil {
				return err
			}
		}
		_, err := p.a.ledger.exec("delete from move")
		return err
	})
}

func (p *moves) enterOne(s *step) error {
	if s.lost {
		_, err := p.a.ledger.exec("update entry set state = ? where id = ?", missing, s.id)
		return err
	}
	// What was missing or damaged under this Ref is so for good: another message has its place now.
	if _, err := p.a.ledger.exec("update entry set state = ? where key = ? and state in (1, 2)", lost, s.key[:]); err != nil {
		return err
	}
	_, err := p.a.ledger.exec(`update entry set key = ?, mailbox = ?, place = ?, sub = ?, validity = ?, uid = ?, nth = ?, info = ?,
		keywords = ?, gone = 0 where id = ?`, s.key[:], s.mailbox.id, s.to.id, s.sub, s.ref.Validity, []byte(s.ref.UID), s.nth,
		s.name.info, s.keywords, s.id)
	return err
}

// know learns the new keys.
func (p *moves) know() {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	for _, s := range p.steps {
		delete(p.a.keys, s.name.key)
	}
	for _, s := range p.steps {
		if !s.lost {
			p.a.keys[s.key] = true
		}
	}
}
