package archive

import (
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Alone returns the entries of a mailbox that are to be brought to the destination and whose message is in no other
// mailbox of the archive, views apart: the octets of their canonical form, by ID. Two entries hold one message if
// their octets are the same and the source does not vouch for two.
func (a *Archive) Alone(dest mail.Account, w Wanted, mailbox string, views []string) (map[int64]int64, error) {
	alone := make(map[int64]int64)
	args := []any{[]byte(mailbox)}
	for _, name := range views {
		args = append(args, []byte(name))
	}
	err := a.ledger.each(`select e.id, e.octets from entry e where e.mailbox = (select id from mailbox where name = ?)`+w.and()+`
		and not exists (select 1 from entry x where x.octets = e.octets and x.digest = e.digest and x.mailbox <> e.mailbox`+
		strings.ReplaceAll(w.and(), "e.", "x.")+` and (x.identity = e.identity or '' in (x.identity, e.identity))
			and x.mailbox not in (select id from mailbox where name in (`+placeholders(len(views))+`)))`+noOutcome,
		func(scan func(...any) error) error {
			var id, octets int64
			err := scan(&id, &octets)
			alone[id] = octets
			return err
		}, append(args, destArgs(dest)...)...)
	return alone, err
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
