package archive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Sample returns sound entries of a mailbox and a UIDVALIDITY that are not gone, nor taken out by us: the first and the last that were
// archived, and up to n others by chance. It is what the source's UIDs are held against.
func (a *Archive) Sample(mailbox string, validity uint32, n int) (some []Entry, err error) {
	freed, err := a.ledger.freedNow("e.id")
	if err != nil {
		return nil, err
	}
	one := "where " + inEpoch + "and e.state = 0 and not e.gone and not " + freed
	first, err := a.entries(one+" order by e.id limit 1", []byte(mailbox), validity)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	last, err := a.entries(one+" order by e.id desc limit 1", []byte(mailbox), validity)
	if err != nil || last[0].ID == first[0].ID {
		return first, err
	}
	some = append(some, first[0])
	taken := map[int64]bool{first[0].ID: true, last[0].ID: true}
	span := last[0].ID - first[0].ID
	for i := range int64(n) { // one of each part; the mailbox is not counted for it
		from := first[0].ID + (i*span+rand.Int64N(span))/int64(n)
		next, err := a.entries(one+" and e.id > ? order by e.id limit 1", []byte(mailbox), validity, from)
		if err != nil {
			return nil, err
		}
		if e := next[0]; !taken[e.ID] {
			taken[e.ID] = true
			some = append(some, e)
		}
	}
	return append(some, last[0]), nil
}

// Turn returns one of the names, another one every time until each has had its turn; "" if there is none.
func (a *Archive) Turn(names []string) (next string, err error) {
	if len(names) == 0 {
		return "", nil
	}
	var last string
	err = a.ledger.each("select value from meta where name = 'turn'", func(scan func(...any) error) error { return scan(&last) })
	if err != nil {
		return "", err
	}
	names = slices.Sorted(slices.Values(names))
	next = names[0]
	if i, found := slices.BinarySearch(names, last); !found && i < len(names) {
		next = names[i]
	} else if found && i+1 < len(names) {
		next = names[i+1]
	}
	if next == last {
		return next, nil
	}
	return next, a.write("turn", func() error {
		_, err := a.ledger.exec("insert or replace into meta (name, value) values ('turn', ?)", []byte(next))
		return err
	})
}

// Distrust is for a source that has given the UIDs of a mailbox to other messages without a new UIDVALIDITY. What is
// archived under them goes on as if it were of an earlier UIDVALIDITY, no Ref of the mailbox and this one is known any
// more, and there is no State: all of it is to be listed again. Stopped half way, it has left no State, and can be
// done again.
func (a *Archive) Distrust(mailbox string, validity uint32) error {
	f := a.folders.named(mailbox)
	if f == nil {
		return fmt.Errorf("there is no mailbox %q to distrust", mailbox)
	}
	if err := a.write("distrust", func() error { return a.setState(f.id, mail.Status{}) }); err != nil {
		return err
	}
	const page = 5000
	for after := int64(0); ; {
		entries, err := a.EntriesOf(mailbox, validity, after, page)
		if err != nil || len(entries) == 0 {
			return err
		}
		moves := make([]Move, len(entries))
		for i, e := range entries {
			moves[i] = Move{Entry: e.ID, Ref: retired(e), Mailbox: f.Mailbox}
		}
		if err := a.Rekey(moves); err != nil {
			return err
		}
		after = entries[len(entries)-1].ID
	}
}

// retired returns a Ref for the entry that no source has: its UID is no number.
func retired(e Entry) mail.Ref {
	r := e.Ref
	if r.Validity = ^r.Validity; r.Validity == 0 {
		r.Validity = 1
	}
	r.UID += "\x00" + strconv.FormatInt(e.ID, 10)
	return r
}
