package mail

import (
	"bytes"
	"crypto/sha256"
	"net/mail"
	"strings"
	"time"
)

const (
	maxHead      = 1 << 20 // octets of a header that are kept for its fields
	maxField     = 16 << 10
	maxMessageID = 998 // RFC 5322 §2.1.1: the longest line
)

// A Header holds the few fields the house works with, each the first of its name, unfolded, of very long ones the
// beginning: headers are kept by the hundred. What a message does not have, or has in a form nobody can read, is
// empty.
type Header struct {
	MessageID string // between and with its angle brackets where it has them, without white space
	Date      string
	From      string
	To        string
	Subject   string
	received  string
}

// ParseHeader reads the fields of a header, or of as much of a message as is there. It never fails: lines that
// are not of the syntax say nothing, and an mbox "From " line is passed over.
func ParseHeader(head []byte) Header {
	var h Header
	for len(head) > 0 {
		if line, _ := cutLine(head); len(line) == 0 {
			break
		}
		var field []byte
		field, head = cutField(head)
		if strings.IndexByte("mdftsr", field[0]|0x20) < 0 {
			continue // the names of most are not worth a closer look
		}
		name, value := parseField(field)
		if dst := h.field(name); dst != nil && *dst == "" {
			*dst = string(value[:min(len(value), maxField)])
		}
	}
	h.MessageID = canonicalID(h.MessageID)
	return h
}

// field returns the field of that name, nil for most.
func (h *Header) field(name []byte) *string {
	for i, wanted := range [...]string{"message-id", "date", "from", "to", "subject", "received"} {
		if len(name) == len(wanted) && strings.EqualFold(string(name), wanted) {
			return [...]*string{&h.MessageID, &h.Date, &h.From, &h.To, &h.Subject, &h.received}[i]
		}
	}
	return nil
}

// cutField returns the first line with those that continue it, and what follows.
func cutField(head []byte) (field, rest []byte) {
	_, rest = cutLine(head)
	for len(rest) > 0 && isWSP(rest[0]) {
		_, rest = cutLine(rest)
	}
	return head[:len(head)-len(rest)], rest
}

// parseField takes a field apart and unfolds it. What is no field has no name.
func parseField(field []byte) (name, value []byte) {
	raw, rest := cutLine(field)
	raw = raw[:len(raw):len(raw)] // appending copies it once: the octets behind it are the message's
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		raw = append(append(raw, ' '), bytes.TrimLeft(line, " \t")...)
	}
	name, value, found := bytes.Cut(raw, []byte{':'})
	name = bytes.TrimRight(name, " \t")
	if !found || bytes.ContainsAny(name, " \t") {
		return nil, raw
	}
	return name, bytes.TrimSpace(value)
}

// cutLine returns the first line without its end, and what follows.
func cutLine(p []byte) (line, rest []byte) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		return bytes.TrimRight(p, "\r"), nil
	}
	return bytes.TrimRight(p[:i], "\r"), p[i+1:]
}

// canonicalID makes Message-IDs comparable: servers fold them anew, and people put comments behind them.
func canonicalID(v string) string {
	if open := strings.IndexByte(v, '<'); open >= 0 {
		if end := strings.IndexByte(v[open:], '>'); end > 1 {
			v = v[open : open+end+1]
		}
	}
	v = strings.Join(strings.Fields(v), "")
	return v[:min(len(v), maxMessageID)]
}

// Keys returns the keys under which a message with this header is looked for among others: by Message-ID, if it
// has one, and by Date, From, To and Subject. Equal keys make candidates, never a match: content decides.
// Octets that are not ASCII count as X in a key, because that is what some servers make of them.
func (h Header) Keys() []string {
	var keys []string
	if h.MessageID != "" {
		keys = append(keys, "id:"+ASCIIOnly(h.MessageID))
	}
	if h.Date+h.From+h.To+h.Subject != "" {
		sum := sha256.New()
		for _, v := range []string{h.Date, h.From, h.To, h.Subject} {
			sum.Write([]byte(ASCIIOnly(strings.Join(strings.Fields(v), " "))))
			sum.Write([]byte{0})
		}
		keys = append(keys, "hdr:"+string(sum.Sum(nil)))
	}
	return keys
}

// ASCIIOnly returns s with an X for each octet that is not ASCII, which is what some servers make of a header.
func ASCIIOnly(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 0x80 {
			b[i] = 'X'
		}
	}
	return string(b)
}

// Arrived returns when the message came in, for sources that have no INTERNALDATE: by its topmost Received
// field, else by its Date; zero when neither tells. It is to the second, with the zone it was written in.
func (h Header) Arrived() time.Time {
	trace := h.received[strings.LastIndexByte(h.received, ';')+1:]
	for _, v := range []string{trace, h.Date} {
		if t, ok := parseDate(v); ok {
			return t
		}
	}
	return time.Time{}
}

var dateLayouts = []string{
	"Mon Jan _2 15:04:05 2006",
	"Mon, _2 Jan 2006 15:04:05",
	"_2 Jan 2006 15:04:05",
	time.RFC3339,
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05",
}

func parseDate(v string) (time.Time, bool) {
	v = strings.TrimSpace(v)
	t, err := mail.ParseDate(v)
	for i := 0; err != nil && i < len(dateLayouts); i++ {
		t, err = time.Parse(dateLayouts[i], v)
	}
	// What stands outside this is a broken clock, and INTERNALDATE and file times of some systems cannot say it.
	if err != nil || t.Unix() <= 0 || t.Unix() >= 1<<32 {
		return time.Time{}, false
	}
	return t.Truncate(time.Second), true
}

// headScan collects a header as it streams by, up to the first empty line.
type headScan struct {
	buf   []byte
	inRow bool // the line under way holds something other than CRs
	done  bool
}

// write takes what of p belongs to the header and returns its length; the empty line is neither header nor body,
// and counts as header here only in the length.
func (s *headScan) write(p []byte) int {
	n := s.end(p)
	s.buf = append(s.buf, p[:min(n, max(0, maxHead-len(s.buf)))]...)
	return n
}

// end returns how much of p belongs to the header.
func (s *headScan) end(p []byte) int {
	for at := 0; at < len(p); {
		row, ended := p[at:], false
		if i := bytes.IndexByte(row, '\n'); i >= 0 {
			row, ended = row[:i], true
		}
		at += len(row)
		s.inRow = s.inRow || len(bytes.TrimLeft(row, "\r")) > 0
		if !ended {
			break
		}
		at++
		if !s.inRow {
			s.done = true
			return at
		}
		s.inRow = false
	}
	return len(p)
}
