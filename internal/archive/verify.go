package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// The kinds of what Verify finds.
const (
	FoundDamaged = "damaged" // the file is there, and its octets are not those that were archived
	FoundMissing = "missing" // there is no such file
	FoundMoved   = "moved"   // the file is sound, and lies in another folder or has another name
	FoundForeign = "foreign" // a file that the archive has not put there
)

// A Finding is something in the archive that is not as it was archived.
type Finding struct {
	Kind      string
	Entry     int64 // 0: the file is no message of the archive
	Mailbox   string
	Path      string // of what is there; of a missing one, where it should be
	MessageID string
	Reason    string
}

// Verified is what Verify has found.
type Verified struct {
	Messages int   // that the archive should hold
	Sound    int   // of those: they are there, octet by octet
	Octets   int64 // that were read
	Left     int   // damaged files that lie in folders still, beside the whole ones that have taken their place
	Findings []Finding
}

// Verify reads every message from disk and compares it with what was archived, and looks for files that are no messages
// of the archive. It changes nothing, and can be used beside a run that writes. What a mail program does to flags is no
// finding, nor is what lies beside cur/ and new/. Told is called after each message, one at a time, with the octets
// read. What was found before an error is returned with it.
func (a *Archive) Verify(ctx context.Context, told func(octets int64)) (Verified, error) {
	v := &verifying{a: a, ctx: ctx, told: told, owners: map[key]*claim{}, jobs: make(chan job)}
	var group sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		group.Go(v.work)
	}
	err := v.folders()
	close(v.jobs)
	group.Wait()
	if err == nil {
		err = cmp.Or(v.err, context.Cause(ctx))
	}
	if err == nil {
		err = v.settle()
	}
	slices.SortFunc(v.Findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.Mailbox, y.Mailbox), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Entry, y.Entry), cmp.Compare(x.Path, y.Path))
	})
	return v.Verified, err
}

// Held returns how many messages Verify will look for, and their octets.
func (a *Archive) Held() (n Amount, err error) {
	err = a.ledger.each("select count(*), coalesce(sum(octets), 0) from entry", func(scan func(...any) error) error {
		return scan(&n.Messages, &n.Octets)
	})
	return n, err
}

// verifying is one Verify under way.
type verifying struct {
	a      *Archive
	ctx    context.Context
	told   func(octets int64)
	owners map[key]*claim // by key: the row that has it now
	others []stranger     // files that no row of their folder names
	jobs   chan job
	sizes  map[int64][]*claim // absent, by the size of their files

	mu sync.Mutex // guards what follows while there are jobs
	Verified
	absent []*claim // rows whose file is not where they say
	err    error
}

// A claim is what a row says of its file.
type claim struct {
	id        int64
	mailbox   string
	dir       string
	sub       int
	name      fileName
	state     int
	digest    mail.Digest
	messageID string
	seen      bool
}

func (c *claim) path() string {
	return (&folder{dir: c.dir}).path(subdirs[c.sub&1], c.name.String())
}

func (c *claim) finding(kind, path, reason string) Finding {
	return Finding{Kind: kind, Entry: c.id, Mailbox: c.mailbox, Path: path, MessageID: c.messageID, Reason: reason}
}

// A stranger is a file whose place no row names.
type stranger struct {
	mailbox   string
	path      string
	name      fileName
	ours      bool // it is named like a message of ours
	irregular bool
}

// A job is a file to be read.
type job struct {
	claim *claim
	path  string
}

// folders goes through all folders: those of the ledger, and those that others have made.
func (v *verifying) folders() error {
	claims, names, err := v.claims()
	if err != nil {
		return err
	}
	dirs, err := maildirs(v.a.root)
	if err != nil {
		return err
	}
	for dir := range claims {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir) // it is gone, with all that was in it
		}
	}
	for _, dir := range dirs {
		name, known := names[dir]
		if !known {
			name = guessName(dir).Name
		}
		if err := v.folder(dir, name, claims[dir]); err != nil {
			return err
		}
	}
	return nil
}

