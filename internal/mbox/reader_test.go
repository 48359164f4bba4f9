package mbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/testdata"
)

// readAll reads an mbox as it would be found on disk.
func readAll(octets []byte) (messages []string, form Form, err error) {
	at := bytes.NewReader(octets)
	if form, err = Probe(at, at.Size()); err != nil {
		return nil, form, err
	}
	r := NewReader(bytes.NewReader(octets), at, at.Size(), form)
	for {
		if err := r.Next(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return messages, form, err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return messages, form, err
		}
		part := octets[r.Start:r.End]
		again, err := io.ReadAll(reread(bytes.NewReader(part), form))
		if err != nil || !bytes.Equal(again, b) {
			return messages, form, fmt.Errorf("read again, %q is %q: %v", b, again, err)
		}
		messages = append(messages, string(b))
	}
}

const (
	fromA = "From a@x Sat Jan  3 01:05:34 1996\n"
	fromB = "From b@x Sat Jan  3 02:05:34 1996\n"
)

func TestReader(t *testing.T) {
	for _, tt := range []struct {
		name, mbox, form string
		want             []string
	}{
		{"two", fromA + "A: 1\n\none\n\n" + fromB + "B: 2\n\ntwo\n\n", "mboxrd", []string{"A: 1\n\none\n", "B: 2\n\ntwo\n"}},
		{"nothing behind the last", fromA + "A: 1\n\none\n\n" + fromB + "B: 2\n\ntwo", "mboxrd", []string{"A: 1\n\none\n", "B: 2\n\ntwo"}},
		{"one line end behind the last", fromA + "A: 1\n\none\n", "mboxrd", []string{"A: 1\n\none\n"}},
		{"empty lines of its own", fromA + "A: 1\n\none\n\n\n\n" + fromB + "\n", "mboxrd", []string{"A: 1\n\none\n\n\n", ""}},
		{"CRLF", strings.ReplaceAll(fromA+"A: 1\n\none\n\n"+fromB+"B: 2\n\ntwo\n\n", "\n", "\r\n"), "mboxrd",
			[]string{"A: 1\r\n\r\none\r\n", "B: 2\r\n\r\ntwo\r\n"}},
		{"quoted", fromA + "A: 1\n\n>From me\n>>From you\n> From them\n>Fromage\n\n", "mboxrd",
			[]string{"A: 1\n\nFrom me\n>From you\n> From them\n>Fromage\n"}},
		{"a sentence", fromA + "A: 1\n\nhe said\n\nFrom here on it rains\n\n", "mboxrd", []string{"A: 1\n\nhe said\n\nFrom here on it rains\n"}},
		{"a From_ line right behind text", fromA + "A: 1\n\none\n" + fromB + "two\n", "mboxrd", []string{"A: 1\n\none\n" + fromB + "two\n"}},
		{"Thunderbird, a line end missing", "From - Mon Jan 05 10:00:00 2015\nX-Mozilla-Status: 0001\nA: 1\n\none\nFrom - Mon Jan 05 10:00:01 2015\nX-Mozilla-Status: 0000\nB: 2\n\ntwo\n\n",
			"mboxrd", []string{"A: 1\n\none\n", "B: 2\n\ntwo\n"}},
		{"no dates", "From a@x\nA: 1\n\none\n\nFrom b@x\nB: 2\n\nFrom me to you\n\n", "mboxrd", []string{"A: 1\n\none\n", "B: 2\n\nFrom me to you\n"}},
		{"cl2", fromA + "A: 1\nContent-Length: 53\n\none\n\n" + fromB + "three\n>From x\n\n" + fromB + "B: 2\nContent-Length: 4\n\ntwo\n\n", "mboxcl2",
			[]string{"A: 1\nContent-Length: 53\n\none\n\n" + fromB + "three\n>From x\n", "B: 2\nContent-Length: 4\n\ntwo\n"}},
		{"cl2, the last line without its end", fromA + "Content-Length: 3\n\none\n" + fromB + "Content-Length: 3\n\ntwo", "mboxcl2",
			[]string{"Content-Length: 3\n\none", "Content-Length: 3\n\ntwo"}},
		{"cl", fromA + "Content-Length: 16\n\none\n>From a@b.c\n\n" + fromB + "Content-Length: 4\n\ntwo\n\n", "mboxcl",
			[]string{"Content-Length: 16\n\none\nFrom a@b.c\n", "Content-Length: 4\n\ntwo\n"}},
		{"a length that lies", fromA + "Content-Length: 90\n\none\n\n" + fromB + "Content-Length: 4\n\ntwo\n\n", "mboxcl2",
			[]string{"Content-Length: 90\n\none\n", "Content-Length: 4\n\ntwo\n"}},
		{"lengths that lie", fromA + "Content-Length: 9000\n\none\n\n" + fromB + "Content-Length: -4\n\ntwo\n\n", "mboxrd",
			[]string{"Content-Length: 9000\n\none\n", "Content-Length: -4\n\ntwo\n"}},
		{"nothing", "", "mboxrd", nil},
		{"a From_ line and nothing", fromA, "mboxrd", []string{""}},
		{"a line longer than any buffer", fromA + "A: 1\n\n" + strings.Repeat("x", 200_000) + "From \n\n" + fromB + "\n", "mboxrd",
			[]string{"A: 1\n\n" + strings.Repeat("x", 200_000) + "From \n", ""}},
	} {
		got, form, err := readAll([]byte(tt.mbox))
		if err != nil || form.Name != tt.form || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q as %s: %v\nwant %q as %s", tt.name, got, form.Name, err, tt.want, tt.form)
		}
	}
}

