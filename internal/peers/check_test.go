//go:build unix

package peers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A tally is what a place holds, in any order: how many messages, and one digest over those of all.
type tally struct {
	messages int
	digest   [sha256.Size]byte
}

// A judge tallies messages. Line ends count as one whichever they are, and a header field that is known to be added does
// not count.
type judge struct {
	without string // the name of the field
	digests [][sha256.Size]byte
}

func (j *judge) see(octets []byte) {
	octets = bytes.ReplaceAll(octets, []byte("\r\n"), []byte("\n"))
	if j.without != "" {
		octets = withoutField(octets, j.without)
	}
	j.digests = append(j.digests, digestOf(octets))
}

func digestOf(octets []byte) [sha256.Size]byte { return sha256.Sum256(octets) }

func (j *judge) tally() tally {
	slices.SortFunc(j.digests, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	all := sha256.New()
	for _, d := range j.digests {
		all.Write(d[:])
	}
	return tally{len(j.digests), [sha256.Size]byte(all.Sum(nil))}
}

// withoutField returns the message without any header field of that name, continuation lines and all.
func withoutField(octets []byte, name string) []byte {
	header, body, found := bytes.Cut(octets, []byte("\n\n"))
	if !found {
		return octets
	}
	var kept [][]byte
	drop := false
	for line := range bytes.Lines(append(bytes.Clone(header), '\n')) {
		if line[0] != ' ' && line[0] != '\t' {
			field, _, _ := bytes.Cut(line, []byte(":"))
			drop = bytes.EqualFold(field, []byte(name))
		}
		if !drop {
			kept = append(kept, line)
		}
	}
	return slices.Concat(bytes.Join(kept, nil), []byte("\n"), body)
}

// tallyMaildirs tallies the files of every cur/ and new/ below dir.
func tallyMaildirs(dir, without string) (tally, error) {
	j := judge{without: without}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{"cur", "new"}, filepath.Base(filepath.Dir(path))) {
			return err
		}
		octets, err := os.ReadFile(path)
		j.see(octets)
		return err
	})
	return j.tally(), err
}

// tallyAccount tallies all mailboxes of an IMAP account.
func tallyAccount(addr, user, without string) (tally, error) {
	w, err := loginIMAP(addr, user)
	if err != nil {
		return tally{}, err
	}
	defer w.Close()
	names, err := w.mailboxes()
	if err != nil {
		return tally{}, err
	}
	j := judge{without: without}
	for _, name := range names {
		if err := w.fetchAll(name, j.see); err != nil {
			return tally{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return j.tally(), nil
}

var errAltered = errors.New("not all messages are as they were")

// check returns what is wrong with what has arrived.
func check(got, want tally) error {
	switch c := cmp.Compare(got.messages, want.messages); {
	case c < 0:
		return fmt.Errorf("%d of %d messages have not arrived", want.messages-got.messages, want.messages)
	case c > 0:
		return fmt.Errorf("%d messages where there should be %d", got.messages, want.messages)
	case got.digest != want.digest:
		return errAltered
	}
	return nil
}

func TestCheck(t *testing.T) {
	of := func(without string, messages ...string) tally {
		j := judge{without: without}
		for _, m := range messages {
			j.see([]byte(m))
		}
		return j.tally()
	}
	const one, two = "A: 1\n\nx\n", "A: 2\n\ny\n"
	for _, tt := range []struct {
		name string
		got  tally
		want string
	}{
		{"all", of("", one, two), "<nil>"},
		{"in another order", of("", two, one), "<nil>"},
		{"with other line ends", of("", "A: 1\r\n\r\nx\r\n", two), "<nil>"},
		{"one lost", of("", one), "1 of 2 messages have not arrived"},
		{"one twice", of("", one, two, two), "3 messages where there should be 2"},
		{"one instead of another", of("", one, one), errAltered.Error()},
		{"one altered", of("", one, "A: 2\n\ny\n\n"), errAltered.Error()},
		{"a field added", of("X", one, "X: 1\n\t2\nA: 2\n\ny\n"), "<nil>"},
		{"another field added", of("X", one, "Y: 1\nA: 2\n\ny\n"), errAltered.Error()},
		{"the field in the body", of("X", one, "A: 2\n\nX: 1\ny\n"), errAltered.Error()},
	} {
		if err := check(tt.got, of("", one, two)); fmt.Sprint(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
