package postoffice

import (
	"math"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
)

// A session is imapserver's view of one connection. It is honest: what goes wrong is the relay's business, but for
// what becomes of a message appended.
type session struct {
	*relay
	account *Account

	mailbox  *mailbox // the one selected, or nil
	readOnly bool
	view     []*stored // what the client was told is in it, by message number
	validity uint32
	newest   uint32 // the largest UID it was told of
	removals int    // of the mailbox's, those it was told of
}

func no(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// Close is the end of the session. The relay's Close comes after it.
func (s *session) Close() error {
	s.sessionOver = true
	return nil
}

func (s *session) Login(user, password string) error {
	account := s.srv.office.login(user, password)
	if account == nil {
		return imapserver.ErrAuthFailed
	}
	s.account = account
	return nil
}

// AuthenticateMechanisms returns PLAIN; others are announced because they are wished for (Trouble.With).
func (s *session) AuthenticateMechanisms() []string { return []string{"PLAIN"} }

// Authenticate returns the server side of a SASL mechanism.
func (s *session) Authenticate(mechanism string) (sasl.Server, error) {
	if !slices.Contains(s.mechanisms("PLAIN"), mechanism) {
		return nil, no("", "no such mechanism")
	}
	return s.srv.office.sasl(mechanism, func(a *Account) { s.account = a }), nil
}

// find returns the mailbox of that name as imapserver gives it; the caller has the account locked.
func (s *session) find(name string) (*mailbox, error) {
	mb := s.account.mailbox(wireName(name))
	if mb == nil || mb.use == string(imap.MailboxAttrNoSelect) {
		return nil, no(imap.ResponseCodeNonExistent, "no such mailbox")
	}
	return mb, nil
}

var systemFlags = []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}

func (s *session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(name)
	if err != nil {
		return nil, err
	}
	s.mailbox, s.readOnly, s.view = mb, options.ReadOnly, slices.Clone(mb.mail)
	s.validity, s.newest, s.removals = mb.validity, mb.next-1, mb.removals
	data := &imap.SelectData{
		Flags:       mb.flags(),
		NumMessages: uint32(len(mb.mail)),
		UIDNext:     imap.UID(mb.next),
		UIDValidity: mb.validity,
	}
	if !s.readOnly { // EXAMINE reports none, as nothing can be changed
		data.PermanentFlags = append(mb.flags(), imap.FlagWildcard)
	}
	return data, nil
}

// flags returns the system flags and the keywords in use.
func (mb *mailbox) flags() []imap.Flag {
	flags := slices.Clone(systemFlags)
	for _, m := range mb.mail {
		for _, f := range m.Flags {
			if !slices.ContainsFunc(flags, func(known imap.Flag) bool { return strings.EqualFold(string(known), f) }) {
				flags = append(flags, imap.Flag(f))
			}
		}
	}
	return flags
}

func (s *session) Unselect() error {
	s.mailbox, s.view = nil, nil
	return nil
}

func (s *session) Create(name string, options *imap.CreateOptions) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	name = wireName(name)
	if delim := s.account.delim; delim != 0 {
		name = strings.TrimSuffix(name, string(delim))
	}
	if s.account.mailbox(name) != nil {
		return no(imap.ResponseCodeAlreadyExists, "the mailbox exists")
	}
	if !strings.HasPrefix(name, s.account.prefix) {
		return no(imap.ResponseCodeCannot, "names begin with "+s.account.prefix)
	}
	use := ""
	if len(options.SpecialUse) > 0 {
		use = string(options.SpecialUse[0])
	}
	s.account.create(name, use).subscribed = false
	return nil
}

func (s *session) Delete(name string) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(name)
	if err != nil {
		return err
	}
	if mb.name == Inbox {
		return no(imap.ResponseCodeCannot, "the INBOX stays")
	}
	s.account.mailboxes = slices.DeleteFunc(s.account.mailboxes, func(other *mailbox) bool { return other == mb })
	return nil
}

func (s *session) Rename(from, to string, _ *imap.RenameOptions) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(from)
	if err != nil {
		return err
	}
	from, to = mb.name, wireName(to)
	if from == Inbox || s.account.mailbox(to) != nil {
		return no(imap.ResponseCodeAlreadyExists, "the mailbox exists, or is the INBOX")
	}
	mb.name = to
	for _, child := range s.account.mailboxes {
		if rest, below := strings.CutPrefix(child.name, from+string(s.account.delim)); below && s.account.delim != 0 {
			child.name = to + string(s.account.delim) + rest
		}
	}
	return nil
}

func (s *session) Subscribe(name string) error   { return s.subscribe(name, true) }
func (s *session) Unsubscribe(name string) error { return s.subscribe(name, false) }

func (s *session) subscribe(name string, yes bool) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	mb, err := s.find(name)
	if err != nil {
		return err
	}
	mb.subscribed = yes
	return nil
}

func (s *session) Namespace() (*imap.NamespaceData, error) {
	if !s.has("NAMESPACE") {
		return nil, &imap.Error{Type: imap.StatusResponseTypeBad, Text: "Unknown command"}
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	personal := imap.NamespaceDescriptor{Prefix: s.account.prefix, Delim: s.account.delim}
	data := &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{personal}}
	for _, prefix := range s.account.shared {
		data.Other = append(data.Other, imap.NamespaceDescriptor{Prefix: prefix, Delim: s.account.delim})
	}
	return data, nil
}

// Idle waits for the client to be done; it does not look for news.
func (s *session) Idle(_ *imapserver.UpdateWriter, stop <-chan struct{}) error {
	<-stop
	return nil
}

// AppendLimit is the largest message imapserver lets through.
func (s *session) AppendLimit() uint32 { return math.MaxUint32 }
