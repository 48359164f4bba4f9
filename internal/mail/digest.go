package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"
)

// A Digest is a SHA-256. Of a message it is the one of its canonical form unless said otherwise.
type Digest [sha256.Size]byte

// String returns the digest in 64 hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("a digest has %d hex digits, not %d", hex.EncodedLen(len(d)), len(s))
	}
	_, err := hex.Decode(d[:], []byte(s))
	return d, err
}

// A Sum is what one pass over a message's octets learns.
type Sum struct {
	Octets int64  // of the canonical form
	Digest Digest // of the canonical form: the message's identity
	Match  Digest // of the levelled form: compares with what a server shows
	Header Header

	// Set by a Summer made with NewPartSummer only.
	HeadDigest Digest // levelled, up to the first empty line and without it
	BodyDigest Digest // levelled, after the first empty line
}

// A Summer is written a message in received, canonical or stored form and sums it up; all three give the same
// Sum. It never fails and keeps no more of the message than its header, of which 1 MiB at most.
type Summer struct {
	canon hash.Hash
	// level is nil as long as the levelled form is the canonical one, which it is for nearly all mail.
	level  hash.Hash
	octets int64
	crs    int  // CRs at the end of the last Write, whose line end is still to come
	open   bool // the last octet was not an LF
	head   headScan
	parts  *parts
}

type parts struct{ head, body Summer }

// NewSummer returns a Summer for the digests of whole messages.
func NewSummer() *Summer { return &Summer{canon: sha256.New()} }

// NewPartSummer returns a Summer that takes the digests of header and body as well, at twice the cost.
func NewPartSummer() *Summer {
	s := NewSummer()
	s.parts = &parts{head: Summer{canon: sha256.New()}, body: Summer{canon: sha256.New()}}
	s.parts.head.head.done, s.parts.body.head.done = true, true
	return s
}

// Write takes the next octets; it never fails.
func (s *Summer) Write(p []byte) (int, error) {
	n := len(p)
	s.scanHead(p)
	s.add(p)
	return n, nil
}

// HeadDone reports whether the header has been written to its end, the empty line: HeadDigest will not change.
func (s *Summer) HeadDone() bool { return s.head.done }

func (s *Summer) scanHead(p []byte) {
	head := 0
	if !s.head.done {
		head = s.head.write(p)
	}
	if s.parts != nil {
		s.parts.head.add(p[:head])
		s.parts.body.add(p[head:])
	}
}

func (s *Summer) add(p []byte) {
	if s.crs > 0 {
		if p = s.afterCRs(p); len(p) == 0 {
			return
		}
	}
	tail := len(p)
	for tail > 0 && p[tail-1] == '\r' {
		tail--
	}
	s.crs = len(p) - tail
	s.addLines(p[:tail])
}

// afterCRs ends the run of CRs that the last Write left open and returns what is to be read after it.
func (s *Summer) afterCRs(p []byte) []byte {
	for len(p) > 0 && p[0] == '\r' {
		s.crs++
		p = p[1:]
	}
	if len(p) == 0 {
		return nil
	}
	if p[0] == '\n' {
		s.lineEnd(s.crs)
		p = p[1:]
	} else {
		s.putCRs(s.crs)
	}
	s.crs = 0
	return p
}

func (s *Summer) addLines(p []byte) {
	start := 0
	for at := 0; ; {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		i += at
		at = i + 1
		run := i
		for run > start && p[run-1] == '\r' {
			run--
		}
		if i-run == 1 {
			continue
		}
		s.put(p[start:run])
		s.lineEnd(i - run)
		start = at
	}
	s.put(p[start:])
}

var crlf = []byte("\r\n")

// lineEnd takes an LF with crs CRs before it.
func (s *Summer) lineEnd(crs int) {
	if crs < 2 {
		s.put(crlf)
		return
	}
	if s.level == nil {
		s.level = clone(s.canon)
	}
	s.level.Write(crlf)
	for n := crs; n > 0; n -= len(manyCRs) {
		s.canon.Write(manyCRs[:min(n, len(manyCRs))])
	}
	s.canon.Write(crlf[1:])
	s.octets += int64(crs) + 1
	s.open = false
}

