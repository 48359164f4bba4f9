package archive

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// never is a step that never comes.
const never = 1 << 40

var modelOps = flag.Int("model-ops", 40, "how many things the model does")

// TestModel does at random what backups, mail programs and kills do to an archive, and to a model of it in memory.
func TestModel(t *testing.T) {
	for seed := range uint64(6) {
		m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: ramDir(t), validity: map[string]uint32{}}
		for _, mb := range modelBoxes {
			m.validity[mb.Name] = epoch
		}
		m.open()
		for range *modelOps {
			m.act()
			m.check()
			if t.Failed() {
				t.Fatalf("seed %d, after\n%s", seed, strings.Join(m.log, "\n"))
			}
		}
		shut(t, m.a)
		m.checkFiles()
		t.Logf("seed %d: %d messages, %d kills", seed, len(m.all), m.kills)
	}
}

var (
	modelBoxes = []mail.Mailbox{inbox, work, jobs}
	modelFlags = []string{`\Seen`, `\Flagged`, "work", "later", "$Forwarded", `\XOdd`}
)

// A model knows what the archive is to hold.
type model struct {
	t        *testing.T
	rnd      *rand.Rand
	dir      string
	a        *Archive
	world    *stopper
	all      []*modelMessage
	validity map[string]uint32 // by mailbox
	uids     int               // given out
	kills    int
	log      []string
}

type modelMessage struct {
	id    int64
	mb    mail.Mailbox
	ref   mail.Ref
	body  string
	there mail.Flags // as the source has them
	seen  mail.Flags // as it last showed them
	here  mail.Flags
	gone  bool
	done  bool
}

func (m *model) open() {
	m.t.Helper()
	m.world = &stopper{at: never}
	a, err := Open(m.dir, Options{Create: true, Steps: m.world.step})
	mustDo(m.t, err)
	m.a = a
	mustDo(m.t, errors.Join(a.Bind(source, false), a.AddMailboxes(modelBoxes)))
	if len(a.Notes()) > 0 && m.kills == 0 {
		m.t.Errorf("Notes = %q", a.Notes())
	}
}

func (m *model) act() {
	m.t.Helper()
	ops := []struct {
		name string
		do   func() func() error
	}{{"put", m.put}, {"link", m.link}, {"look", m.look}, {"look", m.look}, {"rekey", m.rekey}, {"mark", m.mark}, {"settle", m.settle}, {"reopen", m.reopen}}
	op := ops[m.rnd.IntN(len(ops))]
	do := op.do()
	if do == nil {
		return
	}
	if m.rnd.IntN(3) == 0 {
		m.world.at = m.world.n + 1 + m.rnd.IntN(30)
	}
	err := do()
	m.log = append(m.log, fmt.Sprintf("%s: %v (%+v)", op.name, err, m.world.last))
	m.world.at = never
	if err == nil {
		return
	}
	if !errors.Is(err, errStopped) {
		m.t.Fatalf("%s: %v", op.name, err)
	}
	m.kills++
	m.a.shut()
	m.open()
	m.log = append(m.log, fmt.Sprintf("again: %v", do()))
	for _, mb := range modelBoxes { // what was adopted has no UID until it is looked at
		mustDo(m.t, m.lookAll(mb)())
	}
}

func (m *model) flags() mail.Flags {
	var names []string
	for _, f := range modelFlags {
		if m.rnd.IntN(3) == 0 {
			names = append(names, f)
		}
	}
	return mail.MakeFlags(names...)
}

func (m *model) message() *modelMessage {
	mb := modelBoxes[m.rnd.IntN(len(modelBoxes))]
	m.uids++
	f := m.flags()
	return &modelMessage{mb: mb, there: f, seen: f, here: f, body: fmt.Sprintf("A: %06d\r\n\r\n", m.uids),
		ref: mail.Ref{Mailbox: mb.Name, Validity: m.validity[mb.Name], UID: strconv.Itoa(m.uids)}}
}

