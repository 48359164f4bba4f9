package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Dovecot keeps keywords in file names as the letters a to z, and beside cur/ a file that says which letter is which
// keyword in this folder: lines of a number from 0 and a name. Keywords of ours go there too, so that who opens the
// archive in Dovecot sees them. The ledger has all of them, also those there is no letter for.
const (
	lettersFile    = "dovecot-keywords"
	maxLetters     = 26
	maxLettersFile = 64 << 10 // octets
	maxKeyword     = 100      // octets of one that gets a letter
)

// letters are the keywords of one folder.
type letters struct {
	names   [maxLetters]mail.Flag // "": no keyword, or none that can be understood
	next    int                   // no letter from here on was given out
	text    []byte                // of the file
	changed time.Time             // the file's; zero: there is none
}

// letters reads those of a folder. A file that cannot be read has none, and none can be added to it.
func (a *Archive) letters(f *folder) *letters {
	l := &letters{}
	path := f.path(lettersFile)
	info, err := a.root.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l
	}
	l.next = maxLetters
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxLettersFile {
		return l
	}
	file, err := a.root.Open(path)
	if err != nil {
		return l
	}
	defer file.Close()
	if l.text, err = io.ReadAll(io.LimitReader(file, maxLettersFile)); err == nil {
		l.changed, l.next = info.ModTime(), 0
		l.parse()
	}
	return l
}

// alphabets keeps the letters of folders that are read once.
type alphabets map[*folder]*letters

func (abc alphabets) of(a *Archive, f *folder) *letters {
	if abc[f] == nil {
		abc[f] = a.letters(f)
	}
	return abc[f]
}

// parse reads the file as Dovecot does.
func (l *letters) parse() {
	for line := range strings.Lines(string(l.text)) {
		number, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 || n >= maxLetters || name == "" {
			continue
		}
		l.next = max(l.next, n+1)
		if l.names[n] = ""; isKeyword(mail.Flag(name)) {
			l.names[n] = mail.Flag(name)
		}
	}
}

// isKeyword reports whether Dovecot takes f for the name of a keyword: an atom (RFC 9051 §9).
func isKeyword(f mail.Flag) bool {
	return f != "" && len(f) <= maxKeyword && !strings.ContainsFunc(string(f), func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
	})
}

// of returns the letter of a keyword, 0 if it has none.
func (l *letters) of(f mail.Flag) byte {
	if i := slices.IndexFunc(l.names[:], f.Is); i >= 0 && f != "" {
		return 'a' + byte(i)
	}
	return 0
}

// named returns the keywords whose letters stand behind a message's name.
func (l *letters) named(info string) (f mail.Flags) {
	for i, name := range l.names {
		if name != "" && strings.IndexByte(infoLetters(info), 'a'+byte(i)) >= 0 {
			f = append(f, name)
		}
	}
	return f
}

// strange returns the letters behind a message's name that mean nothing here; they are somebody's.
func (l *letters) strange(info string) string {
	return string(slices.DeleteFunc([]byte(infoLetters(info)), func(c byte) bool {
		if isLower(c) {
			return l.names[c-'a'] != ""
		}
		return mail.MaildirFlags(string(rune(c))) != nil
	}))
}

// ownLetters returns the letters behind a message's name that stand for keywords of its folder.
func ownLetters(info string) string {
	return string(slices.DeleteFunc([]byte(infoLetters(info)), func(c byte) bool { return !isLower(c) }))
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

// info returns what stands behind a message's name for its flags and some strange letters, in ASCII order.
func (l *letters) info(f mail.Flags, strange string) string {
	text := []byte(f.Maildir() + strange)
	for _, k := range f {
		if letter := l.of(k); letter != 0 {
			text = append(text, letter)
		}
	}
	slices.Sort(text)
	return infoSep + "2," + string(slices.Compact(text))
}

// keywordsNow returns the keywords of a message that had some when its name said was, in a folder with the letters
// from, and whose name says is now, in one with the letters to.
func keywordsNow(keywords string, from *letters, was string, to *letters, is string) string {
	f := allFlags("", keywords)
	for _, k := range from.named(was) {
		if letter := to.of(k); letter != 0 && strings.IndexByte(infoLetters(is), letter) < 0 {
			f = slices.DeleteFunc(f, k.Is)
		}
	}
	return keywordsOf(union(f, to.named(is)))
}

func union(f, g mail.Flags) mail.Flags { return allFlags("", join(f)+" "+join(g)) }

// lettersFor returns the letters of a folder, with one for each of the keywords as far as there are any left.
func (a *Archive) lettersFor(f *folder, keywords mail.Flags) (*letters, error) {
	l := a.letters(f)
	if f.held || len(l.lacking(keywords)) == 0 {
		return l, nil
	}
	unlock, err := a.lockDovecot(f)
	if f.held = err == nil && unlock == nil; err != nil || f.held {
		return l, err
	}
	l = a.letters(f)
	l.next = max(l.next, a.lettersUsed(f))
	if fresh := l.lacking(keywords); len(fresh) > 0 {
		err = a.addLetters(f, l, fresh)
	}
	return l, errors.Join(err, unlock())
}

// lettersUsed returns the first letter, counted from 0, from which on none stands in a file name: where the file with
// their names was lost, no letter is to get another meaning.
func (a *Archive) lettersUsed(f *folder) (next int) {
	for _, sub := range subdirs {
		entries, _ := readDir(a.root, f.path(sub))
		for _, e := range entries {
			_, info, _ := strings.Cut(e.Name(), infoSep+"2,")
			for _, c := range []byte(info) {
				if isLower(c) {
					next = max(next, int(c-'a')+1)
				}
			}
		}
	}
	return next
}

// lacking returns the keywords that have no letter and can have one.
func (l *letters) lacking(keywords mail.Flags) (fresh mail.Flags) {
	for _, k := range keywords {
		if isKeyword(k) && l.of(k) == 0 && !slices.ContainsFunc(fresh, k.Is) {
			fresh = append(fresh, k)
		}
	}
	return fresh[:min(len(fresh), maxLetters-l.next)]
}

// addLetters writes the file anew, durably, with what is in it and the fresh ones behind it.
func (a *Archive) addLetters(f *folder, l *letters, fresh mail.Flags) error {
	text := l.text
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	for i, k := range fresh {
		text = fmt.Appendf(text, "%d %s\n", l.next+i, k)
	}
	path := f.path(lettersFile)
	if err := a.replaceBy(path+".lock", path, text, l.changed); err != nil { // Dovecot too writes it under this name
		return err
	}
	l.text = text
	l.parse()
	return nil
}
