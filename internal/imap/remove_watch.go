package imap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A watch is over the rest of the mailbox while mail is removed from it: there may be servers that take away more than they
// are told.
type watch struct {
	others     map[uint32]bool // UIDs of what is there; true: marked \Deleted, and not by us
	goneBefore int             // how many messages the server had told gone when it was looked at
	goneByUs   int             // how many since, in answer to what removes
	checked    bool            // once
	unchecked  bool            // something was removed since the rest was looked at
}

// begin looks at what is in the mailbox, which was selected just now.
func (m *removing) begin() error {
	m.others = make(map[uint32]bool)
	m.goneBefore, m.goneByUs = m.guard.known().expunged, 0
	all, err := m.differences(mail.Status{Validity: m.status.Validity, Next: m.status.Next}, nil)
	for _, it := range slices.Concat(all.Flags, all.New) {
		m.others[uidOf(it)] = it.Flags.Has(mail.Deleted)
	}
	return err
}

// after is called when messages are gone and told of them, or of others, were told. After the first of them the rest is looked
// at, and whenever more are told.
func (m *removing) after(gone []mail.Item, told int) error {
	for _, it := range gone {
		delete(m.others, uidOf(it))
	}
	m.goneByUs += told
	m.unchecked = true
	if told > len(gone) || !m.checked {
		return m.check()
	}
	return nil
}

// finish looks at the rest unless that was done since something was removed.
func (m *removing) finish() error {
	if !m.unchecked {
		return nil
	}
	return m.check()
}

// check selects the mailbox again and compares. What was told gone in answer to commands that remove nothing, somebody else has
// removed.
func (m *removing) check() error {
	elsewhere := m.guard.known().expunged - m.goneBefore - m.goneByUs
	validity := m.status.Validity
	if err := m.open(m.mailbox); err != nil {
		return err
	}
	if m.status.Validity != validity {
		return renumbered()
	}
	before := m.others
	if err := m.begin(); err != nil {
		return err
	}
	m.checked, m.unchecked = true, false
	var missing []uint32
	for uid := range before {
		if _, shown := m.others[uid]; !shown {
			missing = append(missing, uid)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	missing, err := m.truly(missing)
	if err != nil || len(missing) <= elsewhere {
		return err
	}
	return tooMany(missing, before)
}

// truly returns which of the messages are missing when they are asked for.
func (m *removing) truly(uids []uint32) (missing []uint32, err error) {
	slices.Sort(uids)
	there := make(map[uint32]bool)
	for part := range slices.Chunk(uids, m.together()) {
		items, err := m.session.items(m.mailbox, part)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			there[uidOf(it)] = true
			m.others[uidOf(it)] = it.Flags.Has(mail.Deleted)
		}
	}
	return slices.DeleteFunc(uids, func(uid uint32) bool { return there[uid] }), nil
}

func tooMany(missing []uint32, marked map[uint32]bool) error {
	n := 0
	for _, uid := range missing {
		if marked[uid] {
			n++
		}
	}
	uids := strings.ReplaceAll(setOf(missing[:min(len(missing), 10)]).String(), ",", ", ")
	text := fmt.Sprintf("%d messages went that were not to go (UID %s), %d of them marked as deleted before: another mail program removed them meanwhile, or the server takes away more than it is told; nothing more is removed", len(missing), uids, n)
	return &mail.Error{Scope: mail.ScopeMailbox, Cause: mail.CauseProtocol, Err: wireError(text),
		Hint: "see what is missing before you go on; what was archived of it is in the archive"}
}