func TestNotMbox(t *testing.T) {
	for _, text := range []string{"\x89PNG\r\n\x1a\n", "Subject: x\n\nFrom me\n", "From here on it rains\nand rains\n", "\n" + fromA, "\x00\x00\x00"} {
		if got, _, err := readAll([]byte(text)); !errors.Is(err, ErrNotMbox) {
			t.Errorf("%q is an mbox of %q: %v", text, got, err)
		}
	}
}

// awkward are canonical forms that an mbox has trouble with.
func awkward() [][]byte {
	all := [][]byte{
		{}, []byte("\r\n"), []byte("\r"), []byte("x"), []byte("\r\r\n"), []byte("a: b\r\n\r\n"), []byte("a\r\r\nFrom x\r\n"), []byte("From "),
		[]byte("From a@b Sat Jan  3 01:05:34 1996\r\n\r\nFrom x\r\n>From y\r\n>>From z"), []byte("x\r\n\r\n\r\n\r\n"), []byte("\x00\r\nFrom \x00"),
		[]byte("X-Mozilla-Status: 0009\r\nX-Gmail-Labels: Trash\r\nContent-Length: 5\r\n\r\n\r\nbody is longer\r\n"), []byte("x\r"),
		append(bytes.Repeat([]byte("y"), readerBuffer-1), "\r\n"...), append(bytes.Repeat([]byte("y"), readerBuffer), "\r\n"...),
		append(bytes.Repeat([]byte("y"), readerBuffer-1), "\rz"...), bytes.Repeat([]byte("\r"), readerBuffer+3),
	}
	for _, m := range testdata.Messages() {
		canonical, err := io.ReadAll(mail.Canonical(bytes.NewReader(m.Octets)))
		if err != nil {
			panic(err)
		}
		all = append(all, canonical)
	}
	return all
}

// TestWriter guards that what we write is read back to the octet, and is an mbox for others too.
func TestWriter(t *testing.T) {
	all := awkward()
	octets := write(t, all)
	got, form, err := readAll(octets)
	if err != nil || !form.Own || len(got) != len(all) {
		t.Fatalf("%d of %d messages came back, %+v: %v", len(got), len(all), form, err)
	}
	for i := range all {
		back, _ := io.ReadAll(mail.Canonical(strings.NewReader(got[i])))
		if !bytes.Equal(back, all[i]) {
			t.Errorf("message %d: %.100q came back as %.100q", i, all[i], back)
		}
	}
	if n := bytes.Count(octets, []byte("\n\nFrom ")); n != len(all)-1 {
		t.Errorf("%d lines that begin with From are there behind an empty one, of %d messages", n+1, len(all))
	}
}

func write(t testing.TB, all [][]byte) []byte {
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, m := range all {
		shape := NewShape()
		shape.Write(m)
		if err := w.Append(bytes.NewReader(m), time.Unix(820631134, 0), *shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil || w.Written() != int64(out.Len()) {
		t.Fatalf("%d octets said to be written of %d: %v", w.Written(), out.Len(), err)
	}
	return out.Bytes()
}

// FuzzReader guards that no file breaks the Reader, that it reads every message twice the same, and loses nothing of
// what we have written.
func FuzzReader(f *testing.F) {
	f.Add([]byte(fromA + "A: 1\n\none\n\n" + fromB + "B: 2\nContent-Length: 4\n\ntwo\n\n"))
	f.Add([]byte("From - Mon Jan 05 10:00:00 2015\r\nX-Mozilla-Status: 0009\r\nX-UIDL: x\r\n\r\n>From x"))
	f.Add([]byte("From x\nX-Gmail-Labels: a,\n b\n\n"))
	f.Add([]byte("\r\r\n>From \r"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		if got, _, err := readAll(octets); err != nil && !errors.Is(err, ErrNotMbox) {
			t.Errorf("%q: %v", got, err)
		}
		canonical, _ := io.ReadAll(mail.Canonical(bytes.NewReader(octets)))
		got, _, err := readAll(write(t, [][]byte{canonical, canonical}))
		if err != nil || len(got) != 2 {
			t.Fatalf("%q came back as %q: %v", canonical, got, err)
		}
		for _, one := range got {
			if back, _ := io.ReadAll(mail.Canonical(strings.NewReader(one))); !bytes.Equal(back, canonical) {
				t.Errorf("%q came back as %q", canonical, back)
			}
		}
	})
}
