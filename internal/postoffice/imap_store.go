package postoffice

import (
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
	if uids != nil {
		chosen := make(map[*stored]bool)
		s.each(*uids, func(_ uint32, m *stored) { chosen[m] = doomed[m] })
		doomed = chosen
	}
	s.account.remove(s.mailbox, func(m *stored) bool { return doomed[m] })
	now := s.present()
	s.account.mu.Unlock()
	return s.tellGone(now, w.WriteExpunge)
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
