package archive

import (
	"strconv"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// State returns how a mailbox stood at its last look that was complete; zero: there was none, or it is forgotten.
func (a *Archive) State(mailbox string) (mail.Status, error) {
	states, err := a.states("where name = ?", []byte(mailbox))
	return states[mailbox], err
}

// States returns the same of every mailbox that has been looked at.
func (a *Archive) States() (map[string]mail.Status, error) { return a.states("where validity <> 0") }

func (a *Archive) states(where string, args ...any) (map[string]mail.Status, error) {
	all := map[string]mail.Status{}
	err := a.ledger.each("select name, validity, next, messages, modseq, status_id from mailbox "+where,
		func(scan func(...any) error) error {
			var name string
			var st mail.Status
			var modseq int64
			err := scan(&name, &st.Validity, &st.Next, &st.Messages, &modseq, &st.ID)
			st.ModSeq = uint64(modseq)
			all[name] = st
			return err
		}, args...)
	return all, err
}

// setState is for inside a transaction.
func (a *Archive) setState(mailbox int64, st mail.Status) error {
	_, err := a.ledger.exec("update mailbox set validity = ?, next = ?, messages = ?, modseq = ?, status_id = ? where id = ?",
		st.Validity, st.Next, st.Messages, int64(st.ModSeq), []byte(st.ID), mailbox)
	return err
}

// inEpoch selects the entries of a mailbox and a UIDVALIDITY.
const inEpoch = "e.mailbox = (select id from mailbox where name = ?) and e.validity = ? "

// Known returns the UIDs of a mailbox and a UIDVALIDITY that are archived, sound and, for all we know, at the source.
func (a *Archive) Known(mailbox string, validity uint32) (map[uint32]bool, error) {
	uids := map[uint32]bool{}
	freed, err := a.ledger.freedNow("e.id")
	if err != nil {
		return nil, err
	}
	err = a.ledger.each("select e.uid from entry e where "+inEpoch+"and e.state = 0 and not e.gone and not "+freed,
		func(scan func(...any) error) error {
			var text string
			err := scan(&text)
			if uid, is := uidOf(text); is {
				uids[uid] = true
			}
			return err
		}, []byte(mailbox), validity)
	return uids, err
}

// uidOf reads a UID; a UIDL is none.
func uidOf(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

// Unsound returns of how many messages of a mailbox the source is to be asked again although it has shown them
// before: their files are missing or damaged, or the files are there and their UIDs are not known, because the
// ledger was lost or a run died. As long as there are any, a listing of what is new is not enough. Those that are
// gone, or were taken out of the source by us, are not counted.
func (a *Archive) Unsound(mailbox string, validity uint32) (n int, err error) {
	freed, err := a.ledger.freedNow("entry.id")
	if err != nil {
		return 0, err
	}
	// Where SQLite has to choose, the plus keeps it from going through all of the mailbox.
	in := "mailbox = (select id from mailbox where name = ?) and not gone and not " + freed
	err = a.ledger.each("select (select count(*) from entry where +"+in+" and state in (1, 2) and state <> 0"+
		" and (validity = ? or validity is null)) + (select count(*) from entry where "+in+" and uid is null and state = 0)",
		func(scan func(...any) error) error { return scan(&n) }, []byte(mailbox), validity, []byte(mailbox))
	return n, err
}

// EntriesOf returns up to limit sound entries of a mailbox and a UIDVALIDITY, gone or not, those with IDs greater
// than after, in the order of their IDs.
func (a *Archive) EntriesOf(mailbox string, validity uint32, after int64, limit int) ([]Entry, error) {
	return a.entries("where "+inEpoch+"and e.id > ? and e.state = 0 order by e.id limit ?",
		[]byte(mailbox), validity, after, limit)
}
