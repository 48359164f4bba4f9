package archive

import (
	"fmt"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// finishMoves brings to an end what an earlier run has left.
func (a *Archive) finishMoves() error {
	err := a.ledger.each("select exists (select 1 from move)", func(scan func(...any) error) error { return scan(&a.moving) })
	if err != nil {
		return err
	}
	return a.settleMoves()
}

// settleMoves brings the moves that are written down to their end, if there are any: by files first. It can be done
// again from every point at which it can stop.
func (a *Archive) settleMoves() error {
	if !a.moving {
		return nil
	}
	m, err := a.openMoves()
	if err != nil {
		return err
	}
	if err := a.makeFolders(m.folders()); err != nil {
		return err
	}
	if err := a.inFolders(m.folders(), m.rename); err != nil {
		return err
	}
	if err := a.learnKeys(); err != nil {
		return err
	}
	if err := m.enter(); err != nil {
		a.stranded = true
		return err
	}
	m.learn()
	a.moving = false
	return a.loadUnsound()
}

// openMoves reads the moves that are written down.
func (a *Archive) openMoves() (*moves, error) {
	m := &moves{a: a}
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
				return fmt.Errorf("%w: a move to nowhere", errNotSound)
			}
			m.steps = append(m.steps, s)
			return err
		})
	return m, err
}

// rename gives the files their new names.
func (m *moves) rename() error {
	abc, err := m.letters()
	if err != nil {
		return err
	}
	at := map[*folder]*whereabouts{}
	for f := range abc {
		at[f] = &whereabouts{a: m.a, folder: f}
	}
	for _, s := range m.steps {
		if err := m.renameOne(s, at[s.place], at[s.to], abc); err != nil {
			return err
		}
	}
	return nil
}

// letters returns those of all folders, with letters for all keywords where they are needed.
func (m *moves) letters() (alphabets, error) {
	keywords := map[*folder]map[string]bool{}
	for _, f := range m.folders() {
		keywords[f] = map[string]bool{}
	}
	for _, s := range m.steps {
		keywords[s.to][s.keywords] = true
	}
	abc := alphabets{}
	for f, texts := range keywords {
		var all mail.Flags
		for text := range texts {
			all = union(all, allFlags("", text))
		}
		l, err := m.a.lettersFor(f, all)
		if err != nil {
			return nil, err
		}
		abc[f] = l
	}
	return abc, nil
}

func (m *moves) renameOne(s *step, from, to *whereabouts, abc alphabets) error {
	was, will := abc[s.place], abc[s.to]
	is, err := from.move(s.row, func(is found) found {
		flags := allFlags(is.name.info, keywordsNow(s.keywords, was, s.name.info, was, is.name.info))
		name := s.target()
		name.info = will.info(flags, was.strange(is.name.info))
		return found{folder: s.to, name: name}
	})
	if err == nil && is == nil { // renamed before, by this run or an earlier one
		is, err = to.find(0, s.target())
	}
	if err != nil {
		return err
	}
	if s.lost = is == nil; s.lost {
		return nil
	}
	s.keywords = keywordsNow(s.keywords, was, s.name.info, will, is.name.info)
	s.sub, s.name.info = is.sub, is.name.info
	return nil
}

// enter tells the ledger.
func (m *moves) enter() error {
	return m.a.write("rekey", func() error {
		for _, s := range m.steps {
			if err := m.leave(s); err != nil {
				return err
			}
		}
		for _, s := range m.steps {
			if err := m.arrive(s); err != nil {
				return err
			}
		}
		_, err := m.a.ledger.exec("delete from move")
		return err
	})
}

// leave takes the old key from the entry, for another may get it in the same transaction.
func (m *moves) leave(s *step) (err error) {
	if s.lost {
		_, err = m.a.ledger.exec("update entry set state = ? where id = ?", missing, s.id)
	} else {
		_, err = m.a.ledger.exec("update entry set key = randomblob(16) where id = ?", s.id)
	}
	return err
}

// arrive gives it the new one. What was missing or damaged under that is lost now: the Ref has this message.
func (m *moves) arrive(s *step) error {
	if s.lost {
		return nil
	}
	if _, err := m.a.ledger.exec("update entry set state = ? where key = ? and state <> 3", lost, s.key[:]); err != nil {
		return err
	}
	_, err := m.a.ledger.exec(`update entry set key = ?, mailbox = ?, place = ?, sub = ?, validity = ?, uid = ?, nth = ?, info = ?,
		keywords = ?, gone = 0 where id = ?`, s.key[:], s.mailbox.id, s.to.id, s.sub, s.ref.Validity, []byte(s.ref.UID), s.nth,
		s.name.info, s.keywords, s.id)
	return err
}

// learn takes the new keys for known.
func (m *moves) learn() {
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	for _, s := range m.steps {
		delete(m.a.keys, s.name.key)
	}
	for _, s := range m.steps {
		delete(m.a.underway, s.key)
		if !s.lost {
			m.a.keys[s.key] = true
		}
	}
}
