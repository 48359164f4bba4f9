package archive

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A folder is a mailbox and its place in the archive.
type folder struct {
	mail.Mailbox
	id      int64  // in the ledger; 0: not there yet
	dir     string // below the archive's directory; "" for the INBOX
	guessed bool   // the name was made of the directory's
	made    bool   // the directories are there
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
	if f.Mailbox != mb && (mb.Delim != 0 || mb.Role != mail.RoleNone) {
		f.Delim, f.Role = mb.Delim, mb.Role
		fs.change(f)
	}
	return f
}

// inbox returns the folder that every archive has.
func (fs *folders) inbox() *folder {
	return fs.of(mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox})
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
func (fs *folders) changes() map[*folder]mail.Mailbox {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make(map[*folder]mail.Mailbox, len(fs.changed))
	for f := range fs.changed {
		list[f] = f.Mailbox
	}
	clear(fs.changed)
	return list
}

// keep takes changes back that the ledger could not be told.
func (fs *folders) keep(changed map[*folder]mail.Mailbox) {
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
	f.Mailbox, f.guessed = mb, false
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

func (fs *folders) all() []*folder {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]*folder, 0, len(fs.byName))
	for _, f := range fs.byName {
		list = append(list, f)
	}
	return list
}

const (
	foldersFile = "mailhaul/folders.json"
	maxFolders  = 64 << 20 // octets of folders.json
)

// foldersJSON is what is needed to make the ledger again and stands in no file name.
type foldersJSON struct {
	Version int          `json:"version"`
	Account *accountJSON `json:"account,omitempty"`
	Folders []folderJSON `json:"folders"`
}

type accountJSON struct {
	Protocol string       `json:"protocol"`
	Host     string       `json:"host"`
	User     string       `json:"user"`
	Moved    *accountJSON `json:"moved_to,omitempty"`
}

type folderJSON struct {
	Dir   string    `json:"dir"`
	Name  string    `json:"name"`
	Raw   []byte    `json:"raw_name,omitempty"` // Name, if it is not UTF-8
	Delim string    `json:"delimiter,omitempty"`
	Role  mail.Role `json:"role,omitempty"`
}

func folderToJSON(f *folder) folderJSON {
	j := folderJSON{Dir: f.dir, Name: f.Name, Role: f.Role}
	if f.Delim != 0 {
		j.Delim = string(f.Delim)
	}
	if !utf8.ValidString(f.Name) {
		j.Raw = []byte(f.Name)
	}
	return j
}

func (j folderJSON) folder() *folder {
	f := &folder{Mailbox: mail.Mailbox{Name: j.Name, Role: j.Role}, dir: j.Dir}
	if len(j.Raw) > 0 {
		f.Name = string(j.Raw)
	}
	f.Delim, _ = utf8.DecodeRuneInString(j.Delim)
	if j.Delim == "" {
		f.Delim = 0
	}
	return f
}

// isFolderDir reports whether dir can be the directory of a folder: folders.json may have been in other hands.
func isFolderDir(dir string) bool {
	return dir == "" || strings.HasPrefix(dir, ".") && strings.Trim(dir, ".") != "" && !strings.ContainsAny(dir, "/\\\x00")
}

// readFolders returns what folders.json says. None is no error; one that cannot be understood is errFolders.
func (a *Archive) readFolders() (foldersJSON, error) {
	var j foldersJSON
	f, err := a.root.Open(foldersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, diskError("read", foldersFile, err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxFolders)).Decode(&j); err != nil {
		return foldersJSON{}, errFolders
	}
	return j, nil
}

var errFolders = errors.New("cannot be understood")

// writeFolders puts folders.json anew in its place, whole or not at all, if it does not say all there is to say.
func (a *Archive) writeFolders() error {
	list, fresh := a.folders.takeFresh()
	if !fresh {
		return nil
	}
	text, err := json.MarshalIndent(foldersJSON{Version: 1, Account: a.accountJSON(), Folders: list}, "", " ")
	if err == nil {
		err = a.replace(foldersFile, append(text, '\n'))
	}
	if err != nil {
		a.folders.mu.Lock()
		a.folders.fresh = true
		a.folders.mu.Unlock()
	}
	return err
}

// takeFresh returns what is to stand in folders.json, and whether it does not yet.
func (fs *folders) takeFresh() ([]folderJSON, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := []folderJSON{}
	for _, f := range fs.byName {
		if !f.guessed {
			list = append(list, folderToJSON(f))
		}
	}
	slices.SortFunc(list, func(x, y folderJSON) int { return strings.Compare(x.Dir, y.Dir) })
	fresh := fs.fresh
	fs.fresh = false
	return list, fresh
}

// replace writes the file durably beside its place, and then into it.
func (a *Archive) replace(path string, text []byte) error {
	tmp := path + ".tmp"
	if err := a.writeFile(tmp, text); err != nil {
		_ = a.act("remove", tmp, func() error { return a.root.Remove(tmp) })
		return err
	}
	if err := a.act("rename", path, func() error { return a.root.Rename(tmp, path) }); err != nil {
		return err
	}
	return a.syncDir(path[:strings.LastIndexByte(path, '/')])
}

func (a *Archive) writeFile(path string, text []byte) error {
	var f *os.File
	err := a.act("create", path, func() (err error) {
		f, err = a.root.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	err = a.act("write", path, func() error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	return a.act("sync", path, f.Sync)
}
