package migrate

import (
	"slices"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A provider is what is known of an account's server beyond what it says itself.
type provider struct {
	name  string
	hosts []string // the domains of its servers
	// knows tells the provider by its mailboxes, where the host says nothing; nil: it cannot be told.
	knows func(t *tree) bool
	// within are the levels in which it keeps its own folders, or all of them.
	within []string
	// newIn is the level that new folders must be in.
	newIn string
	// roles are folders of which it does not always tell the special use, by path.
	roles map[string]mail.Role
	// labels is the level beneath which folders are views.
	labels string
	// foldsCase: names that differ in case only are one.
	foldsCase bool
	// mends give a level the form that the server takes.
	mends []mend
}

// A mend is one thing that a server does not take in a name.
type mend struct {
	why string // "Gmail takes no ^ in a name"
	top bool   // at the top only
	do  func(level string) string
}

var providers = []provider{
	{
		// imapsync's FAQ.Gmail: "Folder contains excess whitespace" and no ^; [Gmail] is where its own folders are.
		name: "Gmail", hosts: []string{"gmail.com", "googlemail.com"}, knows: hasGmail,
		within: gmailLevels,
		mends: []mend{
			{why: "Gmail takes no blanks at the ends of a name or several in a row", do: fewBlanks},
			{why: "Gmail takes no ^ in a name", do: func(s string) string { return strings.ReplaceAll(s, "^", substitute) }},
			{why: "Gmail keeps the name for itself", top: true, do: notGmails},
		},
	},
	{
		// imapsync's FAQ.Office365: "Folder name is reserved"; its issues 154 and 247: a blank at an end gets lost.
		name: "Microsoft", hosts: []string{"office365.com", "outlook.com", "hotmail.com", "live.com", "office.com"},
		foldsCase: true,
		roles: map[string]mail.Role{"Sent Items": mail.RoleSent, "Deleted Items": mail.RoleTrash, "Junk Email": mail.RoleJunk,
			"Junk E-mail": mail.RoleJunk, "Drafts": mail.RoleDrafts, "Archive": mail.RoleArchive},
		mends: []mend{
			{why: "Microsoft loses blanks at the ends of a name", do: strings.TrimSpace},
			{why: "Microsoft keeps the name for itself", do: notFiles},
		},
	},
	{
		name: "Yahoo", hosts: []string{"yahoo.com", "yahoo.co.jp", "aol.com", "yahoodns.net"},
		roles: map[string]mail.Role{"Bulk": mail.RoleJunk, "Bulk Mail": mail.RoleJunk, "Draft": mail.RoleDrafts, "Sent": mail.RoleSent,
			"Trash": mail.RoleTrash, "Archive": mail.RoleArchive},
	},
	{
		// Its LIST tells no special use at all (nextcloud/mail issue 3401).
		name: "iCloud", hosts: []string{"me.com", "icloud.com", "mac.com"},
		roles: map[string]mail.Role{"Sent Messages": mail.RoleSent, "Deleted Messages": mail.RoleTrash, "Junk": mail.RoleJunk,
			"Drafts": mail.RoleDrafts, "Archive": mail.RoleArchive},
	},
	{
		// The Bridge shows each message in All Mail, and again in each of its labels; folders are in Folders.
		name: "Proton", hosts: []string{"proton.me", "protonmail.com"}, knows: hasProton,
		within: []string{"Folders"}, newIn: "Folders", labels: "Labels",
		roles: map[string]mail.Role{"All Mail": mail.RoleAll, "Starred": mail.RoleFlagged, "Spam": mail.RoleJunk, "Sent": mail.RoleSent,
			"Drafts": mail.RoleDrafts, "Trash": mail.RoleTrash, "Archive": mail.RoleArchive},
	},
}

var gmailLevels = []string{"[Gmail]", "[Google Mail]"}

// unknown is a provider of which nothing is known.
var unknown = provider{}

// providerOf tells the provider by the host, or by its mailboxes.
func providerOf(host string, t *tree) *provider {
	for i, p := range providers {
		if slices.ContainsFunc(p.hosts, func(domain string) bool { return mail.InDomain(host, domain) }) {
			return &providers[i]
		}
	}
	for i, p := range providers {
		if p.knows != nil && p.knows(t) {
			return &providers[i]
		}
	}
	return &unknown
}

// hasGmail: only Gmail has a view of all mail in [Gmail]. Other accounts may have a folder of that name, from somebody's
// earlier move.
func hasGmail(t *tree) bool {
	return slices.ContainsFunc(t.folders, func(f folder) bool {
		return f.Role == mail.RoleAll && len(f.levels) == 2 && slices.Contains(gmailLevels, f.levels[0])
	})
}

func hasProton(t *tree) bool {
	all, inside := false, false
	for _, f := range t.folders {
		all = all || f.Name == "All Mail"
		inside = inside || len(f.levels) > 1 && (f.levels[0] == "Folders" || f.levels[0] == "Labels")
	}
	return all && inside
}

// role returns what the provider has a folder for, none if that is not known.
func (p *provider) role(path []string) mail.Role {
	if p.labels != "" && len(path) > 1 && path[0] == p.labels {
		return mail.RoleFlagged // a view of some messages, as \Flagged is
	}
	if len(path) == 1 {
		return p.roles[path[0]]
	}
	return mail.RoleNone
}

func fewBlanks(s string) string { return strings.Join(strings.Fields(s), " ") }

func notGmails(s string) string {
	for _, level := range gmailLevels {
		if strings.EqualFold(s, level) {
			return strings.Trim(s, "[]")
		}
	}
	return s
}

func notFiles(s string) string {
	if strings.EqualFold(s, "Files") {
		return s + substitute
	}
	return s
}
