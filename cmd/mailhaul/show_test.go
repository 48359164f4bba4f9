package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/find"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/testdata"
)

// archiveOf makes an archive of messages, and returns its directory.
func archiveOf(t *testing.T, messages ...[]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mail")
	a, err := archive.Open(dir, archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Bind(mail.Account{Protocol: "imap", Host: "mail.example", User: "me"}, false); err != nil {
		t.Fatal(err)
	}
	b := a.NewBatch()
	for i, m := range messages {
		item := mail.Item{Ref: mail.Ref{Mailbox: "INBOX", Validity: 1, UID: fmt.Sprint(i + 1)}, Received: time.Unix(1_700_000_000+int64(i), 0)}
		if _, err := b.Put(item, mail.Mailbox{Name: "INBOX"}, bytes.NewReader(m)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// everyMail is all of testdata, what the index has in other scripts, mail made to do harm, and, for who sets
// MAILHAUL_CORPUS, what is there in */*.eml.
func everyMail(t *testing.T) (all [][]byte) {
	for _, m := range testdata.Messages() {
		all = append(all, m.Octets)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "internal", "find", "testdata", "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no mail in other scripts", err)
	}
	if dir := os.Getenv("MAILHAUL_CORPUS"); dir != "" {
		more, _ := filepath.Glob(filepath.Join(dir, "*", "*.eml"))
		files = append(files, more...)
	}
	for _, file := range files {
		octets, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, octets)
	}
	var every strings.Builder // character
	for r := rune(1); r < 0x3100; r++ {
		if r != '\n' && r != '\r' {
			every.WriteRune(r)
		}
	}
	every.WriteString("\U000e0041\U0001f468\u200d\U0001f469\xff\xfe\x80")
	odd := every.String()
	return append(all,
		[]byte("From: "+odd+"\r\nSubject: =?utf-8?q?=1B]0;x=07=C2=9B31m=E2=80=AE?=\r\nTo: \"=?x?b?G1sybQ==?=\" <a@b>\r\nX-\x1b[31m: x\r\n"+
			"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"+odd+"\r\n--b\r\nContent-Type: text/html; name=\"\x1b[2J\"\r\n\r\n<p>&#27;[31m&#x9b;&#x202e;"+odd+
			"\r\n--b\r\nContent-Type: image/\x1b[31m; name*=utf-8''%1B%5B31m%0A\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-16\r\n\r\n\x00\x1b\x00[\x00m\r\n--b--\r\n"))
}

// checkHarmless checks that there is nothing in a text that a terminal would obey or not show, where it is said to be
// printable; joiners are part of words.
func checkHarmless(t *testing.T, what, text string) {
	t.Helper()
	odd := func(r rune) bool { return r != '\n' && r != 0x200c && r != 0x200d && !unicode.IsPrint(r) }
	if i := strings.IndexFunc(text, odd); i >= 0 || !utf8.ValidString(text) {
		t.Errorf("%s: %q", what, text[max(0, i-20):min(len(text), max(i, 0)+40)])
	}
}

// TestNothingIsObeyed guards that no mail reaches a terminal with anything in it but text, be it shown, listed, or as JSON.
func TestNothingIsObeyed(t *testing.T) {
	messages := everyMail(t)
	a, err := archive.View(archiveOf(t, messages...))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ids, err := a.Find(archive.Condition{})
	if err != nil || len(ids) != len(messages) {
		t.Fatalf("%d of %d messages, %v", len(ids), len(messages), err)
	}
	for _, columns := range []int{0, 40, 80, 200} {
		var out strings.Builder
		term := &terminal{}
		if err := term.listAll(t.Context(), a, ids, &out, columns); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, "list", strings.ReplaceAll(out.String(), "\t", ""))
		for line := range strings.Lines(out.String()) {
			if n := columnsIn(strings.TrimSuffix(line, "\n")); columns >= 80 && n >= columns {
				t.Errorf("%d columns in a terminal of %d: %s", n, columns, line)
			}
		}
	}
	for _, id := range ids {
		e, err := a.Entry(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, headers := range []bool{false, true} {
			m, err := a.OpenMessage(e)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			s := showing{out: &out, entry: e, headers: headers}
			if err := s.message(m); err != nil {
				t.Errorf("message %d: %v", id, err)
			}
			m.Close()
			checkHarmless(t, fmt.Sprintf("message %d", id), out.String())
		}
		m, err := a.OpenMessage(e)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		term := &terminal{out: &out, json: true}
		if err := term.showJSON(e, m); err != nil {
			t.Errorf("message %d: %v", id, err)
		}
		m.Close()
		checkHarmless(t, fmt.Sprintf("message %d as JSON", id), out.String())
	}
}

// TestShowDamaged guards that a message that is not what was archived is said to be so, whatever is asked for of it, and that
// no file is made of it.
func TestShowDamaged(t *testing.T) {
	dir := archiveOf(t, []byte("Subject: one\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\npart\r\n--b\r\n\r\n"+strings.Repeat("a line of it\r\n", 20_000)+"needle\r\n--b--\r\n"))
	files, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	octets, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(octets, []byte("needle"), []byte("noodle"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out")
	for _, o := range []showOptions{{}, {headers: true}, {raw: true}, {raw: true, output: file}, {part: "1", output: file}, {part: "1"}} {
		var out bytes.Buffer
		err := runShow(t.Context(), &terminal{out: &out, err: &out}, o, dir, "1")
		if status := exitStatus(err); status != exitDiffers || hintFor(err) == "" {
			t.Errorf("%+v: exit status %d, %v", o, status, err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%+v: a file was made", o)
		}
	}
}

// TestFit guards that a text takes as many columns as it is given, whatever its characters take.
func TestFit(t *testing.T) {
	for text, want := range map[string]string{
		"": "      ", "abc": "abc   ", "abcdef": "abcdef", "abcdefg": "abcde…", "北京": "北京  ", "北京市": "北京市", "北京市区": "北京… ", "a北京市": "a北京…", "e\u0301e\u0301": "e\u0301e\u0301    ", "سلام": "سلام  ",
	} {
		if got := fit(text, 6); got != want || columnsIn(got) != 6 {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestWrap guards that long lines are broken behind blanks, and that nothing of them is lost.
func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"short\n": "short\n", "one two three four\n": "one two\nthree four\n", "abcdefghijklmno\n": "abcdefghij\nklmno\n", "  in dented lines\n\nx": "  in\ndented\nlines\n\nx",
		"北京北京北京\n": "北京北京北\n京\n", "a 北京北京北京\n": "a 北京北京\n北京\n", "exactly 10\n": "exactly 10\n", "": "",
	} {
		var out strings.Builder
		if _, err := io.WriteString(wrapped(&out, 10), text); err != nil || out.String() != want {
			t.Errorf("%q: %q, want %q", text, out.String(), want)
		}
	}
}

// TestFreshen guards that a backup brings an index up to date that is there, and makes none.
func TestFreshen(t *testing.T) {
	dir := archiveOf(t, []byte("Subject: one\r\n\r\nneedle\r\n"))
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	term, i := &terminal{out: new(bytes.Buffer), err: new(bytes.Buffer)}, &interrupt{stop: make(chan struct{})}
	if term.freshen(t.Context(), i, a); find.Kept(a) {
		t.Error("an index was made")
	}
	x := find.New(a)
	if err := x.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.Close()
	b := a.NewBatch()
	_, err = b.Put(mail.Item{Ref: mail.Ref{Mailbox: "INBOX", Validity: 1, UID: "9"}}, mail.Mailbox{Name: "INBOX"}, strings.NewReader("Subject: two\r\n\r\nneedle\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := b.Commit()
	if err != nil {
		t.Fatal(err)
	}
	term.freshen(t.Context(), i, a)
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(entries[0].Path))); err != nil { // nobody can read it any more
		t.Fatal(err)
	}
	q, err := find.Parse("needle")
	if err != nil {
		t.Fatal(err)
	}
	x = find.New(a)
	defer x.Close()
	if ids, err := x.IDs(context.Background(), q); err != nil || len(ids) != 2 {
		t.Errorf("%v, %v", ids, err)
	}
}
