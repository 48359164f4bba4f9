package imap

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// maxWindow is about how many messages are listed with one command.
	maxWindow = 2000
	// maxArrivals is how many more messages a listing may show than the mailbox holds: some may come meanwhile.
	maxArrivals = 1000
	// maxMissing is how many messages left out of a listing are asked for one by one.
	maxMissing = 1000
)

// listing asks for what an Item holds. BODYSTRUCTURE and ENVELOPE are never asked for: their parsers are where IMAP
// libraries break.
var listing = &imap.FetchOptions{
	UID: true, RFC822Size: true, InternalDate: true, Flags: true,
	BodySection: []*imap.FetchItemBodySection{{
		Peek: true, Specifier: imap.PartSpecifierHeader,
		HeaderFields: []string{"MESSAGE-ID", "DATE", "FROM", "TO", "SUBJECT"},
	}},
}

// List shows the messages of the mailbox with UIDs of from and above; see migrate.Destination. It asks by UIDs and never
// searches: indexes lag behind.
func (c *Client) List(ctx context.Context, mailbox string, from uint32, fn func([]mail.Item)) error {
	return c.with(ctx, "list", mailbox, func(s *session) error {
		if err := s.refresh(mailbox); err != nil {
			return err
		}
		return s.listFrom(max(from, 1), fn)
	})
}

// refresh makes sure that the mailbox is selected and that what arrived since is seen.
func (s *session) refresh(mailbox string) error {
	if s.mailbox != mailbox {
		return s.open(mailbox)
	}
	return s.imap.Noop().Wait()
}

// A lister goes through the messages of one listing.
type lister struct {
	*session
	from  uint32
	seen  map[uint32]bool // UIDs
	items []mail.Item     // of the window at hand
	first uint32          // the smallest message number among them, 0 if there is none
}

func (s *session) listFrom(from uint32, fn func([]mail.Item)) error {
	l := &lister{session: s, from: from, seen: make(map[uint32]bool)}
	for _, set := range s.windows(uint64(from), 0) {
		if err := l.ask(set, listing); err != nil {
			return err
		}
		l.show(fn)
	}
	if l.complete() {
		return nil
	}
	err := l.lookAgain()
	l.show(fn)
	return err
}

// show hands over what has come.
func (l *lister) show(fn func([]mail.Item)) {
	slices.SortFunc(l.items, func(a, b mail.Item) int { return cmp.Compare(uidOf(a), uidOf(b)) })
	if len(l.items) > 0 {
		fn(l.items)
	}
	l.items = nil
}

// windows parts the UIDs from lo to hi into ranges of about window messages each; hi 0 is without end, and so is the
// last of the ranges then. There are not more ranges than the messages make up, however sparse the UIDs are.
func (s *session) windows(lo, hi uint64) []imap.NumSet { return s.windowsOf(lo, hi, uint64(s.count())) }

// windowsOf does so when there are so many messages now.
func (s *session) windowsOf(lo, hi, now uint64) []imap.NumSet {
	end, size := hi+1, s.window()
	messages, arrived := uint64(s.status.Messages), uint64(0)
	if now > messages { // since it was selected; ours among them
		messages, arrived = now, now-messages
	}
	if hi == 0 {
		end = uint64(s.status.Next) + arrived
	}
	var sets []imap.NumSet
	if messages > size && lo < end {
		width := max(size, (end-lo)*size/messages)
		for ; lo+width < end; lo += width {
			sets = append(sets, uidRange(lo, lo+width-1))
		}
	}
	return append(sets, uidRange(lo, hi))
}

// window is about how many messages are listed with one command.
func (s *session) window() uint64 {
	size := uint64(maxWindow)
	if limit := s.caps.messageLimit(); limit > 0 {
		size = min(size, limit)
	}
	if isYahoo(s.host) {
		size = min(size, yahooWindow)
	}
	return size
}

func uidRange(start, stop uint64) imap.UIDSet {
	return imap.UIDSet{{Start: imap.UID(start), Stop: imap.UID(stop)}} // 0 is "*"
}

// ask runs one FETCH and takes its rows.
func (l *lister) ask(set imap.NumSet, options *imap.FetchOptions) error {
	cmd := l.imap.Fetch(set, options)
	defer cmd.Close()
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		uid, it, err := readItem(msg)
		if err != nil {
			l.awaitEnd()
			return err
		}
		if uint32(uid) < l.from { // n:* shows the last message even if its UID is less
			continue
		}
		if l.first == 0 || msg.SeqNum < l.first {
			l.first = msg.SeqNum
		}
		it.Ref = mail.Ref{Mailbox: l.mailbox, Validity: l.status.Validity, UID: strconv.FormatUint(uint64(uid), 10)}
		if !l.seen[uint32(uid)] {
			l.seen[uint32(uid)] = true
			l.items = append(l.items, it)
		}
		if len(l.seen) > int(l.count())+maxArrivals {
			return l.guard.fail(wireError("the server lists more messages than the folder holds"))
		}
	}
	return cmd.Close()
}

// count is how many messages the mailbox holds now.
func (s *session) count() uint32 {
	if mb := s.imap.Mailbox(); mb != nil {
		return mb.NumMessages
	}
	return s.status.Messages
}

func readItem(msg *imapclient.FetchMessageData) (uid imap.UID, it mail.Item, err error) {
	for item := msg.Next(); item != nil; item = msg.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = item.UID
		case imapclient.FetchItemDataRFC822Size:
			it.Size = item.Size
		case imapclient.FetchItemDataInternalDate:
			it.Received = item.Time
		case imapclient.FetchItemDataFlags:
			it.Flags = flagsOf(item.Flags)
		case imapclient.FetchItemDataBodySection:
			head, err := io.ReadAll(item.Literal)
			if err != nil {
				return 0, it, err
			}
			it.Header = mail.ParseHeader(head)
		}
	}
	return uid, it, nil
}

func flagsOf(list []imap.Flag) mail.Flags {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = string(f)
	}
	return mail.MakeFlags(names...)
}

// uidOf returns the UID of a message, or one that no message has if its key is none.
func uidOf(it mail.Item) uint32 {
	uid, _ := token{text: it.Ref.UID}.number()
	return cmp.Or(uid, 1<<32-2)
}

// complete reports whether the listing has as many messages as there are from its first to the last.
func (l *lister) complete() bool {
	first := l.first
	if l.from == 1 || first == 0 {
		first = 1
	}
	if len(l.seen) == 0 && l.from > 1 {
		return l.from >= l.status.Next
	}
	return uint64(len(l.seen))+uint64(first) > uint64(l.count())
}

// lookAgain asks for nothing but UIDs, and for each message the listing left out alone. What both looks do not show
// is not there, whatever the server counts.
func (l *lister) lookAgain() error {
	again := &lister{session: l.session, from: l.from, seen: make(map[uint32]bool)}
	if err := again.ask(uidRange(uint64(l.from), 0), &imap.FetchOptions{UID: true}); err != nil {
		return err
	}
	asked := 0
	for uid := range again.seen {
		if l.seen[uid] {
			continue
		}
		if asked++; asked > maxMissing {
			break
		}
		if err := l.ask(uidRange(uint64(uid), uint64(uid)), listing); err != nil {
			return err
		}
	}
	for uid := range again.seen {
		if !l.seen[uid] {
			return strange("the server counts messages in the folder that it does not list")
		}
	}
	return nil
}
