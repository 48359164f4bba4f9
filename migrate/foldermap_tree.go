package migrate

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A tree is a Tree as it is understood.
type tree struct {
	provider   *provider
	delim      rune
	prefix     []string // the levels of the namespace that are before every name but INBOX
	wirePrefix []string // the same, as they go over the wire
	folders    []folder // in the order of the listing, but for those that hold no mail
	byName     map[string]*folder
	byPath     map[string]*folder // by key of path
	byRole     map[mail.Role]*folder
}

// A folder is one mailbox of a tree.
type folder struct {
	mail.Mailbox
	levels []string // of its name, as people read them
	path   []string // the levels without the namespace
	bare   []string // the path without the level in which a provider keeps what is its own
	off    string   // what bare lacks, for a person

	claims   mail.Role // what it would be, if no other were it
	role     mail.Role // what it is
	evidence string    // what says so
	strength int       // of the evidence, the less the stronger
	other    string    // the folder that has the role instead
}

// roleName is what people call the folders.
var roleName = map[mail.Role]string{mail.RoleInbox: "INBOX", mail.RoleSent: "Sent", mail.RoleDrafts: "Drafts", mail.RoleJunk: "Junk",
	mail.RoleTrash: "Trash", mail.RoleArchive: "Archive", mail.RoleAll: "All Mail", mail.RoleFlagged: "Flagged", mail.RoleImportant: "Important"}

func survey(from Tree) *tree {
	t := &tree{byName: make(map[string]*folder), byPath: make(map[string]*folder), byRole: make(map[mail.Role]*folder)}
	t.delim = delimiter(from.Namespace.Delim)
	for _, mb := range from.Mailboxes {
		// The INBOX may have no separator where the other mailboxes have one (RFC 9051 §6.3.9).
		if t.delim == 0 {
			t.delim = delimiter(mb.Delim)
		}
	}
	for _, mb := range from.Mailboxes {
		if mb.Delim = delimiter(mb.Delim); !mb.NoSelect {
			t.folders = append(t.folders, folder{Mailbox: mb, levels: levelsOf(mb)})
		}
	}
	t.wirePrefix = t.prefixOf(from.Namespace)
	for _, level := range t.wirePrefix {
		t.prefix = append(t.prefix, mail.NameText(level))
	}
	t.provider = providerOf(from.Host, t)
	for i := range t.folders {
		t.enter(&t.folders[i])
	}
	t.giveRoles()
	return t
}

// delimiter returns what separates levels. A letter or what cannot be said does not, whatever a server says.
func delimiter(r rune) rune {
	if r > ' ' && r < 0x7f && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return r
	}
	return 0
}

func wireLevels(mb mail.Mailbox) []string {
	if mb.Delim == 0 {
		return []string{mb.Name}
	}
	return strings.Split(mb.Name, string(mb.Delim))
}

// levelsOf returns the levels of a name as people read them.
func levelsOf(mb mail.Mailbox) []string {
	levels := wireLevels(mb)
	for i, level := range levels {
		levels[i] = mail.NameText(level)
	}
	return levels
}

// textOf returns a name as people read it.
func textOf(mb mail.Mailbox) string { return strings.Join(levelsOf(mb), separatorOf(mb.Delim)) }

// prefixOf returns the levels of the namespace, as they go over the wire. Where the server does not say, it is that of Courier and Cyrus if all
// names but INBOX begin with "INBOX" and the delimiter.
func (t *tree) prefixOf(ns mail.Namespace) []string {
	if ns != (mail.Namespace{}) {
		name := strings.TrimSuffix(ns.Prefix, separatorOf(t.delim))
		if name == "" || t.delim == 0 || strings.ContainsFunc(name, unicode.IsControl) {
			return nil
		}
		return wireLevels(mail.Mailbox{Name: name, Delim: t.delim})
	}
	within := 0
	for _, f := range t.folders {
		switch {
		case len(f.levels) > 1 && mail.IsInbox(f.levels[0]):
			within++
		case !mail.IsInbox(f.Name) && !strings.HasPrefix(f.Name, "#") && !slices.Contains(shared, strings.ToLower(f.levels[0])):
			return nil
		}
	}
	if within == 0 {
		return nil
	}
	return []string{mail.Inbox}
}

// shared are what servers call the places of mailboxes that are not the account's own (RFC 2342).
var shared = []string{"shared", "user", "public", "other users", "shared folders", "public folders"}

// enter takes the path apart and makes the folder known.
func (t *tree) enter(f *folder) {
	f.path = f.levels
	if mail.IsInbox(f.Name) {
		f.Name, f.path = mail.Inbox, []string{mail.Inbox}
	} else if n := len(t.prefix); n > 0 && len(f.levels) > n && t.key(f.levels[:n]) == t.key(t.prefix) {
		f.path = f.levels[n:]
		f.off = strings.Join(f.levels[:n], string(t.delim)) + string(t.delim)
	}
	f.bare = f.path
	if len(f.path) > 1 && slices.Contains(t.provider.within, f.path[0]) {
		f.bare = f.path[1:]
		f.off += f.path[0] + string(t.delim)
	}
	if t.byName[f.Name] == nil {
		t.byName[f.Name] = f
	}
	if key := t.key(f.path); t.byPath[key] == nil {
		t.byPath[key] = f
	}
}

// text is the name as people read it.
func (f *folder) text() string { return strings.Join(f.levels, separatorOf(f.Delim)) }

func (t *tree) has(name string) bool { return t.byName[name] != nil }

// key returns the same for paths that are one at this account.
func (t *tree) key(levels []string) string {
	keys := make([]string, len(levels))
	for i, level := range levels {
		if keys[i] = nameKey(level); t.provider != nil && t.provider.foldsCase {
			keys[i] = foldedKey(level)
		}
		if i == 0 && mail.IsInbox(level) {
			keys[i] = mail.Inbox
		}
	}
	return strings.Join(keys, "\x00")
}

// split returns the levels of a name of this account.
func (t *tree) split(name string) []string { return levelsOf(mail.Mailbox{Name: name, Delim: t.delim}) }
