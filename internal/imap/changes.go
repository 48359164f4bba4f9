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
		var e *early
		before := s.guard.known().expunged
		err = s.openAnd(mailbox, func() { e = s.askEarly(mailbox, since) })
		if e.wait(); err != nil {
			return ch, err
		}
		if ch, err = s.differences(s.comparable(since), e); err != nil || s.guard.known().expunged == before {
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
func (s *session) differences(since mail.Status, e *early) (mail.Changes, error) {
	l := s.newLook(max(since.Next, 1))
	told := l.next == 1 || since.ModSeq > 0 && since.ModSeq <= s.status.ModSeq
	asks := l.asks(s.windows(uint64(l.next), 0), wholeItem)
	if e.answers(l.next) {
		asks = nil
		if err := l.takeAll(e.rows); err != nil {
			return mail.Changes{}, err
		}
	}
	if !told {
		asks = append(asks, l.back(flagsOnly)...)
	} else if l.next > 1 && since.ModSeq < s.status.ModSeq {
		asks = append(asks, l.asks(s.windows(1, uint64(l.next)-1), flagsSince(since.ModSeq))...)
	}
	err := l.ask(asks)
	if told = told && l.refused == nil; err == nil && !told && l.from > 1 {
		err = l.ask(l.back(flagsOnly))
	} else if err == nil && told && l.base() != since.Messages {
		err = l.ask(l.back(numberOnly))
	}
	if err == nil {
		err = l.fill()
	}
	if err != nil {
		return mail.Changes{}, err
	}
	return l.tell(since, told), nil
}

// flagsSince asks whose flags have changed (RFC 7162 §3.1.4.1).
func flagsSince(modSeq uint64) *imap.FetchOptions {
	options := *flagsOnly
	options.ChangedSince = modSeq
	return &options
}

// tell returns what the look has shown; told says that the server knows whose flags have changed.
func (l *look) tell(since mail.Status, told bool) mail.Changes {
	ch := mail.Changes{Status: l.status, Partial: l.partial()}
	old, _ := l.find(l.next)
	ch.New = l.items(l.rows[old:])
	if told {
		ch.Flags = l.items(l.changed)
	} else {
		ch.Flags = l.items(l.rows[:old])
	}
	if ch.Partial == "" && l.from < l.next && uint32(old) != since.Messages {
		ch.Left = make([]uint32, 0, old)
		for _, m := range l.rows[:old] {
			ch.Left = append(ch.Left, m.uid)
		}
	}
	for _, m := range l.rows {
		if m.seq <= l.status.Messages { // it was there when UIDNEXT was told, which some servers tell too small
			ch.Status.Next = max(ch.Status.Next, m.uid+1)
		}
	}
	return ch
}

// partial says in what way the mailbox is shown in part only, "" if it is whole.
func (l *look) partial() string {
	count := l.status.Messages
	if shown := l.base() + uint32(len(l.rows)); shown < count {
		text := fmt.Sprintf("the server counts %d messages in the folder and shows %d", count, shown)
		if l.refused != nil {
			text += "; " + answer(l.refused).Error()
		}
		return text
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
		if err := l.ask(l.asks(s.setsOf(missing), wholeItem)); err != nil {
			return nil, err
		}
		missing = slices.DeleteFunc(missing, func(uid uint32) bool {
			_, found := l.find(uid)
			return found
		})
	}
	if len(missing) > 0 && l.refused != nil {
		return nil, l.refused
	}
	asked := slices.DeleteFunc(l.rows, func(m line) bool { return !slices.Contains(uids, m.uid) })
	return l.items(asked), nil
}
