package mbox

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// What is believed of a zip file. Mail does not shrink to a two-hundredth; a bomb does.
const (
	maxDirectory = 256 << 20 // octets of the list of its files
	maxRatio     = 200
	freeOctets   = 16 << 20 // that a file may unpack to, whatever the ratio
)

var errBomb = fmt.Errorf("it unpacks to more than %d times its size: that is no mail, and it is not unpacked", maxRatio)

// checkZip looks how long the list of files is before all of it is read.
func checkZip(name string, size int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	tail := make([]byte, min(size, 64<<10+22+20))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	i := strings.LastIndex(string(tail), "PK\x05\x06")
	if i < 0 || len(tail)-i < 22 {
		return errors.New("the zip file is damaged: its end is missing")
	}
	octets := int64(binary.LittleEndian.Uint32(tail[i+12:]))
	if at := i - 20; octets == 1<<32-1 && at >= 0 && string(tail[at:at+4]) == "PK\x06\x07" {
		octets, err = directory64(f, int64(binary.LittleEndian.Uint64(tail[at+8:])), size)
		if err != nil {
			return err
		}
	}
	if octets > maxDirectory {
		return fmt.Errorf("the list of files of the zip file has %d octets, and more than %d are not read", octets, maxDirectory)
	}
	return nil
}

func directory64(f *os.File, at, size int64) (int64, error) {
	end := make([]byte, 56)
	if at < 0 || at > size-56 {
		return 0, errors.New("the zip file is damaged: its end is missing")
	}
	if _, err := f.ReadAt(end, at); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(end[40:])
	return int64(min(n, 1<<62)), nil
}

// zipFiles lists the files in a zip file. Their names are for telling folders only, nothing is ever written by them; but
// those that are made to lead elsewhere are not believed at all.
func zipFiles(z *zip.Reader, size int64, s *survey) ([]*file, error) {
	var files []*file
	var packed uint64
	for _, zf := range z.File {
		if packed += zf.CompressedSize64; packed > uint64(size) {
			return nil, errors.New("the files in the zip file lie upon each other: that is made to unpack without end")
		}
		name := strings.ReplaceAll(zf.Name, `\`, "/")
		switch mode := zf.Mode(); {
		case mode.IsDir() || strings.HasSuffix(name, "/"):
			continue
		case mode&fs.ModeSymlink != 0:
			s.links++
			continue
		case !mode.IsRegular():
			continue
		}
		f := &file{name: strings.TrimPrefix(path.Clean("/"+name), "/"), size: int64(min(zf.UncompressedSize64, 1<<62)), mod: zf.Modified, packed: true}
		if f.mod.Year() < 1980 { // the zip file has no time for it
			f.mod = time.Time{}
		}
		f.open = func() (io.ReadCloser, error) { return openPacked(zf) }
		switch {
		case strings.HasPrefix(name, "/"), slices.Contains(strings.Split(name, "/"), ".."), strings.Contains(name, ":/"):
			f.bad = fmt.Errorf("its name in the zip file leads out of it")
		case zf.UncompressedSize64 > zf.CompressedSize64*maxRatio+freeOctets:
			f.bad = errBomb
		case zf.Flags&1 != 0:
			f.bad = errors.New("it is encrypted: unpack the zip file first")
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(x, y *file) int { return compareDirs(x.name, y.name) })
	return files, nil
}

// dirsIn returns the directories of a zip file, be it that only files in them are named.
func dirsIn(z *zip.Reader) map[string]bool {
	dirs := map[string]bool{}
	for _, zf := range z.File {
		name := strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(zf.Name, `\`, "/")), "/")
		if zf.Mode().IsDir() {
			dirs[name] = true
		}
		for dir := path.Dir(name); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	return dirs
}

// compareDirs puts the files of a directory together.
func compareDirs(x, y string) int {
	if c := strings.Compare(path.Dir(x), path.Dir(y)); c != 0 {
		return c
	}
	return strings.Compare(x, y)
}

// openPacked unpacks a file, and no more of it than the zip file says it has.
func openPacked(zf *zip.File) (io.ReadCloser, error) {
	r, err := zf.Open()
	if err != nil {
		return nil, err
	}
	return &unpacking{r, int64(min(zf.UncompressedSize64, 1<<62))}, nil
}

type unpacking struct {
	io.ReadCloser
	left int64
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, errBomb
	}
	return n, err
}
