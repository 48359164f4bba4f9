package archive

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Options say how an archive is opened.
type Options struct {
	Create bool // make the archive when there is none
	// Steps, for tests, is called before and after each act that cannot be taken back. A non-nil error is what the
	// act then fails with; before it, the act is not done. It is called from several goroutines at once.
	Steps func(Step) error
}

// An Archive is an open archive. Its methods can be called from several goroutines.
type Archive struct {
	root   *os.Root
	tmp    *os.Root // tmp/ in it: every message begins there
	spools *held    // the same
	lock   *flock.Flock
	steps  steps
	ledger *ledger
	notes  []string
	copied string // where the copy of the ledger lies that is looked into instead of it; "": none

	tmpNames atomic.Int64  // how many names were used in tmp/
	day      atomic.Int64  // the last that noteDay has noted in this run, and that stands in the ledger
	syncs    chan struct{} // holds one for each fsync under way

	mu       sync.RWMutex
	original mail.Account    // the keys are made with this one; zero: none is bound yet
	current  mail.Account    // another one after a move
	keys     map[key]bool    // of the messages that are archived and sound, when they are learnt
	unsound  map[key]unsound // of those that are known, but missing or damaged
	underway map[key]bool    // of those that are put, and not committed yet
	asked    bool            // whether there are imports
	imports  bool            // there were, when that was asked
	listing  listing         // of the folder looked through last

	learning sync.Mutex // held by who reads the keys
	learnt   atomic.Bool

	looks    looks
	folders  *folders
	commits  sync.Mutex // held by whoever changes a folder
	stranded bool       // files may lie in their places that the ledger does not know
	moving   bool       // moves are written down that may not be done
	damages  int        // how many were noted
}

// unsound is what is known of a message whose file is missing or damaged.
type unsound struct {
	id     int64
	nth    int
	digest mail.Digest // zero: never known
}

var errReadOnly = errors.New("the archive was opened for reading only")

// Open opens the archive in dir for writing, as the only one until Close, and settles what an earlier run may have
// left unfinished. Without an archive there it fails with ErrNone, or makes one if o says so; with another run at
// work on it, with an *InUseError.
func Open(dir string, o Options) (*Archive, error) {
	root, err := openRoot(dir, o.Create)
	if err != nil {
		return nil, err
	}
	a := newArchive(root)
	a.steps = o.Steps
	if err := a.open(); err != nil {
		a.shut()
		return nil, err
	}
	return a, nil
}

func newArchive(root *os.Root) *Archive {
	return &Archive{root: root, folders: newFolders(), keys: map[key]bool{}, unsound: map[key]unsound{}, underway: map[key]bool{},
		syncs: make(chan struct{}, maxSyncs)}
}

func (a *Archive) open() error {
	if err := a.protect(); err != nil {
		return err
	}
	made, err := a.mkdir(ownDir)
	if err == nil && made {
		err = a.syncDir(".")
	}
	if err != nil {
		return err
	}
	if err := a.takeLock(); err != nil {
		return err
	}
	if _, err := a.makeMaildir(a.folders.inbox()); err != nil {
		return err
	}
	if a.tmp, err = a.root.OpenRoot("tmp"); err != nil {
		return diskError("open", "tmp", err)
	}
	if a.spools, err = a.hold("tmp"); err != nil {
		return err
	}
	if err := a.sweep(); err != nil {
		return err
	}
	err = a.settleLedger()
	if isDamage(err) {
		err = a.replaceLedger(err)
	}
	return err
}

// settleLedger opens the ledger, makes it agree with the Maildir, and learns what it knows.
func (a *Archive) settleLedger() error {
	if err := a.openLedger(false); err != nil {
		return err
	}
	if err := a.loadFolders(); err != nil {
		return err
	}
	if err := a.finishMoves(); err != nil {
		return err
	}
	if err := a.reconcile(); err != nil {
		return err
	}
	a.learnt.Store(false) // some may have been found missing
	return a.loadUnsound()
}

func (a *Archive) openLedger(readOnly bool) error {
	if !readOnly {
		f, err := a.root.OpenFile(ledgerFile, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return diskError("open", ledgerFile, err)
		}
		f.Close() // before SQLite opens it: after that it would take SQLite's locks away
	}
	path := filepath.Join(a.root.Name(), filepath.FromSlash(ledgerFile))
	l, err := openLedger(path, readOnly, a.act)
	if errors.Is(err, ErrNewer) {
		return err
	}
	if err != nil {
		return diskError("open", ledgerFile, err)
	}
	l.wal = !onNetwork(a.root.Name())
	a.ledger = l
	if l.fresh {
		return a.syncDir(ownDir)
	}
	return nil
}

// replaceLedger sets the ledger aside and makes a new one from the Maildir.
func (a *Archive) replaceLedger(why error) error {
	if a.ledger != nil {
		a.ledger.close()
		a.ledger = nil
	}
	aside, err := a.setAside(ledgerFile, "-journal", "-shm", "-wal")
	if err != nil {
		return err
	}
	a.note("the ledger was damaged (" + why.Error() + "); it was kept as " + aside + " and made again from the messages")
	made := a.folders.inbox().made
	a.folders = newFolders()
	a.folders.inbox().made = made
	return a.settleLedger()
}

// Close ends the work in order: what was committed stays, and the next Open has nothing to look for. Batches that
// were neither committed nor aborted are lost.
func (a *Archive) Close() error {
	var err error
	if a.lock != nil {
		err = a.rest()
	}
	return errors.Join(err, a.shut())
}

// shut lets everything go as it is.
func (a *Archive) shut() error {
	var errs []error
	if a.ledger != nil {
		errs = append(errs, diskError("close", ledgerFile, a.ledger.close()))
	}
	if a.lock != nil {
		errs = append(errs, diskError("unlock", lockFile, a.lock.Unlock()))
	}
	if a.tmp != nil {
		a.tmp.Close()
	}
	if a.spools != nil {
		a.spools.Close()
	}
	if a.copied != "" {
		errs = append(errs, os.RemoveAll(a.copied))
	}
	a.root.Close()
	return errors.Join(errs...)
}

// Notes returns what a person may want to know of the opening: a ledger made anew, messages adopted or damaged.
func (a *Archive) Notes() []string { return slices.Clone(a.notes) }

func (a *Archive) note(text string) { a.notes = append(a.notes, text) }

// act does one act on the disk, within the sight of the steps.
func (a *Archive) act(op, path string, do func() error) error {
	return diskError(op, path, a.steps.around(op, path, do))
}

// write changes the ledger in one transaction.
func (a *Archive) write(op string, fn func() error) error {
	if a.lock == nil {
		return errReadOnly
	}
	return a.ledger.write(op, fn)
}
