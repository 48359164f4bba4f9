package find

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

func (s *shelf) index() string { return filepath.Join(s.dir, "mailhaul", fileName) }

// TestIndexIsMadeAgain guards that an index that is missing, damaged, or none, is made again, and that nothing outside the
// archive is written to.
func TestIndexIsMadeAgain(t *testing.T) {
	s := newShelf(t)
	var letters []string
	for n := range 60 {
		letters = append(letters, letterOf(fmt.Sprint("letter ", n), "text/plain", "some words"))
	}
	s.put("INBOX", nil, march, letters...)
	want := s.ask("words")
	whole, err := os.ReadFile(s.index())
	mustDo(t, err)
	otherForm := slices.Clone(whole)
	otherForm[63]++ // PRAGMA user_version
	torn := slices.Clone(whole)
	for i := 4096; i < len(torn)-4096; i++ {
		torn[i] ^= 0x55
	}
	for name, octets := range map[string][]byte{"empty": {}, "no database": []byte("From: nobody\n\nhello"), "of another form": otherForm, "torn": torn, "cut": whole[:len(whole)/2]} {
		mustDo(t, os.WriteFile(s.index(), octets, 0o600))
		if got := s.ask("words"); !slices.Equal(got, want) {
			t.Errorf("%s: %d found, want %d", name, len(got), len(want))
		}
	}
	st, err := openStore(t.Context(), s.Archive)
	mustDo(t, err)
	_, err = st.conn.ExecContext(t.Context(), "update words_data set block = randomblob(length(block)) where id > 1")
	mustDo(t, err)
	mustDo(t, st.close())
	if got := s.ask("words"); !slices.Equal(got, want) {
		t.Errorf("with words damaged: %d found", len(got))
	}
	mustDo(t, os.Remove(s.index()))
	if got := s.ask("words"); !slices.Equal(got, want) {
		t.Errorf("missing: %d found", len(got))
	}
	if info, err := os.Stat(s.index()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the index: %v, %v", info.Mode(), err)
	}
	aside := filepath.Join(t.TempDir(), "precious")
	mustDo(t, os.WriteFile(aside, []byte("precious"), 0o600))
	mustDo(t, os.Remove(s.index()))
	mustDo(t, os.Symlink(aside, s.index()))
	q, _ := Parse("words")
	x := New(s.Archive)
	defer x.Close()
	var disk *archive.DiskError
	if _, err := x.IDs(t.Context(), q); !errors.As(err, &disk) {
		t.Errorf("a link was followed: %v", err)
	}
	if octets, _ := os.ReadFile(aside); string(octets) != "precious" {
		t.Errorf("something else was written to: %q", octets)
	}
}

// TestFollows guards that the index follows what comes, and the ledger when it is made again with other IDs; the mail is not
// read again then.
func TestFollows(t *testing.T) {
	s := newShelf(t)
	s.put("Work", nil, march, letterOf("first", "text/plain", "one"))
	s.ask("one")
	s.put("INBOX", nil, march, letterOf("second", "text/plain", "two"), letterOf("first", "text/plain", "one"))
	if got := s.ask("one"); !slices.Equal(got, []int64{3, 1}) {
		t.Errorf("one and the same in two folders: %v", got)
	}
	if got := s.ask("two"); !slices.Equal(got, []int64{2}) {
		t.Errorf("what came: %v", got)
	}
	if n := s.docs(); n != 2 {
		t.Errorf("%d messages are in the index, want 2", n)
	}
	mustDo(t, s.Close())
	mustDo(t, os.Remove(filepath.Join(s.dir, "mailhaul", "ledger.db")))
	s.open()
	for query, folders := range map[string][]string{"one": {"INBOX", "Work"}, "two": {"INBOX"}, "subject:first folder:work": {"Work"}} {
		var got []string
		for _, id := range s.ask(query) {
			e, err := s.Entry(id)
			mustDo(t, err)
			got = append(got, e.Mailbox)
		}
		if slices.Sort(got); !slices.Equal(got, folders) {
			t.Errorf("%s: in %v, want %v", query, got, folders)
		}
	}
	if n := s.docs(); n != 2 {
		t.Errorf("%d messages are in the index, want 2", n)
	}
}

func (s *shelf) docs() (n int) {
	st, err := openStore(context.Background(), s.Archive)
	mustDo(s, err)
	defer st.close()
	mustDo(s, st.value(context.Background(), "select count(*) from doc", &n))
	return n
}

