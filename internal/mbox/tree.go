package mbox

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A survey is what can only be told of all files together.
type survey struct {
	files    int
	msf      bool
	takeout  bool
	apple    bool
	maildirs bool
	accounts map[string]bool // directories of accounts in a profile of Thunderbird
	links    int
	locked   []string
}

// look goes through the names of all files.
func (p *Pile) look() error {
	s := &p.survey
	s.accounts = map[string]bool{}
	err := p.each(func(f *file) error {
		s.see(f.name)
		if dir := path.Dir(f.name); isMaildirPart(path.Base(dir)) {
			s.maildirs = s.maildirs || p.isMaildir(path.Dir(dir))
		}
		if s.files++; s.files > maxFiles {
			return fmt.Errorf("there are more than %d files", maxFiles)
		}
		p.Octets += f.size
		return nil
	})
	p.Links = s.links
	p.Kind = s.kind()
	for _, name := range s.locked {
		p.Notes = append(p.Notes, name+": a mail program may be running; close it, or import again afterwards")
	}
	return err
}

// link takes in a symbolic link. Thunderbird keeps one of that name as long as it runs.
func (s *survey) link(name string) {
	s.links++
	if name == "lock" {
		s.locked = append(s.locked, name)
	}
}

func (s *survey) see(name string) {
	base := path.Base(name)
	switch {
	case strings.HasSuffix(base, ".msf"):
		s.msf = true
		s.accounts[accountOf(name)] = true
	case strings.HasSuffix(base, ".emlx"):
		s.apple = true
	case strings.HasPrefix(base, "All mail Including Spam and Trash"):
		s.takeout = true
	case base == "lock" || base == "parent.lock" || strings.HasSuffix(base, ".lock"):
		if len(s.locked) < 5 {
			s.locked = append(s.locked, name)
		}
	}
}

func (s *survey) kind() string {
	switch {
	case s.msf:
		return "folders of Thunderbird"
	case s.takeout:
		return "Google Takeout"
	case s.apple:
		return "mail of Apple Mail"
	case s.maildirs:
		return "Maildir"
	}
	return "files of mail"
}

// accountOf returns the part of a path that names an account in a profile of Thunderbird: Mail/Local Folders,
// ImapMail/imap.example.org; "" beyond a profile.
func accountOf(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		if (p == "Mail" || p == "ImapMail") && len(parts) > i+2 {
			return strings.Join(parts[:i+2], "/")
		}
	}
	return ""
}

// folderOf returns the folder that a file's place says.
func (p *Pile) folderOf(name string, k kind) Folder {
	if k == oneMaildir {
		if f, ok := p.archivedAs(path.Dir(path.Dir(name))); ok {
			return p.beneath(f)
		}
	}
	levels := p.levels(name, k)
	if len(p.Beneath) > 0 {
		if p.alone || len(levels) == 1 && levels[0] == p.Name {
			levels = nil
		}
		return p.beneath(Folder{Levels: levels})
	}
	f := Folder{Levels: levels}
	if len(levels) == 1 {
		f.Role = roleWords[strings.ToLower(levels[0])]
	}
	if f.Role == mail.RoleInbox {
		f.Levels = []string{mail.Inbox}
	} else if roleWords[strings.ToLower(levels[0])] == mail.RoleInbox {
		f.Levels = append([]string{mail.Inbox}, levels[1:]...)
	}
	return f
}

// roleWords are what programs call the folders that everybody has; names in other languages are understood when they are
// brought to an account.
var roleWords = map[string]mail.Role{"inbox": mail.RoleInbox, "sent": mail.RoleSent, "sent messages": mail.RoleSent, "sent items": mail.RoleSent,
	"drafts": mail.RoleDrafts, "trash": mail.RoleTrash, "deleted messages": mail.RoleTrash, "deleted items": mail.RoleTrash,
	"junk": mail.RoleJunk, "spam": mail.RoleJunk, "archive": mail.RoleArchive, "archives": mail.RoleArchive}

func (p *Pile) levels(name string, k kind) []string {
	dir := path.Dir(name)
	if k == oneMaildir {
		return p.maildirLevels(path.Dir(dir))
	}
	if account := accountOf(name); account != "" && p.survey.msf {
		dir = path.Clean(strings.TrimPrefix(strings.TrimPrefix(dir, account), "/"))
		if len(p.survey.accounts) > 1 {
			dir = path.Join(path.Base(account), dir)
		}
	}
	var levels []string
	for _, level := range strings.Split(dir, "/") {
		level = strings.TrimSuffix(level, ".sbd")
		if k == oneEMLX && isAppleInner(level) || level == "." || level == "" {
			continue
		}
		levels = append(levels, stem(level))
	}
	base := path.Base(name)
	switch {
	case k == oneMbox && base == "mbox" && len(levels) > 0: // as Apple Mail exports a mailbox
	case k == oneMbox:
		levels = append(levels, stem(base))
	}
	if len(levels) == 0 {
		return []string{p.Name}
	}
	return levels
}

