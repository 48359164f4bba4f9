package archive

import (
	"fmt"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Move gives an entry another Ref: the source has renamed its folder, or numbered it anew.
type Move struct {
	Entry   int64
	Ref     mail.Ref
	Mailbox mail.Mailbox // Ref's
}

// Rekey has the entries go on under new Refs, with all outcomes: their files get the names of the new keys, and those
// that lie in their mailbox's directory go into the new one's. Entries may exchange their Refs. A Ref that two messages
// would have is refused with ErrKnown, and nothing is done. An entry that is not sound stays as it is, and so does one
// whose file turns out to be missing: Has says which Refs are known then.
//
// The moves are written down before the first file is renamed, and taken back in the transaction that changes the
// entries. What is stopped in between is brought to its end by the next Open.
func (a *Archive) Rekey(list []Move) error {
	if a.lock == nil {
		return errReadOnly
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	if err := a.settleMoves(); err != nil {
		return err
	}
	m, err := a.plan(list)
	if err != nil || len(m.steps) == 0 {
		return err
	}
	if err := m.reserve(); err != nil {
		return err
	}
	if err := m.intend(); err != nil {
		m.release()
		return err
	}
	a.moving = true
	return a.settleMoves()
}

// moves are those of one Rekey.
type moves struct {
	a     *Archive
	steps []*step
	taken map[*folder]map[string]bool // the base names that are there, or will be
}

// A step is one entry on its way to its new Ref.
type step struct {
	row
	keywords string
	// What it gets.
	ref     mail.Ref
	key     key
	mailbox *folder
	to      *folder // its place
	nth     int
	lost    bool // the file is not there any more
}

// target returns the name its file gets, but for the flags.
func (s *step) target() fileName {
	n := s.name
	n.key, n.nth = s.key, s.nth
	return n
}

// plan decides where everything goes, before anything does.
func (a *Archive) plan(list []Move) (*moves, error) {
	m := &moves{a: a, taken: map[*folder]map[string]bool{}}
	byID := a.folders.byID()
	for _, move := range list {
		s := &step{mailbox: a.folders.of(move.Mailbox), ref: move.Ref, key: keyOf(a.original, move.Ref)}
		if err := m.read(s, move.Entry, byID); err != nil {
			return nil, err
		}
		if s.state != sound || s.key == s.name.key {
			continue
		}
		taken, err := m.takenIn(s.place)
		if err != nil {
			return nil, err
		}
		taken[s.name.base()] = true // also if its file is missing: no other must be taken for it
		m.steps = append(m.steps, s)
	}
	for _, s := range m.steps {
		if err := m.number(s); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// read takes the entry's row in. A file that somebody has put into another folder stays there.
func (m *moves) read(s *step, id int64, byID map[int64]*folder) error {
	err := m.a.ledger.each(`select id, key, nth, received, stored, octets, info, keywords, sub, state, place, mailbox
		from entry where id = ?`, func(scan func(...any) error) error {
		var k []byte
		var place, mailbox int64
		err := scan(&s.id, &k, &s.name.nth, &s.name.received, &s.name.stored, &s.name.octets, &s.name.info, &s.keywords, &s.sub,
			&s.state, &place, &mailbox)
		copy(s.name.key[:], k)
		if s.place, s.to = byID[place], byID[place]; place == mailbox {
			s.to = s.mailbox
		}
		return err
	}, id)
	if err == nil && s.place == nil {
		err = fmt.Errorf("there is no entry %d", id)
	}
	return err
}

// number sees to it that the file's name is free, and that of all files with its key it counts as the newest.
func (m *moves) number(s *step) error {
	if u := m.a.notSound(s.key); u.id != 0 {
		s.nth = u.nth + 1
	}
	err := m.a.ledger.each("select coalesce(max(nth) + 1, 0) from entry where key = ? and state = 3",
		func(scan func(...any) error) error {
			var next int
			err := scan(&next)
			s.nth = max(s.nth, next)
			return err
		}, s.key[:])
	if err != nil {
		return err
	}
	taken, err := m.takenIn(s.to)
	if err != nil {
		return err
	}
	for taken[s.target().base()] {
		s.nth++
	}
	taken[s.target().base()] = true
	return nil
}

func (m *moves) takenIn(f *folder) (map[string]bool, error) {
	if taken := m.taken[f]; taken != nil {
		return taken, nil
	}
	l, err := m.a.list(f)
	taken := make(map[string]bool, len(l.paths))
	for base := range l.paths {
		taken[base] = true
	}
	m.taken[f] = taken
	return taken, err
}

// reserve keeps the places for the new Refs, and fails if one is, or will be, that of two messages.
func (m *moves) reserve() error {
	if err := m.a.learnKeys(); err != nil {
		return err
	}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	leaving, coming := map[key]bool{}, map[key]bool{}
	for _, s := range m.steps {
		leaving[s.name.key] = true
	}
	for _, s := range m.steps {
		if coming[s.key] || m.a.underway[s.key] || m.a.keys[s.key] && !leaving[s.key] {
			return fmt.Errorf("%s %w", s.ref, ErrKnown)
		}
		coming[s.key] = true
	}
	for k := range coming {
		m.a.underway[k] = true
	}
	return nil
}

func (m *moves) release() {
	for _, s := range m.steps {
		m.a.release(s.key)
	}
}

// intend writes the moves down, and makes the folders.
func (m *moves) intend() error {
	if err := m.a.makeFolders(m.folders()); err != nil {
		return err
	}
	return m.a.writeWithFolders("move", func() error {
		for _, s := range m.steps {
			_, err := m.a.ledger.exec("insert into move (entry, key, mailbox, place, validity, uid, nth) values (?, ?, ?, ?, ?, ?, ?)",
				s.id, s.key[:], s.mailbox.id, s.to.id, s.ref.Validity, []byte(s.ref.UID), s.nth)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// folders returns those that anything is done in.
func (m *moves) folders() []*folder {
	var all []*folder
	in := map[*folder]bool{}
	for _, s := range m.steps {
		for _, f := range []*folder{s.mailbox, s.place, s.to} {
			if !in[f] {
				in[f] = true
				all = append(all, f)
			}
		}
	}
	return all
}
