package migrate_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/imap"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/migrate"
)

var (
	chaosSeeds = flag.Int("chaos", 60, "TestChaos tries `n` seeds")
	chaosFrom  = flag.Uint64("chaos-from", 1, "the first `seed` of TestChaos")
)

// TestChaos has everything happen at once that other tests try alone: what a seed makes up is brought in spite of it,
// each message once, and what others have put there is left alone.
func TestChaos(t *testing.T) {
	for i := range *chaosSeeds {
		seed := *chaosFrom + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newChaos(t, seed).play() })
		})
	}
}

// chaos is what one seed makes up.
type chaos struct {
	t *testing.T
	*rand.Rand
	dir  string
	acct *postoffice.Account
	srv  *postoffice.Server

	mailboxes           []mail.Mailbox // the source's
	pop3, repair, merge bool
	rules               migrate.Rules
	nature              postoffice.Trouble // what the server is like on its best days
	strict, merging     bool
	flagsRefused        bool

	mu      sync.Mutex // the server's connections have things happen
	log     []string
	letters []posted // all that is archived
	theirs  []posted // what somebody else has put there
	deleted map[string]bool
	missed  map[[2]string]bool  // of what somebody has deleted one there, by mailbox and key
	classes map[[32]byte]string // of which message this is a form
	ids     map[string]string   // by class: its Message-ID
	mended  map[string][]byte   // by class: its mended copy
	unjust  bool                // the server may have refused what it could have kept
	lied    bool                // it has said OK and kept nothing
	unseen  bool                // in a run that did not come to look for what it had brought
	begun   bool                // there was a run
}

// posted is one message in one mailbox.
type posted struct {
	mailbox string
	octets  []byte
	flags   mail.Flags
	late    bool // it came when there had been a run
	twin    bool // it is one of ours
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{t: t, Rand: rand.New(rand.NewPCG(seed, 20)), dir: inMemory(t),
		deleted: map[string]bool{}, missed: map[[2]string]bool{}, classes: map[[32]byte]string{}, ids: map[string]string{}, mended: map[string][]byte{}}
	c.acct, c.srv = office(t, postoffice.Trouble{})
	c.mailboxes = []mail.Mailbox{inbox}
	c.pop3, c.repair, c.merge, c.strict = c.one(3), c.one(3), c.one(4), c.one(3)
	if !c.pop3 {
		c.rules.Map = []migrate.Rule{mustRule(t, "Play=Work")}
		c.mailboxes = append(c.mailboxes, named("Low", 0).mb, named("Play", 0).mb, named("Work", 0).mb)[:1+c.IntN(4)]
		if c.one(3) {
			c.acct.CreateMailbox("Archiv", `\Archive`)
			c.mailboxes = append(c.mailboxes, allMail)
		}
	}
	c.merging = len(c.mailboxes) == 1 && c.one(4)
	c.nature = c.server()
	c.say("pop3 %v, repair %v, merge %v, %d mailboxes, strict %v, merging %v, without %q, %d connections, flags refused %v",
		c.pop3, c.repair, c.merge, len(c.mailboxes), c.strict, c.merging, c.nature.Without, c.nature.MaxConns, c.flagsRefused)
	return c
}

// one is true one time in n.
func (c *chaos) one(n int) bool { return c.IntN(n) == 0 }

func pick[T any](c *chaos, of ...T) T { return of[c.IntN(len(of))] }

