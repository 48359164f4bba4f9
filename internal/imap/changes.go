package imap

import (
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// What is asked for of messages. BODYSTRUCTURE and ENVELOPE never are: their parsers are where IMAP libraries break.
var (
	wholeItem  = &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true}
	flagsOnly  = &imap.FetchOptions{UID: true, Flags: true}
	numberOnly = &imap.FetchOptions{UID: true}
)

// maxTries is how often a mailbox is looked at when others take messages out of it meanwhile, which moves the numbers
// by which a listing proves to be whole.
const maxTries = 3

func (s *session) changes(mailbox string, since mail.Status) (ch mail.Changes, err error) {
	for range maxTries {
		if err := s.open(mailbox); err != nil {
			return ch, err
		}
		before := s.guard.known().expunged
		if ch, err = s.differences(s.comparable(since)); err != nil || s.guard.known().expunged == before {
			break
		}
	}
	return ch, err
}

// comparable returns since if the mailbox is still the same. A UIDNEXT that has gone back stands for a UIDVALIDITY
// that should have changed.
func (s *session) comparable(since mail.Status) mail.Status {
	if s.guessed && s.status.Validity == since.Validity {
		s.status.Next = max(s.status.Next, since.Next)
	}
	if since.Validity != s.status.Validity || since.Next > s.status.Next {
		return mail.Status{}
	}
	return since
}

// differences lists what is new. What is older it lists only as far as neither the server can say what became of it
// nor the count proves that nothing did.
func (s *session) differences(since mail.Status) (mail.Changes, error) {
	l := s.newLook(max(since.Next, 1))
	if err := l.ask(s.windows(uint64(l.next), 0), wholeItem); err != nil {
		return mail.Changes{}, err
	}
	ch := mail.Changes{Status: s.status}
	told, err := l.changedFlags(&ch, since)
	if err != nil {
		return ch, err
	}
	if l.next > 1 && (!told || l.base() != since.Messages) {
		if err := l.lookBack(!told); err != nil {
			return ch, err
		}
	}
	if err := l.fill(); err != nil {
		return ch, err
	}
	l.tell(&ch, since, told)
	return ch, nil
}

// changedFlags asks whose flags have changed (RFC 7162 §3.1.4.1), and reports whether the server could tell.
func (l *look) changedFlags(ch *mail.Changes, since mail.Status) (told bool, err error) {
	if l.next == 1 || since.ModSeq == 0 || since.ModSeq > l.status.ModSeq {
		return false, nil
	}
	if since.ModSeq == l.status.ModSeq {
		return true, nil
	}
	changed := l.newLook(l.next)
	changed.from, changed.lists = 1, flagsOnly
	options := *flagsOnly
	options.ChangedSince = since.ModSeq
	if err = changed.ask(l.windows(1, uint64(l.next)-1), &options); err != nil || changed.refused != nil {
		return false, err
	}
	for _, m := range changed.rows {
		if m.uid < l.next && m.flagged {
			ch.Flags = append(ch.Flags, l.item(m))
		}
	}
	return true, nil
}

// tell puts what the look has shown into ch.
func (l *look) tell(ch *mail.Changes, since mail.Status, told bool) {
	left := make([]uint32, 0, len(l.rows))
	for _, m := range l.rows {
		if m.seq <= l.status.Messages { // it was there when UIDNEXT was told, which some servers tell too small
			ch.Status.Next = max(ch.Status.Next, m.uid+1)
		}
		switch {
		case m.uid >= l.next:
			ch.New = append(ch.New, l.item(m))
			continue
		case !told:
			ch.Flags = append(ch.Flags, l.item(m))
		}
		left = append(left, m.uid)
	}
	if ch.Partial = l.partial(); ch.Partial == "" && l.from < l.next && uint32(len(left)) != since.Messages {
		ch.Left = left
	}
}

// partial says in what way the mailbox is shown in part only, "" if it is whole.
func (l *look) partial() string {
	count := l.status.Messages
	if shown := l.base() + uint32(len(l.rows)); shown < count {
		return fmt.Sprintf("the server counts %d messages in the folder and shows %d", count, shown)
	}
	return ceiling(l.host, count)
}

// items lists some messages. A server that shows only a part of them is asked for the rest as long as more comes.
func (s *session) items(mailbox string, uids []uint32) ([]mail.Item, error) {
	if s.mailbox != mailbox {
		if err := s.open(mailbox); err != nil {
			return nil, err
		}
	}
	l := s.newLook(1)
	missing := slices.Compact(slices.Sorted(slices.Values(uids)))
	for before := -1; len(missing) > 0 && len(l.rows) > before; {
		before = len(l.rows)
		if err := l.ask(s.setsOf(missing), wholeItem); err != nil {
			return nil, err
		}
		missing = slices.DeleteFunc(missing, func(uid uint32) bool { return l.has(uid) })
	}
	if len(missing) > 0 && l.refused != nil {
		return nil, l.refused
	}
	var items []mail.Item
	for _, m := range l.rows {
		if slices.Contains(uids, m.uid) {
			items = append(items, l.item(m))
		}
	}
	return items, nil
}
