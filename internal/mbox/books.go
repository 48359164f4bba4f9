package mbox

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	booksBegin = "X-" // of every field of theirs
	maxBooks   = 16 << 10
)

// Books are what Thunderbird or Google Takeout have written on top of a message.
type Books struct {
	Told    bool // there are some
	Flags   mail.Flags
	Deleted bool     // it was deleted, and is only not taken out of the file yet
	Partial bool     // only a part of it was ever fetched
	Labels  []string // Gmail's
	// Labelled: it comes from Takeout, whether or not it has labels.
	Labelled bool
}

// ReadBooks reads what stands on top of head, and returns how many octets that is: 0 if the first lines are the
// message's own. X-UIDL and X-Account-Key are Thunderbird's only where a status of its own is among them; X-UIDL
// is a field of some servers too.
func ReadBooks(head []byte) (b Books, n int) {
	var mozilla bool
	rest := head
	for len(rest) > 0 {
		field, after := cutField(rest)
		if len(after) == 0 && len(head) >= maxBooks {
			break // who knows how it goes on
		}
		name, value, _ := bytes.Cut(field, []byte{':'})
		text := strings.Join(strings.Fields(string(value)), " ")
		switch strings.ToLower(string(name)) {
		case "x-mozilla-status":
			b.status(text)
			mozilla = true
		case "x-mozilla-status2":
			mozilla = true
		case "x-mozilla-keys":
			b.keys(text)
			mozilla = true
		case "x-account-key", "x-uidl":
		case "x-gm-thrid", "x-gm-third":
			b.Labelled = true
		case "x-gmail-labels":
			b.Labelled = true
			b.Labels = append(b.Labels, SplitLabels(text)...)
		default:
			return b.counted(mozilla, len(head)-len(rest))
		}
		rest = after
	}
	return b.counted(mozilla, len(head)-len(rest))
}

func (b Books) counted(mozilla bool, n int) (Books, int) {
	if !mozilla && !b.Labelled {
		return Books{}, 0
	}
	b.Told = true
	return b, n
}

// cutField returns the first line with those that continue it, and what follows.
func cutField(head []byte) (field, rest []byte) {
	for at := 0; ; {
		i := bytes.IndexByte(head[at:], '\n')
		if i < 0 {
			return head, nil
		}
		at += i + 1
		if at == len(head) || head[at] != ' ' && head[at] != '\t' {
			return head[:at], head[at:]
		}
	}
}

// Bits of X-Mozilla-Status, as Thunderbird's nsMsgMessageFlags.idl has them.
const (
	mozRead      = 0x0001
	mozReplied   = 0x0002
	mozMarked    = 0x0004
	mozExpunged  = 0x0008
	mozPartial   = 0x0400
	mozForwarded = 0x1000
)

func (b *Books) status(text string) {
	bits, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return
	}
	b.Deleted = bits&mozExpunged != 0
	b.Partial = bits&mozPartial != 0
	for _, m := range []struct {
		bit  uint64
		flag mail.Flag
	}{{mozRead, mail.Seen}, {mozReplied, mail.Answered}, {mozMarked, mail.Flagged}, {mozForwarded, mail.Forwarded}} {
		if bits&m.bit != 0 {
			b.add(string(m.flag))
		}
	}
}

func (b *Books) keys(text string) {
	for _, k := range strings.Fields(text) {
		if isKeyword(k) {
			b.add(k)
		}
	}
}

func (b *Books) add(name string) {
	names := []string{name}
	for _, f := range b.Flags {
		names = append(names, string(f))
	}
	b.Flags = mail.MakeFlags(names...)
}

const (
	maxKeyword  = 100
	maxKeywords = 100
)

// isKeyword reports whether IMAP can say it: an atom (RFC 9051 §9), and none of the system's.
func isKeyword(k string) bool {
	return k != "" && len(k) <= maxKeyword && k[0] != '\\' &&
		!strings.ContainsFunc(k, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) })
}

// fieldFlags returns what programs with mailboxes in one file keep in the header of a message: Status, X-Status, and
// the keywords of Dovecot, Pine and Kmail.
func fieldFlags(head []byte) (flags mail.Flags, told bool) {
	flags, told = mail.ReadStatus(bytes.NewReader(head))
	var names []string
	for _, field := range fields(head) {
		name, value, _ := bytes.Cut(field, []byte{':'})
		if !slices.Contains([]string{"x-keywords", "x-kmail-tags"}, strings.ToLower(string(name))) {
			continue
		}
		words := strings.FieldsFunc(string(value), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\r' || r == '\n' })
		for _, k := range words {
			if isKeyword(k) && len(names) < maxKeywords {
				names = append(names, k)
			}
		}
	}
	if len(names) == 0 {
		return flags, told
	}
	for _, f := range flags {
		names = append(names, string(f))
	}
	return mail.MakeFlags(names...), true
}
