package archive

import "github.com/mailhaul/mailhaul/internal/mail"

// Shown notes that the source has these mailboxes and no others, and returns how many entries are gone by that: all
// that are archived from a mailbox that is not among them. Such a one is looked at from the beginning should it come
// back; without a message it is forgotten, and only its directory stays. Shown is for the end of a run that has been
// through all of them: a mailbox may have come back under another name.
func (a *Archive) Shown(boxes []mail.Mailbox) (gone int, err error) {
	if err := a.AddMailboxes(boxes); err != nil {
		return 0, err
	}
	a.commits.Lock()
	defer a.commits.Unlock()
	left := a.folders.notAmong(boxes)
	if len(left) == 0 {
		return 0, nil
	}
	if err := a.makeFolders(nil); err != nil {
		return 0, err
	}
	err = a.writeWithFolders("shown", func() error {
		for _, f := range left {
			n, err := a.enterFolderGone(f)
			if err != nil {
				return err
			}
			gone += n
		}
		return nil
	})
	return gone, err
}

func (a *Archive) enterFolderGone(f *folder) (int, error) {
	if err := a.setState(f.id, mail.Status{}); err != nil {
		return 0, err
	}
	freed, err := a.ledger.freed("entry.id")
	if err != nil {
		return 0, err
	}
	r, err := a.ledger.exec("update entry set gone = 1 where mailbox = ? and not gone and coalesce(validity, 1) <> 0 and not "+freed, f.id)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// notAmong marks the folders of other mailboxes than these gone, and returns those that were not yet.
func (fs *folders) notAmong(boxes []mail.Mailbox) (left []*folder) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	there := map[string]bool{mail.Inbox: true}
	for _, mb := range boxes {
		there[mb.Name] = true
	}
	for name, f := range fs.byName {
		if !there[name] && !f.gone {
			f.gone = true
			fs.change(f)
			left = append(left, f)
		}
	}
	return left
}