// manyCRs is what longer runs are made of: somebody may send a message of nothing else.
var manyCRs = bytes.Repeat([]byte{'\r'}, 4<<10)

func (s *Summer) putCRs(n int) {
	for ; n > 0; n -= len(manyCRs) {
		s.put(manyCRs[:min(n, len(manyCRs))])
	}
}

func (s *Summer) put(p []byte) {
	if len(p) == 0 {
		return
	}
	nul := bytes.IndexByte(p, 0) >= 0
	if nul && s.level == nil {
		s.level = clone(s.canon)
	}
	s.canon.Write(p)
	switch {
	case nul:
		s.level.Write(bytes.ReplaceAll(p, []byte{0}, []byte{0x80}))
	case s.level != nil:
		s.level.Write(p)
	}
	s.octets += int64(len(p))
	s.open = p[len(p)-1] != '\n'
}

func clone(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 of the standard library can be cloned
	}
	return c
}

// Sum returns what was learnt; the message is over, and nothing may be written after it.
func (s *Summer) Sum() Sum {
	digest, match := s.digests()
	sum := Sum{Octets: s.octets, Digest: digest, Match: match, Header: ParseHeader(s.head.buf)}
	if s.parts != nil {
		_, sum.HeadDigest = s.parts.head.digests()
		_, sum.BodyDigest = s.parts.body.digests()
	}
	return sum
}

func (s *Summer) digests() (digest, match Digest) {
	if s.level == nil && !s.open && s.crs == 0 && s.octets > 0 { // as nearly all mail
		s.canon.Sum(digest[:0])
		return digest, digest
	}
	level := s.level
	if level == nil {
		level = clone(s.canon)
	}
	if s.open || s.crs > 0 || s.octets == 0 { // CRs at the very end would be a run before the missing line end
		level.Write(crlf)
	}
	level.Sum(match[:0])
	if s.crs > 0 {
		s.putCRs(s.crs)
		s.crs = 0
	}
	s.canon.Sum(digest[:0])
	return digest, match
}

// SumOf reads r to its end and sums it up with header and body apart.
func SumOf(r io.Reader) (Sum, error) {
	s := NewPartSummer()
	if _, err := io.Copy(s, r); err != nil {
		return Sum{}, err
	}
	return s.Sum(), nil
}

// Canonical returns a reader of r's canonical form: every LF without a CR before it gets one, and nothing else
// changes. It is the reading rule for a file of the archive.
func Canonical(r io.Reader) io.Reader {
	return &canonical{src: r, buf: canonicalBuffers.Get().(*[canonicalBuffer]byte)}
}

const canonicalBuffer = 32 << 10

// canonicalBuffers are those of readers that have come to the end: most messages are smaller than one.
var canonicalBuffers = sync.Pool{New: func() any { return new([canonicalBuffer]byte) }}

type canonical struct {
	src  io.Reader
	buf  *[canonicalBuffer]byte // nil at the end
	rest []byte                 // of buf, not yet given out
	cr   bool                   // the last octet given out was a CR
	err  error
}

func (c *canonical) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(c.rest) == 0 {
			if n > 0 || c.err != nil {
				c.release()
				break
			}
			var m int
			m, c.err = c.src.Read(c.buf[:])
			c.rest = c.buf[:m]
			continue
		}
		n += c.give(p[n:])
	}
	if n == 0 && len(p) > 0 {
		return 0, c.err
	}
	return n, nil
}

// release gives the buffer back when nothing more comes.
func (c *canonical) release() {
	if c.err != nil && c.buf != nil && len(c.rest) == 0 {
		canonicalBuffers.Put(c.buf)
		c.buf, c.rest = nil, nil
	}
}

// give copies at least one octet and at most up to the end of a line.
func (c *canonical) give(p []byte) int {
	if c.rest[0] == '\n' {
		if !c.cr {
			p[0], c.cr = '\r', true
			return 1
		}
		p[0], c.cr, c.rest = '\n', false, c.rest[1:]
		return 1
	}
	run := bytes.IndexByte(c.rest, '\n')
	if run < 0 {
		run = len(c.rest)
	}
	n := copy(p, c.rest[:run])
	c.cr, c.rest = p[n-1] == '\r', c.rest[n:]
	return n
}
