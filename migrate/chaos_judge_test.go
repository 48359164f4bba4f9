package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/migrate"
)

// A tally is what is to be, and is, of one class, or of one Message-ID, in one mailbox.
type tally struct{ archived, refused, theirs, late, there int }

// judge compares what is there with what is archived, what others have put there, and what was told.
func (c *chaos) judge(when string, rep migrate.Report) {
	by := map[[2]string]*tally{} // mailbox, and class or Message-ID
	of := func(mailbox, class string) *tally {
		key := [2]string{mailbox, c.key(class)}
		if by[key] == nil {
			by[key] = &tally{}
		}
		return by[key]
	}
	for _, l := range c.letters {
		if to := c.to(l.mailbox, l.octets); to != "" {
			of(to, c.classOf(l.octets)).archived++
		}
	}
	for _, p := range c.theirs {
		n := of(p.mailbox, c.classOf(p.octets))
		n.theirs++
		if p.late {
			n.late++
		}
	}
	for _, name := range c.acct.Mailboxes() {
		for _, m := range c.acct.Messages(name) {
			class := c.classOf(m.Octets)
			if class == "" {
				c.t.Errorf("%s: altered, in %s: %q", when, name, m.Octets)
			}
			of(name, class).there++
		}
	}
	refused := c.refused()
	for _, p := range refused {
		of(c.to(p.mailbox, p.octets), c.classOf(p.octets)).refused++
	}
	if len(refused) != rep.Refused || rep.Refused > 0 && !c.unjust && !c.strict {
		c.t.Errorf("%s: refused %d, and was told of %d", when, len(refused), rep.Refused)
	}
	for key, n := range by {
		if least, most := c.bounds(key, *n); n.there < least || n.there > most {
			c.t.Errorf("%s: %d of %s in %s, want %d to %d: %+v", when, n.there, key[1], key[0], least, most, *n)
		}
	}
	c.judgeTheirs(when)
	c.judgeFlags(when)
}

// key is what is counted as one: with MergeByID all that have a Message-ID.
func (c *chaos) key(class string) string {
	if id := c.ids[class]; id != "" && c.merge {
		return id
	}
	return class
}

// bounds returns how many messages there may be.
func (c *chaos) bounds(key [2]string, n tally) (least, most int) {
	brought := n.archived - n.refused
	least, most = max(brought, n.theirs), max(brought, n.theirs-n.late)+n.late
	byID := c.merge && strings.HasPrefix(key[1], "<")
	if c.merging || c.lied || byID { // a twin that is not kept is taken for merged by the server
		least = max(n.theirs, min(brought, 1))
	}
	if byID { // one of theirs may not have the Message-ID
		most = n.theirs + min(n.archived, 1)
	}
	if c.missed[key] {
		least, most = 0, n.archived+n.theirs
	}
	if c.unseen { // what a run has brought is looked for at its end; if it does not come to that, a lie is not found out
		least = n.theirs
	}
	if c.deleted[key[0]] { // what was in it is theirs to miss
		least = 0
	}
	return least, most
}

// to returns where a message of a mailbox of the source goes, "" if nowhere.
func (c *chaos) to(mailbox string, octets []byte) string {
	switch mailbox {
	case "Play":
		return "Work"
	case allMail.Name:
		if slices.ContainsFunc(c.letters, func(l posted) bool { return l.mailbox != mailbox && bytes.Equal(l.octets, octets) }) {
			return ""
		}
		return "Archiv"
	}
	return mailbox
}

// refused returns what the ledger has as refused.
func (c *chaos) refused() (all []posted) {
	a, err := archive.View(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	outcomes, err := a.Refused(there)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range outcomes {
		e, err := a.Entry(o.Entry)
		if err != nil {
			c.t.Fatal(err)
		}
		i := slices.IndexFunc(c.letters, func(l posted) bool { return e.Digest == mail.Digest(sha256.Sum256(l.octets)) })
		all = append(all, posted{mailbox: e.Mailbox, octets: c.letters[i].octets})
	}
	return all
}

// judgeTheirs: what others have put there is there as they have put it.
func (c *chaos) judgeTheirs(when string) {
	left := map[string][]postoffice.Message{}
	for _, name := range c.acct.Mailboxes() {
		left[name] = c.acct.Messages(name)
	}
	for _, p := range c.theirs {
		i := slices.IndexFunc(left[p.mailbox], func(m postoffice.Message) bool {
			return bytes.Equal(m.Octets, p.octets) && slices.Contains(m.Flags, "$theirs") &&
				(len(m.Flags) == 1 || p.late && p.twin) // came when ours was on its way: it may get the flags of that
		})
		if i < 0 {
			c.t.Errorf("%s: in %s is not as it was %q", when, p.mailbox, p.octets)
			continue
		}
		left[p.mailbox] = slices.Delete(left[p.mailbox], i, i+1)
	}
}

// judgeFlags: what there is one of has the flags of the source, but for \Deleted.
func (c *chaos) judgeFlags(when string) {
	if c.flagsRefused || c.pop3 {
		return
	}
	copies := map[string]int{}
	for _, l := range c.letters {
		copies[c.classOf(l.octets)]++
	}
	for _, p := range c.theirs {
		copies[c.classOf(p.octets)]++
	}
	for _, l := range c.letters {
		class := c.classOf(l.octets)
		for _, m := range c.acct.Messages(c.to(l.mailbox, l.octets)) {
			has, want := mail.MakeFlags(m.Flags...), l.flags.Without(mail.MakeFlags(`\Deleted`))
			if c.classOf(m.Octets) == class && copies[class] == 1 && !slices.Equal(has, want) {
				c.t.Errorf("%s: %s in %s has %v, want %v", when, class, l.mailbox, has, want)
			}
		}
	}
}
