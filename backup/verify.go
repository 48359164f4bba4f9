package backup

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
	"github.com/mailhaul/mailhaul/internal/retry"
)

// A Verification holds the source against the archive: what it shows, must be archived. It changes nothing at either
// end, and ends no session politely, lest a server forget what it handed over.
type Verification struct {
	Source  Source
	Archive *archive.Archive
	Account mail.Account // the source's: proofs are kept for it
	Watch   progress.Watch
	Wanted  func(mail.Mailbox) bool // as Job's
	Deep    bool                    // read what is there, and compare it octet by octet
	Stop    <-chan struct{}
}

// Verdicts say what was found of what the source shows.
type Verdicts struct {
	archive.Verification     // Extra: what the source shows and the archive has not, each of them a Finding
	Gone                 int // archived, and not shown any more, which is no finding
	Findings             []Finding
}

// A Finding is a message that the archive has not, or has with other octets.
type Finding struct {
	Kind      string // "missing" or "altered"
	Ref       mail.Ref
	MessageID string
	Reason    string
}

// verifyBatch is how many messages are read before their proofs are written down.
const verifyBatch = 64

// Run compares mailbox by mailbox; after an error it returns what it has found till then.
func (v Verification) Run(ctx context.Context) (found Verdicts, err error) {
	c := &comparing{Verification: v}
	c.found.Account, c.found.Deep = v.Account, v.Deep
	err = c.all(ctx)
	return c.found, err
}

type comparing struct {
	Verification
	began time.Time
	found Verdicts
}

func (c *comparing) all(ctx context.Context) (err error) {
	c.found.Began = time.Now()
	if c.began, err = c.Archive.BeginVerification(c.found.Verification); err != nil {
		return err
	}
	boxes, err := c.Source.Mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, mb := range boxes {
		if mb.NoSelect || c.Wanted != nil && !c.Wanted(mb) {
			continue
		}
		if err := c.mailbox(ctx, mb.Name); err != nil {
			return err
		}
	}
	c.found.Began, c.found.Ended = c.began, time.Now()
	return c.Archive.EndVerification(c.found.Verification)
}

func (c *comparing) mailbox(ctx context.Context, name string) error {
	items, err := c.Source.List(ctx, name)
	if err != nil {
		return err
	}
	c.Watch.Tell(progress.Listed{Half: progress.Source, Mailbox: name, Messages: len(items)})
	if len(items) == 0 {
		return c.countGone(name, 0)
	}
	entries, err := c.entries(name, items[0].Ref.Validity)
	if err != nil {
		return err
	}
	var known []mail.Item
	for _, it := range items {
		if _, is := entries[it.Ref.UID]; is {
			known = append(known, it)
			continue
		}
		c.found.Extra++
		c.found.Findings = append(c.found.Findings, Finding{Kind: "missing", Ref: it.Ref,
			Reason: "the source shows it, and the archive does not have it whole; backup brings it"})
	}
	if err := c.countGone(name, len(known)); err != nil {
		return err
	}
	for len(known) > 0 {
		some := known[:min(len(known), verifyBatch)]
		if err := c.prove(ctx, some, entries); err != nil {
			return err
		}
		known = known[len(some):]
		select {
		case <-c.Stop:
			return retry.ErrStopped
		default:
		}
	}
	return nil
}

// entries returns the sound ones of a mailbox by UID.
func (c *comparing) entries(name string, validity uint32) (map[string]archive.Entry, error) {
	all := map[string]archive.Entry{}
	for after := int64(0); ; {
		page, err := c.Archive.EntriesOf(name, validity, after, 1000)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, e := range page {
			all[e.Ref.UID] = e
		}
		after = page[len(page)-1].ID
	}
}

// countGone counts what is archived of a mailbox and was not shown.
func (c *comparing) countGone(name string, shown int) error {
	boxes, err := c.Archive.Mailboxes()
	for _, mb := range boxes {
		if mb.Name == name {
			c.found.Gone += max(0, mb.Messages-mb.Damaged-shown)
		}
	}
	return err
}

// prove compares some messages, and writes down what was found.
func (c *comparing) prove(ctx context.Context, items []mail.Item, entries map[string]archive.Entry) error {
	proofs := make(map[string]archive.Proof, len(items))
	var read []mail.Item
	for _, it := range items {
		e := entries[it.Ref.UID]
		p, is, err := c.Archive.Proved(c.Account, e.ID)
		if err != nil {
			return err
		}
		if !is || p.Read.IsZero() || p.Read.Before(c.began) || !c.Deep {
			p = archive.Proof{Entry: e.ID, Verdict: archive.ProvedPresent, At: time.Now(), Mailbox: it.Ref.Mailbox, Validity: it.Ref.Validity}
			if c.Deep {
				read = append(read, it)
			}
		}
		proofs[it.Ref.UID] = p
	}
	if err := c.read(ctx, read, proofs, entries); err != nil {
		return err
	}
	all := make([]archive.Proof, 0, len(items))
	for _, it := range items {
		p := proofs[it.Ref.UID]
		all = append(all, p)
		c.count(p, it, entries[it.Ref.UID])
	}
	return c.Archive.Prove(c.Account, all)
}

// read reads messages and judges them.
func (c *comparing) read(ctx context.Context, items []mail.Item, proofs map[string]archive.Proof, entries map[string]archive.Entry) error {
	if len(items) == 0 {
		return nil
	}
	return c.Source.Fetch(ctx, items, func(it mail.Item, body io.Reader) error {
		p, err := c.compare(proofs[it.Ref.UID], entries[it.Ref.UID], body)
		proofs[it.Ref.UID] = p
		return err
	})
}

// compare reads a message. Runs of CR and the last line end are not the source's to keep: POP3 changes them.
func (c *comparing) compare(p archive.Proof, e archive.Entry, body io.Reader) (archive.Proof, error) {
	sum, err := mail.SumOf(c.Watch.Reader(progress.Source, body))
	var me *mail.Error
	if errors.As(err, &me) && me.Scope == mail.ScopeMessage {
		p.Why = "the source does not hand it over"
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Read = time.Now()
	switch {
	case sum.Digest == e.Digest:
	case sum.Match == e.Match:
		p.Why = "line ends changed"
	default:
		p.Verdict, p.Why = archive.ProvedAltered, "the source shows other octets than were archived"
	}
	return p, nil
}

func (c *comparing) count(p archive.Proof, it mail.Item, e archive.Entry) {
	if !p.Read.IsZero() {
		c.found.Read++
	}
	if p.Verdict == archive.ProvedPresent {
		c.found.Present++
	} else {
		c.found.Altered++
		c.found.Findings = append(c.found.Findings, Finding{Kind: "altered", Ref: it.Ref, MessageID: e.Header.MessageID, Reason: p.Why})
	}
	c.Watch.Tell(progress.Moved{Half: progress.Source})
}
