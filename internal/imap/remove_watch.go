package imap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A watch is over all else in a mailbox while mail is removed from it: there may be servers that take away more than they are
// told. As long as the count is right nothing is listed but what is new.
type watch struct {
	status    mail.Status     // when the mailbox was selected last
	count     uint32          // how many of the messages of then should be there now
	others    map[uint32]bool // their UIDs; true: marked \Deleted, and not by us
	told      int             // how many messages the session had been told gone when it was selected
	byUs      int             // how many since, in answer to what removes
	unchecked bool            // something was removed since
}

// begin starts the watch over the mailbox that was just selected, or goes on with that of an earlier Remove if nothing is
// missing. What went meanwhile, others have removed.
func (m *removing) begin() error {
	if m.watch != nil && m.watch.status.Validity == m.status.Validity {
		if same, err := m.counted(); same || err != nil {
			return err
		}
	}
	return m.list()
}

// list looks at everything that is in the mailbox.
func (m *removing) list() error {
	w := &watch{others: make(map[uint32]bool, m.status.Messages)}
	m.told(w)
	all, err := m.differences(mail.Status{Validity: m.status.Validity, Next: m.status.Next}, nil)
	if err != nil {
		return err
	}
	for _, it := range slices.Concat(all.Flags, all.New) {
		w.others[uidOf(it)] = it.Flags.Has(mail.Deleted)
	}
	m.watch = w
	return nil
}

// told has the watch begin with what the mailbox was when it was selected, and what has been told since.
func (m *removing) told(w *watch) {
	w.status, w.count, w.unchecked = m.status, m.status.Messages, false
	w.told, w.byUs = m.guard.known().expunged, 0
}

// counted reports whether of what was there before as much is there as should be, by the number of the first message that is
// new, and if so takes what is new under watch.
func (m *removing) counted() (bool, error) {
	w := m.watch
	l := m.newLook(max(w.status.Next, 1))
	if err := l.ask(l.asks(m.windows(uint64(l.next), 0), wholeItem)); err != nil {
		return false, err
	}
	if l.base() != w.count {
		return false, nil
	}
	for _, it := range l.items(l.rows) {
		w.others[uidOf(it)] = it.Flags.Has(mail.Deleted)
	}
	m.told(w)
	return true, nil
}

// after is called when messages are gone, and so many were told. If more were told than that, it is looked at the rest.
func (m *removing) after(gone []mail.Item, told int) error {
	w := m.watch
	for _, it := range gone {
		delete(w.others, uidOf(it))
	}
	w.count -= uint32(len(gone))
	w.byUs += told
	w.unchecked = true
	if told > len(gone) {
		return m.check()
	}
	return nil
}

// check selects the mailbox again and looks whether anything is missing. What was told gone in answer to commands that remove
// nothing, others have removed.
func (m *removing) check() error {
	before := m.watch
	if !before.unchecked {
		return nil
	}
	others := m.guard.known().expunged - before.told - before.byUs
	if err := m.open(m.mailbox); err != nil {
		return err
	}
	if m.status.Validity != before.status.Validity {
		return renumbered()
	}
	if same, err := m.counted(); same || err != nil {
		return err
	}
	if err := m.list(); err != nil {
		return err
	}
	missing, err := m.missing(before.others)
	if err != nil || len(missing) <= others {
		return err
	}
	return tooMany(missing, before.others)
}

// missing returns which of these messages are neither listed nor shown when they are asked for.
func (m *removing) missing(of map[uint32]bool) (missing []uint32, err error) {
	for uid := range of {
		if _, listed := m.watch.others[uid]; !listed {
			missing = append(missing, uid)
		}
	}
	slices.Sort(missing)
	for part := range slices.Chunk(slices.Clone(missing), m.together()) {
		items, err := m.session.items(m.mailbox, part)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			missing = slices.DeleteFunc(missing, func(uid uint32) bool { return uid == uidOf(it) })
		}
	}
	return missing, nil
}

func tooMany(missing []uint32, marked map[uint32]bool) error {
	n := 0
	for _, uid := range missing {
		if marked[uid] {
			n++
		}
	}
	uids := strings.ReplaceAll(setOf(missing[:min(len(missing), 10)]).String(), ",", ", ")
	if len(missing) > 10 {
		uids += fmt.Sprintf(" and %d more", len(missing)-10)
	}
	text := fmt.Sprintf("mail is gone that was to stay (UID %s; %d marked as deleted before): another program removed it, or the server takes more than it is told; "+
		"nothing more is removed", uids, n)
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Err: wireError(text),
		Hint: "see what is missing before you go on; what was archived of it is in the archive"}
}
