package backup

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/mailhaul/mailhaul/internal/mail"
)

func numbered(uid string) mail.Item { return mail.Item{Ref: mail.Ref{Mailbox: mail.Inbox, UID: uid}} }

// What was put comes out whole, in order, whatever its size and in what pieces it is read and taken.
func TestQueueKeepsOrder(t *testing.T) {
	sizes := []int{0, 1, partOctets - 1, partOctets, partOctets + 1, 3*partOctets + 7, 2 * maxParts * partOctets, 5}
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, sizes[i]) }
	next := 0
	q := newQueue(func(it mail.Item, r io.Reader) error {
		octets, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(octets, body(next)) || it.Ref.UID != string(rune('a'+next)) {
			t.Errorf("message %s came %d-th with %d octets, %v", it.Ref.UID, next, len(octets), err)
		}
		next++
		return nil
	})
	for i := range sizes {
		if err := q.put(numbered(string(rune('a'+i))), iotest.HalfReader(bytes.NewReader(body(i)))); err != nil {
			t.Fatal(err)
		}
	}
	if taken, err := q.close(); taken != len(sizes) || err != nil {
		t.Errorf("taken = %d, %v, want %d", taken, err, len(sizes))
	}
}

// A message that is not read to its end does not get in the way of the next one.
func TestQueueDropsRests(t *testing.T) {
	var first []string
	q := newQueue(func(_ mail.Item, r io.Reader) error {
		p := make([]byte, 1)
		io.ReadFull(r, p)
		first = append(first, string(p))
		return nil
	})
	for _, c := range []string{"a", "b"} {
		if err := q.put(numbered(c), strings.NewReader(strings.Repeat(c, 3*partOctets))); err != nil {
			t.Fatal(err)
		}
	}
	if taken, err := q.close(); taken != 2 || err != nil || strings.Join(first, "") != "ab" {
		t.Errorf("taken = %d, %v, beginning with %q", taken, err, first)
	}
}

// When reading a message fails, put says what take makes of that: whether it is the end is not its own to decide.
func TestQueueAsksWhatAnErrorMeans(t *testing.T) {
	cut := errors.New("cut")
	for _, fatal := range []bool{false, true} {
		q := newQueue(func(_ mail.Item, r io.Reader) error {
			_, err := io.Copy(io.Discard, r)
			if fatal {
				return err
			}
			return nil
		})
		if err := q.put(numbered("1"), strings.NewReader("whole")); err != nil {
			t.Fatal(err)
		}
		err := q.put(numbered("2"), io.MultiReader(strings.NewReader("ha"), iotest.ErrReader(cut)))
		taken, cerr := q.close()
		if fatal && (err != cut || cerr != cut || taken != 1) || !fatal && (err != nil || cerr != nil || taken != 2) {
			t.Errorf("fatal %v: put = %v, close = %d, %v", fatal, err, taken, cerr)
		}
	}
}

// What cannot be taken ends the reading: with the next message, or in the middle of one that is longer than the queue.
func TestQueueStopsReading(t *testing.T) {
	full := errors.New("the disk is full")
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(func(mail.Item, io.Reader) error { return full })
		endless := readerFunc(func(p []byte) (int, error) { return len(p), nil })
		if err := q.put(numbered("1"), endless); err != full {
			t.Errorf("put = %v, want %v", err, full)
		}
		if err := q.put(numbered("2"), strings.NewReader("x")); err != full {
			t.Errorf("the next put = %v, want %v", err, full)
		}
		if taken, err := q.close(); taken != 0 || err != full {
			t.Errorf("close = %d, %v", taken, err)
		}
	})
}

// A source that is faster than the disk waits: no more is held than was said.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		q := newQueue(func(_ mail.Item, r io.Reader) error {
			<-gate
			_, err := io.Copy(io.Discard, r)
			return err
		})
		read := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			long := io.LimitReader(readerFunc(func(p []byte) (int, error) { read += len(p); return len(p), nil }), 3*maxParts*partOctets)
			if err := q.put(numbered("1"), long); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		if read != maxParts*partOctets {
			t.Errorf("%d octets are held, want %d", read, maxParts*partOctets)
		}
		close(gate)
		<-done
		if taken, err := q.close(); taken != 1 || err != nil {
			t.Errorf("close = %d, %v", taken, err)
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
