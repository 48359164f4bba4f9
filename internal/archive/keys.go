package archive

import (
	"database/sql"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Has reports whether the message is archived and its file not known to be missing or damaged. It costs a hash and
// a look into memory, where the first one brings what the ledger knows. If the ledger cannot be read it is false, and
// the Put that follows fails.
func (a *Archive) Has(ref mail.Ref) bool {
	if a.learnKeys() != nil {
		return false
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.keys[keyOf(a.original, ref)]
}

// knows reports whether there is an entry of that key, be it that its file is missing or damaged.
func (a *Archive) knows(k key) (bool, error) {
	if err := a.learnKeys(); err != nil {
		return false, err
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.keys[k] || a.unsound[k].id != 0, nil
}

// learnKeys reads which messages are there, once, when it is first asked, for a run with nothing new does not ask. Whoever
// is about to change what is known of them calls it before the ledger is changed, and holds no lock.
func (a *Archive) learnKeys() error {
	if a.learnt.Load() {
		return nil
	}
	a.learning.Lock()
	defer a.learning.Unlock()
	if a.learnt.Load() {
		return nil
	}
	keys, err := a.readKeys()
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for k := range a.unsound {
		delete(keys, k)
	}
	a.keys = keys
	a.learnt.Store(true)
	return nil
}

// readKeys returns the keys of all that is not lost. They stand in an index, whose condition the query has word for word;
// what is missing or damaged would have to be read in the rows.
func (a *Archive) readKeys() (map[key]bool, error) {
	keys := map[key]bool{}
	var k sql.RawBytes
	err := a.ledger.each("select key from entry where state <> 3", func(scan func(...any) error) error {
		err := scan(&k)
		if err == nil && len(k) == len(key{}) {
			keys[key(k)] = true
		}
		return err
	})
	return keys, err
}

// loadUnsound learns which messages are known, but not there.
func (a *Archive) loadUnsound() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.unsound)
	var k []byte
	return a.ledger.each("select key, id, nth, digest from entry where state in (1, 2) and state <> 0", func(scan func(...any) error) error {
		var u unsound
		var digest []byte
		err := scan(&k, &u.id, &u.nth, &digest)
		copy(u.digest[:], digest)
		if err == nil && len(k) == len(key{}) {
			a.unsound[key(k)] = u
		}
		return err
	})
}