func (c *chaos) say(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

// server makes up what the server is like.
func (c *chaos) server() postoffice.Trouble {
	var t postoffice.Trouble
	t.Without = pick(c, nil, nil, []string{"LITERAL+"}, []string{"LITERAL+", "LITERAL-"}, []string{"UIDPLUS"}, []string{"LITERAL+", "UIDPLUS"})
	t.With = pick(c, nil, []string{"MULTIAPPEND"})
	t.MaxConns = pick(c, 0, 0, 0, 1, 2)
	if c.strict {
		t.Faults = postoffice.Strict()
	}
	switch c.IntN(6) {
	case 0:
		t.Rewrite, c.flagsRefused = permanent(`\Seen`), true
	case 1:
		t.Faults, c.flagsRefused = append(t.Faults, noKeywords), true
	case 2:
		t.Faults, c.flagsRefused = append(t.Faults, noKeywords, noSTORE("")), true
	}
	if c.merging {
		t.Keep = func(m postoffice.Message) (postoffice.Message, bool) {
			return m, !slices.ContainsFunc(c.acct.Messages(mail.Inbox), func(o postoffice.Message) bool { return bytes.Equal(o.Octets, m.Octets) })
		}
	}
	return t
}

// play lets it happen, ends the trouble, and judges.
func (c *chaos) play() {
	defer func() {
		if c.t.Failed() {
			c.t.Log(strings.Join(c.log, "\n"))
		}
	}()
	c.write(4 + c.IntN(24))
	for range c.IntN(8) {
		c.deliver()
	}
	c.begun = true
	for range c.IntN(5) {
		c.troubled()
		c.between()
	}
	c.calm("in the end")

	before := c.srv.Count("APPEND")
	rep := c.calm("again")
	n := c.srv.Count("APPEND") - before
	if n > 0 && !(c.repair && rep.Refused > 0) || rep.Appended+rep.Present+rep.Merged > 0 {
		c.t.Errorf("a further run has sent %d messages: %+v", n, rep)
	}
	unjust := c.unjust
	c.forget()
	if rep = c.calm("the ledger lost"); rep.Appended > 0 && !unjust && len(c.deleted)+len(c.missed) == 0 {
		c.t.Errorf("the ledger lost: %+v", rep)
	}
}

// calm runs without trouble until all is brought, and judges.
func (c *chaos) calm(when string) (rep migrate.Report) {
	c.srv.SetTrouble(c.nature)
	for range 5 {
		var err error
		if rep, err = c.run(c.job(), nil); err == nil && rep.Failed == 0 {
			c.judge(when, rep)
			return rep
		}
	}
	c.t.Errorf("%s: it does not come to its end: %+v", when, rep)
	return rep
}

// job is a run by one session.
func (c *chaos) job() migrate.Job {
	return migrate.Job{Destination: client(c.srv), Account: there, Rules: c.rules, Repair: c.repair, MergeByID: c.merge}
}

// run is one run as a process would do it.
func (c *chaos) run(job migrate.Job, w *world) (rep migrate.Report, err error) {
	defer func() {
		c.say("ran with %d others: %v; known %d appended %d present %d merged %d refused %d failed %d, left out %d of %d", len(job.Others), err,
			rep.Known, rep.Appended, rep.Present, rep.Merged, rep.Refused, rep.Failed, rep.LeftOut, rep.Archived)
	}()
	var o archive.Options
	if w != nil {
		o.Steps = w.step
	}
	if job.Archive, err = archive.Open(c.dir, o); err != nil {
		if !errors.Is(err, errStopped) {
			c.t.Errorf("the archive does not open: %v", err)
		}
		return rep, err
	}
	defer job.Archive.Close()
	for _, d := range append([]migrate.Destination{job.Destination}, job.Others...) {
		defer d.(io.Closer).Close()
	}
	rep, err = job.Run(c.t.Context())
	if !sums(rep) {
		c.t.Errorf("it does not add up: %+v", rep)
	}
	return rep, err
}

// troubled is a run with everything against it.
func (c *chaos) troubled() {
	t := c.trouble()
	c.srv.SetTrouble(t)
	job := c.job()
	for range pick(c, 0, 0, 1, 2, 4) {
		job.Others = append(job.Others, client(c.srv))
	}
	var w *world
	if c.one(3) {
		w = &world{stopAt: 1 + c.IntN(150)}
		if c.one(2) {
			job.Destination = mortal{job.Destination.(*imap.Client), w}
			for i, d := range job.Others {
				job.Others[i] = mortal{d.(*imap.Client), w}
			}
		}
	}
	if c.one(4) {
		end, n := make(chan struct{}), 1+c.IntN(60)
		job.Stop, job.Watch = end, func(progress.Event) {
			if n--; n == 0 {
				close(end)
			}
		}
	}
	if c.one(4) {
		left, stint := 1+c.IntN(12), 1+c.IntN(4)
		job.Allow = c.some(left, stint)
		job.AllowBack = c.some(3*left, stint)
	}
	_, err := c.run(job, w)
	c.unseen = c.unseen || err != nil && t.Keep != nil && !c.merging
	c.srv.SetTrouble(c.nature)
	synctest.Wait()
	if w != nil {
		c.say("killed at %q", w.stopped)
	}
}
