package imap

import (
	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	// fetchBatch is how many messages are asked for with one command.
	fetchBatch = 64
	// maxRequests, maxAhead and maxAheadOctets bound what is asked for before it can be read. A server may read
	// nothing while it sends, so that all commands must find room in the buffers between: they are some 3 KB.
	maxRequests    = 16
	maxAhead       = 256
	maxAheadOctets = 8 << 20
)

// A request is a FETCH under way.
type request struct {
	cmd      *imapclient.FetchCommand
	messages int
	octets   int64 // as announced
}

// request sends as many commands as may be under way.
func (f *fetch) request() {
	for {
		ahead, octets := 0, int64(0)
		for _, rq := range f.requests {
			ahead += rq.messages
			octets += rq.octets
		}
		n := f.together(ahead)
		if n == 0 || ahead > 0 && !f.mayFollow(ahead, n, octets) {
			return
		}
		f.send(ahead, n)
	}
}

// together returns how many of the items that are not asked for yet to ask for with one command: those of one mailbox
// with rising UIDs, for in that order servers show them.
func (f *fetch) together(ahead int) int {
	items := f.items[ahead:]
	if len(items) == 0 || items[0].Ref.Mailbox != f.session.mailbox || items[0].Ref.Validity != f.status.Validity {
		return 0
	}
	most := f.width
	if f.singly {
		most = 1
	}
	if limit := f.caps.messageLimit(); limit > 0 {
		most = int(min(uint64(most), limit))
	}
	n := 1
	for n < min(len(items), most) {
		it, before := items[n], items[n-1]
		if it.Ref.Mailbox != before.Ref.Mailbox || it.Ref.Validity != before.Ref.Validity || uidOf(it) <= uidOf(before) {
			break
		}
		n++
	}
	return n
}

// mayFollow reports whether the next n may be asked for while others are on their way. They must be others, for go-imap
// gives a message to the first command that asks for it; and servers that do not keep the order are given none to keep.
func (f *fetch) mayFollow(ahead, n int, octets int64) bool {
	return f.width == fetchBatch && len(f.requests) < maxRequests && ahead+n <= maxAhead && octets <= maxAheadOctets &&
		uidOf(f.items[ahead]) > uidOf(f.items[ahead-1]) && !f.guard.known().outOfTurn
}

func (f *fetch) send(ahead, n int) {
	rq := request{messages: n}
	var set imap.UIDSet
	for _, it := range f.items[ahead : ahead+n] {
		set.AddNum(imap.UID(uidOf(it)))
		rq.octets += it.Size
	}
	rq.cmd = f.imap.Fetch(set, f.options)
	f.requests = append(f.requests, rq)
}

// forget takes in, and throws away, what is still under way.
func (f *fetch) forget() {
	for _, rq := range f.requests {
		rq.cmd.Close()
	}
	f.requests = nil
}
