package archive

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Shelf is what a mailbox at a destination was seen to hold. It is a copy of what the server knows: it may name
// messages that are gone, and when it is lost the mailbox is listed again.
type Shelf struct {
	Mailbox  string // the destination's
	Validity uint32
	// All that was shown with UIDs of From and above and below Next is on it.
	From, Next uint32
	Messages   []Shown // in the order of their UIDs
}

// Shown is a message at a destination, as it was listed or appended.
type Shown struct {
	UID        uint32
	Size       int64  // as the server announced it
	ID, Fields uint64 // hashes of its header's keys; 0: it has none
}

// shelfTables hold Shelves.
var shelfTables = &addition{"shelf_page", `
create table if not exists shelf (
	id integer primary key,
	dest integer not null references destination,
	mailbox blob not null,
	validity integer not null,
	next integer not null,
	unique (dest, mailbox)
);
create table if not exists shelf_page (
	id integer primary key, -- rises in the order of the UIDs
	shelf integer not null references shelf,
	messages blob not null  -- as writePage writes them
);
create index if not exists shelf_page_shelf on shelf_page (shelf);
`}

const (
	// pageMessages is how many messages are in one row: as many as fit into a page of the database.
	pageMessages = 180
	minShown     = 18 // octets of a message in a row, at least
)

var errPage = errors.New("not a page of a shelf")

// Shelf returns what is known of a mailbox at the destination in that UIDVALIDITY, from UID 1 on; an
// empty one with a Next of 1 if nothing is.
func (a *Archive) Shelf(dest mail.Account, mailbox string, validity uint32) (Shelf, error) {
	s := Shelf{Mailbox: mailbox, Validity: validity, From: 1, Next: 1}
	var pages [][]byte
	octets := 0
	err := a.ledger.eachOf(shelfTables, `select s.next, p.messages from shelf s left join shelf_page p on p.shelf = s.id
		where s.`+toDestination+` and s.mailbox = ? and s.validity = ? order by p.id`,
		func(scan func(...any) error) error {
			var page []byte
			err := scan(&s.Next, &page)
			pages = append(pages, page)
			octets += len(page)
			return err
		}, destArgs(dest, []byte(mailbox), validity)...)
	s.Messages = slices.Grow(s.Messages, octets/minShown)
	for i := 0; i < len(pages) && err == nil; i++ {
		s.Messages, err = readPage(s.Messages, pages[i])
	}
	if errors.Is(err, errPage) {
		return Shelf{Mailbox: mailbox, Validity: validity, From: 1, Next: 1}, nil // it is only listed again
	}
	return s, err
}

// Shelve notes what a mailbox was seen to hold. What continues what is known is added to it; what begins at UID 1
// takes its place. Anything else is not noted: there would be a gap, and nobody would ever look into it.
func (a *Archive) Shelve(dest mail.Account, s Shelf) error {
	return a.write("shelf", func() error {
		id, err := a.destination(dest)
		if err != nil {
			return err
		}
		return a.shelve(id, s)
	})
}

// shelve is for inside a transaction.
func (a *Archive) shelve(dest int64, s Shelf) error {
	if err := a.ledger.add(shelfTables); err != nil {
		return err
	}
	var id int64
	var validity, next uint32
	err := a.ledger.rows("select id, validity, next from shelf where dest = ? and mailbox = ?",
		func(scan func(...any) error) error { return scan(&id, &validity, &next) }, dest, []byte(s.Mailbox))
	if err != nil {
		return err
	}
	if s.From > 1 && (validity != s.Validity || next != s.From) {
		return nil
	}
	if s.From <= 1 {
		if id, err = a.clearShelf(dest, id, s); err != nil {
			return err
		}
	}
	for page := range slices.Chunk(s.Messages, pageMessages) {
		if _, err := a.ledger.exec("insert into shelf_page (shelf, messages) values (?, ?)", id, writePage(page)); err != nil {
			return err
		}
	}
	_, err = a.ledger.exec("update shelf set next = ? where id = ?", s.Next, id)
	return err
}

// clearShelf makes the shelf an empty one; id is 0 if there is none yet.
func (a *Archive) clearShelf(dest, id int64, s Shelf) (int64, error) {
	if id == 0 {
		r, err := a.ledger.exec("insert into shelf (dest, mailbox, validity, next) values (?, ?, ?, 1)", dest, []byte(s.Mailbox), s.Validity)
		if err != nil {
			return 0, err
		}
		return r.LastInsertId()
	}
	if _, err := a.ledger.exec("delete from shelf_page where shelf = ?", id); err != nil {
		return 0, err
	}
	_, err := a.ledger.exec("update shelf set validity = ? where id = ?", s.Validity, id)
	return id, err
}

// writePage writes messages in about 20 octets each: by how much the UID is greater than the one before, the size,
// and both hashes.
func writePage(messages []Shown) []byte {
	var page []byte
	var last uint32
	for _, m := range messages {
		page = binary.AppendUvarint(page, uint64(m.UID-last))
		page = binary.AppendUvarint(page, uint64(max(m.Size, 0)))
		page = binary.BigEndian.AppendUint64(page, m.ID)
		page = binary.BigEndian.AppendUint64(page, m.Fields)
		last = m.UID
	}
	return page
}

// readPage appends the messages of a page to those of the pages before. What writePage has not written is errPage.
func readPage(messages []Shown, page []byte) ([]Shown, error) {
	var uid uint64
	for len(page) > 0 {
		step, n := binary.Uvarint(page)
		size, k := binary.Uvarint(page[max(n, 0):])
		uid += step
		if n <= 0 || k <= 0 || len(page) < n+k+16 || uid != uint64(uint32(uid)) || int64(size) < 0 ||
			len(messages) > 0 && uid <= uint64(messages[len(messages)-1].UID) {
			return nil, errPage
		}
		page = page[n+k:]
		messages = append(messages, Shown{UID: uint32(uid), Size: int64(size),
			ID: binary.BigEndian.Uint64(page), Fields: binary.BigEndian.Uint64(page[8:])})
		page = page[16:]
	}
	return messages, nil
}
