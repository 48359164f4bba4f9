package archive

import (
	"hash/maphash"
	"sync"
	"time"
)

// looks is what entries look like, to answer without the ledger for a message that none looks like: as most that are
// new do. It is only made when many are asked for.
type looks struct {
	mu    sync.Mutex
	asked int
	known map[uint64]bool // nil: not made yet
}

// manyAsked is after how many questions to the ledger reading all of them at once is cheaper.
const manyAsked = 200

// looksSeed makes it another message in each run that is looked for in the ledger in vain.
var looksSeed = maphash.MakeSeed()

func lookOf(octets int64, received time.Time) uint64 {
	if received.IsZero() {
		return maphash.Comparable(looksSeed, octets)
	}
	return maphash.Comparable(looksSeed, [2]int64{octets, received.Unix()})
}

func lookOfIdentity(identity string) uint64 { return maphash.String(looksSeed, identity) }

// may reports whether an entry may look so; false with an error if that cannot be told.
func (s *looks) may(l *ledger, look uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		if s.asked++; s.asked < manyAsked {
			return true, nil
		}
		if err := s.learn(l); err != nil {
			return false, err
		}
	}
	return s.known[look], nil
}

// learn reads two indexes.
func (s *looks) learn(l *ledger) error {
	known := map[uint64]bool{}
	var octets, received int64
	err := l.each("select octets, received from entry", func(scan func(...any) error) error {
		err := scan(&octets, &received)
		known[lookOf(octets, time.Time{})], known[lookOf(octets, time.Unix(received, 0))] = true, true
		return err
	})
	if err != nil {
		return err
	}
	var identity string
	err = l.each("select identity from entry where identity <> ''", func(scan func(...any) error) error {
		err := scan(&identity)
		known[lookOfIdentity(identity)] = true
		return err
	})
	if err == nil {
		s.known = known
	}
	return err
}

// add takes in what the ledger has just been told, or will be.
func (s *looks) add(more ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		return
	}
	for _, look := range more {
		s.known[look] = true
	}
}
