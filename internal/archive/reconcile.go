package archive

import (
	"errors"
	"fmt"
	"slices"
)

// loadFolders learns the mailboxes from the ledger, and from folders.json what the ledger has lost.
func (a *Archive) loadFolders() error {
	if err := a.loadAccount(); err != nil {
		return err
	}
	j, err := a.readFolders()
	if errors.Is(err, errFolders) {
		aside, err := a.setAside(foldersFile)
		if err != nil {
			return err
		}
		a.note(foldersFile + " was damaged; it was kept as " + aside)
	} else if err != nil {
		return err
	}
	if err := a.accountFrom(j.Account); err != nil {
		return err
	}
	if err := a.foldersFromLedger(); err != nil {
		return err
	}
	a.foldersFromJSON(j)
	return nil
}

func (a *Archive) foldersFromLedger() error {
	return a.ledger.each("select id, name, delim, role, no_select, subscribed, dir, guessed, gone, cur, new from mailbox order by id",
		func(scan func(...any) error) error {
			f := &folder{}
			err := scan(&f.id, &f.Name, &f.Delim, &f.Role, &f.NoSelect, &f.Subscribed, &f.dir, &f.guessed, &f.gone,
				&f.stored[0], &f.stored[1])
			if err != nil {
				return err
			}
			f.cur, f.new = f.stored[0], f.stored[1]
			if f.dir == "" {
				inbox := a.folders.inbox()
				f.made = inbox.made
				*inbox = *f
				delete(a.folders.changed, inbox)
				return nil
			}
			if !isFolderDir(f.dir) || !a.folders.add(f) {
				return fmt.Errorf("%w: two mailboxes in %q", errNotSound, f.dir)
			}
			return nil
		})
}

// foldersFromJSON takes in what only folders.json knows, and notes what it does not know.
func (a *Archive) foldersFromJSON(j foldersJSON) {
	there := map[folderKey]bool{}
	for _, fj := range j.Folders {
		f := fj.folder()
		there[folderKey{f.dir, f.Name}] = true
		if f.dir == "" && a.folders.inbox().id == 0 {
			a.folders.of(f.Mailbox)
		}
		if isFolderDir(f.dir) && a.folders.add(f) {
			a.folders.change(f)
		}
	}
	a.folders.fresh = j.Account == nil && a.accountJSON() != nil
	for _, f := range a.folders.all() {
		if !f.guessed && !there[folderKey{f.dir, f.Name}] {
			a.folders.fresh = true
		}
	}
}

type folderKey struct{ dir, name string }

// reconcile makes the ledger agree with the Maildir. Folders that are as they were when the ledger was closed in
// order are not looked into.
func (a *Archive) reconcile() error {
	stale := a.stale()
	if len(stale) > 0 {
		found, err := a.discover()
		if err != nil {
			return err
		}
		stale = append(stale, found...)
	}
	if a.folders.waiting() {
		if err := a.settleFolders(); err != nil {
			return err
		}
	}
	if len(stale) == 0 {
		return nil
	}
	return a.scan(stale)
}

// stale returns the folders that may hold something else than the ledger says.
func (a *Archive) stale() []*folder {
	list := a.folders.all()
	if !a.ledger.clean {
		return list
	}
	return slices.DeleteFunc(list, func(f *folder) bool {
		return f.cur != 0 && f.cur == a.mtime(f.path("cur")) && f.new == a.mtime(f.path("new"))
	})
}

// discover returns directories that hold messages of ours and belong to no mailbox that is known: somebody has
// renamed them, or all knowledge of them is lost.
func (a *Archive) discover() ([]*folder, error) {
	dirs, err := maildirs(a.root)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, f := range a.folders.all() {
		known[f.dir] = true
	}
	var found []*folder
	for _, dir := range dirs {
		if known[dir] || !holdsOurs(a.root, dir) {
			continue
		}
		if f := a.folders.guess(dir); f != nil {
			found = append(found, f)
			a.note("which mailbox the messages in " + dir + " were in is not known; " + f.Name + " was taken")
		}
	}
	return found, nil
}

// settleFolders writes down, in folders.json and the ledger, what is known of the folders by now.
func (a *Archive) settleFolders() error {
	if err := a.writeFolders(); err != nil {
		return err
	}
	_, err := a.enter(nil)
	return err
}

// rest notes that the work has ended in order, and how the folders were then.
func (a *Archive) rest() error {
	a.commits.Lock()
	defer a.commits.Unlock()
	if a.stranded || a.ledger == nil {
		return nil
	}
	folders := slices.DeleteFunc(a.folders.all(), func(f *folder) bool {
		return f.id == 0 || f.stored == [2]int64{f.cur, f.new}
	})
	if len(folders) == 0 && a.ledger.asleep() {
		return nil
	}
	return a.ledger.sleep(func() error {
		for _, f := range folders {
			if _, err := a.ledger.exec("update mailbox set cur = ?, new = ? where id = ?", f.cur, f.new, f.id); err != nil {
				return err
			}
		}
		return nil
	})
}
