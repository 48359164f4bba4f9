package mbox

import (
	"mime"
	"strings"
	"unicode"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	maxLabels = 100 // of a message; Gmail has 10,000 in all
	maxLabel  = 225 // characters Gmail allows
)

// SplitLabels takes the value of X-Gmail-Labels apart: encoded words (RFC 2047), commas, and quotes around labels that
// hold one.
func SplitLabels(value string) (labels []string) {
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		text = value
	}
	var label strings.Builder
	quoted := false
	end := func() {
		if s := strings.TrimSpace(label.String()); s != "" && len(labels) < maxLabels {
			labels = append(labels, s)
		}
		label.Reset()
	}
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			label.WriteRune(r)
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			end()
		default:
			label.WriteRune(r)
		}
	}
	end()
	return labels
}

// A Folder is where a message belongs, as its levels from the top.
type Folder struct {
	Levels []string
	Role   mail.Role
}

// Filing is what the labels of a message say.
type Filing struct {
	Folders []Folder
	Flags   mail.Flags
}

// File turns labels into folders and flags. Labels of Gmail's own are in the language of the account; what a folder is
// for is told by its role, and its name stays the person's. One that is in no folder else goes to the one for archived
// mail, and what is in the trash or is spam is nowhere else, whatever labels it has kept.
func File(labels []string) Filing {
	var f filer
	for _, l := range labels {
		f.take(l)
	}
	if !f.unread {
		f.flags = append(f.flags, string(mail.Seen))
	}
	switch {
	case len(f.gone) > 0:
		f.folders = f.gone[:1]
	case len(f.folders) == 0:
		f.folders = []Folder{f.archived}
		if len(f.archived.Levels) == 0 {
			f.folders = []Folder{{[]string{"Archive"}, mail.RoleArchive}}
		}
	}
	return Filing{f.folders, mail.MakeFlags(f.flags...)}
}

type filer struct {
	folders, gone []Folder
	archived      Folder
	flags         []string
	unread        bool
}

func (f *filer) take(label string) {
	folder := Folder{Levels: []string{label}}
	switch meaningOf(label) {
	case meansInbox:
		f.add(Folder{[]string{mail.Inbox}, mail.RoleInbox})
	case meansSent:
		folder.Role = mail.RoleSent
		f.add(folder)
	case meansDraft:
		folder.Role = mail.RoleDrafts
		f.add(folder)
		f.flags = append(f.flags, string(mail.Draft))
	case meansTrash:
		folder.Role = mail.RoleTrash
		f.gone = append(f.gone, folder)
	case meansSpam:
		folder.Role = mail.RoleJunk
		f.gone = append(f.gone, folder)
	case meansArchived:
		folder.Role = mail.RoleArchive
		f.archived = folder
	case meansStarred:
		f.flags = append(f.flags, string(mail.Flagged))
	case meansImportant:
		f.flags = append(f.flags, "$Important") // RFC 8457
	case meansUnread:
		f.unread = true
	case meansNothing: // Opened, and the tabs of the inbox
	default:
		f.own(label)
	}
}

// own takes a label that the person has made, or that a mail program has made of a keyword.
func (f *filer) own(label string) {
	if k, ok := strings.CutPrefix(label, "IMAP_"); ok && isKeyword(k) {
		f.flags = append(f.flags, k)
		return
	}
	var levels []string
	for level := range strings.SplitSeq(label, "/") {
		if level = strings.TrimSpace(level); level != "" {
			levels = append(levels, level)
		}
	}
	if len(levels) > 0 {
		f.add(Folder{Levels: levels})
	}
}

func (f *filer) add(folder Folder) {
	for _, g := range f.folders {
		if g.Role == folder.Role && strings.Join(g.Levels, "/") == strings.Join(folder.Levels, "/") {
			return
		}
	}
	f.folders = append(f.folders, folder)
}

// labelKey makes labels comparable: case, blanks of all kinds, joiners and signs do not count.
func labelKey(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) {
			return unicode.ToLower(r)
		}
		return -1
	}, label)
}

func meaningOf(label string) labelMeaning {
	key := labelKey(label)
	if m, ok := labelMeanings[key]; ok {
		return m
	}
	for _, c := range categoryWords {
		if rest, ok := strings.CutPrefix(key, c); ok && rest != "" && len(label) <= maxLabel && isCategory(label) {
			return meansNothing
		}
	}
	return meansFolder
}

// isCategory reports whether a label is written as Gmail writes its tabs: "Category Updates" in English, with a colon
// or quotes elsewhere. A folder called "Kategorien" is a person's.
func isCategory(label string) bool {
	return strings.HasPrefix(label, "Category ") || strings.ContainsAny(label, ":：\"“„«「") || strings.ContainsRune(label, '\u00a0')
}
