package dovecot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// MailDir returns where the user's mail lies, a Maildir++ with LF line ends; it need not be there yet.
func (s *Server) MailDir(user string) string { return filepath.Join(s.dir, "mail", user) }

// mailboxDir maps a name as IMAP spells it on the wire, with "/" between the levels, to its Maildir.
func (s *Server) mailboxDir(user, mailbox string) string {
	if mail.IsInbox(mailbox) {
		return s.MailDir(user)
	}
	return filepath.Join(s.MailDir(user), "."+strings.ReplaceAll(mailbox, "/", "."))
}

// Deliver puts a message into the mailbox, which is made where it is missing: into new/ without flags, as a mail
// server does, into cur/ with them; either way it is \Recent at first. The file holds the octets as given. Messages
// get their UIDs in the order of delivery.
func (s *Server) Deliver(t testing.TB, user, mailbox string, octets []byte, flags mail.Flags, received time.Time) {
	t.Helper()
	if err := s.deliver(user, mailbox, octets, flags, received); err != nil {
		t.Fatal(err)
	}
}

var delivered atomic.Int64

func (s *Server) deliver(user, mailbox string, octets []byte, flags mail.Flags, received time.Time) error {
	dir, err := s.makeMailbox(user, mailbox)
	if err != nil {
		return err
	}
	letters, err := s.letters(dir, flags)
	if err != nil {
		return err
	}
	// Dovecot orders new files by the seconds their names begin with.
	name := fmt.Sprintf("%d.%d.localhost", time.Now().Unix()+delivered.Add(1), os.Getpid())
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, octets, 0o600); err != nil {
		return err
	}
	if err := os.Chtimes(tmp, received, received); err != nil {
		return err
	}
	if err := s.owner.own(tmp); err != nil {
		return err
	}
	if len(flags) == 0 {
		return os.Rename(tmp, filepath.Join(dir, "new", name))
	}
	return os.Rename(tmp, filepath.Join(dir, "cur", name+":2,"+letters))
}

// Mailbox returns the Maildir of the mailbox, which is made where it is missing, for those who write so much mail into
// its cur/ that Deliver would be slow. It is enough that Dovecot can read the files.
func (s *Server) Mailbox(t testing.TB, user, mailbox string) string {
	t.Helper()
	dir, err := s.makeMailbox(user, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *Server) makeMailbox(user, mailbox string) (string, error) {
	if strings.Contains(user, "/") || strings.Contains(mailbox, ".") {
		return "", fmt.Errorf("a Maildir++ cannot hold the mailbox %q of %q", mailbox, user)
	}
	dir := s.mailboxDir(user, mailbox)
	made := []string{s.MailDir(user), dir}
	for _, sub := range []string{"cur", "new", "tmp"} {
		made = append(made, filepath.Join(dir, sub))
	}
	for _, d := range made {
		err := os.Mkdir(d, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = s.owner.own(d)
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// letters returns the flags as Dovecot's Maildir has them: a capital for a system flag, a small letter for a
// keyword, whose name stands in a file beside cur/.
func (s *Server) letters(dir string, flags mail.Flags) (string, error) {
	names, err := keywords(dir)
	if err != nil {
		return "", err
	}
	var letters []byte
	before := len(names)
	for _, f := range flags {
		if f.System() {
			letters = append(letters, mail.Flags{f}.Maildir()...)
			continue
		}
		at := slices.IndexFunc(names, f.Is)
		if at < 0 {
			at, names = len(names), append(names, f)
		}
		letters = append(letters, 'a'+byte(at))
	}
	slices.Sort(letters)
	if len(names) == before {
		return string(letters), nil
	}
	return string(letters), s.writeKeywords(dir, names)
}

func (s *Server) writeKeywords(dir string, names mail.Flags) error {
	var b bytes.Buffer
	for i, f := range names {
		fmt.Fprintf(&b, "%d %s\n", i, f)
	}
	file := filepath.Join(dir, "dovecot-keywords")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return err
	}
	return s.owner.own(file)
}

// Adopt makes a copy of the Maildir++ at dir the user's mail, file times included: whatever the user had is gone.
func (s *Server) Adopt(t testing.TB, user, dir string) {
	t.Helper()
	if err := s.adopt(user, dir); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) adopt(user, dir string) error {
	to := s.MailDir(user)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		copied := filepath.Join(to, path)
		if err := os.Chtimes(copied, info.ModTime(), info.ModTime()); err != nil {
			return err
		}
		return s.owner.own(copied)
	})
}
