package imap

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// asksTogether is how many FETCHes of small items are under way at once.
	asksTogether = 8
	// maxNumbers is how many messages are named in one command.
	maxNumbers = 250
	// maxRoom is for how many messages there is room at once, if a server says that it has so many.
	maxRoom = 100_000
	// maxFlags is how many flags of a message are kept, and maxFlagOctets how much all sets of flags of a mailbox take.
	maxFlags      = 256
	maxFlagOctets = 16 << 20
)

// A look collects what a mailbox shows of its messages. The rows come from the guard and not through go-imap, which
// drops all rows of a message but the first: the flags of another client's change would take the place of the
// message.
type look struct {
	*session
	next    uint32             // UIDs from here on are new: all that makes an Item is wanted of them
	from    uint32             // UIDs from here on are listed: 1 or next
	lists   *imap.FetchOptions // what is wanted of older ones
	rows    []line             // by UID
	told    uint64             // how many rows came
	flags   map[string]mail.Flags
	octets  int         // of the names of flags
	loose   bool        // rows were added that are not in order yet
	alone   bool        // what is asked for now is asked for alone
	refused *imap.Error // a NO to some FETCH
	changed []line      // older ones whose flags have changed, if that was asked
}

// An ask is a FETCH of small items to be sent.
type ask struct {
	set     imap.NumSet
	options *imap.FetchOptions
}

// A line is what is known of a message.
type line struct {
	seq, uid       uint32
	flagged, sized bool
	size           int64
	received       time.Time
	flags          mail.Flags
	identity       string
}

func (s *session) newLook(next uint32) *look {
	return &look{session: s, next: next, from: next, lists: numberOnly, flags: make(map[string]mail.Flags)}
}

// asks is what to send for these sets. An empty mailbox is asked for nothing.
func (l *look) asks(sets []imap.NumSet, options *imap.FetchOptions) (all []ask) {
	if l.status.Messages == 0 {
		return nil
	}
	for _, set := range sets {
		all = append(all, ask{set, options})
	}
	return all
}

// back is to list what is older too.
func (l *look) back(options *imap.FetchOptions) []ask {
	l.from, l.lists = 1, options
	return l.asks(l.windows(1, uint64(l.next)-1), options)
}

// ask sends FETCHes, several at once, and takes their rows. A NO is not the end of it: what else was shown counts.
func (l *look) ask(asks []ask) error {
	l.guard.speak(func(d *dialect) { d.take = l.take })
	defer l.guard.speak(func(d *dialect) { d.take = nil })
	for part := range slices.Chunk(asks, asksTogether) {
		if err := l.askTogether(part); err != nil {
			return err
		}
	}
	l.settle()
	return nil
}

func (l *look) askTogether(asks []ask) error {
	var cmds []*imapclient.FetchCommand
	for _, a := range asks {
		cmds = append(cmds, l.imap.Fetch(a.set, a.options))
	}
	for _, cmd := range cmds {
		err := cmd.Close()
		var no *imap.Error
		switch {
		case sessionOnly(err) != nil:
			return err
		case errors.As(err, &no) && no.Code == imap.ResponseCodeServerBug: // which may be about some message only
			l.refused = no
		case isLimit(err):
			return err
		case no != nil && no.Code != messageLimit:
			l.refused = no
		}
	}
	return nil
}

// messageLimit is the code of a NO that says that there is more to be asked for (RFC 9738 §3.2).
const messageLimit = imap.ResponseCode("MESSAGELIMIT")

// take takes a row, in the goroutine that reads. A message may have several.
func (l *look) take(m shown) error {
	if l.told++; l.told > 2*uint64(l.status.Messages)+maxArrivals {
		return wireError("the server lists more messages than the folder holds")
	}
	flags, err := l.flagsOf(m.flags)
	row := line{seq: m.seq, uid: m.uid, flagged: m.flagged, sized: m.sized || l.alone, size: m.size,
		received: m.received, flags: flags, identity: m.identity}
	switch {
	case m.uid >= l.from:
		if l.rows == nil { // growing step by step takes several times as much
			l.rows = make([]line, 0, min(l.status.Messages, maxRoom))
		}
		l.rows, l.loose = append(l.rows, row), true
	case m.uid > 0 && m.flagged && !m.sized: // n:* shows the last message even if its UID is less, but all of it
		l.changed = append(l.changed, row)
	}
	return err
}

func (l *look) takeAll(rows []shown) error {
	for _, m := range rows {
		if err := l.take(m); err != nil {
			return err
		}
	}
	return nil
}

// flagsOf returns the set of these names, the same for all messages that have the same.
func (l *look) flagsOf(names []string) (mail.Flags, error) {
	if len(names) == 0 {
		return nil, nil
	}
	names = names[:min(len(names), maxFlags)]
	key := strings.Join(names, " ")
	set, ok := l.flags[key]
	if !ok {
		if l.octets += len(key); l.octets > maxFlagOctets {
			return nil, wireError("the server shows more flags than anyone has")
		}
		set = mail.MakeFlags(slices.DeleteFunc(names, func(f string) bool { return !keptFlag(f) })...)
		l.flags[key] = set
	}
	return set, nil
}

// settle puts the rows in order, those of one message into one, and leaves out what does not show what was asked for:
// that message was not listed, only mentioned.
func (l *look) settle() {
	if l.loose {
		l.rows = slices.DeleteFunc(inOrder(l.rows), func(m line) bool { return !l.shows(m) })
	}
	l.loose = false
	l.changed = inOrder(l.changed)
}

func inOrder(rows []line) []line {
	slices.SortStableFunc(rows, func(a, b line) int { return cmp.Compare(a.uid, b.uid) })
	kept := rows[:0]
	for _, m := range rows {
		if n := len(kept); n > 0 && kept[n-1].uid == m.uid {
			kept[n-1].add(m)
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

func (m *line) add(more line) {
	m.seq = more.seq
	if more.flagged {
		m.flagged, m.flags = true, more.flags
	}
	if more.sized {
		m.sized, m.size = true, max(m.size, more.size)
	}
	if !more.received.IsZero() {
		m.received = more.received
	}
	m.identity = cmp.Or(more.identity, m.identity)
}

func (l *look) shows(m line) bool {
	if m.uid >= l.next {
		return m.sized
	}
	return m.flagged || m.sized || l.lists == numberOnly
}

// items makes Items of lines.
func (l *look) items(lines []line) []mail.Item {
	items := make([]mail.Item, len(lines))
	for i, m := range lines {
		items[i] = mail.Item{
			Ref:  mail.Ref{Mailbox: l.mailbox, Validity: l.status.Validity, UID: strconv.FormatUint(uint64(m.uid), 10)},
			Size: m.size, Flags: m.flags, Received: m.received, Identity: m.identity,
		}
	}
	return items
}

// find returns where the message with that UID stands in rows, or would stand.
func (l *look) find(uid uint32) (at int, found bool) {
	return slices.BinarySearchFunc(l.rows, uid, func(m line, uid uint32) int { return cmp.Compare(m.uid, uid) })
}

// setsOf parts UIDs, which are in order, into sets that fit into a command.
func (s *session) setsOf(uids []uint32) (sets []imap.NumSet) {
	for part := range slices.Chunk(uids, int(min(maxNumbers, s.window()))) {
		var set imap.UIDSet
		for _, uid := range part {
			if soundUID(uid) {
				set.AddNum(imap.UID(uid))
			}
		}
		if len(set) > 0 {
			sets = append(sets, set)
		}
	}
	return sets
}
