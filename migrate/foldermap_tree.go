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

// giveRoles finds out what each folder is for. A role has one folder, that with the strongest evidence: what names
// itself Sent where another one is \Sent is a folder like others.
func (t *tree) giveRoles() {
	for i := range t.folders {
		f := &t.folders[i]
		t.judge(f)
		best := t.byRole[f.claims]
		if f.claims != mail.RoleNone && (best == nil || f.strength < best.strength) {
			t.byRole[f.claims] = f
		}
	}
	t.settleRoles()
}

// settleRoles gives the roles to the folders that byRole says.
func (t *tree) settleRoles() {
	for i := range t.folders {
		f := &t.folders[i]
		f.role, f.other = mail.RoleNone, ""
		if best := t.byRole[f.claims]; best == f || f.view() {
			f.role = f.claims
		} else if best != nil {
			f.other = best.text()
		}
	}
}

// yieldTo has, of several folders that may be it with equal right, the one be it that has the name of dst's.
func (t *tree) yieldTo(dst *tree) {
	for i := range t.folders {
		f := &t.folders[i]
		best, to := t.byRole[f.claims], dst.byRole[f.claims]
		if best != nil && to != nil && !f.view() && f.evidence == best.evidence && dst.key(f.bare) == dst.key(to.path) {
			t.byRole[f.claims] = f
		}
	}
	t.settleRoles()
}

// The strengths of what tells a role; within one, the usual word comes first.
const (
	bySpecialUse = 1000 * iota
	byProvider
	byWord
)

func (t *tree) judge(f *folder) {
	word := f.meaning()
	rank := 999
	switch {
	case mail.IsInbox(f.Name):
		f.claims, f.evidence, f.strength = mail.RoleInbox, "INBOX", 0
		return
	case f.Role != mail.RoleNone && f.Role != mail.RoleInbox:
		f.claims, f.evidence, f.strength = f.Role, "special use", bySpecialUse
	case t.provider.role(f.path) != mail.RoleNone:
		f.claims, f.evidence, f.strength = t.provider.role(f.path), "its name at "+t.provider.name, byProvider
	case word.role != mail.RoleNone:
		f.claims, f.evidence, f.strength = word.role, "its name ("+word.language+")", byWord
	}
	if word.role == f.claims {
		rank = word.rank
	}
	f.strength += rank
}

// meaning is what its name says, if it is one of the account's own: "Work/Sent" is somebody's folder like others.
func (f *folder) meaning() meaning {
	switch {
	case len(f.bare) == 1:
		return meanings[wordKey(f.bare[0])]
	case len(f.bare) == 2 && mail.IsInbox(f.bare[0]):
		return meanings[wordKey(f.bare[1])]
	}
	return meaning{}
}

// view reports whether the mail in it is that of other folders.
func (f *folder) view() bool {
	return f.claims == mail.RoleAll || f.claims == mail.RoleFlagged || f.claims == mail.RoleImportant
}

// text is the name as people read it.
func (f *folder) text() string { return strings.Join(f.levels, separatorOf(f.Delim)) }

// withRole returns the folder of the tree that has the role of f, a folder of another tree. Of several that may be
// it with equal right it is the one with f's name.
func (t *tree) withRole(f *folder) *folder {
	best := t.byRole[f.role]
	if f.role == mail.RoleNone || best == nil {
		return nil
	}
	if same := t.byPath[t.key(f.bare)]; same != nil && same.claims == f.role && same.evidence == best.evidence {
		return same
	}
	return best
}

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
