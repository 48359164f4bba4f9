package postoffice

import (
	"slices"

	"github.com/emersion/go-imap/v2/imapserver"
)

// Poll tells the client what others did to the mailbox (RFC 3501 §7.3.1, §7.4.1).
func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.mailbox == nil {
		return nil
	}
	now, fresh := s.news(allowExpunge)
	if now != nil {
		if err := s.tellGone(now, w.WriteExpunge); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	s.view = append(s.view, fresh...)
	return w.WriteNumMessages(uint32(len(s.view)))
}

// news returns what is in the mailbox now, if something was removed since the client was told of it last and may be
// told again, and what is new.
func (s *session) news(allowExpunge bool) (now map[*stored]bool, fresh []*stored) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if allowExpunge && s.removals != s.mailbox.removals {
		now = s.present()
	}
	if s.validity != s.mailbox.validity {
		s.validity, s.newest = s.mailbox.validity, 0
	}
	// UIDs only grow, so that what is new is at the end.
	mail := s.mailbox.mail
	at := len(mail)
	for at > 0 && mail[at-1].UID > s.newest {
		at--
	}
	fresh = slices.Clone(mail[at:])
	for _, m := range fresh {
		s.newest = m.UID
	}
	return now, fresh
}

// present returns the messages of the mailbox; the caller has the account locked.
func (s *session) present() map[*stored]bool {
	s.removals = s.mailbox.removals
	now := make(map[*stored]bool)
	for _, m := range s.mailbox.mail {
		now[m] = true
	}
	return now
}

// tellGone tells of each message in the view that is not there now, and takes it out of the view.
func (s *session) tellGone(there map[*stored]bool, tell func(n uint32) error) error {
	kept := s.view[:0:0]
	for _, m := range s.view {
		if there[m] {
			kept = append(kept, m)
		} else if err := tell(uint32(len(kept)) + 1); err != nil {
			return err
		}
	}
	s.view = kept
	return nil
}
