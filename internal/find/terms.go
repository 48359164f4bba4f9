package find

import (
	"regexp"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
)

// A term is one thing that a query asks for.
type term interface {
	// textual reports whether it asks for something that only the index knows.
	textual() bool
	// condition returns what the ledger is asked. The asker has the index, where there is one, and knows the folders.
	condition(asker) (archive.Condition, error)
}

// An asker answers what terms must know.
type asker interface {
	// matching returns the entries whose words fit an expression of FTS5.
	matching(expression string) ([]int64, error)
	// attached returns the entries that have an attachment.
	attached() ([]int64, error)
	mailboxes() ([]archive.Mailbox, error)
}

type (
	every    []term // all of them
	some     []term // at least one
	not      struct{ term }
	words    struct{ field, expression string } // as phrase makes them
	inFolder struct{ name, whole string }
	received struct{ from, until time.Time } // zero: open
	sized    struct {
		octets int64
		below  bool
	}
	flagged  struct{ mail.Flag }
	attached struct{}
	gone     struct{}
	withID   string
	numbered int64
)

func allOf(terms []term) term {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return every(terms)
}

func anyOf(terms []term) term {
	if len(terms) == 1 {
		return terms[0]
	}
	return some(terms)
}

func (t every) textual() bool  { return anyTextual(t) }
func (t some) textual() bool   { return anyTextual(t) }
func (words) textual() bool    { return true }
func (attached) textual() bool { return true }
func (inFolder) textual() bool { return false }
func (received) textual() bool { return false }
func (sized) textual() bool    { return false }
func (flagged) textual() bool  { return false }
func (gone) textual() bool     { return false }
func (withID) textual() bool   { return false }
func (numbered) textual() bool { return false }

func anyTextual(terms []term) bool {
	for _, t := range terms {
		if t.textual() {
			return true
		}
	}
	return false
}

// condition asks for all words together: the index is quicker at that than the ledger.
func (t every) condition(x asker) (archive.Condition, error) {
	var texts []string
	var rest []term
	for _, part := range t {
		if w, ok := part.(words); ok {
			texts = append(texts, w.fts())
		} else {
			rest = append(rest, part)
		}
	}
	cs, err := conditions(x, rest)
	if err != nil || len(texts) == 0 {
		return archive.All(cs...), err
	}
	ids, err := x.matching(strings.Join(texts, " AND "))
	return archive.All(append(cs, archive.WithIDs(ids...))...), err
}

func (t some) condition(x asker) (archive.Condition, error) {
	cs, err := conditions(x, t)
	return archive.Any(cs...), err
}

func conditions(x asker, terms []term) ([]archive.Condition, error) {
	var cs []archive.Condition
	for _, t := range terms {
		c, err := t.condition(x)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	return cs, nil
}

func (t not) condition(x asker) (archive.Condition, error) {
	c, err := t.term.condition(x)
	return archive.Not(c), err
}

// columns are where the words of a field stand in the index; "" is anywhere.
var columns = map[string]string{
	"": "", "from": "{sender} : ", "to": "{recipient copied} : ", "cc": "{copied} : ", "subject": "{subject} : ", "file": "{files} : ",
}

// fts returns the expression for FTS5.
func (t words) fts() string { return "(" + columns[t.field] + t.expression + ")" }

func (t words) condition(x asker) (archive.Condition, error) {
	ids, err := x.matching(t.fts())
	return archive.WithIDs(ids...), err
}

func (attached) condition(x asker) (archive.Condition, error) {
	ids, err := x.attached()
	return archive.WithIDs(ids...), err
}

// condition looks the folder up by its name as it is shown, or as the server spells it; a / stands for any delimiter.
func (t inFolder) condition(x asker) (archive.Condition, error) {
	all, err := x.mailboxes()
	if err != nil {
		return archive.Condition{}, err
	}
	pattern := folderPattern(t.name)
	var names []string
	for _, mb := range all {
		shown := mail.NameText(mb.Name)
		if mb.Delim != 0 && mb.Delim != '/' && pattern.MatchString(strings.ReplaceAll(shown, string(mb.Delim), "/")) ||
			pattern.MatchString(shown) || pattern.MatchString(mb.Name) {
			names = append(names, mb.Name)
		}
	}
	if names == nil && !strings.Contains(t.name, "*") {
		return archive.Condition{}, &QueryError{t.whole, "there is no such folder in the archive",
			"mailhaul folders ARCHIVE lists them; * stands for anything, as in folder:Work*"}
	}
	return archive.InMailboxes(names...), nil
}

func folderPattern(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?is)^` + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, `.*`) + `$`)
}

func (t received) condition(asker) (archive.Condition, error) {
	var cs []archive.Condition
	if !t.from.IsZero() {
		cs = append(cs, archive.ReceivedFrom(t.from))
	}
	if !t.until.IsZero() {
		cs = append(cs, archive.Not(archive.ReceivedFrom(t.until)))
	}
	return archive.All(cs...), nil
}

func (t sized) condition(asker) (archive.Condition, error) {
	if t.below {
		return archive.Not(archive.Larger(t.octets - 1)), nil
	}
	return archive.Larger(t.octets), nil
}

func (t flagged) condition(asker) (archive.Condition, error) { return archive.HasFlag(t.Flag), nil }

func (gone) condition(asker) (archive.Condition, error) { return archive.IsGone(), nil }

func (t withID) condition(asker) (archive.Condition, error) {
	return archive.HasMessageID(string(t)), nil
}

func (t numbered) condition(asker) (archive.Condition, error) { return archive.WithIDs(int64(t)), nil }
