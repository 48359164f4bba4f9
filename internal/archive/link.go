package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Link archives the message of an entry once more, as the one that item is, because the source says or shows that
// both are the same; else it is as Put. On disk it is one file under two names, as long as both were received at the
// same second, for a file has one time, and the file system knows links; else a copy. If the entry's file is missing
// or not of the right size, Link fails with a *DamagedError.
func (b *Batch) Link(item mail.Item, mb mail.Mailbox, of Entry) (Entry, error) {
	return b.put(item.Ref, func() (delivery, error) {
		if item.Received.IsZero() {
			item.Received = of.Received
		}
		item.Received = item.Received.Truncate(time.Second)
		if item.Received.Unix() != of.Received.Unix() {
			return b.copyOf(item, mb, of)
		}
		d, err := b.link(item, mb, of)
		if errors.Is(err, fs.ErrNotExist) { // renamed for its flags in this very moment
			d, err = b.link(item, mb, of)
		}
		if knowsNoLinks(err) {
			return b.copyOf(item, mb, of)
		}
		return d, err
	})
}

// link gives the file of an entry a second name, in tmp/.
func (b *Batch) link(item mail.Item, mb mail.Mailbox, of Entry) (delivery, error) {
	file, err := b.a.openEntry(&of) // which also looks that it is there and whole
	if err != nil {
		return delivery{}, err
	}
	defer file.Close()
	name := fmt.Sprintf("%s%d", ownTmp, b.a.tmpNames.Add(1))
	err = b.a.act("link", "tmp/"+name, func() error { return b.a.root.Link(of.Path, "tmp/"+name) })
	if err != nil {
		return delivery{}, err
	}
	n, _ := parseName(path.Base(of.Path))
	f := b.a.folders.of(mb)
	return delivery{tmp: name, arrival: arrival{
		folder: f, known: true,
		entry: Entry{Ref: item.Ref, Mailbox: f.Name, Octets: of.Octets, Digest: of.Digest, Match: of.Match,
			Header: of.Header, Received: item.Received, Flags: item.Flags, Identity: item.Identity, Linked: true},
		name: fileName{received: n.received, stored: n.stored, octets: n.octets},
	}}, nil
}

// copyOf writes the entry's message into tmp/ once more.
func (b *Batch) copyOf(item mail.Item, mb mail.Mailbox, of Entry) (delivery, error) {
	body, err := b.a.OpenMessage(of)
	if err != nil {
		return delivery{}, err
	}
	defer body.Close()
	d, err := b.spool(item, mb, body)
	d.entry.Linked = true
	return d, err
}

// knowsNoLinks reports whether a second name for the file cannot be had.
func knowsNoLinks(err error) bool {
	return errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EMLINK) || errors.Is(err, errors.ErrUnsupported) ||
		errors.Is(err, fs.ErrPermission)
}
