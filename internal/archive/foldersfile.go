package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

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
	// As in mail.Mailbox.
	NoSelect   bool `json:"no_select,omitempty"`
	Subscribed bool `json:"subscribed,omitempty"`
	Gone       bool `json:"gone,omitempty"` // the source shows it no more
}

func folderToJSON(f *folder) folderJSON {
	j := folderJSON{Dir: f.dir, Name: f.Name, Role: f.Role, NoSelect: f.NoSelect, Subscribed: f.Subscribed, Gone: f.gone}
	if f.Delim != 0 {
		j.Delim = string(f.Delim)
	}
	if !utf8.ValidString(f.Name) {
		j.Raw = []byte(f.Name)
	}
	return j
}

func (j folderJSON) folder() *folder {
	f := &folder{Mailbox: mail.Mailbox{Name: j.Name, Role: j.Role, NoSelect: j.NoSelect, Subscribed: j.Subscribed}, dir: j.Dir, gone: j.Gone}
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
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // there is an & in every name that is not ASCII
	enc.SetIndent("", " ")
	err := enc.Encode(foldersJSON{Version: 1, Account: a.accountJSON(), Folders: list})
	if err == nil {
		err = a.replace(foldersFile, text.Bytes())
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
	if !fs.fresh {
		return nil, false
	}
	list := []folderJSON{}
	for _, f := range fs.byName {
		if !f.guessed {
			list = append(list, folderToJSON(f))
		}
	}
	slices.SortFunc(list, func(x, y folderJSON) int { return strings.Compare(x.Dir, y.Dir) })
	fs.fresh = false
	return list, true
}