func (x *modelMessage) item() mail.Item { return mail.Item{Ref: x.ref, Flags: x.there, Received: then} }

func (m *model) put() func() error {
	x := m.message()
	m.all = append(m.all, x)
	return func() error { return take(m.a, letter{x.mb, x.item(), x.body}) }
}

func (m *model) link() func() error {
	if len(m.all) == 0 {
		return nil
	}
	x, of := m.message(), m.all[m.rnd.IntN(len(m.all))]
	x.body = of.body
	m.all = append(m.all, x)
	return func() error {
		if m.a.Has(x.ref) {
			return nil
		}
		e, err := m.a.Entry(of.id)
		if err == nil {
			_, err = link(m.a, letter{x.mb, x.item(), ""}, e)
		}
		return err
	}
}

// shows says that the source shows a message with its flags.
func (x *modelMessage) shows() {
	for _, f := range x.there {
		if !x.seen.Has(f) {
			x.here = union(x.here, mail.Flags{f})
		}
	}
	x.here = slices.DeleteFunc(x.here, func(f mail.Flag) bool { return x.seen.Has(f) && !x.there.Has(f) })
	x.seen, x.gone = x.there, false
}

// look has the source change flags, delete messages and show deleted ones again.
func (m *model) look() func() error {
	mb := modelBoxes[m.rnd.IntN(len(modelBoxes))]
	l := Look{Since: mail.Status{Validity: m.validity[mb.Name], Next: uint32(m.uids + 1)}, Complete: m.rnd.IntN(2) == 0}
	l.Status = l.Since
	whole := m.rnd.IntN(2) == 0
	if whole {
		l.Left = []uint32{}
	}
	for _, x := range m.all {
		if x.ref.Mailbox != mb.Name || x.ref.Validity != l.Status.Validity {
			if x.ref.Mailbox == mb.Name && l.Complete {
				x.gone = true
			}
			continue
		}
		if m.rnd.IntN(3) == 0 {
			x.there = m.flags()
			l.Flags = append(l.Flags, x.item())
			x.shows()
		}
		if whole {
			x.gone = m.rnd.IntN(4) == 0 && !slices.ContainsFunc(l.Flags, func(it mail.Item) bool { return it.Ref == x.ref })
		}
		if uid, _ := uidOf(x.ref.UID); whole && !x.gone {
			l.Left = append(l.Left, uid)
		}
	}
	return func() error {
		_, _, err := m.a.Looked(mb.Name, l)
		return err
	}
}

// lookAll is a listing of all that is there now.
func (m *model) lookAll(mb mail.Mailbox) func() error {
	l := Look{Changes: mail.Changes{Status: mail.Status{Validity: m.validity[mb.Name], Next: uint32(m.uids + 1)}}}
	for _, x := range m.all {
		if x.ref.Mailbox == mb.Name && x.ref.Validity == l.Status.Validity && !x.gone {
			l.New = append(l.New, x.item())
			x.shows()
		}
	}
	return func() error {
		_, _, err := m.a.Looked(mb.Name, l)
		return err
	}
}

// rekey gives a few messages new Refs: of a new epoch, in another folder, or those of each other.
func (m *model) rekey() func() error {
	if len(m.all) == 0 {
		return nil
	}
	var some []*modelMessage
	for _, i := range m.rnd.Perm(len(m.all))[:1+m.rnd.IntN(min(4, len(m.all)))] {
		some = append(some, m.all[i])
	}
	to := make([]*modelMessage, len(some)) // their mailboxes and Refs
	for i, x := range some {
		to[i] = &modelMessage{mb: x.mb, ref: x.ref}
	}
	switch m.rnd.IntN(3) {
	case 0:
		m.rnd.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
	case 1: // each gets the Ref of the one before it, the first a new one
		to = append([]*modelMessage{m.message()}, to[:len(to)-1]...)
	default:
		mb := modelBoxes[m.rnd.IntN(len(modelBoxes))]
		m.validity[mb.Name] += uint32(m.rnd.IntN(2))
		for i := range to {
			m.uids++
			to[i] = &modelMessage{mb: mb, ref: mail.Ref{Mailbox: mb.Name, Validity: m.validity[mb.Name], UID: strconv.Itoa(m.uids)}}
		}
	}
	var moves []Move
	for i, x := range some {
		moves = append(moves, Move{Entry: x.id, Ref: to[i].ref, Mailbox: to[i].mb})
		if x.ref != to[i].ref {
			x.gone = false
		}
		x.mb, x.ref = to[i].mb, to[i].ref
	}
	return func() error {
		if e, err := m.a.Entry(moves[0].Entry); err != nil || e.Ref == moves[0].Ref && len(moves) == 1 {
			return err
		}
		return m.a.Rekey(moves)
	}
}

