package dovecot

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Message is one that lies in a user's mailbox.
type Message struct {
	UID uint32 // 0 as long as Dovecot has not looked
	// Octets is the canonical form of the file, which is what Dovecot serves. Dovecot drops one CR of several
	// before an LF when it stores an APPEND: such mail compares by the Match of mail.Sum, all other by its Digest.
	Octets   []byte
	Flags    mail.Flags // without \Recent
	Received time.Time  // the INTERNALDATE, to the second
}

// Messages returns what lies in the mailbox, in the order of the UIDs, read from the files; a mailbox that is
// not there has none. It tells what was delivered for certain only when no session is at work in it.
func (s *Server) Messages(t testing.TB, user, mailbox string) []Message {
	t.Helper()
	var messages []Message
	err := fs.ErrNotExist
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 10; try++ { // Dovecot renames a file when a flag changes
		messages, err = readMaildir(s.mailboxDir(user, mailbox))
	}
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func readMaildir(dir string) ([]Message, error) {
	names, err := keywords(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, sub := range []string{"cur", "new"} {
		found, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range found {
			files = append(files, filepath.Join(dir, sub, f.Name()))
		}
	}
	uids, err := uidList(dir)
	if err != nil {
		return nil, err
	}
	var messages []Message
	for _, file := range files {
		m, err := readMessage(file, names)
		if err != nil {
			return nil, err
		}
		base, _, _ := strings.Cut(filepath.Base(file), ":")
		m.UID = uids[base]
		messages = append(messages, m)
	}
	slices.SortStableFunc(messages, func(a, b Message) int { return cmp.Compare(a.UID-1, b.UID-1) }) // 0 comes last
	return messages, nil
}

func readMessage(file string, names mail.Flags) (Message, error) {
	f, err := os.Open(file)
	if err != nil {
		return Message{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Message{}, err
	}
	octets, err := io.ReadAll(mail.Canonical(f))
	if err != nil {
		return Message{}, err
	}
	_, letters, _ := strings.Cut(filepath.Base(file), ":2,")
	return Message{Octets: octets, Flags: readFlags(letters, names), Received: info.ModTime().Truncate(time.Second)}, nil
}

func readFlags(letters string, names mail.Flags) mail.Flags {
	var flags []string
	for _, f := range mail.MaildirFlags(letters) {
		flags = append(flags, string(f))
	}
	for _, l := range []byte(letters) {
		if i := int(l) - 'a'; i >= 0 && i < len(names) {
			flags = append(flags, string(names[i]))
		}
	}
	return mail.MakeFlags(flags...)
}

// uidList reads dovecot-uidlist: a head line, then "UID extensions :file name".
func uidList(dir string) (map[string]uint32, error) {
	f, err := os.Open(filepath.Join(dir, "dovecot-uidlist"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	uids := make(map[string]uint32)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		number, _, _ := strings.Cut(lines.Text(), " ")
		_, name, ok := strings.Cut(lines.Text(), " :")
		uid, err := strconv.ParseUint(number, 10, 32)
		if !ok || err != nil {
			continue
		}
		base, _, _ := strings.Cut(name, ":")
		uids[base] = uint32(uid)
	}
	return uids, lines.Err()
}

// keywords returns the names of the letters a, b, c … in a Maildir of Dovecot's.
func keywords(dir string) (mail.Flags, error) {
	text, err := os.ReadFile(filepath.Join(dir, "dovecot-keywords"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names mail.Flags
	for line := range strings.Lines(string(text)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			names = append(names, mail.Flag(name))
		}
	}
	return names, err
}
