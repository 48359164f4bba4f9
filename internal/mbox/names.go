package mbox

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"mime"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const (
	maxLevelName = 60  // octets of a level of a folder's path
	maxSubject   = 60  // octets of a subject in a file's name
	maxPath      = 150 // octets of a folder's path; Windows has 260 characters for all of one
	maxLevels    = 16
)

// windowsDevices are names that Windows keeps, with or without something behind a dot.
var windowsDevices = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)`)

// ownNames are names, and ends of names, that mean something else to whoever reads an export.
var ownNames = regexp.MustCompile(`(?i)(?:^(cur|new|tmp|mbox)|\.(mbox|mbx|jsonl|eml|emlx|sbd|msf|zip))$`)

// SafeName makes a name out of foreign text that every file system takes for the same name and nothing else: no
// separators, no devices, nothing invisible, no dots or blanks at its ends, at most max octets.
func SafeName(text string, max int) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == utf8.RuneError, unicode.Is(unicode.Cf, r), unicode.IsControl(r):
			continue
		case strings.ContainsRune(`/\:*?"<>|~%`, r) || !unicode.IsPrint(r):
			r = '_'
		}
		if b.Len()+utf8.RuneLen(r) > max {
			break
		}
		b.WriteRune(r)
	}
	s := strings.TrimLeft(b.String(), " .-")
	s = strings.TrimRight(s, " .")
	if windowsDevices.MatchString(s) {
		s = "_" + s
	}
	return s
}

// Names gives every folder of an export a path of its own, also where a file system takes upper and lower case, or two
// ways to write an accent, for the same.
type Names struct{ taken map[string]bool }

// Folder returns a path, with slashes and without an extension, for a folder of these levels as people read them.
func (n *Names) Folder(levels []string) string {
	if n.taken == nil {
		n.taken = map[string]bool{}
	}
	raw := strings.Join(levels, "\x00")
	var safe []string
	for _, l := range levels {
		name := ownNames.ReplaceAllString(SafeName(l, maxLevelName), "_$1$2")
		if name == "" || hasMarks(name) {
			name = strings.Trim(name+"~"+shortHash(l), "~")
		}
		safe = append(safe, name)
	}
	path := strings.Join(safe, "/")
	if len(path) > maxPath || len(levels) > maxLevels {
		path = SafeName(levels[len(levels)-1], maxLevelName) + "~" + shortHash(raw)
	}
	if n.taken[fold(path)] {
		path += "~" + shortHash(raw)
	}
	n.taken[fold(path)] = true
	return path
}

func hasMarks(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.M, r) })
}

// fold returns what names have in common that are the same to a file system that knows no case.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// FileNames gives every message of one directory a name. It keeps hashes of them: there may be millions, and one that is
// taken by chance costs a number behind the name.
type FileNames struct{ taken map[uint64]bool }

var nameSeed = maphash.MakeSeed()

// take takes a name, unless it is taken.
func (n *FileNames) take(name string) bool {
	key := maphash.String(nameSeed, fold(name))
	if n.taken[key] {
		return false
	}
	n.taken[key] = true
	return true
}

// Message returns a readable name, as 2021-03-04_subject_ab12cd.eml.
func (n *FileNames) Message(received time.Time, subject string, digest mail.Digest) string {
	if n.taken == nil {
		n.taken = map[uint64]bool{}
	}
	title := strings.Join(strings.FieldsFunc(SafeName(decodeSubject(subject), maxSubject), func(r rune) bool {
		return r == '_' || unicode.IsSpace(r)
	}), "_")
	if title = strings.Trim(title, "._-"); title != "" {
		title += "_"
	}
	stem := received.UTC().Format("2006-01-02_") + title + hex.EncodeToString(digest[:3])
	name := stem
	for i := 2; !n.take(name); i++ { // the same message twice, or one in sixteen million
		name = stem + "-" + strconv.Itoa(i)
	}
	return name + ".eml"
}

func decodeSubject(s string) string {
	text, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil || !utf8.ValidString(text) {
		text = strings.ToValidUTF8(s, "_")
	}
	return text
}