// TestDamagedMessage guards that a message that cannot be read does not stop the index, is found by what the ledger knows,
// and by its text when it is mended.
func TestDamagedMessage(t *testing.T) {
	s := newShelf(t)
	id := s.put("INBOX", nil, march, letterOf("precious words", "text/plain", "hidden treasure"))[0]
	s.put("INBOX", nil, march, letterOf("other", "text/plain", "treasure"))
	e, err := s.Entry(id)
	mustDo(t, err)
	path := filepath.Join(s.dir, filepath.FromSlash(e.Path))
	octets, err := os.ReadFile(path)
	mustDo(t, err)
	wrong := slices.Clone(octets)
	wrong[len(wrong)-5] ^= 1
	view, err := archive.View(s.dir) // which notes nothing in the ledger
	mustDo(t, err)
	defer view.Close()
	look := shelf{TB: t, Archive: view, dir: s.dir}
	for _, now := range [][]byte{wrong, octets[:10], nil} {
		mustDo(t, os.WriteFile(path, now, 0o600))
		if got := look.ask("treasure"); !slices.Equal(got, []int64{2}) {
			t.Errorf("treasure is found in %v", got)
		}
		if got := look.ask("precious from:alice"); !slices.Equal(got, []int64{1}) {
			t.Errorf("precious is found in %v", got)
		}
	}
	mustDo(t, os.Remove(path))
	if got := look.ask("precious"); !slices.Equal(got, []int64{1}) {
		t.Errorf("without its file precious is found in %v", got)
	}
	mustDo(t, os.WriteFile(path, octets, 0o600))
	if got := look.ask("hidden treasure"); !slices.Equal(got, []int64{1}) {
		t.Errorf("mended, treasure is found in %v", got)
	}
}

func smallPages(t *testing.T) {
	was := pageMessages
	pageMessages = 40
	t.Cleanup(func() { pageMessages = was })
}

// TestBrokenOff guards that what is in the index stays when the work is broken off, and that the next one goes on from there.
func TestBrokenOff(t *testing.T) {
	smallPages(t)
	s := newShelf(t)
	var letters []string
	for n := range 2*pageMessages + 10 {
		letters = append(letters, letterOf(fmt.Sprint("letter ", n), "text/plain", fmt.Sprint("word number ", n)))
	}
	s.put("INBOX", nil, march, letters...)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	x := New(s.Archive)
	x.Watch = func(e progress.Event) {
		if _, moved := e.(progress.Moved); moved {
			cancel(stopped)
		}
	}
	if err := x.Update(ctx); err != stopped {
		t.Errorf("it was broken off with %v", err)
	}
	mustDo(t, x.Close())
	if n := s.docs(); n < pageMessages || n > 2*pageMessages {
		t.Errorf("%d messages are in the index", n)
	}
	todo := 0
	x = New(s.Archive)
	defer x.Close()
	x.Watch = func(e progress.Event) {
		if l, listed := e.(progress.Listed); listed {
			todo = l.Messages
		}
	}
	mustDo(t, x.Update(t.Context()))
	if todo == 0 || todo > pageMessages+10 {
		t.Errorf("%d messages were still to be read", todo)
	}
	if got := len(s.ask("word")); got != len(letters) {
		t.Errorf("%d found, want %d", got, len(letters))
	}
}

// TestTwoAtOnce guards that two searches at the same time, with an index that must be made first, find the same.
func TestTwoAtOnce(t *testing.T) {
	smallPages(t)
	s := newShelf(t)
	var letters []string
	for n := range 10*pageMessages + 5 {
		letters = append(letters, letterOf(fmt.Sprint("letter ", n), "text/plain", fmt.Sprint("word number ", n)))
	}
	s.put("INBOX", nil, march, letters...)
	q, err := Parse("word")
	mustDo(t, err)
	var both sync.WaitGroup
	for range 3 {
		both.Go(func() {
			a, err := archive.View(s.dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close()
			x := New(a)
			defer x.Close()
			if ids, err := x.IDs(t.Context(), q); err != nil || len(ids) != len(letters) {
				t.Errorf("%d found, %v", len(ids), err)
			}
		})
	}
	both.Wait()
	if n := s.docs(); n != len(letters) {
		t.Errorf("%d messages are in the index, want %d", n, len(letters))
	}
}

// TestSelect guards that entries come in their order, page after page, and that one can stop.
func TestSelect(t *testing.T) {
	s := newShelf(t)
	var letters []string
	for n := range selectTogether + 50 {
		letters = append(letters, letterOf(fmt.Sprint("letter ", n), "text/plain", "x"))
	}
	ids := s.put("INBOX", mail.Flags{mail.Seen}, march, letters...)
	x := New(s.Archive)
	defer x.Close()
	q, err := Parse("is:read")
	mustDo(t, err)
	var got []int64
	for e, err := range x.Select(t.Context(), q) {
		mustDo(t, err)
		got = append(got, e.ID)
	}
	if slices.Reverse(ids); !slices.Equal(got, ids) {
		t.Errorf("%d entries, want %d, or they are in another order", len(got), len(ids))
	}
	for range x.Select(t.Context(), q) {
		break
	}
	if Kept(s.Archive) {
		t.Error("an index was made that nobody needs")
	}
}