// mark is a mail program at work on the archive while no run is.
func (m *model) mark() func() error {
	if len(m.all) == 0 {
		return nil
	}
	x := m.all[m.rnd.IntN(len(m.all))]
	e, err := m.a.Entry(x.id)
	mustDo(m.t, err)
	l := m.a.letters(m.a.folders.named(x.ref.Mailbox))
	var names []string
	for _, f := range m.flags() {
		if isSystem(f) || l.of(f) != 0 {
			names = append(names, string(f))
		}
	}
	unsaid := slices.DeleteFunc(slices.Clone(x.here), func(f mail.Flag) bool { return isSystem(f) || l.of(f) != 0 })
	n, _ := parseName(filepath.Base(e.Path))
	n.info = l.info(mail.MakeFlags(names...), "")
	shut(m.t, m.a)
	mustDo(m.t, os.Rename(filepath.Join(m.dir, e.Path), filepath.Join(m.dir, filepath.Dir(e.Path), n.String())))
	x.here = union(mail.MakeFlags(names...), unsaid)
	m.open()
	return nil
}

func (m *model) settle() func() error {
	if len(m.all) == 0 {
		return nil
	}
	x := m.all[m.rnd.IntN(len(m.all))]
	x.done = true
	return func() error { return m.a.Settle(there, []Outcome{{Entry: x.id, State: Done}}) }
}

func (m *model) reopen() func() error {
	shut(m.t, m.a)
	m.open()
	return nil
}

// check compares the archive with the model.
func (m *model) check() {
	m.t.Helper()
	byRef := map[mail.Ref]Entry{}
	for _, e := range allEntries(m.t, m.a) {
		byRef[e.Ref] = e
	}
	if len(byRef) != len(m.all) {
		m.t.Errorf("%d entries for %d messages", len(byRef), len(m.all))
	}
	done := map[int64]bool{}
	mustDo(m.t, m.a.ledger.each("select entry from outcome", func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		done[id] = true
		return err
	}))
	for _, x := range m.all {
		e, known := byRef[x.ref]
		if !known || !m.a.Has(x.ref) {
			m.t.Errorf("%s is not known", x.ref)
			continue
		}
		if x.id = e.ID; !e.Flags.Equal(x.here) || e.Gone != x.gone || done[e.ID] != x.done {
			m.t.Errorf("entry %d, %s: flags %q, gone %v, done %v; want %q, %v, %v", e.ID, x.ref, e.Flags, e.Gone, done[e.ID], x.here, x.gone, x.done)
		}
		if got := readMessage(m.t, m.a, e); got != x.body {
			m.t.Errorf("%s is %q, want %q", x.ref, got, x.body)
		}
	}
	if f := files(m.t, m.dir); len(f) != len(m.all) {
		m.t.Errorf("%d files for %d messages: %q", len(f), len(m.all), f)
	}
}

// checkFiles checks that the files alone say which messages there are.
func (m *model) checkFiles() {
	m.t.Helper()
	mustDo(m.t, os.Remove(filepath.Join(m.dir, ledgerFile)))
	m.open()
	defer shut(m.t, m.a)
	for _, x := range m.all {
		if !m.a.Has(x.ref) {
			m.t.Errorf("%s is not known without the ledger", x.ref)
		}
	}
}
