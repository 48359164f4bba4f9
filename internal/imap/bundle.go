package imap

import (
	"errors"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A bundle is several messages in one APPEND, where the server has MULTIAPPEND (RFC 3502): it stores all of them or none,
// and spares itself, for each, what it does to make one message safe. Small ones gain most.
const (
	bundleMessages = 128
	bundleOctets   = 4 << 20
	// maxBundled is how many messages may be under way in bundles.
	maxBundled = 1024
	// maxQuarrels is how many bundles a server may refuse until it gets no more.
	maxQuarrels = 3
)

var errPartly = errors.New("the server has refused several messages at once, and something has come into the folder")

// An enclosed message follows another in the same APPEND.
type enclosed struct {
	attempt
	lacks  mail.Flags // as a flight's
	args   string     // its flags and date, as sent
	octets []byte
}

// mayBundle reports whether messages can share a command. What became of each must be told by its UID then.
func (a *appending) mayBundle() bool {
	return a.caps.has("MULTIAPPEND") && a.caps.has("LITERAL+") && a.caps.has("UIDPLUS") && len(a.again) == 0 && len(a.split) == 0 && a.quarrels < maxQuarrels
}

// enclose puts what comes next in the batch into a letter, up to what cannot be sent so.
func (a *appending) enclose(l *letter) {
	for a.mayEnclose(l.total, 1+len(l.enclosed)) {
		i := a.next
		m := a.batch[i]
		sheet, err := openLetter(m, true)
		a.next++
		if err != nil {
			a.unread(i, err)
			continue
		}
		flags := a.storable(m.Flags, a.reduced)
		l.enclosed = append(l.enclosed, enclosed{attempt{i, a.reduced}, m.Flags.Without(flags), appendArgs(flags, m.Received), sheet.octets})
		l.total += m.Octets
	}
}

// mayEnclose reports whether the next message of the batch may go with so many others.
func (a *appending) mayEnclose(octets int64, messages int) bool {
	if a.next == len(a.batch) || messages >= bundleMessages {
		return false
	}
	size := a.batch[a.next].Octets
	limit := a.caps.appendLimit()
	return size <= small && octets+size <= bundleOctets && (limit <= 0 || size <= limit)
}

// appendArgs is what stands before a message that follows another (RFC 3502 §6.3.11, append-opts).
func appendArgs(flags mail.Flags, received time.Time) string {
	var b strings.Builder
	if len(flags) > 0 {
		words := make([]string, len(flags))
		for i, f := range flags {
			words[i] = string(f)
		}
		b.WriteString(" (" + strings.Join(words, " ") + ")")
	}
	if t := internalDate(received); !t.IsZero() {
		b.WriteString(` "` + t.Format(dateTime) + `"`)
	}
	return b.String() + " "
}

// deliverEnclosed sends what follows the first message of an APPEND.
func (g *guard) deliverEnclosed(l *letter) {
	for i, e := range l.enclosed {
		g.send(literalMark(e.args, int64(len(e.octets)), "+"))
		l.whole.Store(i == len(l.enclosed)-1) // as deliver
		g.send(e.octets)
		l.enclosed[i].octets = nil
	}
}

// storedAll takes the OK to a bundle.
func (a *appending) storedAll(f flight, validity uint32, uids []uint32) {
	if len(uids) != 1+len(f.letter.enclosed) {
		uids = make([]uint32, 1+len(f.letter.enclosed)) // then it is looked for
	}
	for k, one := range f.each() {
		a.stored(one, &imap.AppendData{UIDValidity: validity, UID: imap.UID(uids[k])})
	}
}

// each returns the messages of a flight as if each had been sent alone.
func (f flight) each() []flight {
	all := []flight{f}
	for _, e := range f.letter.enclosed {
		all = append(all, flight{attempt: e.attempt, letter: f.letter, lacks: e.lacks})
	}
	return all
}

// messages is how many a flight carries.
func (f flight) messages() int { return 1 + len(f.letter.enclosed) }

// quarrel takes the no to a bundle. It says nothing of any one message of it: they are sent one by one, when everything
// before them is answered.
func (a *appending) quarrel(f flight) {
	a.quarrels++
	for _, one := range f.each() {
		a.split = append(a.split, one.attempt)
	}
}

// resolve has what was in refused bundles sent one by one, if nothing of them was stored: nothing of it must be (RFC 3502
// §6.3.11), but a server that has kept some would have them twice. If something has come, it may be that, and what became of
// the bundles is to be found out as after a cut; so it is when the session is over.
func (a *appending) resolve() {
	split := a.split
	a.split = nil
	why := a.gone
	if why == nil {
		arrived, err := a.arrivedAfter(a.highest())
		switch {
		case err != nil:
			why = a.explain(err)
		case arrived:
			why = &mail.Error{Scope: mail.ScopeSession, Cause: mail.CauseNetwork, Err: errPartly}
		default:
			a.again = append(a.again, split...)
			return
		}
		a.guard.Close()
	}
	for _, one := range split {
		a.unsure(one.i, why)
	}
}

// highest returns the highest UID that is known to be taken.
func (a *appending) highest() uint32 {
	top := a.opened.Next - 1
	for uid := range a.uids {
		top = max(top, uid)
	}
	return top
}

// arrivedAfter reports whether the mailbox shows messages with higher UIDs than that.
func (a *appending) arrivedAfter(uid uint32) (some bool, err error) {
	cmd := a.imap.Fetch(uidRange(uint64(uid)+1, 0), &imap.FetchOptions{UID: true})
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		for item := msg.Next(); item != nil; item = msg.Next() {
			if got, is := item.(imapclient.FetchItemDataUID); is && uint32(got.UID) > uid {
				some = true
			}
		}
	}
	return some, cmd.Close()
}

// appendUIDs reads a response code APPENDUID that names n UIDs, in the order of the messages (RFC 4315 §3).
func appendUIDs(args string, n int) (validity uint32, uids []uint32) {
	a, b, _ := strings.Cut(args, " ")
	validity, ok := token{text: a}.number()
	if !ok || validity == 0 {
		return 0, nil
	}
	for part := range strings.SplitSeq(b, ",") {
		from, to, isRange := strings.Cut(part, ":")
		first, okFirst := token{text: from}.number()
		last, okLast := first, okFirst
		if isRange {
			last, okLast = token{text: to}.number()
		}
		first, last = min(first, last), max(first, last)
		if !okFirst || !okLast || !soundUID(first) || !soundUID(last) || int64(last)-int64(first) >= int64(n-len(uids)) {
			return 0, nil
		}
		for uid := first; uid <= last; uid++ {
			uids = append(uids, uid)
		}
	}
	if len(uids) != n {
		return 0, nil
	}
	return validity, uids
}
