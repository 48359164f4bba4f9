package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// Shown notes that the source has these mailboxes and no others, and returns how many entries are gone by that: all of
// a mailbox that is not among them, however it is spelt. Such a mailbox is looked at from the beginning should it
// come back; without a message it is forgotten, and its directory stays. It is for the end of a run that has been
// through all of them, for a mailbox may be there under another name.
func (a *Archive) Shown(boxes []mail.Mailbox) (gone int, err error) {
	if err := a.AddMailboxes(boxes); err != nil {
		return 0, err
	}
	there := map[*folder]bool{a.folders.inbox(): true}
	for _, mb := range boxes {
		there[a.folders.of(mb)] = true
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	missing := a.folders.lose(there)
	if len(missing) == 0 {
		return 0, nil
	}
	if err := a.makeFolders(nil); err != nil {
		return 0, err
	}
	changed := a.folders.changes()
	err = a.write("shown", func() error {
		if err := a.enterFolders(changed); err != nil {
			return err
		}
		for _, f := range missing {
			n, err := a.markFolderGone(f)
			if err != nil {
				return err
			}
			gone += n
		}
		return nil
	})
	if err != nil {
		a.folders.keep(changed)
		return 0, err
	}
	return gone, nil
}

func (a *Archive) markFolderGone(f *folder) (int, error) {
	if err := a.setState(f.id, mail.Status{}); err != nil {
		return 0, err
	}
	r, err := a.ledger.exec("update entry set gone = 1 where mailbox = ? and not gone and coalesce(validity, 1) <> 0", f.id)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// lose marks the folders that are not there any more, and returns those that were until now.
func (fs *folders) lose(there map[*folder]bool) (missing []*folder) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.byName {
		if !there[f] && !f.gone {
			f.gone = true
			fs.change(f)
			missing = append(missing, f)
		}
	}
	return missing
}
