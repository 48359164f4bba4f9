package migrate

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A shelf is what one mailbox at the destination is known to hold: what earlier runs have seen there, what this one was
// shown, and what it has appended. Messages are found on it by the keys of their headers. Some of them may be gone.
type shelf struct {
	messages []archive.Shown
	newest   map[uint64]int32 // by key: the place of the last message that has it, counted from 1
	older    [][2]int32       // by place: that of the message before it with the same ID, and with the same Fields
	false    map[uint32]bool  // UIDs the server has named, and has nothing under

	// There are no others with UIDs below next than those on the shelf; above it there may be.
	next   uint32
	beyond map[uint32]archive.Shown // what is on the shelf above it

	fresh   uint32 // messages from this UID on were seen in this run
	saved   uint32 // the ledger has what is below this UID; 1: nothing
	unsaved []archive.Shown
}

func newShelf() *shelf {
	return &shelf{newest: map[uint64]int32{}, false: map[uint32]bool{}, next: 1, beyond: map[uint32]archive.Shown{}, fresh: 1, saved: 1}
}

// shelfFrom takes up what earlier runs have seen of a mailbox that stands as st now. It forgets all of it when the UIDs
// cannot mean what they meant, and when more than half of it is gone, or it would grow for ever.
func shelfFrom(known archive.Shelf, st mail.Status) *shelf {
	s := newShelf()
	if known.Next > st.Next || len(known.Messages) > 2*int(st.Messages) {
		return s
	}
	n := len(known.Messages)
	s.newest, s.older = make(map[uint64]int32, 2*n), make([][2]int32, 0, n)
	s.messages = make([]archive.Shown, 0, n)
	for _, m := range known.Messages {
		s.put(m)
	}
	s.next, s.fresh, s.saved = known.Next, known.Next, known.Next
	return s
}

// hashes returns the keys of a header as the shelf has them. They are kept from run to run, and mail is foreign: nobody
// must be able to make one that equals another's.
func hashes(h mail.Header) (id, fields uint64) {
	for _, key := range h.Keys() {
		sum := sha256.Sum256([]byte(key))
		hash := max(binary.BigEndian.Uint64(sum[:]), 1)
		if strings.HasPrefix(key, "id:") {
			id = hash
		} else {
			fields = hash
		}
	}
	return id, fields
}

func shownOf(it mail.Item) archive.Shown {
	id, fields := hashes(it.Header)
	return archive.Shown{UID: uidOf(it), Size: it.Size, ID: id, Fields: fields}
}

// keysOf returns the hashes that a header has; what has none shares one with all that have none.
func keysOf(id, fields uint64) []uint64 {
	switch {
	case id == 0:
		return []uint64{fields}
	case fields == 0:
		return []uint64{id}
	}
	return []uint64{id, fields}
}

func (s *shelf) put(m archive.Shown) {
	s.messages = append(s.messages, m)
	at := int32(len(s.messages))
	var older [2]int32
	for _, key := range keysOf(m.ID, m.Fields) {
		if key == m.ID {
			older[0] = s.newest[key]
		} else {
			older[1] = s.newest[key]
		}
		s.newest[key] = at
	}
	s.older = append(s.older, older)
}

// with returns the messages that have the key, the newest first.
func (s *shelf) with(key uint64) iter.Seq[archive.Shown] {
	return func(yield func(archive.Shown) bool) {
		for at := s.newest[key]; at > 0; {
			m, older := s.messages[at-1], s.older[at-1]
			if !s.false[m.UID] && !yield(m) {
				return
			}
			if at = older[1]; key == m.ID {
				at = older[0]
			}
		}
	}
}

// list takes a listing from that UID on, in order; next is a UID that was not given out yet before it.
func (s *shelf) list(from uint32, all []archive.Shown, next uint32) {
	whole := from <= s.next
	for _, m := range all {
		if m.UID < s.next {
			continue
		}
		if _, had := s.beyond[m.UID]; !had {
			s.put(m)
		}
		if whole {
			s.unsaved = append(s.unsaved, m)
			next = max(next, m.UID+1)
		} else {
			s.beyond[m.UID] = m
		}
	}
	if whole {
		s.next = max(s.next, next)
		clear(s.beyond)
	}
}

// sent takes a message of ours. Of several sessions one may hear of a later UID first.
func (s *shelf) sent(m archive.Shown) {
	if _, had := s.beyond[m.UID]; had || m.UID < s.next {
		return
	}
	s.beyond[m.UID] = m
	s.put(m)
	for m, had := s.beyond[s.next]; had; m, had = s.beyond[s.next] {
		delete(s.beyond, s.next)
		s.unsaved = append(s.unsaved, m)
		s.next++
	}
}

// kept notes that the ledger has all of it.
func (s *shelf) kept() { s.saved, s.unsaved = s.next, nil }

// gap reports whether somebody else's mail may have come before the last message of ours.
func (s *shelf) gap() bool { return len(s.beyond) > 0 }

// last returns the last message that an earlier run has seen.
func (s *shelf) last() (m archive.Shown, any bool) {
	if len(s.messages) == 0 {
		return m, false
	}
	return s.messages[len(s.messages)-1], true
}
