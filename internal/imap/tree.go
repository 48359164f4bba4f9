package imap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxMailboxes is how many folders anyone is believed to have.
const maxMailboxes = 20_000

// xlistInbox marks the INBOX in answer to XLIST, which may call it by its name in the owner's language.
const xlistInbox = imap.MailboxAttr(`\Inbox`)

// A tree is what an account shows of mailboxes.
type tree struct {
	*session
	mailboxes []mail.Mailbox
	index     map[string]int // of mailboxes, by name
	spaces    namespaces
	xlist     bool                   // it is listed by XLIST
	statuses  map[string]mail.Status // nil: not told with the listing
	notes     []string
}

// tree lists all mailboxes, with their roles, subscriptions and STATUS in as few commands as the server allows.
func (s *session) tree() (*tree, error) {
	t := &tree{session: s, index: make(map[string]int)}
	var spaces *imapclient.NamespaceCommand
	if s.caps.has("NAMESPACE") {
		spaces = s.imap.Namespace()
	}
	subscribed, err := t.list()
	if err == nil && !subscribed {
		err = t.subscriptions()
	}
	if err == nil && spaces != nil {
		t.spaces, err = namespacesOf(spaces)
	}
	return t, err
}

// list asks with the most telling LIST there is, and with the plain one when that is refused.
func (t *tree) list() (subscribed bool, err error) {
	if t.caps.has("LIST-EXTENDED") {
		err = t.listAs("LIST", t.returning(), t.add)
		told := t.learnt()
		if !isNo(err) {
			t.statuses = told
			return true, err
		}
	}
	if t.caps.has("XLIST") && !t.caps.has("SPECIAL-USE") {
		t.xlist = true
		if err = t.listAs("XLIST", nil, t.add); !isNo(err) {
			return false, err
		}
	}
	return false, t.listAs("LIST", nil, t.add)
}

func (t *tree) returning() *imap.ListOptions {
	o := &imap.ListOptions{ReturnSubscribed: true, ReturnSpecialUse: t.caps.has("SPECIAL-USE")}
	if t.caps.has("LIST-STATUS") {
		o.ReturnStatus = t.statusOf()
		t.learnStatuses()
	}
	return o
}

// subscriptions asks for what the owner wants to see of the mailboxes (RFC 3501 §6.3.9). It names also what is not
// there any more.
func (t *tree) subscriptions() error {
	return sessionOnly(t.listAs("LSUB", nil, func(data *imap.ListData) {
		if i, ok := t.index[unalias(data.Mailbox)]; ok {
			t.mailboxes[i].Subscribed = t.mailboxes[i].Subscribed || selectable(data)
		}
	}))
}

// listAs lists with LIST or a command like it.
func (s *session) listAs(verb string, options *imap.ListOptions, add func(*imap.ListData)) error {
	s.guard.speak(func(d *dialect) { d.verb = verb })
	cmd := s.imap.List("", "*", options)
	defer cmd.Close()
	n := 0
	for data := cmd.Next(); data != nil; data = cmd.Next() {
		if n++; n > maxMailboxes {
			s.guard.fail(wireError(fmt.Sprintf("the server lists more than %d folders", maxMailboxes)))
			return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseProtocol, Err: s.guard.trouble()}
		}
		add(data)
	}
	return cmd.Close()
}

// add takes a mailbox. One that is listed twice can be selected if it can once.
func (t *tree) add(data *imap.ListData) {
	mb := mailboxOf(data)
	for _, attr := range data.Attrs {
		if t.xlist && strings.EqualFold(string(attr), string(xlistInbox)) {
			mb.Name, mb.Role = mail.Inbox, mail.RoleInbox
		}
		mb.Subscribed = mb.Subscribed || attr == imap.MailboxAttrSubscribed
	}
	mb.NoSelect = !selectable(data)
	if i, ok := t.index[mb.Name]; ok {
		if t.mailboxes[i].NoSelect && !mb.NoSelect {
			t.mailboxes[i] = mb
		}
		return
	}
	t.index[mb.Name] = len(t.mailboxes)
	t.mailboxes = append(t.mailboxes, mb)
}

// own returns the mailboxes that are not other users' or shared, which it notes.
func (t *tree) own() []mail.Mailbox {
	return slices.DeleteFunc(t.mailboxes, func(mb mail.Mailbox) bool {
		space := t.spaces.of(mb)
		if space.personal {
			return false
		}
		note := "shows folders of other users, which are left out"
		if space.prefix != "" {
			note = fmt.Sprintf("shows folders of other users, which are left out: %s", mail.Printable(space.prefix))
		}
		if !slices.Contains(t.notes, note) {
			t.notes = append(t.notes, note)
		}
		return true
	})
}

// A namespace is a part of the tree (RFC 2342).
type namespace struct {
	prefix   string
	delim    rune
	personal bool
}

type namespaces []namespace

func namespacesOf(cmd *imapclient.NamespaceCommand) (namespaces, error) {
	data, err := cmd.Wait()
	if err != nil {
		return nil, sessionOnly(err)
	}
	var all namespaces
	for i, list := range [][]imap.NamespaceDescriptor{data.Personal, data.Other, data.Shared} {
		for _, d := range list {
			all = append(all, namespace{prefix: unalias(d.Prefix), delim: d.Delim, personal: i == 0})
		}
	}
	return all, nil
}

// of returns the namespace a mailbox is in: the one with the longest prefix, the owner's if none fits.
func (all namespaces) of(mb mail.Mailbox) namespace {
	best, fits := namespace{personal: true}, false
	if mb.Name == mail.Inbox {
		return best
	}
	for _, n := range all {
		longer := len(n.prefix) > len(best.prefix) || len(n.prefix) == len(best.prefix) && n.personal
		if n.holds(mb.Name) && (longer || !fits) {
			best, fits = n, true
		}
	}
	return best
}

// holds reports whether the name is in the namespace; "user" is the top of "user.".
func (n namespace) holds(name string) bool {
	return strings.HasPrefix(name, n.prefix) || n.delim != 0 && name+string(n.delim) == n.prefix
}
