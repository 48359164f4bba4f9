package imap

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// uses are the special uses of RFC 6154 §2 and RFC 8457.
var uses = map[imap.MailboxAttr]mail.Role{
	imap.MailboxAttrAll:       mail.RoleAll,
	imap.MailboxAttrArchive:   mail.RoleArchive,
	imap.MailboxAttrDrafts:    mail.RoleDrafts,
	imap.MailboxAttrFlagged:   mail.RoleFlagged,
	imap.MailboxAttrImportant: mail.RoleImportant,
	imap.MailboxAttrJunk:      mail.RoleJunk,
	imap.MailboxAttrSent:      mail.RoleSent,
	imap.MailboxAttrTrash:     mail.RoleTrash,
}

// oldUses are what servers with XLIST, which came before RFC 6154, call three of them, in lower case.
var oldUses = map[string]mail.Role{`\allmail`: mail.RoleAll, `\spam`: mail.RoleJunk, `\starred`: mail.RoleFlagged}

// Mailboxes lists the mailboxes that can be selected, in the server's order, with their roles where it tells them.
func (c *Client) Mailboxes(ctx context.Context) (list []mail.Mailbox, err error) {
	err = c.with(ctx, "list folders", "", func(s *session) error {
		list, err = s.mailboxes()
		return err
	})
	return list, err
}

func (s *session) mailboxes() ([]mail.Mailbox, error) {
	s.askNamespace()
	listed, err := s.list("*")
	if err != nil {
		return nil, wholeAccount(s.explain(err))
	}
	var list []mail.Mailbox
	seen := make(map[string]bool)
	for _, data := range listed {
		mb := mailboxOf(data)
		if !selectable(data) || seen[mb.Name] {
			continue
		}
		seen[mb.Name] = true
		list = append(list, mb)
	}
	return list, nil
}

// list asks for special uses where the server knows them and how to be asked; others may tell them unasked.
func (s *session) list(pattern string) ([]*imap.ListData, error) {
	if s.caps.has("SPECIAL-USE") && s.caps.has("LIST-EXTENDED") {
		listed, err := s.imap.List("", pattern, &imap.ListOptions{ReturnSpecialUse: true}).Collect()
		if sessionOnly(err) != nil || err == nil {
			return listed, err
		}
	}
	return s.imap.List("", pattern, nil).Collect()
}

func selectable(data *imap.ListData) bool {
	for _, attr := range data.Attrs {
		if attr == imap.MailboxAttrNoSelect || attr == imap.MailboxAttrNonExistent {
			return false
		}
	}
	return true
}

func mailboxOf(data *imap.ListData) mail.Mailbox {
	mb := mail.Mailbox{Name: unalias(data.Mailbox), Delim: data.Delim}
	if mb.Name == mail.Inbox {
		mb.Role = mail.RoleInbox
		return mb
	}
	for _, attr := range data.Attrs {
		if role := cmp.Or(uses[attr], oldUses[strings.ToLower(string(attr))]); role != mail.RoleNone {
			mb.Role = role
		}
	}
	return mb
}

// wholeAccount widens a refusal of what no account can be worked with without.
func wholeAccount(err error) error {
	var e *mail.Error
	if errors.As(err, &e) && e.Scope < mail.ScopeSession {
		wide := *e
		wide.Scope = mail.ScopeAccount
		return &wide
	}
	return err
}

// Create makes the mailbox, with its special use where the server takes one (RFC 6154 §3), the mailboxes above it
// where the server does not make them by itself, and subscribes to it or not, as mb has it: many mail programs show no
// others. That it exists already, by whatever the server says or by its listing, is no error.
func (c *Client) Create(ctx context.Context, mb mail.Mailbox) error {
	if mail.IsInbox(mb.Name) {
		return c.with(ctx, "subscribe to", mb.Name, func(s *session) error { return s.subscribe(mb) })
	}
	if err := checkName(mb.Name); err != nil {
		return at(&mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseUsage, Err: err}, "create", mb.Name)
	}
	return c.with(ctx, "create", mb.Name, func(s *session) error {
		err := s.create(mb)
		if no := new(imap.Error); errors.As(err, &no) && limitIn(no) != nil {
			return noMoreFolders(s.refusal(no))
		}
		if isNo(err) {
			if err := s.createAbove(mb); err != nil {
				return err
			}
			err = s.create(mb)
		}
		if err != nil {
			return err
		}
		return s.subscribe(mb)
	})
}

// noMoreFolders narrows a quota that ends the making of mailboxes: there may be room for mail in those there are.
func noMoreFolders(e *mail.Error) error {
	if e.Cause == mail.CauseQuota && e.Later == 0 {
		e.Scope = mail.ScopeMailbox
	}
	return e
}

// subscribe does not care for a no: it is the mail that counts.
func (s *session) subscribe(mb mail.Mailbox) error {
	if mb.Subscribed {
		return sessionOnly(s.imap.Subscribe(alias(mb.Name)).Wait())
	}
	return sessionOnly(s.imap.Unsubscribe(alias(mb.Name)).Wait()) // some servers subscribe by themselves
}

func isNo(err error) bool { return err != nil && sessionOnly(err) == nil }

// create tries one CREATE, and again without the special use if the server does not want that.
func (s *session) create(mb mail.Mailbox) error {
	var options *imap.CreateOptions
	for use, role := range uses {
		if role == mb.Role && s.caps.has("CREATE-SPECIAL-USE") {
			options = &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{use}}
		}
	}
	err := s.imap.Create(alias(mb.Name), options).Wait()
	if isNo(err) && options != nil {
		err = s.imap.Create(alias(mb.Name), nil).Wait()
	}
	if !isNo(err) {
		return err
	}
	there, lerr := s.exists(mb.Name)
	if there || lerr != nil {
		return lerr
	}
	return err
}

// exists reports whether the mailbox is there and can be selected. Few servers say ALREADYEXISTS (RFC 5530), and
// the wildcards in a name make LIST show others too.
func (s *session) exists(name string) (bool, error) {
	listed, err := s.imap.List("", alias(name), nil).Collect()
	for _, data := range listed {
		if data.Mailbox == alias(name) && selectable(data) {
			return true, nil
		}
	}
	return false, sessionOnly(err)
}

// createAbove makes the mailboxes above mb, from the top; which of them the server needs, it knows itself.
func (s *session) createAbove(mb mail.Mailbox) error {
	if mb.Delim == 0 {
		return nil
	}
	for i, r := range mb.Name {
		if r != mb.Delim || i == 0 || mail.IsInbox(mb.Name[:i]) {
			continue
		}
		if err := s.imap.Create(alias(mb.Name[:i]), nil).Wait(); sessionOnly(err) != nil {
			return err
		}
	}
	return nil
}
