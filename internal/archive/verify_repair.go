package archive

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// asideDir is where damaged files are kept.
const asideDir = ownDir + "/damaged"

// Repair mends what Verify has found, as far as it can without the source: a message that lies elsewhere is taken in
// where it lies; of one that is damaged the file is put aside, in mailhaul/damaged, and if the archive holds the same
// octets under another name, they are copied. The others are noted, so that Has says that they are to be fetched again.
// It returns what is mended and what is left; foreign files are left alone. Nothing is deleted.
func (a *Archive) Repair(ctx context.Context, findings []Finding) (mended, left []Finding, err error) {
	for i, f := range findings {
		if err := context.Cause(ctx); err != nil {
			return mended, append(left, findings[i:]...), err
		}
		is, err := a.repair(f)
		if err != nil {
			return mended, append(left, findings[i:]...), err
		}
		if is {
			mended = append(mended, f)
		} else {
			left = append(left, f)
		}
	}
	return mended, left, nil
}

// Repaired returns, of what Repair has left, what is sound by now, because it was fetched again, and the others.
func (a *Archive) Repaired(findings []Finding) (mended, left []Finding, err error) {
	for _, f := range findings {
		is, err := a.isSound(f.Entry)
		if err != nil {
			return mended, left, err
		}
		if is {
			mended = append(mended, f)
		} else {
			left = append(left, f)
		}
	}
	return mended, left, nil
}

// isSound reads the entry from disk; 0 is none.
func (a *Archive) isSound(id int64) (bool, error) {
	if id == 0 {
		return false, nil
	}
	state := lost
	err := a.ledger.each("select state from entry where id = ?", func(scan func(...any) error) error { return scan(&state) }, id)
	if err != nil || state != sound {
		return false, err
	}
	e, err := a.Entry(id)
	if err == nil {
		err = a.Check(e)
	}
	if errors.As(err, new(*DamagedError)) {
		return false, nil
	}
	return err == nil, err
}

func (a *Archive) repair(f Finding) (bool, error) {
	if f.Entry == 0 {
		return false, nil
	}
	if f.Kind == FoundMoved {
		if err := a.takeBack(f); err != nil {
			return false, err
		}
	}
	is, err := a.isSound(f.Entry) // which notes that it is not
	if err != nil || is {
		return is, err
	}
	if f.Kind == FoundDamaged {
		if err := a.putAside(f.Path); err != nil {
			return false, err
		}
	}
	if err := a.copyFromAnother(f.Entry); err != nil {
		return false, err
	}
	return a.isSound(f.Entry)
}

// takeBack gives a file that has lost its name its own again, in the folder it lies in. One that has it still was taken
// in when the archive was opened.
func (a *Archive) takeBack(f Finding) error {
	if _, ours := parseName(path.Base(f.Path)); ours {
		return nil
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	r, err := a.rowOf(f.Entry)
	if err != nil || r == nil || r.state != missing {
		return err
	}
	dir := path.Dir(path.Dir(f.Path))
	to := a.folderIn(dir)
	if to == nil {
		return nil
	}
	if _, err := a.checkFile(f.Path, r.name, r.digest); err != nil {
		return notDamage(err)
	}
	if err := a.makeFolders([]*folder{to}); err != nil {
		return err
	}
	path := to.path("cur", r.name.String())
	if _, err := a.root.Lstat(path); !isNone(err) {
		return diskError("open", path, err) // something else is in its place
	}
	err = a.inFolders([]*folder{to}, func() error {
		return a.act("rename", path, func() error { return a.root.Rename(f.Path, path) })
	})
	if err != nil {
		return err
	}
	return a.foundAgain(r, to)
}

// foundAgain tells the ledger that the file of a row is there.
func (a *Archive) foundAgain(c *claim, in *folder) error {
	if err := a.learnKeys(); err != nil {
		return err
	}
	err := a.writeWithFolders("repair", func() error {
		_, err := a.ledger.exec("update entry set state = ?, place = ?, sub = 0 where id = ?", sound, in.id, c.id)
		return err
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.unsound, c.name.key)
	a.keys[c.name.key] = true
	return nil
}

func (a *Archive) rowOf(entry int64) (c *claim, err error) {
	err = a.ledger.each(selectClaims+" where e.id = ?", func(scan func(...any) error) (err error) {
		c, err = scanClaim(scan)
		return err
	}, entry)
	return c, err
}

// folderIn returns the folder in a directory, nil if there can be none.
func (a *Archive) folderIn(dir string) *folder {
	if dir == "." {
		return a.folders.inbox()
	}
	for _, f := range a.folders.all() {
		if f.dir == dir {
			return f
		}
	}
	if !isFolderDir(dir) {
		return nil
	}
	a.folders.mu.Lock()
	defer a.folders.mu.Unlock()
	return a.folders.guess(dir)
}

// putAside takes a damaged file out of its folder.
func (a *Archive) putAside(from string) error {
	if _, err := a.mkdir(asideDir); err != nil {
		return err
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	to := asideDir + "/" + path.Base(from)
	for n := 1; ; n++ {
		if _, err := a.root.Lstat(to); isNone(err) {
			break
		}
		to = fmt.Sprintf("%s/%d-%s", asideDir, n, path.Base(from))
	}
	err := a.act("rename", to, func() error { return a.root.Rename(from, to) })
	if isNone(err) {
		return nil // it is not there any more
	}
	if err != nil {
		return err
	}
	if f := a.folderIn(path.Dir(path.Dir(from))); f != nil {
		a.lookAt(f)
	}
	if err := a.syncDir(asideDir); err != nil {
		return err
	}
	return a.syncDir(filepath.ToSlash(path.Dir(from)))
}

// copyFromAnother archives the message of an entry anew from one that has the same octets, if there is one.
func (a *Archive) copyFromAnother(id int64) error {
	e, err := a.Entry(id)
	if err != nil || e.Ref.UID == "" || e.Digest == (mail.Digest{}) {
		return err
	}
	twins, err := a.entries("where e.octets = ? and e.digest = ? and e.id <> ? and e.state = 0 limit 16", e.Octets, e.Digest[:], id)
	if err != nil {
		return err
	}
	for _, twin := range twins {
		err := a.Check(twin)
		if errors.As(err, new(*DamagedError)) {
			continue
		}
		if err != nil {
			return err
		}
		return a.copyFrom(e, twin)
	}
	return nil
}

// copyFrom has the entry go on with the octets of its twin. Nothing else that is known of it changes.
func (a *Archive) copyFrom(e, twin Entry) error {
	f := a.folders.named(e.Mailbox)
	if f == nil {
		return nil
	}
	body, err := a.OpenMessage(twin)
	if err != nil {
		return err
	}
	defer body.Close()
	b := a.NewBatch()
	defer b.Abort()
	item := mail.Item{Ref: e.Ref, Received: e.Received, Flags: e.Flags, Identity: e.Identity}
	if _, err := b.Put(item, f.Mailbox, body); err != nil {
		if errors.Is(err, ErrKnown) {
			return nil
		}
		return err
	}
	if _, err := b.Commit(); err != nil {
		return err
	}
	return a.write("repair", func() error {
		_, err := a.ledger.exec("update entry set linked = ?, gone = ? where id = ?", e.Linked, e.Gone, e.ID)
		return err
	})
}
