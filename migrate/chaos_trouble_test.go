package migrate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// some allows so many messages in all, a few at a time.
func (c *chaos) some(left, stint int) retry.Allow {
	var mu sync.Mutex
	return func(_ context.Context, octets []int64) (int, func(), error) {
		mu.Lock()
		defer mu.Unlock()
		if left == 0 {
			return 0, nil, errEnough
		}
		n := min(len(octets), left, stint)
		left -= n
		return n, func() {}, nil
	}
}

// trouble makes up what goes wrong in one run.
func (c *chaos) trouble() postoffice.Trouble {
	t := c.nature
	t.Faults = slices.Clone(t.Faults)
	if c.one(4) {
		t.Cut = postoffice.Cut{Way: pick(c, postoffice.FromClient, postoffice.ToClient), At: 200 + c.Int64N(12000), How: pick(c, postoffice.FIN, postoffice.RST)}
		c.say("cut: %+v", t.Cut)
	}
	for range c.IntN(4) {
		f := c.fault()
		t.Faults = slices.Insert(t.Faults, 0, f)
		c.say("fault: %+v", f)
	}
	if c.one(8) && !c.merging {
		c.unjust, c.lied = true, true
		var n atomic.Int64
		lie := 1 + c.Int64N(9)
		t.Keep = func(m postoffice.Message) (postoffice.Message, bool) { return m, n.Add(1)%lie != 0 }
		c.say("one APPEND in %d is a lie", lie)
	}
	t.OnCommand = c.meanwhile()
	return t
}

// fault makes up what befalls a command.
func (c *chaos) fault() postoffice.Fault {
	f := postoffice.Fault{At: 1 + c.IntN(12), Times: pick(c, 1, 1, 3),
		Verb: pick(c, "APPEND", "APPEND", "APPEND", "UID FETCH", "SELECT", "LIST", "CREATE", "LOGIN", "UID STORE", "")}
	if f.Verb == "" {
		f.At = 1 + c.IntN(60)
	}
	if c.one(2) { // the line breaks
		f.End = pick(c, postoffice.FIN, postoffice.RST)
		f.Do = pick(c, postoffice.Nothing, postoffice.Done)
		if f.Verb == "APPEND" {
			f.Do = pick(c, postoffice.Nothing, postoffice.Done, postoffice.Late, postoffice.AfterLook)
			f.After = time.Duration(c.IntN(1500)) * time.Millisecond
		}
		return f
	}
	f.Say = pick(c, "NO [SERVERBUG] oh", "NO [INUSE] later", "NO [OVERQUOTA] full", "NO [LIMIT] enough", "NO [UNAVAILABLE] not now", "NO no", "BAD what")
	c.unjust = c.unjust || f.Verb == "APPEND" || f.Verb == ""
	if c.one(4) {
		f.Say, f.End = "* BYE so long", postoffice.FIN
	}
	return f
}

// meanwhile has others be at work at the same time.
func (c *chaos) meanwhile() func(int, string) {
	comes, deletion := map[int]bool{}, 0
	for range c.IntN(3) {
		comes[1+c.IntN(80)] = true
	}
	if c.one(6) {
		deletion = 1 + c.IntN(80)
	}
	n := 0
	return func(int, string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch n++; {
		case comes[n]:
			c.deliver()
		case n == deletion:
			boxes := slices.DeleteFunc(c.acct.Mailboxes(), func(name string) bool { return name == mail.Inbox || name == "Archiv" })
			if len(boxes) > 0 {
				c.remove(pick(c, boxes...))
			}
		}
	}
}

// remove has somebody delete a mailbox there.
func (c *chaos) remove(name string) {
	c.say("somebody deletes %s", name)
	c.acct.DeleteMailbox(name)
	c.deleted[name] = true
	c.theirs = slices.DeleteFunc(c.theirs, func(p posted) bool { return p.mailbox == name })
}

// expunge has somebody delete one message there.
func (c *chaos) expunge() {
	name := pick(c, c.acct.Mailboxes()...)
	all := c.acct.Messages(name)
	if len(all) == 0 {
		return
	}
	m := pick(c, all...)
	c.acct.Expunge(name, m.UID)
	c.missed[[2]string{name, c.key(c.classOf(m.Octets))}] = true
	i := slices.IndexFunc(c.theirs, func(p posted) bool {
		return p.mailbox == name && slices.Contains(m.Flags, "$theirs") && bytes.Equal(p.octets, m.Octets)
	})
	if i >= 0 {
		c.theirs = slices.Delete(c.theirs, i, i+1)
	}
	c.say("somebody deletes %s in %s", c.classOf(m.Octets), name)
}

// between is what happens between two runs.
func (c *chaos) between() {
	time.Sleep(pick(c, 0, time.Minute))
	if c.one(4) {
		c.write(1 + c.IntN(5))
	}
	for range c.IntN(3) {
		c.deliver()
	}
	if c.one(4) {
		c.forget()
	}
	for range c.IntN(2) * c.IntN(6) {
		c.expunge()
	}
	if c.one(16) {
		c.quiet()
		validity := c.acct.Validity(mail.Inbox)
		c.remove(mail.Inbox)
		c.acct.CreateMailbox(mail.Inbox, "")
		c.acct.SetValidity(mail.Inbox, validity)
		c.say("and makes another that looks like it")
		for range c.IntN(9) {
			c.deliver()
		}
	}
	if c.one(8) {
		c.quiet()
		c.say("the INBOX is numbered anew")
		c.acct.Renumber(mail.Inbox, c.acct.Validity(mail.Inbox)+10)
	}
}

// forget removes the ledger when the server has stored all it was about to store: without intents nobody waits for it.
func (c *chaos) forget() {
	c.quiet()
	c.say("the ledger is lost")
	for _, end := range []string{"", "-wal", "-shm"} {
		os.Remove(filepath.Join(c.dir, "mailhaul", "ledger.db"+end))
	}
}

// quiet waits until nothing is under way.
func (c *chaos) quiet() {
	c.srv.SetTrouble(postoffice.Trouble{})
	time.Sleep(time.Hour)
	dst := client(c.srv)
	defer dst.Close()
	for _, name := range c.acct.Mailboxes() {
		if _, err := dst.Select(c.t.Context(), name); err != nil {
			c.t.Fatal(err)
		}
		if err := dst.List(c.t.Context(), name, 1, func([]mail.Item) {}); err != nil {
			c.t.Fatal(err)
		}
	}
}
