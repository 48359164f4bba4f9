package migrate_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// write archives some messages.
func (c *chaos) write(n int) {
	a, err := archive.Open(c.dir, archive.Options{Create: true})
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	source := mail.Account{Protocol: "imap", Host: "old.example", User: user}
	if c.pop3 {
		source.Protocol = "pop3"
	}
	if err := a.Bind(source, false); err != nil {
		c.t.Fatal(err)
	}
	b := a.NewBatch()
	for range n {
		c.archive(b)
	}
	if _, err := b.Commit(); err != nil {
		c.t.Fatal(err)
	}
}

// archive puts a message into a mailbox, and, where there is a view of all mail, maybe into that too.
func (c *chaos) archive(b *archive.Batch) {
	mb := pick(c, c.mailboxes...)
	all := c.mailboxes[len(c.mailboxes)-1]
	if mb.Role == mail.RoleAll {
		c.put(b, mb, c.message(100+len(c.letters))) // is in no other
		return
	}
	octets := c.message(c.IntN(3))
	c.put(b, mb, octets)
	if all.Role == mail.RoleAll && c.one(2) {
		c.put(b, all, octets)
	}
}

func (c *chaos) put(b *archive.Batch, mb mail.Mailbox, octets []byte) {
	p := posted{mailbox: mb.Name, octets: octets}
	n := 1 + len(c.letters)
	ref := mail.Ref{Mailbox: mb.Name, Validity: 7, UID: fmt.Sprint(n)}
	if c.pop3 {
		ref.Validity = 0
	} else {
		p.flags = mail.MakeFlags(pick(c, nil, []string{`\Seen`}, []string{`\Seen`, "$work"}, []string{`\Flagged`, `\Deleted`})...)
	}
	it := mail.Item{Ref: ref, Size: int64(len(octets)), Flags: p.flags, Received: time.Unix(1e9+int64(n), 0)}
	if _, err := b.Put(it, mb, bytes.NewReader(octets)); err != nil {
		c.t.Fatal(err)
	}
	c.letters = append(c.letters, p)
	c.say("%s is in %s", c.classOf(octets), mb.Name)
}

// message returns one of the trial's messages in a variant of it, and notes the forms it may have there.
func (c *chaos) message(variant int) []byte {
	i := c.IntN(len(trial.Mail()))
	octets := vary(trial.Mail()[i], variant)
	if i == 3 {
		i = 1 // they are equal
	}
	class := fmt.Sprintf("%d.%d", i, variant)
	c.isForm(octets, class)
	if c.repair {
		c.mended[class] = vary(mendedMail()[i], variant)
		c.isForm(c.mended[class], class)
	}
	c.ids[class] = idIn(octets)
	return octets
}

func vary(octets []byte, variant int) []byte {
	octets = bytes.ReplaceAll(octets, []byte("trial.example"), fmt.Appendf(nil, "v%d.example", variant))
	return bytes.ReplaceAll(octets, []byte("but octets"), fmt.Appendf(nil, "but octets %d", variant))
}

// idIn returns the Message-ID, "" if there is none.
func idIn(octets []byte) string {
	head, _, _ := bytes.Cut(octets, []byte("\r\n\r\n"))
	_, id, _ := strings.Cut("\r\n"+string(head), "\r\nMessage-ID: ")
	id, _, _ = strings.Cut(id, "\r\n")
	return id
}

func (c *chaos) isForm(octets []byte, class string) { c.classes[sha256.Sum256(octets)] = class }

func (c *chaos) classOf(octets []byte) string { return c.classes[sha256.Sum256(octets)] }

// deliver has somebody else put a message there, often one of ours in a form that is to be known for the same.
func (c *chaos) deliver() {
	p := posted{late: c.begun, mailbox: pick(c, slices.DeleteFunc(c.acct.Mailboxes(), func(name string) bool { return name == "Archiv" })...)}
	ours := pick(c, c.letters...).octets
	class, id := c.classOf(ours), idIn(ours)
	switch n := len(c.theirs); {
	case c.one(4):
		p.octets = fmt.Appendf(nil, "Message-ID: <%d@strangers.example>\r\nSubject: news\r\n\r\n%[1]d\r\n", n)
		class = fmt.Sprintf("stranger %d", n)
		c.ids[class] = idIn(p.octets)
	case c.one(6) && id != "": // of ours it has the Message-ID alone
		p.octets = fmt.Appendf(nil, "Message-ID: %s\r\nSubject: other\r\n\r\nother %d\r\n", id, n)
		class = fmt.Sprintf("other %d", n)
		c.ids[class] = id
	default:
		if p.octets, p.twin = c.altered(ours), true; c.repair && c.one(3) {
			p.octets = c.mended[class]
		}
	}
	c.isForm(p.octets, class)
	c.theirs = append(c.theirs, p)
	c.acct.Deliver(p.mailbox, postoffice.Message{Octets: p.octets, Flags: []string{"$theirs"}})
	c.say("somebody puts %s into %s", class, p.mailbox)
}

// altered returns one of the forms in which servers and other programs have a message.
func (c *chaos) altered(octets []byte) []byte {
	head, body, _ := bytes.Cut(octets, []byte("\r\n\r\n"))
	dated := bytes.Contains(head, []byte("\r\nDate: "))
	switch c.IntN(4) {
	case 0:
		return bytes.TrimSuffix(octets, []byte("\r\n"))
	case 1:
		if dated {
			return slices.Concat([]byte("X-Uidl: 17\r\n"), octets)
		}
	case 2:
		if dated {
			head = bytes.Replace(head, []byte("Message-ID: "+idIn(octets)+"\r\n"), nil, 1)
			return slices.Concat(head, []byte("\r\n\r\n"), body)
		}
	}
	return octets
}
