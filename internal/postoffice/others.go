package postoffice

import "slices"

// What another client, or the server's keeper, does to an account.

// Expunge removes the message with that UID, as another client would. It does nothing if there is none.
func (a *Account) Expunge(mailbox string, uid uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mb := a.mailbox(mailbox); mb != nil {
		a.remove(mb, func(s *stored) bool { return s.UID == uid })
	}
}

func (a *Account) remove(mb *mailbox, gone func(*stored) bool) {
	mb.removals++
	a.change(mb)
	mb.mail = slices.DeleteFunc(mb.mail, gone)
}

// SetFlags gives the message with that UID these flags instead of its own.
func (a *Account) SetFlags(mailbox string, uid uint32, flags ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	mb := a.mailbox(mailbox)
	if mb == nil {
		return
	}
	for _, m := range mb.mail {
		if m.UID == uid {
			m.Flags, m.modSeq = slices.Clone(flags), a.change(mb)
		}
	}
}

// Rename gives a mailbox another name; those below it keep theirs.
func (a *Account) Rename(from, to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mb := a.mailbox(from); mb != nil {
		mb.name = to
	}
}

// DeleteMailbox removes a mailbox and what it holds.
func (a *Account) DeleteMailbox(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := a.mailbox(name)
	a.mailboxes = slices.DeleteFunc(a.mailboxes, func(mb *mailbox) bool { return mb == gone })
}

// Subscribe says whether the account's owner wants to see the mailbox; at first it is so.
func (a *Account) Subscribe(name string, yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mb := a.mailbox(name); mb != nil {
		mb.subscribed = yes
	}
}

// Share makes names that begin with prefix, such as "user/", those of other users' mailboxes (RFC 2342).
func (a *Account) Share(prefix string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shared = append(a.shared, prefix)
}

// Validity returns the UIDVALIDITY of the mailbox, 0 if there is none of that name.
func (a *Account) Validity(mailbox string) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mb := a.mailbox(mailbox); mb != nil {
		return mb.validity
	}
	return 0
}

// SetValidity gives the mailbox this UIDVALIDITY, and leaves the UIDs as they are.
func (a *Account) SetValidity(mailbox string, validity uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if mb := a.mailbox(mailbox); mb != nil {
		mb.validity = validity
		a.validity = max(a.validity, validity)
	}
}

// Renumber gives the mailbox this UIDVALIDITY and its messages new UIDs from 1 on.
func (a *Account) Renumber(mailbox string, validity uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	mb := a.create(mailbox, "")
	mb.validity, mb.next = validity, 1
	mb.removals++
	a.validity = max(a.validity, validity)
	for i, old := range mb.mail {
		s := *old
		s.UID, s.modSeq = mb.next, a.change(mb)
		mb.next++
		mb.mail[i] = &s
	}
}
