package postoffice

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	for _, data := range s.list(ref, patterns, options) {
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) list(ref string, patterns []string, options *imap.ListOptions) []*imap.ListData {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if len(patterns) == 0 { // only the delimiter is asked for (RFC 3501 §6.3.8)
		root := &imap.ListData{Delim: s.account.delim, Mailbox: outName("")}
		root.Attrs = []imap.MailboxAttr{imap.MailboxAttrNoSelect}
		return []*imap.ListData{root}
	}
	var all []*imap.ListData
	for _, mb := range s.account.mailboxes {
		if s.matches(mb, wireName(ref), patterns, options) {
			all = append(all, s.listData(mb, options))
		}
	}
	return all
}

func (s *session) matches(mb *mailbox, ref string, patterns []string, options *imap.ListOptions) bool {
	if options.SelectSubscribed && !mb.subscribed || options.SelectSpecialUse && mb.use == "" {
		return false
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = wireName(pattern)
		if mb.name == Inbox && strings.EqualFold(ref+pattern, Inbox) {
			return true
		}
		return imapserver.MatchList(mb.name, s.account.delim, ref, pattern)
	})
}

func (s *session) listData(mb *mailbox, options *imap.ListOptions) *imap.ListData {
	data := &imap.ListData{Delim: s.account.delim, Mailbox: outName(mb.name)}
	if s.has("CHILDREN") {
		data.Attrs = append(data.Attrs, s.account.children(mb))
	}
	if mb.use != "" && (s.has("SPECIAL-USE") || mb.use == string(imap.MailboxAttrNoSelect)) {
		data.Attrs = append(data.Attrs, imap.MailboxAttr(mb.use))
	}
	if options.ReturnSubscribed && mb.subscribed {
		data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
	}
	if options.ReturnStatus != nil && mb.use != string(imap.MailboxAttrNoSelect) {
		data.Status = mb.status(options.ReturnStatus)
	}
	return data
}

func (a *Account) children(mb *mailbox) imap.MailboxAttr {
	for _, other := range a.mailboxes {
		if a.delim != 0 && strings.HasPrefix(other.name, mb.name+string(a.delim)) {
			return imap.MailboxAttrHasChildren
		}
	}
	return imap.MailboxAttrHasNoChildren
}

func (s *session) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return mb.status(options), nil
}

// status fills in whatever may be asked for; imapserver says what was.
func (mb *mailbox) status(*imap.StatusOptions) *imap.StatusData {
	var unseen, deleted, recent uint32
	var size int64
	for _, m := range mb.mail {
		if !m.has(imap.FlagSeen) {
			unseen++
		}
		if m.has(imap.FlagDeleted) {
			deleted++
		}
		size += int64(len(m.Octets))
	}
	count := uint32(len(mb.mail))
	return &imap.StatusData{
		Mailbox: outName(mb.name), UIDNext: imap.UID(mb.next), UIDValidity: mb.validity,
		NumMessages: &count, NumUnseen: &unseen, NumDeleted: &deleted, NumRecent: &recent, Size: &size,
		DeletedStorage: new(int64),
	}
}

func (m *stored) has(flag imap.Flag) bool {
	return slices.ContainsFunc(m.Flags, func(f string) bool { return strings.EqualFold(f, string(flag)) })
}
