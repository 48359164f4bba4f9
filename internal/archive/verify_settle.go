package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// settle pairs the rows that have no file with the files that have no row.
func (v *verifying) settle() error {
	if err := v.settleAbsent(); err != nil {
		return err
	}
	left, err := v.pair(v.others, (*verifying).byName)
	v.sizes = map[int64][]*claim{}
	for _, c := range v.absent {
		v.sizes[c.name.stored] = append(v.sizes[c.name.stored], c)
	}
	if err == nil {
		left, err = v.pair(left, (*verifying).byContent)
	}
	if err != nil {
		return err
	}
	for _, c := range v.absent {
		if c.seen {
			continue
		}
		reason := "the file is missing"
		if c.state == damaged {
			reason = "the file was damaged, and is not there any more"
		}
		v.told(0)
		v.Findings = append(v.Findings, c.finding(FoundMissing, c.path(), reason))
	}
	return v.strange(left)
}

// settleAbsent looks once more for files that were not there: a mail program, or a run that is at work, may have renamed
// them meanwhile.
func (v *verifying) settleAbsent() error {
	left := v.absent[:0]
	found := map[string]bool{}
	for _, c := range v.absent {
		c.seen = false
		e, err := v.a.Entry(c.id)
		if err != nil {
			return err
		}
		there, err := v.isThere(&e)
		if err != nil {
			return err
		}
		if !there {
			left = append(left, c)
			continue
		}
		n, _ := parseName(path.Base(e.Path))
		octets, err := v.a.checkFile(e.Path, n, e.Digest)
		c.seen, found[e.Path] = true, true
		v.note(job{c, e.Path}, octets, err)
	}
	v.absent = left
	v.others = slices.DeleteFunc(v.others, func(s stranger) bool { return found[s.path] })
	return v.err
}

// isThere reports whether the entry's file is there, and sets its Path.
func (v *verifying) isThere(e *Entry) (bool, error) {
	f, err := v.a.openFile(e)
	if f != nil {
		f.Close()
	}
	info, lerr := v.a.root.Lstat(e.Path)
	if lerr == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if isNone(err) {
		return false, nil
	}
	return err == nil, diskError("open", e.Path, err)
}

// pair takes the files that find finds a row for, and returns the others.
func (v *verifying) pair(files []stranger, find func(*verifying, stranger) (*claim, error)) (left []stranger, err error) {
	for _, s := range files {
		if err := context.Cause(v.ctx); err != nil {
			return nil, err
		}
		c, err := find(v, s)
		if err != nil {
			return nil, err
		}
		if c == nil {
			left = append(left, s)
			continue
		}
		c.seen = true
		v.Octets += c.name.octets
		v.told(c.name.octets)
		v.Findings = append(v.Findings, c.finding(FoundMoved, s.path, v.movedFrom(c, s)))
	}
	return left, nil
}

func (v *verifying) movedFrom(c *claim, s stranger) string {
	if where := path.Dir(path.Dir(s.path)); where != path.Dir(path.Dir(c.path())) {
		return "it lies in the folder " + s.mailbox
	}
	return "it was " + path.Base(c.path())
}

// byName finds the row of a file that has its name still.
func (v *verifying) byName(s stranger) (*claim, error) {
	c := v.owners[s.name.key]
	if !s.ours || s.irregular || c == nil || c.seen || !c.name.sameFile(s.name) {
		return nil, nil
	}
	_, err := v.a.checkFile(s.path, c.name, c.digest)
	if err == nil {
		return c, nil
	}
	return nil, notDamage(err)
}

// notDamage returns an error that is not about the octets of one file.
func notDamage(err error) error {
	if isNone(err) || errors.As(err, new(*DamagedError)) {
		return nil
	}
	return err
}

// byContent finds the row of a file that has got another name: of those that have none and the same size, the one with
// its octets.
func (v *verifying) byContent(s stranger) (*claim, error) {
	if s.irregular {
		return nil, nil
	}
	info, err := v.a.root.Lstat(s.path)
	if err != nil {
		return nil, nil // gone since
	}
	if len(v.sizes[info.Size()]) == 0 {
		return nil, nil
	}
	f, err := v.a.root.Open(s.path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	sum, _, err := digestOf(f)
	if err != nil {
		return nil, nil
	}
	for _, c := range v.sizes[info.Size()] {
		if !c.seen && c.digest == sum {
			return c, nil
		}
	}
	return nil, nil
}

// strange judges the files that belong to no row.
func (v *verifying) strange(files []stranger) error {
	for _, s := range files {
		reason, err := v.whyStrange(s)
		if err != nil {
			return err
		}
		if reason != "" {
			v.Findings = append(v.Findings, Finding{Kind: FoundForeign, Mailbox: s.mailbox, Path: s.path, Reason: reason})
		}
	}
	return nil
}

// whyStrange says what a file is, "" of one that may be there.
func (v *verifying) whyStrange(s stranger) (string, error) {
	c := v.owners[s.name.key]
	switch {
	case s.irregular:
		return "it is not a file", nil
	case !s.ours:
		return "another program has put it there", nil
	case c != nil && s.name.nth < c.name.nth:
		v.Left++
		return "", nil
	case c != nil && c.name.sameFile(s.name) && c.seen:
		return "it is a second file with the name of a message of the archive", nil
	case c != nil:
		return "it is named like a message of the archive, and has not its octets", nil
	}
	late := false // a run that is at work may have put it there
	err := v.a.ledger.each("select 1 from entry where key = ? limit 1", func(func(...any) error) error {
		late = true
		return nil
	}, s.name.key[:])
	if late || err != nil {
		return "", err
	}
	return "it is named like a message of the archive, and the ledger does not know it", nil
}

// digestOf returns the digest of the canonical form of what r holds, and how many octets that has.
func digestOf(r io.Reader) (d mail.Digest, octets int64, err error) {
	h := sha256.New()
	octets, err = io.Copy(h, mail.Canonical(r))
	copy(d[:], h.Sum(nil))
	return d, octets, err
}

// isNone reports whether the error says that there is no such file.
func isNone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
