package imap

import (
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// statusTogether is how many STATUS are under way at once.
const statusTogether = 32

func (s *session) statusOf() *imap.StatusOptions {
	return &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, HighestModSeq: s.remembers()}
}

// remembers reports whether the server keeps count of changes (RFC 7162).
func (s *session) remembers() bool { return s.caps.has("CONDSTORE") || s.caps.has("QRESYNC") }

// learnStatuses has the guard remember what STATUS tells from now on, until learnt takes it.
func (s *session) learnStatuses() {
	s.guard.learn(func(f *facts) { f.statuses = make(map[string]mail.Status) })
}

func (s *session) learnt() (all map[string]mail.Status) {
	s.guard.learn(func(f *facts) { all, f.statuses = f.statuses, nil })
	s.told = maps.Clone(all)
	return all
}

// statusesOf asks how the mailboxes stand: all at once, or several at a time. The mailbox that is selected is opened
// again instead: STATUS of it may show what the session has been told, and not what is there (RFC 3501 §6.3.10).
func (s *session) statusesOf(boxes []mail.Mailbox) (map[string]mail.Status, error) {
	s.learnStatuses()
	err := s.askStatuses(boxes)
	all := s.learnt()
	if err != nil {
		return nil, err
	}
	if mailbox := s.mailbox; mailbox != "" {
		delete(all, mailbox)
		if err = s.open(mailbox); err == nil {
			all[mailbox] = s.status
		}
	}
	return all, s.mailboxOnly(err)
}

func (s *session) askStatuses(boxes []mail.Mailbox) error {
	if s.caps.has("LIST-EXTENDED") && s.caps.has("LIST-STATUS") {
		err := s.listAs("LIST", &imap.ListOptions{ReturnStatus: s.statusOf()}, func(*imap.ListData) {})
		if !isNo(err) {
			return err
		}
	}
	return s.askEach(boxes)
}

// mailboxOnly passes over what is the matter with one mailbox.
func (s *session) mailboxOnly(err error) error {
	if err = s.explain(err); err != nil && scopeOf(err) <= mail.ScopeMailbox {
		return nil
	}
	return err
}

func (s *session) askEach(boxes []mail.Mailbox) error {
	for part := range slices.Chunk(boxes, statusTogether) {
		var cmds []*imapclient.StatusCommand
		for _, mb := range part {
			if !mb.NoSelect && mb.Name != s.mailbox && checkName(mb.Name) == nil {
				cmds = append(cmds, s.imap.Status(alias(mb.Name), s.statusOf()))
			}
		}
		for _, cmd := range cmds {
			if _, err := cmd.Wait(); s.mailboxOnly(err) != nil {
				return err
			}
		}
	}
	return nil
}

// sound returns the statuses of the mailboxes that are told in full. 163.com leaves UIDNEXT out.
func sound(all map[string]mail.Status, boxes []mail.Mailbox) map[string]mail.Status {
	some := make(map[string]mail.Status, len(boxes))
	for _, mb := range boxes {
		if st := all[mb.Name]; st.Validity != 0 && st.Next != 0 {
			some[mb.Name] = st
		}
	}
	return some
}
