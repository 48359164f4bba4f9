package mbox

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// stock is what is exported: every awkward message, and twice the same, in folders with awkward names.
func stock() map[mail.Mailbox][]Outgoing {
	all := map[mail.Mailbox][]Outgoing{}
	boxes := []mail.Mailbox{{Name: "INBOX", Role: mail.RoleInbox, Delim: '/'}, {Name: "Work/../../x", Delim: '/'}, {Name: "&BB8EQAQ4BDIENQRC-", Delim: '.', Role: mail.RoleSent}}
	for i, octets := range awkward() {
		sum, _ := mail.SumOf(bytes.NewReader(octets))
		m := Outgoing{Subject: sum.Header.Subject, Received: time.Unix(int64(1_000_000_000+i), 0).In(time.FixedZone("", 3600)), Digest: sum.Digest,
			Flags: mail.MakeFlags([]string{`\Seen`, `\Flagged`, "$Label1"}[:i%4]...),
			Open:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(octets)), nil }}
		mb := boxes[i%len(boxes)]
		all[mb] = append(all[mb], m, m)
	}
	return all
}

// TestExport guards that import reads of an export, in every form, what went into it: octets, and where there is an index
// folders, flags and time.
func TestExport(t *testing.T) {
	for _, tt := range []struct {
		format Format
		name   string
	}{{Tree, "out"}, {EML, "out"}, {Zip, "out.zip"}, {Single, "out.mbox"}} {
		path := filepath.Join(t.TempDir(), tt.name)
		want := exportAll(t, path, tt.format)
		var got []string
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Each(context.Background(), func(m *Message) error {
			if m.Err != nil {
				return m.Err
			}
			got = append(got, described(m.Folders[0].Levels, m.Folders[0].Role, m.Sum.Digest, m.Flags, m.Received, tt.format))
			return nil
		})
		p.Close()
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %d of %d messages came back, or otherwise: %v", tt.format, len(got), len(want), err)
			for _, line := range got {
				if !slices.Contains(want, line) {
					t.Log(line)
				}
			}
		}
		checkNames(t, path)
		if left := Leftovers(path); len(left) > 0 {
			t.Errorf("%q was left", left)
		}
	}
}

func described(levels []string, role mail.Role, digest mail.Digest, flags mail.Flags, received time.Time, format Format) string {
	if format == Single {
		return digest.String()
	}
	return fmt.Sprintf("%q %s %s %s %s", levels, role, digest, flagsText(flags), received.Format(time.RFC3339))
}

func exportAll(t *testing.T, path string, format Format) (want []string) {
	t.Helper()
	x, err := Export(path, format)
	if err != nil {
		t.Fatal(err)
	}
	for mb, messages := range stock() {
		if err := x.Folder(mb); err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if err := x.Add(m); err != nil {
				t.Fatal(err)
			}
			want = append(want, described(LevelsOf(mb.Name, string(mb.Delim)), mb.Role, m.Digest, m.Flags, m.Received, format))
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is something before it is whole")
	}
	if err := x.Commit(); err != nil {
		t.Fatal(err)
	}
	return want
}

// checkNames guards that every name in an export is safe everywhere, and no two are the same somewhere.
func checkNames(t *testing.T, path string) {
	t.Helper()
	var names []string
	if z, err := zip.OpenReader(path); err == nil {
		defer z.Close()
		for _, f := range z.File {
			names = append(names, f.Name)
		}
	} else {
		filepath.WalkDir(path, func(name string, d os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(path, name); rel != "." && err == nil {
				names = append(names, filepath.ToSlash(rel))
			}
			return err
		})
	}
	seen := map[string]bool{}
	for _, name := range names {
		checkPath(t, name)
		if seen[strings.ToLower(name)] {
			t.Errorf("%q is there twice", name)
		}
		seen[strings.ToLower(name)] = true
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := plant(t, "x", map[string]string{"there": "x", "full/x": "x"})
	for _, name := range []string{"there", "full"} {
		if _, err := Export(filepath.Join(dir, name), Tree); !errors.Is(err, ErrThere) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, format := range []Format{Tree, Single} {
		path := filepath.Join(dir, "late"+string(format))
		x, err := Export(path, format)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(path, []byte("mine"), 0o600)
		if err := x.Commit(); !errors.Is(err, ErrThere) {
			t.Errorf("%s: %v", format, err)
		}
		x.Abort()
		if b, _ := os.ReadFile(path); string(b) != "mine" || len(Leftovers(path)) > 0 {
			t.Errorf("%s: %q is there, and %q", format, b, Leftovers(path))
		}
	}
	os.Mkdir(filepath.Join(dir, "empty"), 0o755)
	exportAll(t, filepath.Join(dir, "empty2"), EML)
	x, err := Export(filepath.Join(dir, "empty"), EML)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Commit(); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
}

var errRotten = errors.New("rotten")

// TestDamagedIsLeftOut: of a message that turns out to be damaged at its end, nothing is in the export.
func TestDamagedIsLeftOut(t *testing.T) {
	for _, format := range []Format{Tree, EML, Zip, Single} {
		for _, octets := range []int{10, keepOctets + 10} {
			path := filepath.Join(t.TempDir(), "out")
			x, err := Export(path, format)
			if err != nil {
				t.Fatal(err)
			}
			x.Folder(mail.Mailbox{Name: "INBOX"})
			rotten := Outgoing{Received: time.Unix(1, 0), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", octets)), failing{})), nil
			}}
			if err := x.Add(rotten); !errors.Is(err, errRotten) || errors.As(err, new(*TargetError)) {
				t.Errorf("%s: %v", format, err)
			}
			sum, _ := mail.SumOf(strings.NewReader("good"))
			good := Outgoing{Received: time.Unix(1, 0), Digest: sum.Digest, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("good")), nil }}
			if err := errors.Join(x.Add(good), x.Commit()); err != nil {
				t.Fatal(err)
			}
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			p.Each(context.Background(), func(m *Message) error {
				if n++; m.Sum.Digest != sum.Digest {
					t.Errorf("%s: %d octets came back", format, m.Sum.Octets)
				}
				return nil
			})
			if p.Close(); n != 1 {
				t.Errorf("%s: %d messages came back", format, n)
			}
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errRotten }

func TestAbortLeavesNothing(t *testing.T) {
	for _, format := range []Format{Tree, EML, Zip, Single} {
		dir := t.TempDir()
		x, err := Export(filepath.Join(dir, "out"), format)
		if err != nil {
			t.Fatal(err)
		}
		for mb, messages := range stock() {
			x.Folder(mb)
			x.Add(messages[0])
		}
		x.Abort()
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v was left", format, left)
		}
	}
}
