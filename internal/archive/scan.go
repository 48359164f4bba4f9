package archive

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// A scan compares folders with what the ledger says of them.
type scan struct {
	a      *Archive
	index  map[key]int
	rows   []row
	others []found // files of ours that are not where, or what, a sound row says
	infos  map[string]string
	abc    alphabets
}

// A row is an entry as far as its file goes.
type row struct {
	id    int64
	name  fileName
	place *folder
	sub   int
	state int
	seen  bool
	short bool // the file is there, and has another size
	moved bool // sub, place or name are to be written down
	was   *lettered
}

// A lettered is where a file was, and with which letters, before another program changed its keywords.
type lettered struct {
	place *folder
	info  string
}

// A found is a file of ours.
type found struct {
	folder *folder
	sub    int
	name   fileName
	size   int64
}

func (f found) path() string { return f.folder.path(subdirs[f.sub], f.name.String()) }

// scan looks through the folders, notes in the ledger what has changed, and adopts what it does not know.
func (a *Archive) scan(folders []*folder) error {
	s := &scan{a: a, index: map[key]int{}, infos: map[string]string{}, abc: alphabets{}}
	for _, f := range folders {
		if err := s.load(f); err != nil {
			return err
		}
		if err := a.sweepLock(f); err != nil {
			return err
		}
	}
	for _, f := range folders {
		f.cur, f.new = a.mtime(f.path("cur")), a.mtime(f.path("new"))
		for sub := range subdirs {
			if err := s.look(f, sub); err != nil {
				return err
			}
		}
	}
	if err := s.settleOthers(); err != nil {
		return err
	}
	if err := s.update(); err != nil {
		return err
	}
	if err := a.loadUnsound(); err != nil {
		return err
	}
	return a.adopt(s.others, s.abc)
}

// load takes in the rows whose files should lie in f.
func (s *scan) load(f *folder) error {
	return s.a.ledger.each(selectRows+"where place = ? and state <> 3", func(scan func(...any) error) error {
		r := row{place: f}
		if err := s.read(&r, scan); err != nil {
			return err
		}
		s.index[r.name.key] = len(s.rows)
		s.rows = append(s.rows, r)
		return nil
	}, f.id)
}

const selectRows = "select id, key, nth, received, stored, octets, info, sub, state from entry "

func (s *scan) read(r *row, scan func(...any) error) error {
	var k []byte
	err := scan(&r.id, &k, &r.name.nth, &r.name.received, &r.name.stored, &r.name.octets, &r.name.info, &r.sub, &r.state)
	copy(r.name.key[:], k)
	r.name.info = s.intern(r.name.info)
	return err
}

// intern keeps one copy of each kind of flags: there are few, and very many files.
func (s *scan) intern(info string) string {
	if known, ok := s.infos[info]; ok {
		return known
	}
	s.infos[info] = info
	return info
}

// look goes through one directory.
func (s *scan) look(f *folder, sub int) error {
	dir := f.path(subdirs[sub])
	root, err := s.a.root.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskError("list", dir, err)
	}
	defer root.Close()
	d, err := root.Open(".")
	if err != nil {
		return diskError("list", dir, err)
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(4096)
		for _, name := range names {
			s.file(root, f, sub, name)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return diskError("list", dir, err)
		}
	}
}

// file takes one file in.
func (s *scan) file(root *os.Root, f *folder, sub int, text string) {
	n, ours := parseName(text)
	if !ours {
		return
	}
	info, err := root.Lstat(text)
	if err != nil || !info.Mode().IsRegular() {
		return // gone since, or not what we put there
	}
	n.info = s.intern(n.info)
	i, known := s.index[n.key]
	if !known || !s.rows[i].name.sameFile(n) || s.rows[i].place != f || s.rows[i].state != sound || s.rows[i].seen {
		s.others = append(s.others, found{f, sub, n, info.Size()})
		return
	}
	r := &s.rows[i]
	if r.short = info.Size() != n.stored; !r.short {
		r.seen = true
		if r.sub != sub || r.name.info != n.info {
			r.moveTo(found{folder: f, sub: sub, name: n})
		}
	}
}

// moveTo notes where the row's file is now.
func (r *row) moveTo(f found) {
	if ownLetters(r.name.info) != ownLetters(f.name.info) || r.place != f.folder {
		r.was = &lettered{r.place, r.name.info}
	}
	r.moved = true
	r.place, r.sub, r.name = f.folder, f.sub, f.name
}

// settleOthers leaves in s.others only what is to be adopted, be it instead of a row that has lost its file.
func (s *scan) settleOthers() error {
	left := s.others[:0]
	for _, o := range s.others {
		r, err := s.rowOf(o.name.key)
		if err != nil {
			return err
		}
		switch {
		case r == nil || !r.seen && !r.name.sameFile(o.name) || r.state != sound:
			left = append(left, o)
		case r.seen: // a copy somebody made, or the damaged file that the row's came in the place of
		case o.size == o.name.stored:
			r.seen = true
			r.moveTo(o)
		default:
			r.short = true
		}
	}
	s.others = left
	return nil
}

// rowOf returns the row of a key, nil if there is none. A row of a folder that was not looked through has its file.
func (s *scan) rowOf(k key) (*row, error) {
	if i, known := s.index[k]; known {
		return &s.rows[i], nil
	}
	if s.a.ledger.fresh {
		return nil, nil
	}
	var r *row
	err := s.a.ledger.each(selectRows+"where key = ? and state <> 3", func(scan func(...any) error) error {
		r = &row{}
		err := s.read(r, scan)
		r.seen = r.state == sound
		return err
	}, k[:])
	return r, err
}

// update writes down what has changed.
func (s *scan) update() error {
	var changed []*row
	for i := range s.rows {
		r := &s.rows[i]
		if !r.seen && r.state == sound {
			r.moved, r.state = true, missing
			if r.short {
				r.state = damaged
			}
			s.a.noteDamage(r.state, r.place.path(subdirs[r.sub], r.name.String()))
		}
		if r.moved {
			changed = append(changed, r)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return s.a.write("reconcile", func() error {
		for _, r := range changed {
			_, err := s.a.ledger.exec("update entry set place = ?, sub = ?, info = ?, state = ? where id = ?",
				r.place.id, r.sub, r.name.info, r.state, r.id)
			if err == nil && r.was != nil {
				err = s.updateKeywords(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// updateKeywords takes over what another program has done to the keywords.
func (s *scan) updateKeywords(r *row) error {
	var keywords string
	err := s.a.ledger.rows("select keywords from entry where id = ?",
		func(scan func(...any) error) error { return scan(&keywords) }, r.id)
	if err != nil {
		return err
	}
	now := keywordsNow(keywords, s.abc.of(s.a, r.was.place), r.was.info, s.abc.of(s.a, r.place), r.name.info)
	_, err = s.a.ledger.exec("update entry set keywords = ? where id = ?", now, r.id)
	return err
}
