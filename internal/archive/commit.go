package archive

import (
	"io/fs"
	"os"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// maxSyncs is how many fsyncs of an archive are under way at a time: file systems write many at the price of one.
const maxSyncs = 16

// Commit archives the batch: when it returns without an error, every message of it is on disk for good, and Has
// says so. It returns the entries in the order they were put.
//
// After an error nothing of the batch counts as archived, and the batch is over. Files that had reached their place
// by then are whole, and the next Open adopts them; the others are gone. The archive can be used as before.
func (b *Batch) Commit() ([]Entry, error) {
	defer b.Abort()
	if len(b.waiting) == 0 {
		return nil, nil
	}
	if err := b.sync(); err != nil {
		return nil, err
	}
	b.a.commits.Lock()
	defer b.a.commits.Unlock()
	if err := b.a.makeFolders(b.folders()); err != nil {
		return nil, err
	}
	entries, err := b.deliver()
	if err != nil {
		b.a.stranded = true
		return nil, err
	}
	b.waiting = nil
	return entries, nil
}

// deliver brings the files to their places and tells the ledger; with that they are archived.
func (b *Batch) deliver() ([]Entry, error) {
	if err := b.rename(); err != nil {
		return nil, err
	}
	arrivals := make([]arrival, len(b.waiting))
	for i, d := range b.waiting {
		arrivals[i] = d.arrival
	}
	return b.a.enter(arrivals)
}

// A syncing is a file on its way to the disk. It is synced as soon as it is written, while others are received: the
// disk has work all the time, and a commit finds most of it done.
type syncing struct {
	f   *os.File // closed when it is synced
	err error    // good when Batch.syncs are done
}

// startSync hands over the file of a spool.
func (b *Batch) startSync(s *spool) *syncing {
	file := &syncing{f: s.f}
	b.syncs.Go(func() {
		b.a.syncs <- struct{}{}
		file.err = b.a.act("sync", "tmp/"+s.name, file.f.Sync)
		if err := file.f.Close(); file.err == nil {
			file.err = diskError("close", "tmp/"+s.name, err)
		}
		<-b.a.syncs
	})
	return file
}

// sync waits until the files are synced. A file whose sync failed once is never synced again: what the kernel has
// thrown away, a second try would call written.
func (b *Batch) sync() error {
	b.syncs.Wait()
	for _, d := range b.waiting {
		if d.file != nil && d.file.err != nil {
			return d.file.err // one disk, one reason
		}
	}
	return nil
}

// makeFolders makes the folders, as far as they are not there, and writes down what their directories stand for
// before a message comes to lie in them.
func (a *Archive) makeFolders(folders []*folder) error {
	if err := a.ledger.begin(); err != nil {
		return err
	}
	fresh := false
	for _, f := range folders {
		made, err := a.makeMaildir(f)
		if err != nil {
			return err
		}
		fresh = fresh || made
	}
	if fresh {
		if err := a.syncDir("."); err != nil {
			return err
		}
	}
	return a.writeFolders()
}

// folders returns those that the batch delivers into.
func (b *Batch) folders() []*folder {
	var list []*folder
	for _, d := range b.waiting {
		if !slices.Contains(list, d.folder) {
			list = append(list, d.folder)
		}
	}
	return list
}

// rename gives the files their names in cur/, durably.
func (b *Batch) rename() error {
	places := map[*folder]*held{}
	defer func() {
		for _, cur := range places {
			cur.Close()
		}
	}()
	for _, f := range b.folders() {
		b.a.lookAt(f)
		if err := b.letter(f); err != nil {
			return err
		}
		cur, err := b.a.hold(f.path("cur"))
		if err != nil {
			return err
		}
		places[f] = cur
	}
	for i := range b.waiting {
		if err := b.renameOne(&b.waiting[i], places[b.waiting[i].folder]); err != nil {
			return err
		}
	}
	for f, cur := range places {
		if err := b.a.act("syncdir", cur.path, cur.sync); err != nil {
			return err
		}
		if f.cur != 0 {
			f.cur = b.a.mtime(f.path("cur"))
		}
	}
	return nil
}

func (b *Batch) renameOne(d *delivery, cur *held) error {
	name := d.name.String()
	d.entry.Path = cur.file(name)
	return b.a.act("rename", d.entry.Path, func() error {
		err := b.a.spools.rename(d.tmp, cur, name)
		if err == nil {
			d.tmp = ""
		}
		return err
	})
}

// letter puts the flags of the messages for f into their names.
func (b *Batch) letter(f *folder) error {
	var all mail.Flags
	for _, d := range b.waiting {
		if d.folder == f {
			all = append(all, d.entry.Flags...)
		}
	}
	l, err := b.a.lettersFor(f, all)
	if err != nil {
		return err
	}
	for i := range b.waiting {
		if d := &b.waiting[i]; d.folder == f {
			d.name.info = l.info(d.entry.Flags, "")
		}
	}
	return nil
}

// lookAt forgets what is known of the time of a folder's cur/ if another program has been there since: the next
// Open is to look through it.
func (a *Archive) lookAt(f *folder) {
	if f.cur != a.mtime(f.path("cur")) {
		f.cur = 0
	}
}

// mtime returns the modification time of a directory in ns, 0 if it cannot be had.
func (a *Archive) mtime(dir string) int64 {
	info, err := a.root.Lstat(dir)
	if err != nil || info.Mode().Type() != fs.ModeDir {
		return 0
	}
	return info.ModTime().UnixNano()
}
