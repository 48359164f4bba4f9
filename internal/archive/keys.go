package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// Has reports whether the message is archived and its file not known to be missing or damaged. It costs a hash and
// a look into memory.
func (a *Archive) Has(ref mail.Ref) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.keys[keyOf(a.original, ref)]
}

// knows reports whether there is an entry of that key, be it that its file is missing or damaged.
func (a *Archive) knows(k key) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.keys[k] || a.unsound[k].id != 0
}

// loadKeys learns which messages are there.
func (a *Archive) loadKeys() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.keys)
	var k []byte
	err := a.ledger.each("select key from entry where state = 0", func(scan func(...any) error) error {
		err := scan(&k)
		if err == nil && len(k) == len(key{}) {
			a.keys[key(k)] = true
		}
		return err
	})
	return err
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
