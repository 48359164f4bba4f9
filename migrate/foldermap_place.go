package migrate

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// substitute stands for what a destination does not take in a name.
const substitute = "_"

// place returns the mailbox at that path beneath the namespace: the one that is there, or one to be made. The notes say
// what of the path was changed.
func (t *tree) place(levels []string) (mail.Mailbox, []string) {
	path, notes := t.mendAll(levels)
	switch {
	case len(path) > 1 && len(t.prefix) == 1 && mail.IsInbox(t.prefix[0]) && mail.IsInbox(path[0]):
		path = path[1:] // "INBOX.a" is what a folder a in the INBOX is called there
	case len(path) > 1 && t.delim == 0:
		joined := strings.Join(path, substitute)
		path, notes = []string{joined}, append(notes, fmt.Sprintf("the destination has no folders within folders: %q", joined))
	}
	if len(path) == 1 && mail.IsInbox(path[0]) {
		return mail.Mailbox{Name: mail.Inbox, Delim: t.delim, Role: mail.RoleInbox}, notes
	}
	if f := t.byPath[t.key(path)]; f != nil {
		return f.Mailbox, append(notes, t.spelling(f, path)...)
	}
	if in := t.provider.newIn; in != "" && t.delim != 0 && path[0] != in {
		path = append([]string{in}, path...)
		notes = append(notes, fmt.Sprintf("new folders are in %s at %s", in, t.provider.name))
		if f := t.byPath[t.key(path)]; f != nil {
			return f.Mailbox, append(notes, t.spelling(f, path)...)
		}
	}
	return mail.Mailbox{Name: t.wire(path), Delim: t.delim}, notes
}

// spelling notes that the mailbox that is there is written in another way.
func (t *tree) spelling(f *folder, path []string) []string {
	if slices.Equal(f.path, path) {
		return nil
	}
	return []string{fmt.Sprintf("the destination writes it %q", f.text())}
}

// wire returns the name at that path beneath the namespace, as it goes over the wire.
func (t *tree) wire(path []string) string {
	levels := slices.Clone(t.wirePrefix)
	for _, level := range path {
		levels = append(levels, mail.EncodeUTF7(level))
	}
	return strings.Join(levels, separatorOf(t.delim))
}

func separatorOf(delim rune) string {
	if delim == 0 {
		return ""
	}
	return string(delim)
}

// mendAll gives a path a form that the destination takes; one that is there has it.
func (t *tree) mendAll(levels []string) (path, notes []string) {
	if t.byPath[t.key(levels)] != nil {
		return levels, nil
	}
	for _, level := range levels {
		if level == "" {
			notes = append(notes, "a level without a name is left out")
			continue
		}
		mended, why := t.mend(level, len(path) == 0)
		path, notes = append(path, mended), append(notes, why...)
	}
	if len(path) == 0 {
		path, notes = []string{"Unnamed"}, append(notes, "a folder must have a name")
	}
	return path, notes
}

// mend gives a level a form that the destination takes.
func (t *tree) mend(level string, top bool) (mended string, notes []string) {
	mended = level
	for _, m := range append(t.mends(), t.provider.mends...) {
		if m.top && !top {
			continue
		}
		to := m.do(mended)
		if to == "" {
			to = substitute
		}
		if to != mended {
			notes = append(notes, fmt.Sprintf("%s: %q becomes %q", m.why, mended, to))
			mended = to
		}
	}
	return mended, notes
}

// mends are those that hold whoever the provider is.
func (t *tree) mends() []mend {
	sub := '_'
	if t.delim == sub {
		sub = '-'
	}
	return []mend{
		{why: "control characters have no place in a name",
			do: replacing(sub, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })},
		{why: fmt.Sprintf("%q separates folders there", t.delim),
			do: replacing(sub, func(r rune) bool { return r == t.delim && r != 0 })},
		// Courier and Cyrus say "Invalid mailbox name", and Dovecot has no place for it in a Maildir.
		{why: "servers with folders like a.b take no / in a name",
			do: replacing(sub, func(r rune) bool { return r == '/' && t.delim == '.' })},
		{why: fmt.Sprintf("%q separates folders there, and letters that are not ASCII may need it", t.delim), do: func(level string) string {
			if t.delim == 0 || !strings.ContainsRune(mail.EncodeUTF7(level), t.delim) {
				return level
			}
			return replacing(sub, func(r rune) bool { return r >= utf8.RuneSelf || r == '&' })(level)
		}},
	}
}

func replacing(sub rune, odd func(rune) bool) func(string) string {
	return func(s string) string {
		return strings.Map(func(r rune) rune {
			if odd(r) {
				return sub
			}
			return r
		}, s)
	}
}

// parse returns the path that a person means by a name at this account: with or without the namespace, and with the
// account's delimiter or / between the levels.
func (t *tree) parse(name string) []string {
	if f := t.byText(name); f != nil {
		return f.path
	}
	return t.unprefixed(strings.Split(t.separated(name), "\x00"))
}

// read is parse for a name as this account writes it, in which / may be a letter like others.
func (t *tree) read(name string) []string {
	if t.delim == '/' || t.delim == '.' || t.byText(name) != nil {
		return t.parse(name)
	}
	if t.delim == 0 {
		return []string{name}
	}
	return t.unprefixed(strings.Split(name, string(t.delim)))
}

// byText returns the folder that is written so, or nil.
func (t *tree) byText(name string) *folder {
	for i, f := range t.folders {
		if f.text() == name || f.Name == name {
			return &t.folders[i]
		}
	}
	return nil
}

// separated puts NUL between the levels of a name that a person wrote.
func (t *tree) separated(name string) string {
	if t.delim != 0 {
		name = strings.ReplaceAll(name, string(t.delim), "\x00")
	}
	return strings.ReplaceAll(name, "/", "\x00")
}

func (t *tree) unprefixed(levels []string) []string {
	if n := len(t.prefix); n > 0 && len(levels) > n && t.key(levels[:n]) == t.key(t.prefix) {
		return levels[n:]
	}
	return levels
}
