package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-maildir/maildirpp"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	maxDirName = 200 // octets; file systems have 255, and some encrypt names into longer ones
	maxDepth   = 32
	maxSlug    = 80 // octets of a slug that are for people
)

// plainDir returns the directory name of a mailbox as other programs would write it: the levels in modified UTF-7,
// with a dot before each. A name that could not stand on every file system, or would mean something else there,
// has none.
func plainDir(mb mail.Mailbox) (string, bool) {
	levels := []string{mb.Name}
	if mb.Delim != 0 {
		levels = strings.Split(mb.Name, string(mb.Delim))
	}
	if len(levels) > maxDepth {
		return "", false
	}
	for i, level := range levels {
		dir, ok := plainLevel(level)
		if !ok {
			return "", false
		}
		levels[i] = dir
	}
	dir, err := maildirpp.Join(levels)
	return dir, err == nil && len(dir) <= maxDirName
}

// plainLevel returns one level in modified UTF-7, if it is safe. Servers write it so already, except those that
// speak UTF-8 (RFC 6855).
func plainLevel(level string) (string, bool) {
	text, err := level, error(nil)
	if isASCII(level) {
		text, err = mail.DecodeUTF7(level)
	} else {
		level = mail.EncodeUTF7(text)
	}
	if err != nil || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", false
	}
	return level, isPortable(level)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// reserved are names that Windows keeps for devices, and those a Maildir has itself.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]|cur|new|tmp)$`)

func isPortable(level string) bool {
	return level != "" && !strings.ContainsAny(level, `./\:*?"<>|~`) && !reserved.MatchString(level) &&
		!strings.HasPrefix(level, " ") && !strings.HasPrefix(level, "-") && !strings.HasSuffix(level, " ")
}

// slugDir returns the directory name of a mailbox whose plain one cannot be used or is taken. No two mailboxes
// have the same, and no plain name holds a tilde.
func slugDir(name string) string {
	var b strings.Builder
	for _, r := range name {
		if b.Len() >= maxSlug {
			break
		}
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
	}
	slug := strings.TrimSuffix(b.String(), "_")
	if slug == "" {
		slug = "folder" // a name that begins with a tilde is a home directory to Dovecot
	}
	sum := sha256.Sum256([]byte(name))
	return "." + slug + "~" + hex.EncodeToString(sum[:16])
}

// guessName returns a mailbox name for a directory of which nothing else is known.
func guessName(dir string) mail.Mailbox {
	if dir == "" {
		return mail.Mailbox{Name: mail.Inbox, Role: mail.RoleInbox}
	}
	levels, err := maildirpp.Split(dir)
	if err != nil || strings.Contains(dir, "~") {
		return mail.Mailbox{Name: strings.TrimPrefix(dir, ".")}
	}
	return mail.Mailbox{Name: strings.Join(levels, "/"), Delim: '/'}
}
