package postoffice

import (
	"bytes"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	if s.readOnly {
		return no("READ-ONLY", "the mailbox was opened by EXAMINE")
	}
	given := storeFlags(s.command)
	defer s.dropLabel()
	var err error
	s.each(set, func(n uint32, m *stored) {
		s.change(m, flags.Op, given)
		if flags.Silent || err != nil {
			return
		}
		answer := w.CreateMessage(n)
		if strings.HasPrefix(s.verb, "UID") {
			answer.WriteUID(imap.UID(m.UID))
		}
		answer.WriteFlags(s.flagsOf(m))
		err = answer.Close()
	})
	return err
}

// storeFlags returns the flags of a STORE as the client wrote them, in parentheses or not (RFC 3501 §6.4.6).
func storeFlags(command string) []string {
	at := strings.Index(strings.ToUpper(command), "FLAGS")
	_, list, _ := strings.Cut(command[max(at, 0):], " ")
	return strings.Fields(strings.Trim(list, "()"))
}

func (s *session) change(m *stored, op imap.StoreFlagsOp, given []string) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var kept []string
	for _, f := range m.Flags {
		isGiven := slices.ContainsFunc(given, func(g string) bool { return strings.EqualFold(g, f) })
		if op == imap.StoreFlagsAdd || op == imap.StoreFlagsDel && !isGiven {
			kept = append(kept, f)
		}
	}
	m.Flags, m.modSeq = kept, s.account.change(s.mailbox)
	if op == imap.StoreFlagsDel {
		return
	}
	for _, g := range given {
		if !m.has(imap.Flag(g)) {
			m.Flags = append(m.Flags, g)
		}
	}
}

func (s *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if s.readOnly {
		return nil // CLOSE after EXAMINE removes nothing (RFC 3501 §6.4.2)
	}
	if uids != nil && !s.has("UIDPLUS") {
		return &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Unknown command"}
	}
	doomed := make(map[*stored]bool)
	s.account.mu.Lock()
	for _, m := range s.view {
		doomed[m] = m.has(imap.FlagDeleted)
	}
	if uids != nil && !s.now().Greedy {
		chosen := make(map[*stored]bool)
		s.each(*uids, func(_ uint32, m *stored) { chosen[m] = doomed[m] })
		doomed = chosen
	}
	s.account.remove(s.mailbox, func(m *stored) bool { return doomed[m] })
	now := s.present()
	s.account.mu.Unlock()
	return s.tellGone(now, w.WriteExpunge)
}

// dropLabel removes what is marked \Deleted where that is all that it means.
func (s *session) dropLabel() {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if s.now().Labels && s.mailbox.use != `\Trash` && s.mailbox.use != `\Junk` {
		s.account.remove(s.mailbox, func(m *stored) bool { return m.has(imap.FlagDeleted) })
	}
}

// Move moves messages to another mailbox (RFC 6851).
func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	switch {
	case !s.hasToo("MOVE"):
		return &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Unknown command"}
	case s.readOnly:
		return no("READ-ONLY", "the mailbox was opened by EXAMINE")
	}
	data, err := s.Copy(set, dest)
	if err != nil {
		return err
	}
	if data != nil {
		if err := w.WriteCopyData(data); err != nil {
			return err
		}
	}
	moved := make(map[*stored]bool)
	s.each(set, func(_ uint32, m *stored) { moved[m] = true })
	s.account.mu.Lock()
	s.account.remove(s.mailbox, func(m *stored) bool { return moved[m] })
	s.trashed(moved, wireName(dest))
	now := s.present()
	s.account.mu.Unlock()
	return s.tellGone(now, w.WriteExpunge)
}

// trashed takes off all labels from what was moved to the trash.
func (s *session) trashed(moved map[*stored]bool, dest string) {
	if to := s.account.mailbox(dest); !s.now().Labels || to.use != `\Trash` {
		return
	}
	for _, mb := range s.account.mailboxes {
		if mb.name != dest {
			s.account.remove(mb, func(m *stored) bool {
				for gone := range moved {
					if bytes.Equal(gone.Octets, m.Octets) {
						return true
					}
				}
				return false
			})
		}
	}
}

// Copy copies messages to another mailbox (RFC 3501 §6.4.7).
func (s *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(dest)
	if err != nil {
		return nil, no(imap.ResponseCodeTryCreate, "no such mailbox")
	}
	data := &imap.CopyData{UIDValidity: mb.validity}
	s.each(set, func(_ uint32, m *stored) {
		m2 := m.Message
		m2.UIDL = ""
		data.SourceUIDs.AddNum(imap.UID(m.UID))
		data.DestUIDs.AddNum(imap.UID(s.account.deliver(mb, m2)))
	})
	if !s.has("UIDPLUS") || len(data.SourceUIDs) == 0 {
		return nil, nil
	}
	return data, nil
}
