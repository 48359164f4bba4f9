package backup

import (
	"cmp"
	"context"
	"io"
	"slices"
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
	Allow   retry.Allow             // if set, asked before messages are read; when none may, Run ends with the error
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

// comparing is one Run under way.
type comparing struct {
	Verification
	began time.Time
	sound map[string]int // messages of the archive, by mailbox
	found Verdicts
	// Of the mailbox at hand:
	archived map[string]archived     // by UID
	proved   map[int64]archive.Proof // by entry; none unless what was read before need not be read again
}

// archived is what is needed of a sound entry; a mailbox has many.
type archived struct {
	entry         int64
	digest, match mail.Digest
	messageID     string
}

func (c *comparing) all(ctx context.Context) (err error) {
	_, done, err := c.Allow.Ask(ctx, nil)
	if err != nil {
		return err
	}
	done()
	c.found.Began = time.Now()
	if c.began, err = c.Archive.BeginVerification(c.found.Verification); err != nil {
		return err
	}
	boxes, err := c.Source.Mailboxes(ctx)
	if err != nil {
		return err
	}
	if err := c.countSound(); err != nil {
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

func (c *comparing) countSound() error {
	boxes, err := c.Archive.Mailboxes()
	c.sound = make(map[string]int, len(boxes))
	for _, mb := range boxes {
		c.sound[mb.Name] = mb.Messages - mb.Damaged
	}
	return err
}

func (c *comparing) mailbox(ctx context.Context, name string) error {
	items, err := c.Source.List(ctx, name)
	if err != nil {
		return err
	}
	c.Watch.Tell(progress.Listed{Half: progress.Source, Mailbox: name, Messages: len(items)})
	if err := c.learn(name, items); err != nil {
		return err
	}
	known := those(items, func(it mail.Item) bool {
		_, is := c.archived[it.Ref.UID]
		if !is {
			c.found.Extra++
			c.found.Findings = append(c.found.Findings, Finding{Kind: "missing", Ref: it.Ref,
				Reason: "the source shows it, and the archive does not have it whole; backup brings it"})
		}
		return is
	})
	c.found.Gone += max(0, c.sound[name]-len(known))
	for some := range slices.Chunk(known, verifyBatch) {
		if err := c.prove(ctx, some); err != nil {
			return err
		}
		select {
		case <-c.Stop:
			return retry.ErrStopped
		default:
		}
	}
	return nil
}

// learn reads from the ledger what it knows of a mailbox that shows these items.
func (c *comparing) learn(name string, items []mail.Item) (err error) {
	c.archived, c.proved = make(map[string]archived, len(items)), nil
	if len(items) == 0 {
		return nil
	}
	for e, err := range entriesOf(c.Archive, name, items[0].Ref.Validity) {
		if err != nil {
			return err
		}
		c.archived[e.Ref.UID] = archived{e.ID, e.Digest, e.Match, e.Header.MessageID}
	}
	if c.Deep {
		c.proved, err = c.Archive.Proofs(c.Account, name)
	}
	return err
}

// prove compares some messages, and writes down what was found.
func (c *comparing) prove(ctx context.Context, items []mail.Item) error {
	proofs := make(map[string]archive.Proof, len(items))
	var read []mail.Item
	for _, it := range items {
		e := c.archived[it.Ref.UID]
		p, is := c.proved[e.entry]
		if !is || p.Read.IsZero() || p.Read.Before(c.began) {
			p = archive.Proof{Entry: e.entry, Verdict: archive.ProvedPresent, At: time.Now(), Mailbox: it.Ref.Mailbox, Validity: it.Ref.Validity}
			if c.Deep {
				read = append(read, it)
			}
		}
		proofs[it.Ref.UID] = p
	}
	err := c.read(ctx, read, proofs)
	if err != nil && !retry.IsNotAllowed(err) {
		return err
	}
	all := make([]archive.Proof, 0, len(items))
	for _, it := range items {
		p := proofs[it.Ref.UID]
		if err != nil && p.Read.IsZero() {
			continue // it is not its turn today
		}
		all = append(all, p)
		c.count(p, it)
	}
	return cmp.Or(c.Archive.Prove(c.Account, all), err)
}

// read reads messages and judges them.
func (c *comparing) read(ctx context.Context, items []mail.Item, proofs map[string]archive.Proof) error {
	for len(items) > 0 {
		sizes := make([]int64, len(items))
		for i, it := range items {
			sizes[i] = it.Size
		}
		n, done, err := c.Allow.Ask(ctx, sizes)
		if err != nil {
			return err
		}
		err = c.Source.Fetch(ctx, items[:n], func(it mail.Item, body io.Reader) error {
			p, err := c.compare(proofs[it.Ref.UID], c.archived[it.Ref.UID], body)
			proofs[it.Ref.UID] = p
			return err
		})
		done()
		if err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// compare reads a message. Runs of CR and the last line end are not the source's to keep: POP3 changes them.
func (c *comparing) compare(p archive.Proof, e archived, body io.Reader) (archive.Proof, error) {
	sum, err := mail.SumOf(c.Watch.Reader(progress.Source, body))
	if messageOnly(err) {
		p.Why = "the source does not hand it over"
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Read = time.Now()
	switch {
	case sum.Digest == e.digest:
	case sum.Match == e.match:
		p.Why = "line ends changed"
	default:
		p.Verdict, p.Why = archive.ProvedAltered, "the source shows other octets than were archived"
	}
	return p, nil
}

func (c *comparing) count(p archive.Proof, it mail.Item) {
	if !p.Read.IsZero() {
		c.found.Read++
	}
	if p.Verdict == archive.ProvedPresent {
		c.found.Present++
	} else {
		c.found.Altered++
		c.found.Findings = append(c.found.Findings, Finding{Kind: "altered", Ref: it.Ref,
			MessageID: c.archived[it.Ref.UID].messageID, Reason: p.Why})
	}
	c.Watch.Tell(progress.Moved{Half: progress.Source})
}