// claims returns the rows by their folders' directories, and the mailboxes of those.
func (v *verifying) claims() (map[string][]*claim, map[string]string, error) {
	all, names := map[string][]*claim{}, map[string]string{}
	err := v.a.ledger.each("select dir, name from mailbox", func(scan func(...any) error) error {
		var dir, name string
		err := scan(&dir, &name)
		names[dir] = name
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = v.a.ledger.each(selectClaims, func(scan func(...any) error) error {
		c, err := scanClaim(scan)
		v.Messages++
		if c.state == lost {
			v.Findings = append(v.Findings, c.finding(FoundMissing, c.path(), "it was lost, and the source has another message in its place"))
			return err
		}
		all[c.dir] = append(all[c.dir], c)
		v.owners[c.name.key] = c
		return err
	})
	return all, names, err
}

const selectClaims = `select e.id, m.name, p.dir, e.sub, e.key, e.nth, e.received, e.stored, e.octets, e.info, e.state, e.digest,
	e.message_id from entry e join mailbox m on m.id = e.mailbox join mailbox p on p.id = e.place`

func scanClaim(scan func(...any) error) (*claim, error) {
	c := &claim{}
	var k, digest []byte
	err := scan(&c.id, &c.mailbox, &c.dir, &c.sub, &k, &c.name.nth, &c.name.received, &c.name.stored, &c.name.octets,
		&c.name.info, &c.state, &digest, &c.messageID)
	copy(c.name.key[:], k)
	copy(c.digest[:], digest)
	return c, err
}

// folder hands out the files of one folder to be read, and notes what is left over.
func (v *verifying) folder(dir, mailbox string, claims []*claim) error {
	f := &folder{dir: dir}
	for sub := range subdirs {
		entries, err := readDir(v.a.root, f.path(subdirs[sub]))
		if isNone(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name()[0] == '.' { // no message, by the rules of Maildir
				continue
			}
			n, ours := parseName(e.Name())
			path := f.path(subdirs[sub], e.Name())
			c := v.owners[n.key]
			if ours && e.Type().IsRegular() && c != nil && c.dir == dir && !c.seen && c.name.sameFile(n) {
				c.seen = true
				v.jobs <- job{c, path}
				continue
			}
			v.others = append(v.others, stranger{mailbox, path, n, ours, !e.Type().IsRegular()})
		}
		if err := context.Cause(v.ctx); err != nil {
			return err
		}
	}
	for _, c := range claims {
		if !c.seen {
			v.miss(c)
		}
	}
	return nil
}

func (v *verifying) miss(c *claim) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.absent = append(v.absent, c)
}

// work reads files until there are none any more.
func (v *verifying) work() {
	for j := range v.jobs {
		if context.Cause(v.ctx) != nil {
			continue
		}
		n, err := v.a.checkFile(j.path, j.claim.name, j.claim.digest)
		if isNone(err) {
			v.miss(j.claim) // renamed in this moment
			continue
		}
		v.note(j, n, err)
	}
}

// note takes the result of reading a file.
func (v *verifying) note(j job, octets int64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.Octets += octets
	v.told(octets)
	var bad *DamagedError
	switch {
	case err == nil:
		v.Sound++
	case errors.As(err, &bad):
		v.Findings = append(v.Findings, j.claim.finding(FoundDamaged, j.path, bad.Why))
	default:
		v.err = cmp.Or(v.err, err)
	}
}

// checkFile compares a file with what it must hold, and returns how many octets were read of it. One that differs, or
// that the disk does not give out, is a *DamagedError.
func (a *Archive) checkFile(path string, n fileName, want mail.Digest) (octets int64, err error) {
	f, err := a.root.Open(path)
	if err != nil {
		return 0, diskError("open", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Size() != n.stored {
		return 0, &DamagedError{path, fmt.Sprintf("it has %d octets instead of %d", info.Size(), n.stored)}
	}
	sum, octets, err := digestOf(f)
	switch {
	case err != nil:
		return octets, &DamagedError{path, "it cannot be read: " + err.Error()}
	case octets != n.octets || sum != want:
		return octets, &DamagedError{path, "its octets are not those that were archived"}
	}
	return octets, nil
}
