package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// adoptBatch is how many messages are adopted in one transaction.
const adoptBatch = 256

// adopt takes in the files, each key once: the newest whose octets agree with its name. A key none of whose files
// does is noted as damaged, so that its message is fetched again and is not doubled.
func (a *Archive) adopt(files []found, abc alphabets) error {
	adopted := 0
	for batch := range slices.Chunk(byKey(files), adoptBatch) {
		n, err := a.adoptAll(batch, abc)
		if err != nil {
			return err
		}
		adopted += n
	}
	if adopted > 0 {
		a.note(fmt.Sprintf("messages that the ledger did not know, adopted from the Maildir: %d", adopted))
	}
	return nil
}

// byKey returns the files in groups of one key each, the newest of a key first, in the order of their arrival.
func byKey(files []found) [][]found {
	slices.SortFunc(files, func(x, y found) int {
		return cmp.Or(slices.Compare(x.name.key[:], y.name.key[:]), cmp.Compare(y.name.nth, x.name.nth))
	})
	var groups [][]found
	for i, f := range files {
		if i == 0 || files[i-1].name.key != f.name.key {
			groups = append(groups, nil)
		}
		last := &groups[len(groups)-1]
		*last = append(*last, f)
	}
	slices.SortStableFunc(groups, func(x, y []found) int { return cmp.Compare(x[0].name.received, y[0].name.received) })
	return groups
}

// adoptAll adopts one message of each group and returns how many were sound.
func (a *Archive) adoptAll(groups [][]found, abc alphabets) (int, error) {
	arrivals := make([]arrival, len(groups))
	errs := make([]error, len(groups))
	slots := make(chan struct{}, maxSyncs)
	var wait sync.WaitGroup
	for i, g := range groups {
		slots <- struct{}{}
		wait.Go(func() {
			arrivals[i], errs[i] = a.examine(g)
			<-slots
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	arrivals = a.withoutKnownDamage(arrivals)
	for i, r := range arrivals {
		arrivals[i].entry.Flags = union(flagsIn(r.name.info), abc.of(a, r.folder).named(r.name.info))
	}
	if err := a.syncPlaces(arrivals); err != nil {
		return 0, err
	}
	if _, err := a.enter(arrivals); err != nil {
		return 0, err
	}
	return len(slices.DeleteFunc(arrivals, func(r arrival) bool { return r.state != sound })), nil
}

// withoutKnownDamage leaves out damaged files of messages that the ledger has a row for.
func (a *Archive) withoutKnownDamage(arrivals []arrival) []arrival {
	return slices.DeleteFunc(arrivals, func(r arrival) bool {
		if r.state == sound {
			return false
		}
		a.noteDamage(damaged, r.folder.path(subdirs[r.sub], r.name.String()))
		return a.notSound(r.name.key).id != 0
	})
}

// syncPlaces makes sure that what is adopted keeps its name: the run that gave it may not have come so far.
func (a *Archive) syncPlaces(arrivals []arrival) error {
	done := map[string]bool{}
	for _, r := range arrivals {
		dir := r.folder.path(subdirs[r.sub])
		if done[dir] {
			continue
		}
		if err := a.syncDir(dir); err != nil {
			return err
		}
		done[dir] = true
	}
	return nil
}

// examine returns the first of the files whose octets agree with its name, synced; else the first as damaged.
func (a *Archive) examine(files []found) (arrival, error) {
	for _, f := range files {
		sum, err := a.read(f)
		var disk *DiskError
		if errors.As(err, &disk) {
			return arrival{}, err
		}
		if err == nil && !a.isDamagedFile(f, sum) {
			return a.adopted(f, sum), nil
		}
	}
	f := files[0]
	return arrival{folder: f.folder, sub: f.sub, name: f.name, state: damaged,
		entry: Entry{Octets: f.name.octets, Received: time.Unix(f.name.received, 0).UTC()}}, nil
}

// isDamagedFile reports whether the file is the very one that was found to have other octets than were archived: it is of the
// right size, and no new message. A fresh copy, and what the source had in the place of a lost one, are later ones.
func (a *Archive) isDamagedFile(f found, sum mail.Sum) bool {
	old := a.notSound(f.name.key)
	return old.id != 0 && f.name.nth <= old.nth && old.digest != (mail.Digest{}) && old.digest != sum.Digest
}

func (a *Archive) adopted(f found, sum mail.Sum) arrival {
	received := time.Unix(f.name.received, 0).UTC()
	if t := sum.Header.Arrived(); a.original.Protocol == "pop3" && t.Equal(received) {
		received = t // with its zone: it was taken from there
	}
	return arrival{folder: f.folder, sub: f.sub, name: f.name, entry: Entry{
		Mailbox: f.folder.Name, Octets: sum.Octets, Digest: sum.Digest, Match: sum.Match, Header: sum.Header,
		Received: received, Path: f.path(),
	}}
}

// read sums a file up, and syncs it. That it is not what its name says, or cannot be read, is not a *DiskError;
// that it cannot be synced is.
func (a *Archive) read(f found) (mail.Sum, error) {
	file, err := a.root.Open(f.path())
	if err != nil {
		return mail.Sum{}, err
	}
	defer file.Close()
	s := mail.NewSummer()
	n, err := io.Copy(s, file)
	if err != nil {
		return mail.Sum{}, err
	}
	sum := s.Sum()
	if n != f.name.stored || sum.Octets != f.name.octets {
		return sum, errors.New("the octets are not as many as the name says")
	}
	return sum, a.syncRead(file, f.path())
}

func (a *Archive) syncRead(file *os.File, path string) error {
	if runtime.GOOS == "windows" {
		return nil // only what is open for writing can be synced there
	}
	return a.act("sync", path, file.Sync)
}

const maxDamageNotes = 20

// noteDamage notes that a message is missing or damaged; of very many, only the first.
func (a *Archive) noteDamage(state int, path string) {
	a.damages++
	what := map[int]string{missing: "missing: ", damaged: "damaged: "}[state]
	switch {
	case a.damages <= maxDamageNotes:
		a.note(what + path)
	case a.damages == maxDamageNotes+1:
		a.note("more are missing or damaged; status counts them")
	}
}
