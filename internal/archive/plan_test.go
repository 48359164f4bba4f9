package archive

import (
	"context"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// TestQueriesOfOneFolder guards that what is asked once for every folder reads the rows of that folder, or of what is open,
// and not those of all: else a run through ten times the folders takes a hundred times as long.
func TestQueriesOfOneFolder(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, fourLetters...)
	mustDo(t, a.Intend(there, []Intent{{Entry: 2, Mailbox: "Archive", Validity: 9, Next: 100}})) // so that it is asked about mended ones
	mustDo(t, a.Settle(there, []Outcome{{Entry: 1, State: Refused, Mended: "1 NUL octet left out"}}, Shelf{Mailbox: "Archive", Validity: 9, From: 1, Next: 2}))
	mustDo(t, a.Prove(there, []Proof{{Entry: 1, Verdict: ProvedMissing}}))
	mustDo(t, a.IntendFree(there, freed(3)))
	page := func(e []Entry, err error) error { return err }
	for name, ask := range map[string]func() error{
		"Pending":      func() error { return page(a.Pending(there, Wanted{}, "INBOX", 0, 10)) },
		"Larger":       func() error { return page(a.Larger(there, Wanted{}, "INBOX", 0, 10)) },
		"EntriesOf":    func() error { return page(a.EntriesOf("INBOX", epoch, 0, 10)) },
		"Sample":       func() error { return page(a.Sample("INBOX", epoch, 10)) },
		"Claimed":      func() error { _, err := a.Claimed(there, "Archive", 9); return err },
		"Shelf":        func() error { _, err := a.Shelf(there, "Archive", 9); return err },
		"Intents":      func() error { _, err := a.Intents(there); return err },
		"Refusals":     func() error { _, err := a.Refusals(there, Wanted{}, "INBOX", 0, 10); return err },
		"AnyRefusals":  func() error { _, err := a.AnyRefusals(there, Wanted{}); return err },
		"EachStranded": func() error { return a.EachStranded(there, "Archive", 9, func(Entry) {}) },
		"Fates":        func() error { _, err := a.Fates(there, Wanted{}, "INBOX"); return err },
		"Alone":        func() error { _, err := a.Alone(there, Wanted{}, "INBOX", []string{"Work"}); return err },
		"Proofs":       func() error { _, err := a.Proofs(there, "INBOX"); return err },
		"Proved":       func() error { _, _, err := a.Proved(there, 1); return err },
		"WasFreed":     func() error { _, err := a.WasFreed(1); return err },
		"State":        func() error { _, err := a.State("INBOX"); return err },
		"Known":        func() error { _, err := a.Known("INBOX", epoch); return err },
		"Unsound":      func() error { _, err := a.Unsound("INBOX", epoch); return err },
		"Shelve": func() error {
			return a.Shelve(there, Shelf{Mailbox: "Archive", Validity: 9, From: 2, Next: 3, Messages: shownFrom(2, 1)})
		},
		"Looked": func() error {
			_, _, err := a.Looked("INBOX", Look{Changes: mail.Changes{Status: status(5, 3)}, Complete: true})
			return err
		},
	} {
		clear(a.ledger.prepared)
		mustDo(t, ask())
		if len(a.ledger.prepared) == 0 {
			t.Errorf("%s asks nothing", name)
		}
		for query := range a.ledger.prepared {
			for _, step := range planOf(t, a.ledger, query) {
				all := strings.HasPrefix(step, "SCAN ") && step != "SCAN CONSTANT ROW"
				if all || strings.HasSuffix(step, "(dest=?)") || strings.HasSuffix(step, "(witness=?)") {
					t.Errorf("%s: %s, for\n%s", name, step, query)
				}
			}
		}
	}
}

func planOf(t *testing.T, l *ledger, query string) (steps []string) {
	t.Helper()
	rows, err := l.conn.QueryContext(context.Background(), "explain query plan "+query, make([]any, strings.Count(query, "?"))...)
	mustDo(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		mustDo(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	mustDo(t, rows.Err())
	return steps
}