var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$`)

// isAppleInner reports whether a directory is one of those in which Apple Mail keeps the messages of a mailbox.
func isAppleInner(level string) bool {
	return level == "Messages" || level == "Data" || len(level) == 1 && level[0] >= '0' && level[0] <= '9' || uuid.MatchString(level) ||
		len(level) <= 3 && level[0] == 'V' && strings.Trim(level[1:], "0123456789") == ""
}

func isMaildirPart(name string) bool { return name == "cur" || name == "new" || name == "tmp" }

// isMaildir reports whether a directory is one: people call directories "new" too. A zip file may have lost those that
// are empty.
func (p *Pile) isMaildir(dir string) bool {
	if is, asked := p.maildir[dir]; asked {
		return is
	}
	parts := 0
	for _, part := range []string{"cur", "new", "tmp"} {
		if p.isDir(path.Join(dir, part)) {
			parts++
		}
	}
	p.maildir[dir] = parts >= 2 && p.isDir(path.Join(dir, "cur"))
	return p.maildir[dir]
}

// maildirLevels returns the levels of the Maildir in a directory: dots before and between them as in Maildir++, or
// directories in each other.
func (p *Pile) maildirLevels(dir string) []string {
	if dir == "." {
		return []string{mail.Inbox}
	}
	var levels []string
	for _, part := range strings.Split(dir, "/") {
		if rest, ok := strings.CutPrefix(part, "."); ok {
			for level := range strings.SplitSeq(rest, ".") {
				levels = append(levels, mail.NameText(level))
			}
			continue
		}
		levels = append(levels, part)
	}
	levels = slices.DeleteFunc(levels, func(l string) bool { return l == "" })
	if len(levels) == 0 {
		return []string{p.Name}
	}
	return levels
}

// archivedAs returns the folder that a Maildir is in an archive of ours.
func (p *Pile) archivedAs(dir string) (Folder, bool) {
	root, last := path.Split(dir)
	f, ok := p.foldersOf(path.Clean(root))[last]
	return f, ok && dir != "."
}

const maxFoldersJSON = 64 << 20

// foldersOf returns what an archive of ours in that directory says of its folders, by the names of their directories.
func (p *Pile) foldersOf(root string) map[string]Folder {
	if names := p.archives[root]; names != nil {
		return names
	}
	names := map[string]Folder{}
	p.archives[root] = names
	in, err := p.side(path.Join(root, "mailhaul/folders.json"))
	if err != nil {
		return names
	}
	defer in.Close()
	var said struct {
		Folders []struct {
			Dir, Name, Delimiter string
			Raw                  []byte `json:"raw_name"`
			Role                 mail.Role
		}
	}
	if json.NewDecoder(io.LimitReader(in, maxFoldersJSON)).Decode(&said) != nil {
		return names
	}
	for _, f := range said.Folders {
		if len(f.Raw) > 0 {
			f.Name = string(f.Raw)
		}
		names[f.Dir] = Folder{Levels: LevelsOf(f.Name, f.Delimiter), Role: f.Role}
	}
	return names
}

// maildirFlags returns the flags in a file's name, and the keywords that Dovecot has letters for.
func (p *Pile) maildirFlags(name string) mail.Flags {
	base := path.Base(name)
	i := strings.LastIndexAny(base, ":;")
	if i < 0 || !strings.HasPrefix(base[i+1:], "2,") {
		return nil
	}
	letters := base[i+3:]
	var names []string
	for _, f := range mail.MaildirFlags(letters) {
		names = append(names, string(f))
	}
	words := p.keywordsAt(path.Dir(path.Dir(name)))
	for _, c := range letters {
		if c >= 'a' && c <= 'z' && words[c-'a'] != "" {
			names = append(names, words[c-'a'])
		}
	}
	return mail.MakeFlags(names...)
}

// A lettering is what the letters in the file names of one Maildir stand for.
type lettering struct {
	dir   string
	words [26]string
}

// keywordsAt reads dovecot-keywords: a number, from 0 for a, and a keyword a line.
func (p *Pile) keywordsAt(dir string) [26]string {
	if p.letters != nil && p.letters.dir == dir {
		return p.letters.words
	}
	p.letters = &lettering{dir: dir}
	in, err := p.side(path.Join(dir, "dovecot-keywords"))
	if err != nil {
		return p.letters.words
	}
	defer in.Close()
	lines := bufio.NewScanner(io.LimitReader(in, 64<<10))
	for lines.Scan() {
		number, word, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < 26 && isKeyword(word) {
			p.letters.words[n] = word
		}
	}
	return p.letters.words
}
