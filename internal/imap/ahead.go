package imap

import (
	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	// fetchBatch is how many messages are asked for with the first command. As long as everything comes, later ones ask
	// for more, up to maxBatch: when something does not, the rest of that answer is thrown away, which then is not more
	// than what came before. The fewer commands there are, the less a server has to mix up.
	fetchBatch = 256
	maxBatch   = 8192
	// maxRequests and maxRanges bound the commands that are sent before they can be read, maxRanges of UIDs in one and
	// four times that in all. A server may read nothing while it sends, so that they must find room in the buffers
	// between: they are some 4 KB.
	maxRequests = 16
	maxRanges   = 128
	// nearEnd is how many octets are still to come when the next command is sent. By then a server has written them all
	// and only waits for them to go. What is asked for by then can be held, if the server shows it first.
	nearEnd = 1 << 20
)

// A request is a FETCH, under way or to be sent.
type request struct {
	set      imap.UIDSet
	last     uint32 // UID
	messages int
	left     int   // of them, not handed over yet
	octets   int64 // of those that are left, as announced
	cmd      *imapclient.FetchCommand
}

// request sends as many commands as may be under way.
func (f *fetch) request() {
	for f.mayAsk() {
		if f.upcoming == nil {
			f.upcoming = f.together()
		}
		rq := f.upcoming
		if rq.messages == 0 || len(f.requests) > 0 && !f.mayFollow(rq) {
			return
		}
		rq.cmd = f.imap.Fetch(rq.set, f.options)
		f.requests = append(f.requests, rq)
		f.upcoming = nil
	}
}

// mayAsk reports whether it is time for another command. Servers that do not keep the order are given none to keep.
func (f *fetch) mayAsk() bool {
	if len(f.requests) == 0 {
		return true
	}
	octets := int64(0)
	for _, rq := range f.requests {
		octets += rq.octets
	}
	return octets <= nearEnd && len(f.requests) < maxRequests && f.width >= fetchBatch && !f.guard.mixesUp()
}

// mayFollow reports whether a command may be sent while others are on their way. It must ask for others, for go-imap
// gives a message to the first command that asks for it.
func (f *fetch) mayFollow(rq *request) bool {
	ranges, messages := len(rq.set), rq.messages
	for _, before := range f.requests {
		ranges += len(before.set)
		messages += before.left
	}
	first, last := uint32(rq.set[0].Start), f.requests[len(f.requests)-1].last
	return ranges <= 4*maxRanges && messages <= 2*f.width && rq.octets <= maxHeld-nearEnd && first > last
}

// together returns the command for what is not asked for yet: as many items as may be, of one mailbox and with rising
// UIDs, for in that order servers show them. It asks for no message when there is none.
func (f *fetch) together() *request {
	items := f.items
	for _, rq := range f.requests {
		items = items[rq.left:]
	}
	rq := &request{}
	for most := f.most(); rq.messages < min(len(items), most) && f.add(rq, items[rq.messages]); {
	}
	rq.left = rq.messages
	return rq
}

// most is how many messages the next command may ask for.
func (f *fetch) most() int {
	if f.singly {
		return 1
	}
	if limit := f.caps.messageLimit(); limit > 0 {
		return int(min(uint64(f.width), limit))
	}
	return f.width
}

// add reports whether an item can be asked for with the others of a command.
func (f *fetch) add(rq *request, it mail.Item) bool {
	uid := uidOf(it)
	if it.Ref.Mailbox != f.session.mailbox || it.Ref.Validity != f.status.Validity || rq.messages > 0 && uid <= rq.last {
		return false
	}
	switch n := len(rq.set); {
	case n > 0 && uid == rq.last+1:
		rq.set[n-1].Stop = imap.UID(uid)
	case n == maxRanges:
		return false
	default:
		rq.set = append(rq.set, imap.UIDRange{Start: imap.UID(uid), Stop: imap.UID(uid)})
	}
	rq.last = uid
	rq.messages++
	rq.octets += it.Size
	return true
}

// forget takes in, and throws away, what is still under way.
func (f *fetch) forget() {
	for _, rq := range f.requests {
		rq.cmd.Close()
	}
	f.requests, f.upcoming = nil, nil
}
