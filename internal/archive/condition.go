package archive

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Condition says which entries are meant. The zero value means all of them.
type Condition struct {
	sql  string // on the entry e; "": true
	args []any
}

// All is for the entries that all of the conditions are true of.
func All(cs ...Condition) Condition { return joined(" and ", "1", cs) }

// Any is for the entries that at least one of the conditions is true of.
func Any(cs ...Condition) Condition { return joined(" or ", "0", cs) }

func joined(word, empty string, cs []Condition) Condition {
	if len(cs) == 0 {
		return Condition{sql: empty}
	}
	var c Condition
	parts := make([]string, len(cs))
	for i, part := range cs {
		parts[i] = part.text()
		c.args = append(c.args, part.args...)
	}
	c.sql = "(" + strings.Join(parts, word) + ")"
	return c
}

func (c Condition) text() string {
	if c.sql == "" {
		return "1"
	}
	return c.sql
}

// Not is for all other entries.
func Not(c Condition) Condition { return Condition{"not " + c.text(), c.args} }

// InMailboxes is for the entries of the source's mailboxes of those names.
func InMailboxes(names ...string) Condition {
	args := make([]any, len(names))
	for i, name := range names {
		args[i] = []byte(name)
	}
	return Condition{"e.mailbox in (select id from mailbox where name in (" + placeholders(len(names)) + "))", args}
}

// ReceivedFrom is for the entries received at that time or later.
func ReceivedFrom(t time.Time) Condition { return Condition{"e.received >= ?", []any{t.Unix()}} }

// Larger is for the entries of more octets than that.
func Larger(octets int64) Condition { return Condition{"e.octets > ?", []any{octets}} }

// HasMessageID is for the entries with that Message-ID, as mail.Header has it, with its angle brackets or without.
func HasMessageID(id string) Condition {
	bare := strings.Trim(id, "<>")
	return Condition{"e.message_id in (?, ?)", []any{bare, "<" + bare + ">"}}
}

// IsGone is for the entries that the source shows no more.
func IsGone() Condition { return Condition{sql: "e.gone"} }

// HasFlag is for the entries with a flag.
func HasFlag(f mail.Flag) Condition {
	c := Condition{"instr(' ' || lower(e.keywords) || ' ', ?) > 0", []any{" " + strings.ToLower(string(f)) + " "}}
	letter := mail.Flags{f}.Maildir()
	if letter == "" {
		return c
	}
	// What stands behind the last comma are the letters; those of Dovecot's keywords are small.
	return Any(c, Condition{"instr(e.info, ?) > 0", []any{letter}})
}

// WithIDs is for the entries of those IDs.
func WithIDs(ids ...int64) Condition {
	return Condition{"e.id in (select value from json_each(?))", []any{list(ids)}}
}

// list is how numbers are given to SQLite, as many as there are.
func list(ids []int64) string {
	text, _ := json.Marshal(append([]int64{}, ids...)) // numbers can always be said, and none is not null
	return string(text)
}

// Find returns the IDs of the entries that c is for, those received last first.
func (a *Archive) Find(c Condition) (ids []int64, err error) {
	err = a.ledger.once("select e.id from entry e where "+c.text()+" order by e.received desc, e.id desc",
		func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, c.args...)
	return ids, err
}

// Entries returns the entries of those IDs, in that order. There is none for an ID that no entry has.
func (a *Archive) Entries(ids []int64) ([]Entry, error) {
	entries, err := a.entries("where e.id in (select value from json_each(?))", list(ids))
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]Entry, len(entries))
	for _, e := range entries {
		byID[e.ID] = e
	}
	entries = entries[:0]
	for _, id := range ids {
		if e, ok := byID[id]; ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}
