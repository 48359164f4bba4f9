package migrate

import (
	"iter"
	"net/mail"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// A share is what of one mailbox of the archive goes to one mailbox at the destination.
type share struct {
	Step
	takes func(archive.Entry) bool // nil: everything
}

// key tells the shares of all mailboxes apart.
func (p share) key() string {
	switch {
	case p.Rest:
		return p.From.Name + "\x00rest"
	case len(p.SentFrom) > 0:
		return p.From.Name + "\x00sent"
	}
	return p.From.Name
}

// shares returns what of a mailbox is to be brought now. What is only in a view of all mail can be told when everything
// else is archived, and not before.
func (r *run) shares(name string) ([]share, error) {
	var shares []share
	sent := r.sentBy(name)
	for _, s := range r.layout.steps[name] {
		switch {
		case s.LeftOut:
		case s.Rest && !r.whole:
		case s.Rest:
			alone, err := r.alone(s)
			if err != nil {
				return nil, err
			}
			if len(alone) > 0 || r.Repair {
				shares = append(shares, share{s, func(e archive.Entry) bool { _, ok := alone[e.ID]; return ok }})
			}
		case len(s.SentFrom) > 0:
			shares = append(shares, share{s, sent})
		case sent != nil:
			shares = append(shares, share{s, func(e archive.Entry) bool { return !sent(e) }})
		default:
			shares = append(shares, share{s, nil})
		}
	}
	return shares, nil
}

// sentBy returns what tells the mail that the owner has sent, nil if nobody asked for it.
func (r *run) sentBy(name string) func(archive.Entry) bool {
	for _, s := range r.layout.steps[name] {
		if len(s.SentFrom) > 0 {
			return func(e archive.Entry) bool { return isFrom(e.Header.From, s.SentFrom) }
		}
	}
	return nil
}

// isFrom reports whether a From field names one of the addresses.
func isFrom(field string, addresses []string) bool {
	list, err := mail.ParseAddressList(field)
	if err != nil { // there are many that no parser likes
		_, after, bracket := strings.Cut(field, "<")
		address, _, _ := strings.Cut(after, ">")
		if !bracket {
			address = strings.TrimSpace(field)
		}
		list = []*mail.Address{{Address: address}}
	}
	return slices.ContainsFunc(list, func(a *mail.Address) bool {
		return slices.ContainsFunc(addresses, func(s string) bool { return strings.EqualFold(a.Address, s) })
	})
}

// alone returns what is in a view of all mail, in no other mailbox, and not brought yet.
func (r *run) alone(s Step) (map[int64]int64, error) {
	return r.Archive.Alone(r.Account, r.wanted(), s.From.Name, r.layout.views())
}

// views returns the mailboxes that show the mail of others.
func (l *layout) views() []string { return viewsOf(l.all()) }

func viewsOf(steps iter.Seq[Step]) (names []string) {
	for s := range steps {
		if s.view {
			names = append(names, s.From.Name)
		}
	}
	slices.Sort(names)
	return names
}

// lookedThrough reports whether everything the source shows is archived, as far as the archive knows: no mailbox was left
// out by a run that was through with others. An archive whose ledger was made again knows of none.
func (r *run) lookedThrough(mailboxes []archive.Mailbox) (bool, error) {
	if r.More != nil || r.Whole != nil && !r.Whole() {
		return false, nil
	}
	states, err := r.Archive.States()
	if err != nil {
		return false, err
	}
	views := r.layout.views()
	some, all := false, true
	for _, mb := range mailboxes {
		if !r.isShown(mb) || mb.Gone || slices.Contains(views, mb.Name) {
			continue
		}
		_, seen := states[mb.Name]
		seen = seen || !mb.Ran.IsZero()
		some, all = some || seen, all && seen
	}
	return all || !some, nil
}
