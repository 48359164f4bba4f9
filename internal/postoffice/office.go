// Package postoffice is POP3 and IMAP servers in memory that make trouble on request, so that what mailhaul
// promises can be tried on the wire. Tests and `mailhaul demo` use it.
//
// An Office holds accounts, an Account holds mailboxes, and what they hold is the truth: octets as they were
// delivered or appended, flags in their case, dates with their zone. Servers show it:
//
//	office := postoffice.New()
//	me := office.Account("me", "secret")
//	me.Deliver("INBOX", postoffice.Message{Octets: octets})
//
//	srv := office.POP3(postoffice.Trouble{Cut: postoffice.Cut{Way: postoffice.ToClient, At: 1200, How: postoffice.RST}})
//	defer srv.Close()
//	addr, err := srv.Listen(nil)   // on TCP; or a tls.Config for implicit TLS
//	conn, err := srv.Dial(ctx, "tcp", "anything") // or in memory, also inside a synctest bubble
//
// Afterwards srv.Count("RETR"), srv.Commands and srv.Traffic say what went over the wire, and me.Messages what
// came of it. Everything may be used from several goroutines at once. In a synctest bubble the office is made inside.
package postoffice

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Inbox is the mailbox every account has; its name is matched in any case.
const Inbox = "INBOX"

// A Message is one message in a mailbox.
type Message struct {
	Octets   []byte    // as delivered or appended; POP3 shows them in lines that end in CRLF, IMAP as they are
	Flags    []string  // in the case they were given in
	Received time.Time // the INTERNALDATE (RFC 9051 §2.3.3) with its zone; Deliver makes zero the time of delivery
	UIDL     string    // for POP3 (RFC 1939 §7); Deliver makes one up when empty
	UID      uint32    // for IMAP; given by the mailbox
}

// An Office is a set of accounts. Servers of one office show the same mail.
type Office struct {
	mu       sync.Mutex
	accounts map[string]*Account
	masters  map[string]string // their passwords
}

// New returns an office without accounts.
func New() *Office {
	return &Office{accounts: make(map[string]*Account), masters: make(map[string]string)}
}

// Account returns the account of user, opened with this password if it is new; an existing one keeps its own.
func (o *Office) Account(user, password string) *Account {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.accounts[user]
	if a == nil {
		a = &Account{user: user, password: password, delim: '/', lock: make(chan struct{}, 1)}
		a.create(Inbox, "")
		o.accounts[user] = a
	}
	return a
}

// login returns the account, or nil if there is none of that name and password.
func (o *Office) login(user, password string) *Account {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a := o.accounts[user]; a != nil && a.password == password {
		return a
	}
	return o.master(user, password)
}

// An Account is the mail of one user.
type Account struct {
	user, password string
	lock           chan struct{} // holds one token while a POP3 session has the maildrop (RFC 1939 §4)

	mu        sync.Mutex
	token     func(string) bool // which tokens are good; nil: none
	delim     rune
	prefix    string
	shared    []string   // prefixes of other users' mailboxes
	mailboxes []*mailbox // in the order of their creation
	validity  uint32     // the last one given out
	modSeq    uint64     // the last one given out
	uidls     int        // made up so far
}

type mailbox struct {
	name       string // on the wire: modified UTF-7, if the client said so
	use        string // `\Sent` and the like (RFC 6154), or ""
	subscribed bool
	validity   uint32
	next       uint32
	mail       []*stored
	removals   int    // how often something was removed, or given a new UID
	id         string // MAILBOXID (RFC 8474)
	modSeq     uint64 // HIGHESTMODSEQ (RFC 7162)
}

// A stored message is never changed but for its flags; sessions compare pointers.
type stored struct {
	Message
	modSeq uint64
	popped bool // handed over in a POP3 session that ended with QUIT
}

// SetNamespace makes delim the hierarchy delimiter, NIL if 0, and has new mailboxes begin with prefix, as Courier
// and Cyrus do with "INBOX." and '.'. Without it the delimiter is '/' and there is no prefix.
func (a *Account) SetNamespace(prefix string, delim rune) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prefix, a.delim = prefix, delim
}

// CreateMailbox makes a mailbox of that name on the wire; use is its special use (RFC 6154), such as `\Sent`, or
// "". A mailbox that exists gets the special use.
func (a *Account) CreateMailbox(name, use string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.create(name, use).use = use
}

// create returns the mailbox, a new one if need be.
func (a *Account) create(name, use string) *mailbox {
	if mb := a.mailbox(name); mb != nil {
		return mb
	}
	if strings.EqualFold(name, Inbox) {
		name = Inbox
	}
	a.validity++
	mb := &mailbox{name: name, use: use, subscribed: true, validity: a.validity, next: 1, id: fmt.Sprintf("F%d", a.validity), modSeq: 1}
	a.mailboxes = append(a.mailboxes, mb)
	return mb
}

// mailbox returns the mailbox, or nil.
func (a *Account) mailbox(name string) *mailbox {
	for _, mb := range a.mailboxes {
		if mb.name == name || mb.name == Inbox && strings.EqualFold(name, Inbox) {
			return mb
		}
	}
	return nil
}

// Mailboxes returns the names of the mailboxes on the wire, in the order of their creation.
func (a *Account) Mailboxes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, mb := range a.mailboxes {
		names = append(names, mb.name)
	}
	return names
}

// Deliver puts a message into the mailbox, which is made if need be, and returns its UID. The octets are kept as
// they are and must not be changed afterwards.
func (a *Account) Deliver(mailbox string, m Message) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deliver(a.create(mailbox, ""), m)
}

func (a *Account) deliver(mb *mailbox, m Message) uint32 {
	if m.Received.IsZero() {
		m.Received = time.Now().Truncate(time.Second)
	}
	if m.UIDL == "" {
		a.uidls++
		m.UIDL = fmt.Sprintf("%08x%08x", mb.validity, a.uidls)
	}
	m.Flags = slices.Clone(m.Flags)
	m.UID = mb.next
	mb.next++
	mb.mail = append(mb.mail, &stored{Message: m, modSeq: a.change(mb)})
	return m.UID
}

// change returns the mod-sequence of a change in the mailbox.
func (a *Account) change(mb *mailbox) uint64 {
	a.modSeq = max(a.modSeq, 1) + 1
	mb.modSeq = a.modSeq
	return a.modSeq
}

// Messages returns what the mailbox holds, in the order of UIDs; nothing if there is no such mailbox.
func (a *Account) Messages(mailbox string) []Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	mb := a.mailbox(mailbox)
	if mb == nil {
		return nil
	}
	var all []Message
	for _, s := range mb.mail {
		m := s.Message
		m.Flags = slices.Clone(m.Flags)
		all = append(all, m)
	}
	return all
}
