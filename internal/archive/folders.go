package archive

import (
	"strings"
	"sync"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A folder is a mailbox and its place in the archive.
type folder struct {
	mail.Mailbox
	id      int64  // in the ledger; 0: not there yet
	dir     string // below the archive's directory; "" for the INBOX
	guessed bool   // the name was made of the directory's
	gone    bool   // the source shows no such mailbox any more
	made    bool   // the directories are there
	held    bool   // somebody keeps Dovecot's lock: it is not waited for again
	// The modification times of cur/ and new/ up to which the ledger knows what is in them; 0: it does not.
	cur, new int64
	stored   [2]int64 // the same, as the ledger has them
}

// path returns a path in the folder's directory, from the archive's.
func (f *folder) path(elem ...string) string {
	if f.dir != "" {
		elem = append([]string{f.dir}, elem...)
	}
	return strings.Join(elem, "/")
}

// folders knows every mailbox of the archive and gives each a directory of its own, also where the file system
// takes upper and lower case for the same.
type folders struct {
	mu     sync.Mutex
	byName map[string]*folder
	byDir  map[string]*folder // by directory name in lower case
	// What folders.json and the ledger have not been told yet.
	fresh   bool
	changed map[*folder]bool
}

func newFolders() *folders {
	return &folders{byName: map[string]*folder{}, byDir: map[string]*folder{}, changed: map[*folder]bool{}}
}

// of returns the folder of a mailbox, new if there is none yet.
func (fs *folders) of(mb mail.Mailbox) *folder {
	if mail.IsInbox(mb.Name) {
		mb.Name = mail.Inbox
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.byName[mb.Name]
	if f == nil || f.guessed {
		f = fs.place(mb)
	}
	bare := mail.Mailbox{Name: mb.Name} // says nothing but the name
	if mb != bare && (f.Mailbox != mb || f.gone) {
		f.Mailbox, f.gone = mb, false
		fs.change(f)
	}
	return f
}

// named returns the folder of a mailbox, nil if there is none.
func (fs *folders) named(mailbox string) *folder {
	if mail.IsInbox(mailbox) {
		mailbox = mail.Inbox
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.byName[mailbox]
}

// inbox returns the folder that every archive has.
func (fs *folders) inbox() *folder {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.byDir[""]; f != nil {
		return f
	}
	return fs.place(mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox})
}

// refresh has folders.json written anew.
func (fs *folders) refresh() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.fresh = true
}

// change notes that f is to be written down.
func (fs *folders) change(f *folder) {
	fs.fresh = true
	fs.changed[f] = true
}

// changes hands out what the ledger is to be told, as it is now.
func (fs *folders) changes() map[*folder]folder {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make(map[*folder]folder, len(fs.changed))
	for f := range fs.changed {
		list[f] = *f
	}
	clear(fs.changed)
	return list
}

// keep takes changes back that the ledger could not be told.
func (fs *folders) keep(changed map[*folder]folder) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for f := range changed {
		fs.changed[f] = true
	}
}

// waiting reports whether there is anything to be written down.
func (fs *folders) waiting() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.fresh || len(fs.changed) > 0
}

// place finds the directory for a mailbox. One whose name was only guessed belongs to the first that fits it.
func (fs *folders) place(mb mail.Mailbox) *folder {
	dir, ok := plainDir(mb)
	if mb.Name == mail.Inbox {
		dir, ok = "", true
	}
	taken := fs.byDir[strings.ToLower(dir)]
	if !ok || taken != nil && (!taken.guessed || taken.dir != dir) {
		dir = slugDir(mb.Name)
		taken = fs.byDir[strings.ToLower(dir)]
	}
	if guess := fs.byName[mb.Name]; guess != nil && guess != taken {
		guess.Mailbox = mail.Mailbox{Name: guess.dir}
		fs.byName[guess.Name] = guess
		fs.change(guess)
	}
	f := taken
	if f == nil {
		f = &folder{dir: dir}
		fs.byDir[strings.ToLower(dir)] = f
	} else {
		delete(fs.byName, f.Name)
	}
	f.Mailbox, f.guessed, f.gone = mb, false, false
	fs.byName[mb.Name] = f
	fs.change(f)
	return f
}

// add takes f in, unless its mailbox or its directory is there already.
func (fs *folders) add(f *folder) bool {
	lower := strings.ToLower(f.dir)
	if fs.byName[f.Name] != nil || fs.byDir[lower] != nil {
		return false
	}
	fs.byName[f.Name], fs.byDir[lower] = f, f
	return true
}

// guess takes in a directory of which nothing else is known.
func (fs *folders) guess(dir string) *folder {
	f := &folder{Mailbox: guessName(dir), dir: dir, guessed: dir != ""}
	if fs.byName[f.Name] != nil {
		f.Mailbox = mail.Mailbox{Name: dir}
	}
	if !fs.add(f) {
		return nil
	}
	fs.change(f)
	return f
}

// byID returns the folders by their number in the ledger.
func (fs *folders) byID() map[int64]*folder {
	all := map[int64]*folder{}
	for _, f := range fs.all() {
		all[f.id] = f
	}
	return all
}

func (fs *folders) all() []*folder {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]*folder, 0, len(fs.byName))
	for _, f := range fs.byName {
		list = append(list, f)
	}
	return list
}
