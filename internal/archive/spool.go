package archive

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A spool writes one message into tmp/ as it comes: with LF line ends as long as it holds neither a bare LF nor a
// CR directly before a CRLF. At the first of those it begins a second file with the octets as received so far, and
// goes on with those that come.
type spool struct {
	a    *Archive
	name string
	f    *os.File
	w    *bufio.Writer
	n    int64 // octets written
	crs  int   // CRs that came last and are not written yet: what they are depends on what follows
	raw  bool
}

const spoolBuffer = 64 << 10

func (a *Archive) newSpool(w *bufio.Writer) (*spool, error) {
	s := &spool{a: a, w: w}
	return s, s.create()
}

func (s *spool) create() error {
	name := fmt.Sprintf("%s%d", ownTmp, s.a.tmpNames.Add(1))
	err := s.a.act("create", "tmp/"+name, func() (err error) {
		s.f, err = s.a.tmp.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	s.name, s.n = name, 0
	s.w.Reset((*spoolFile)(s))
	return nil
}

// A spoolFile is where a spool's buffer is written to.
type spoolFile spool

func (s *spoolFile) Write(p []byte) (n int, err error) {
	err = s.a.act("write", "tmp/"+s.name, func() error {
		n, err = s.f.Write(p)
		return err
	})
	s.n += int64(n)
	return n, err
}

// write takes the next octets of the message.
func (s *spool) write(p []byte) error {
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
	_, err := s.w.Write(p)
	return err
}

// writeLines writes p with LF line ends, and returns what is left of it from the first line on that cannot be
// written so.
func (s *spool) writeLines(p []byte) (rest []byte, err error) {
	for len(p) > 0 && err == nil {
		if s.crs > 0 {
			p, err = s.afterCRs(p)
			if s.crs > 0 {
				return p, err
			}
			continue
		}
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			text := bytes.TrimRight(p, "\r")
			s.crs = len(p) - len(text)
			_, err = s.w.Write(text)
			return nil, err
		}
		if i == 0 || p[i-1] != '\r' || i > 1 && p[i-2] == '\r' {
			return p, nil
		}
		s.w.Write(p[:i-1])
		err = s.w.WriteByte('\n')
		p = p[i+1:]
	}
	return nil, err
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
		return text[1:], s.w.WriteByte('\n')
	}
	return text, nil
}

func (s *spool) writeCRs() (err error) {
	for ; s.crs > 0 && err == nil; s.crs-- {
		err = s.w.WriteByte('\r')
	}
	return err
}

// goRaw begins again with the octets as received. Up to here every LF was a CRLF: the canonical form is what came.
func (s *spool) goRaw() error {
	if err := s.w.Flush(); err != nil {
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
	if _, err := io.Copy(s.w, mail.Canonical(lines)); err != nil {
		return diskError("read", "tmp/"+name, err)
	}
	return s.writeCRs()
}

// finish writes what is left.
func (s *spool) finish() error {
	if err := s.writeCRs(); err != nil {
		return err
	}
	return s.w.Flush()
}

// discard removes the file.
func (s *spool) discard() {
	if s.f == nil {
		return
	}
	s.f.Close()
	_ = s.a.act("remove", "tmp/"+s.name, func() error { return s.a.tmp.Remove(s.name) })
}
