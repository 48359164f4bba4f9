package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A spool writes one message into tmp/ as it comes: with LF line ends as long as it holds neither a bare LF nor a
// CR directly before a CRLF. At the first of those it begins a second file with the octets as received so far, and
// goes on with those that come.
type spool struct {
	a    *Archive
	name string
	f    *os.File
	buf  []byte // not written yet
	n    int64  // octets written
	crs  int    // CRs that came last and are not in buf yet: what they are depends on what follows
	raw  bool
}

const (
	spoolPart   = 64 << 10 // octets that are looked at together
	spoolBuffer = 2 * spoolPart
)

// newSpool makes a spool. It collects in buf, which has room for spoolBuffer octets.
func (a *Archive) newSpool(buf []byte) (*spool, error) {
	s := &spool{a: a, buf: buf[:0]}
	return s, s.create()
}

func (s *spool) create() error {
	name := fmt.Sprintf("%s%d", ownTmp, s.a.tmpNames.Add(1))
	err := s.a.act("create", "tmp/"+name, func() (err error) {
		s.f, err = s.a.spools.create(name)
		return err
	})
	if err != nil {
		return err
	}
	s.name, s.n = name, 0
	return nil
}

// flush writes what was collected.
func (s *spool) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	return s.a.act("write", "tmp/"+s.name, func() error {
		n, err := s.f.Write(s.buf)
		s.n += int64(n)
		s.buf = s.buf[:0]
		return err
	})
}

// room makes sure that n octets more can be collected, up to a spoolPart.
func (s *spool) room(n int) error {
	if cap(s.buf)-len(s.buf) < n {
		return s.flush()
	}
	return nil
}

// write takes the next octets of the message.
func (s *spool) write(p []byte) error {
	for part := range slices.Chunk(p, spoolPart) {
		if err := s.writePart(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) writePart(p []byte) error {
	if !s.raw {
		rest, err := s.writeLines(p)
		if err != nil || len(rest) == 0 {
			return err
		}
		if err := s.goRaw(); err != nil {
			return err
		}
		p = rest
	}
	return s.add(p)
}

func (s *spool) add(p []byte) error {
	err := s.room(len(p))
	s.buf = append(s.buf, p...)
	return err
}

// writeLines takes p with LF line ends, and returns what is left of it from the first line on that cannot be written
// so.
func (s *spool) writeLines(p []byte) (rest []byte, err error) {
	if s.crs > 0 {
		if p, err = s.afterCRs(p); err != nil || s.crs > 0 {
			return p, err
		}
	}
	if err := s.room(len(p)); err != nil {
		return nil, err
	}
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			text := bytes.TrimRight(p, "\r")
			s.crs = len(p) - len(text)
			s.buf = append(s.buf, text...)
			return nil, nil
		}
		if i == 0 || p[i-1] != '\r' || i > 1 && p[i-2] == '\r' {
			return p, nil
		}
		s.buf = append(append(s.buf, p[:i-1]...), '\n')
		p = p[i+1:]
	}
}

// afterCRs decides what the CRs before p are. If s.crs is not 0 afterwards, either p was all CRs or the line
// cannot be written with an LF.
func (s *spool) afterCRs(p []byte) ([]byte, error) {
	text := bytes.TrimLeft(p, "\r")
	s.crs += len(p) - len(text)
	switch {
	case len(text) == 0:
		return nil, nil
	case text[0] != '\n':
		return text, s.writeCRs()
	case s.crs == 1:
		s.crs = 0
		return text[1:], s.add(text[:1])
	}
	return text, nil
}

func (s *spool) writeCRs() (err error) {
	for ; s.crs > 0 && err == nil; s.crs-- {
		err = s.add([]byte{'\r'})
	}
	return err
}

// goRaw begins again with the octets as received. Up to here every LF was a CRLF: the canonical form is what came.
func (s *spool) goRaw() error {
	if err := s.flush(); err != nil {
		return err
	}
	lines, name := s.f, s.name
	defer func() {
		lines.Close()
		_ = s.a.act("remove", "tmp/"+name, func() error { return s.a.tmp.Remove(name) })
	}()
	if _, err := lines.Seek(0, io.SeekStart); err != nil {
		return diskError("read", "tmp/"+name, err)
	}
	if err := s.create(); err != nil {
		return err
	}
	s.raw = true
	if _, err := io.Copy((*rawSpool)(s), mail.Canonical(lines)); err != nil {
		return diskError("read", "tmp/"+name, err)
	}
	return s.writeCRs()
}

// A rawSpool takes octets as they are to be written.
type rawSpool spool

func (s *rawSpool) Write(p []byte) (int, error) {
	for part := range slices.Chunk(p, spoolPart) {
		if err := (*spool)(s).add(part); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// finish writes what is left.
func (s *spool) finish() error {
	if err := s.writeCRs(); err != nil {
		return err
	}
	return s.flush()
}

// discard removes the file.
func (s *spool) discard() {
	if s.f == nil {
		return
	}
	s.f.Close()
	_ = s.a.act("remove", "tmp/"+s.name, func() error { return s.a.tmp.Remove(s.name) })
}
