package imap

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

var removals = flag.Int("removals", 80, "how many runs of removals, each made up by its number")

// Another mail program marks, unmarks, expunges and delivers while mail is removed, and lines break. Nothing is gone in the end
// but what was to go and what the other program had marked; what is said to be gone is; and no mark of ours is left.
func TestRemoveChaos(t *testing.T) {
	gone, unsure, broken := 0, 0, 0
	for n := range uint64(*removals) {
		c := newChaos(t, n)
		c.run()
		c.judge()
		gone, unsure, broken = gone+len(c.did.gone), unsure+len(c.did.unsure), broken+c.broken
		if t.Failed() {
			t.Fatalf("run %d", n)
		}
	}
	t.Logf("%d removed, %d were unsure, %d sessions broken, none removed wrongly", gone, unsure, broken)
}

type removalChaos struct {
	*testing.T
	*rand.Rand
	r      *Remover
	server *postoffice.Server
	me     *postoffice.Account
	did    removal
	broken int

	mu     sync.Mutex
	their  *rand.Rand      // the other program's
	marked map[string]bool // by the other program, at some time
	safe   map[string]bool // may go
}

func newChaos(t *testing.T, seed uint64) *removalChaos {
	c := &removalChaos{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), their: rand.New(rand.NewPCG(seed, 2)), marked: map[string]bool{}, safe: map[string]bool{}}
	c.r, c.server, c.me = removerInOffice(t, postoffice.Trouble{})
	for i := range 20 + c.IntN(40) {
		c.deliver(i)
	}
	return c
}

func (c *removalChaos) deliver(n int) {
	safe := "no"
	if n%3 > 0 {
		safe = "yes"
	}
	uid := c.me.Deliver(mail.Inbox, postoffice.Message{Octets: fmt.Appendf(nil, "Subject: %d\r\nSafe: %s\r\n\r\n%d\r\n", n, safe, n)})
	c.safe[fmt.Sprint(uid)] = safe == "yes"
}

// other is what the other program does now and then.
func (c *removalChaos) other(int, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.me.Messages(mail.Inbox)
	if c.their.IntN(6) > 0 || len(all) == 0 {
		return
	}
	m := all[c.their.IntN(len(all))]
	uid := fmt.Sprint(m.UID)
	switch c.their.IntN(4) {
	case 0:
		c.marked[uid] = true
		c.me.SetFlags(mail.Inbox, m.UID, append(m.Flags, `\Deleted`)...)
	case 1:
		c.me.SetFlags(mail.Inbox, m.UID, `\Seen`)
	case 2: // as EXPUNGE does, whoever has marked it
		for _, m := range all {
			if mail.MakeFlags(m.Flags...).Has(mail.Deleted) {
				c.me.Expunge(mail.Inbox, m.UID)
			}
		}
	case 3:
		c.deliver(c.their.IntN(1000))
	}
}

func (c *removalChaos) run() {
	without := []string{"UNSELECT", "UIDPLUS"}[:c.IntN(3)]
	for range 3 {
		c.server.SetTrouble(postoffice.Trouble{Without: without, With: []string{"MOVE"}})
		items := mustList(c.T, c.r)
		settle(c.T, c.r, &c.did)
		c.r.Close()
		conn := len(c.server.Traffic()) + 1
		cut := postoffice.Cut{Way: postoffice.Way(1 + c.IntN(2)), At: int64(c.IntN(9000)), How: postoffice.FIN}
		c.server.SetTrouble(postoffice.Trouble{On: postoffice.Only(conn), Without: without, With: []string{"MOVE"}, Cut: cut, OnCommand: c.other,
			Faults: c.faults()})
		how := c.did.removing()
		how.Same = func(_ mail.Item, header io.Reader) (bool, error) {
			octets, err := io.ReadAll(header)
			return strings.Contains(string(octets), "Safe: yes"), err
		}
		c.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		err := c.r.Remove(c.Context(), mail.Inbox, items[:c.IntN(len(items)+1)], how)
		wantHouse(c.T, err)
		if scopeOf(err) >= mail.ScopeSession {
			c.broken++
		}
		c.r.Close() // whose line may still be cut
		c.server.SetTrouble(postoffice.Trouble{Without: without, With: []string{"MOVE"}})
		settle(c.T, c.r, &c.did)
	}
}

// faults has the server refuse what it does, or not, one time in two.
func (c *removalChaos) faults() []postoffice.Fault {
	f := postoffice.Fault{Verb: []string{"UID STORE", "UID EXPUNGE", "UID MOVE", "UID FETCH"}[c.IntN(4)], At: 1 + c.IntN(3), Times: 1,
		Say: []string{"NO no", "NO [INUSE] later", "BAD what?", "OK"}[c.IntN(4)], Do: postoffice.Deed(c.IntN(2))}
	if f.Say == "OK" && f.Verb == "UID FETCH" { // a server that does not show what is there has nothing that can be believed
		f.Say = "NO no"
	}
	return []postoffice.Fault{f}[:c.IntN(2)]
}

func (c *removalChaos) judge() {
	c.server.Close() // what it has heard before, it may still be doing
	c.mu.Lock()
	defer c.mu.Unlock()
	there := map[string]bool{}
	for _, m := range c.me.Messages(mail.Inbox) {
		uid := fmt.Sprint(m.UID)
		there[uid] = true
		if mail.MakeFlags(m.Flags...).Has(mail.Deleted) && !c.marked[uid] {
			c.Errorf("%s is marked, and nobody else did it", uid)
		}
	}
	for uid, safe := range c.safe {
		ours := slices.Contains(c.did.intended, uid)
		switch {
		case !there[uid] && !c.marked[uid] && !(safe && ours):
			c.Errorf("%s is gone: safe %v, intended %v", uid, safe, ours)
		case there[uid] && slices.Contains(c.did.gone, uid):
			c.Errorf("%s was said to be gone", uid)
		case ours && !safe:
			c.Errorf("%s was intended", uid)
		}
	}
}
