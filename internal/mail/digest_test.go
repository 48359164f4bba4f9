package mail

import (
	"bytes"
	"crypto/sha256"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

var manyMore = strings.Repeat("\r", 2*len(manyCRs)+1)

// slowCanonical and slowLevelled are the definitions of the package comment, octet by octet.
func slowCanonical(msg []byte) []byte {
	var out []byte
	for i, c := range msg {
		if c == '\n' && (i == 0 || msg[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

func slowLevelled(msg []byte) []byte {
	out := slowCanonical(msg)
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, "\r\n"...)
	}
	for bytes.Contains(out, []byte("\r\r\n")) {
		out = bytes.ReplaceAll(out, []byte("\r\r\n"), []byte("\r\n"))
	}
	return bytes.ReplaceAll(out, []byte{0}, []byte{0x80})
}

func slowBody(msg []byte) []byte {
	msg = slowLevelled(msg)
	if body, ok := bytes.CutPrefix(msg, []byte("\r\n")); ok {
		return slowLevelled(body)
	}
	_, body, _ := bytes.Cut(msg, []byte("\r\n\r\n"))
	return slowLevelled(body)
}

var oddMessages = []string{
	"", "\n", "\r", "\r\n", "\r\r\n", "\n\n", "a", "a\n", "a\r\n", "a\r", "a\r\r", "\ra\r\n", "a\rb\r\n",
	"A: b\r\n\r\nbody\r\n", "A: b\n\nbody\n", "A: b\n\nbody", "A: b\r\n\r\nbare\nlf\r\n", "A: b\r\r\n\r\r\nrun\r\r\r\n",
	"A: b\r\n\r\nx\r\r\ny\r\r\r\nz\r", "A: b\x00c\r\n\r\n\x00\r\n", "A: b\r\n\r\n\x00\r\r\n\x00\r", "\r\nbody with no header\r\n", "A: b\r\n",
	strings.Repeat("x", 70_000) + "\n" + strings.Repeat("\r", 5) + "\nend",
	manyMore + "\n", manyMore + "a", manyMore + "\na" + manyMore,
}

func checkSum(t *testing.T, msg []byte, chunk func(io.Reader) io.Reader) {
	t.Helper()
	got, err := SumOf(chunk(bytes.NewReader(msg)))
	if err != nil {
		t.Fatal(err)
	}
	canon := slowCanonical(msg)
	if got.Octets != int64(len(canon)) || got.Digest != sha256.Sum256(canon) {
		t.Errorf("Sum(%.80q): %d octets, digest %s; want %d octets of %.80q", msg, got.Octets, got.Digest, len(canon), canon)
	}
	if want := sha256.Sum256(slowLevelled(msg)); got.Match != want {
		t.Errorf("Sum(%.80q).Match is not the digest of %.80q", msg, slowLevelled(msg))
	}
	if want := sha256.Sum256(slowBody(msg)); got.BodyDigest != want {
		t.Errorf("Sum(%.80q).BodyDigest is not the digest of %.80q", msg, slowBody(msg))
	}
	read, err := io.ReadAll(Canonical(chunk(bytes.NewReader(msg))))
	if err != nil || !bytes.Equal(read, canon) {
		t.Errorf("Canonical(%.80q) = %.80q, %v; want %.80q", msg, read, err, canon)
	}
}

var whole = func(r io.Reader) io.Reader { return r }

func TestSum(t *testing.T) {
	for _, msg := range oddMessages {
		for _, chunk := range []func(io.Reader) io.Reader{whole, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			checkSum(t, []byte(msg), chunk)
		}
	}
}

// TestNothingButCRs: a message of them, however long, must not be held in memory.
func TestNothingButCRs(t *testing.T) {
	for _, end := range []string{"", "\n", "x"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := NewPartSummer()
		s.Write([]byte("A: b\r\n\r\n"))
		for range 32 << 20 / len(manyCRs) {
			s.Write(manyCRs)
		}
		s.Write([]byte(end))
		if sum := s.Sum(); sum.Octets < 32<<20 {
			t.Errorf("%d octets", sum.Octets)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("32 MiB of CRs and %q took %d octets of memory", end, took)
		}
	}
}

func FuzzSum(f *testing.F) {
	for _, msg := range oddMessages {
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		checkSum(t, msg, whole)
		checkSum(t, msg, iotest.OneByteReader)
	})
}

func TestCanonicalIsIdempotent(t *testing.T) {
	for _, msg := range oddMessages {
		once := slowCanonical([]byte(msg))
		if twice, _ := io.ReadAll(Canonical(bytes.NewReader(once))); !bytes.Equal(once, twice) {
			t.Errorf("Canonical(%q) = %q", once, twice)
		}
	}
}

func BenchmarkSummer(b *testing.B) {
	msg := []byte("Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("y", 76)+"\r\n", 320))
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		s := NewSummer()
		s.Write(msg)
		s.Sum()
	}
}
