package internal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/testdata"
)

// The mail in testdata is what its index says, to the octet: git, an editor or a formatter may have touched it.
func TestMailUnchanged(t *testing.T) {
	index, err := os.ReadFile(filepath.Join("..", "testdata", "messages", "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(index))
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = rows[1:]
	messages := testdata.Messages()
	if len(messages) != len(rows) {
		t.Fatalf("%d messages, and %d in the index", len(messages), len(rows))
	}
	for i, m := range messages {
		got := fmt.Sprintf("%s %d %x", m.Name, len(m.Octets), sha256.Sum256(m.Octets))
		if want := strings.Join(rows[i][:3], " "); got != want {
			t.Errorf("message %d is %s, want %s", i+1, got, want)
		}
	}
}

// Every oddity is there, so that a test that carries all of testdata carries each of them.
func TestMailIsOdd(t *testing.T) {
	seen := make(map[string]bool)
	digests := make(map[string]map[mail.Digest]bool) // by Message-ID
	for _, m := range testdata.Messages() {
		for oddity, has := range oddities {
			seen[oddity] = seen[oddity] || has(m.Octets)
		}
		sum, err := mail.SumOf(bytes.NewReader(m.Octets))
		if err != nil {
			t.Fatal(err)
		}
		same := digests[sum.Header.MessageID]
		if same == nil {
			same = make(map[mail.Digest]bool)
			digests[sum.Header.MessageID] = same
		}
		seen["equal messages"] = seen["equal messages"] || same[sum.Digest]
		same[sum.Digest] = true
	}
	seen["no Message-ID"] = len(digests[""]) > 1
	delete(digests, "")
	for _, different := range digests {
		seen["one Message-ID, different messages"] = seen["one Message-ID, different messages"] || len(different) > 1
	}
	for _, oddity := range []string{"equal messages", "no Message-ID", "one Message-ID, different messages"} {
		if !seen[oddity] {
			t.Errorf("no message shows: %s", oddity)
		}
	}
	for oddity := range oddities {
		if !seen[oddity] {
			t.Errorf("no message shows: %s", oddity)
		}
	}
}

var oddities = map[string]func(msg []byte) bool{
	"zero octets":        func(msg []byte) bool { return len(msg) == 0 },
	"no LF":              func(msg []byte) bool { return bytes.Contains(msg, []byte("\r")) && !bytes.Contains(msg, []byte("\n")) },
	"CR CR LF":           func(msg []byte) bool { return bytes.Contains(msg, []byte("\r\r\n")) },
	"bare LF among CRLF": mixed,
	"NUL":                func(msg []byte) bool { return bytes.IndexByte(msg, 0) >= 0 },
	"no final newline":   func(msg []byte) bool { return len(msg) > 0 && !bytes.HasSuffix(msg, []byte("\n")) },
	"header only":        func(msg []byte) bool { return len(msg) > 1 && len(header(msg)) == len(msg) },
	"8-bit header":       func(msg []byte) bool { return !utf8.Valid(header(msg)) },
	"raw UTF-8 header":   func(msg []byte) bool { return utf8.Valid(header(msg)) && high(header(msg)) },
	"8-bit body":         func(msg []byte) bool { return high(msg[len(header(msg)):]) },
	"From line first":    func(msg []byte) bool { return bytes.HasPrefix(msg, []byte("From ")) },
	"continuation first": func(msg []byte) bool { return bytes.IndexAny(msg, " \t") == 0 },
	"byte order mark":    func(msg []byte) bool { return bytes.HasPrefix(msg, []byte("\ufeff")) },
	"line without colon": noColon,
	"line of a dot":      func(msg []byte) bool { return bytes.Contains(lf(msg), []byte("\n.\n")) },
	"line of 20,000":     func(msg []byte) bool { return longest(msg) > 20_000 },
	"header of 128 KiB":  func(msg []byte) bool { return len(header(msg)) > 128<<10 },
}

func mixed(msg []byte) bool {
	crlf, all := bytes.Count(msg, []byte("\r\n")), bytes.Count(msg, []byte("\n"))
	return 0 < crlf && crlf < all
}

func noColon(msg []byte) bool {
	for line := range bytes.Lines(header(msg)) {
		if len(bytes.TrimSpace(line)) > 0 && !bytes.ContainsAny(line, ": \t") {
			return true
		}
	}
	return false
}

func lf(msg []byte) []byte { return bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n")) }

// header returns the lines up to the first empty one.
func header(msg []byte) []byte {
	n := 0
	for line := range bytes.Lines(msg) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		n += len(line)
	}
	return msg[:n]
}

func high(text []byte) bool {
	return bytes.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
}

func longest(text []byte) (n int) {
	for line := range bytes.Lines(text) {
		n = max(n, len(line))
	}
	return n
}
