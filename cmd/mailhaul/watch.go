package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/progress"
)

// A watcher sums the events of a job up and shows them: as a bar, as lines, as JSON, or not at all.
type watcher struct {
	t    *terminal
	both bool // what is archived is to be brought to a destination as well
	// What goes over the wire of each half, nil where there is none.
	from, towards *traffic

	mu          sync.Mutex
	total, done int64 // octets
	source      part
	destination part
	began       time.Time
	said        time.Time // when the last plain line or JSON progress was
}

// A part is what one half has done, and has to do.
type part struct {
	done, todo int
	moving     int64 // octets of messages that are not whole yet
	total      int64 // octets of all messages
	moved      int64 // octets of whole ones
	days       int64 // how many it was said to take

	// Of the folder listed last, what is not done.
	mailbox string
	left    int
	octets  int64
}

func (w *watcher) part(h progress.Half) *part {
	if h == progress.Source {
		return &w.source
	}
	return &w.destination
}

// The intervals at which progress is told without a bar.
const (
	plainEvery = 5 * time.Second
	jsonEvery  = time.Second
)

// watch returns the watch of a job that begins now, one half or both; end is to be called when the job has ended.
func (t *terminal) watch(from, towards *traffic) (watch progress.Watch, end func()) {
	w := &watcher{t: t, both: from != nil && towards != nil, from: from, towards: towards, began: time.Now()}
	w.said = w.began
	t.working.Store(true)
	mode := t.progressMode()
	if mode == "bar" {
		t.bar = newBar(t.err)
	}
	return func(e progress.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.count(e)
			w.tell(e, mode)
			if _, listed := e.(progress.Listed); listed {
				w.foretell(mode)
			}
		}, func() {
			t.working.Store(false)
			t.mu.Lock()
			defer t.mu.Unlock()
			t.bar.erase()
			t.bar = nil
		}
}

// A progressMode is how progress is shown.
type progressMode string

func (m *progressMode) String() string { return string(*m) }

// Type is what help calls it.
func (m *progressMode) Type() string { return "MODE" }

// Set makes it a flag.
func (m *progressMode) Set(s string) error {
	if !slices.Contains([]string{"auto", "bar", "plain", "none"}, s) {
		return errors.New("it is auto, bar, plain or none")
	}
	*m = progressMode(s)
	return nil
}

// progressMode decides what auto is: a bar where there is somebody to look at it.
func (t *terminal) progressMode() progressMode {
	if t.progress != "auto" {
		return t.progress
	}
	f, ok := t.err.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && !t.json && !t.quiet {
		return "bar"
	}
	return "plain"
}

func (w *watcher) count(e progress.Event) {
	switch e := e.(type) {
	case progress.Listed:
		w.list(e)
	case progress.Moving:
		w.part(e.Half).moving += e.Octets
	case progress.Moved:
		w.part(e.Half).take(e.Octets)
		w.done += e.Octets
	case progress.Waiting: // what was under way comes again
		w.part(e.Half).moving = 0
	case progress.Confirmed:
		w.destination.done += e.Present
	}
	w.total = max(w.total, w.carried()) // sizes of a listing are estimates
}

// list takes a listing in. When a folder is listed again, after a cut, what was left of it is in the new one.
func (w *watcher) list(e progress.Listed) {
	p := w.part(e.Half)
	messages, octets := e.Messages, e.Octets
	if p.mailbox == e.Mailbox {
		messages, octets = messages-p.left, octets-p.octets
	}
	p.mailbox, p.left, p.octets = e.Mailbox, e.Messages, e.Octets
	p.todo += messages
	p.total += octets
	w.total += octets
	if w.both && e.Half == progress.Source { // what is fetched is brought as well
		w.destination.todo += messages
		w.destination.total += octets
		w.total += octets
	}
}

func (p *part) take(octets int64) {
	p.done++
	p.moved += octets
	p.left = max(0, p.left-1)
	p.octets = max(0, p.octets-octets)
	p.moving = max(0, p.moving-octets)
}

// carried is how many octets went over the wire.
func (w *watcher) carried() int64 { return w.done + w.source.moving + w.destination.moving }

func (w *watcher) tell(e progress.Event, mode progressMode) {
	if w.t.json {
		w.tellJSON(e)
		return
	}
	if text := sentence(e); text != "" {
		w.t.sayf("%s", text)
	}
	switch {
	case mode == "bar" && !w.t.quiet:
		w.t.mu.Lock()
		w.t.bar.show(w)
		w.t.mu.Unlock()
	case mode == "plain" && time.Since(w.said) >= plainEvery:
		w.said = time.Now()
		w.t.sayf("%s", w.line())
	}
}

// sentence is what an event says to a person, or "" for those that only count. What failed, the report names.
func sentence(e progress.Event) string {
	switch e := e.(type) {
	case progress.Waiting:
		return fmt.Sprintf("%s: waiting %s: %s", e.Half, until(e.For), mail.Printable(e.Why))
	case progress.Note:
		return fmt.Sprintf("%s: %s", e.Half, mail.Printable(e.Text))
	}
	return ""
}

// until says how long a wait is, and of one that is worth a cup of tea when it ends.
func until(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("until %s (%s)", time.Now().Add(d).Format("15:04"), d.Round(time.Second))
}

// line is the progress in words: messages, time left, octets and rate.
func (w *watcher) line() string {
	s := fmt.Sprintf("%s%s, %s of %s", w.messages(), w.left(), size(w.carried()), size(w.total))
	if rate := w.rate(); rate > 0 {
		s += fmt.Sprintf(" (%s/s)", size(int64(rate)))
	}
	return s
}

// messages says how many are done, of each half there is.
func (w *watcher) messages() string {
	if w.both {
		return fmt.Sprintf("%d/%d fetched, %d/%d brought", w.source.done, w.source.todo, w.destination.done, w.destination.todo)
	}
	done, todo := w.source.done+w.destination.done, w.source.todo+w.destination.todo
	if todo == 0 { // nobody has counted them
		return fmt.Sprintf("%d messages", done)
	}
	return fmt.Sprintf("%d/%d messages", done, todo)
}

// daysOf returns how many days a half takes with what may go in one, and how much that is.
func (w *watcher) daysOf(h progress.Half) (n, limit int64) {
	p := w.part(h)
	if h == progress.Source {
		return w.from.days(archive.Down, p.total-p.moved)
	}
	return w.towards.days(archive.Up, p.total-p.moved)
}

// foretell says how many days a half takes, when that is more than was said before.
func (w *watcher) foretell(mode progressMode) {
	for _, h := range []progress.Half{progress.Source, progress.Destination} {
		n, limit := w.daysOf(h)
		if p := w.part(h); n > max(p.days, 1) {
			p.days = n
			w.tell(progress.Note{Half: h, Text: daysText(n, limit)}, mode)
		}
	}
}

// left says how long the others will take, if that can be said.
func (w *watcher) left() string {
	source, _ := w.daysOf(progress.Source)
	destination, _ := w.daysOf(progress.Destination)
	if n := max(source, destination); n > 1 {
		return fmt.Sprintf(", about %d days left", n)
	}
	rate := w.rate()
	if rate == 0 {
		return ""
	}
	left := time.Duration(float64(w.total-w.carried()) / rate * float64(time.Second))
	return fmt.Sprintf(", %s left", left.Round(time.Second))
}

func (w *watcher) rate() float64 {
	if t := time.Since(w.began).Seconds(); t > 0 {
		return float64(w.carried()) / t
	}
	return 0
}

// size writes octets for people, in powers of ten as mail providers do.
func size(octets int64) string {
	if octets < 1000 {
		return fmt.Sprintf("%d B", octets)
	}
	v, unit := float64(octets)/1000, 0
	for v >= 999.95 && unit < 3 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, "kMGT"[unit])
}

// tellJSON writes the event as one line; of what only counts it tells the sums once a second.
func (w *watcher) tellJSON(e progress.Event) {
	line := map[string]any{}
	switch e := e.(type) {
	case progress.Listed:
		line = map[string]any{"event": "listed", "half": e.Half, "mailbox": e.Mailbox, "messages": e.Messages, "bytes": e.Octets}
	case progress.Moving, progress.Moved:
		if time.Since(w.said) < jsonEvery {
			return
		}
		w.said = time.Now()
		line = map[string]any{"event": "progress", "fetched": w.source.done, "of_fetched": w.source.todo,
			"brought": w.destination.done, "of_brought": w.destination.todo, "bytes": w.carried(), "of_bytes": w.total}
	case progress.Archived:
		line = map[string]any{"event": "archived", "mailbox": e.Mailbox, "messages": e.Messages, "bytes": e.Octets}
	case progress.Confirmed:
		line = map[string]any{"event": "confirmed", "mailbox": e.Mailbox, "appended": e.Appended, "present": e.Present}
	case progress.Failed:
		line = map[string]any{"event": e.State, "half": e.Half, "mailbox": e.Ref.Mailbox, "ref": e.Ref.String(), "reason": e.Reason}
	case progress.Waiting:
		line = map[string]any{"event": "waiting", "half": e.Half, "seconds": e.For.Seconds(), "until": time.Now().Add(e.For).Format(time.RFC3339), "reason": e.Why}
	case progress.Note:
		line = map[string]any{"event": "note", "half": e.Half, "text": e.Text}
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	writeJSON(w.t.out, line)
}

// writeJSON writes v on one line; what is not UTF-8 in it is replaced, so that the line is valid.
func writeJSON(out io.Writer, v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(escapeUnseen(line.Bytes()))
	return err
}

// escapeUnseen escapes what encoding/json leaves as it is, and a terminal may obey or not show: DEL, C1, and text
// that runs the other way. Such characters stand within strings only.
func escapeUnseen(line []byte) []byte {
	var b []byte
	for _, r := range string(line) {
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

// A bar is the one line on the terminal that moves: octets, with messages, rate and time left.
type bar struct {
	row     row
	bar     *progressbar.ProgressBar
	columns int       // of the bar itself
	drawn   time.Time // zero: it is not on the screen
}

const (
	wordsWidth = 64 // columns for what stands beside the bar
	leastBar   = 12
	mostBar    = 40
	// barEvery is how often the bar moves: small messages that come fast have better use for the time.
	barEvery = 100 * time.Millisecond
)

func newBar(out io.Writer) *bar {
	r := row{out}
	columns := min(max(leastBar, r.width()-wordsWidth), mostBar)
	return &bar{row: r, columns: columns, bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(r),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetPredictTime(false), // it would show two times and say of what neither is
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(columns),
		progressbar.OptionUseANSICodes(false),
	)}
}

func (b *bar) show(w *watcher) {
	if b == nil || w.total == 0 || time.Since(b.drawn) < barEvery {
		return
	}
	b.drawn = time.Now()
	if b.bar.GetMax64() != w.total {
		b.bar.ChangeMax64(w.total)
	}
	b.bar.Describe(b.fitting(w.messages()+w.left(), w.messages(), ""))
	b.bar.Set64(w.carried())
}

// fitting returns the first of the texts that has room beside the bar.
func (b *bar) fitting(texts ...string) (text string) {
	room := b.row.width() - b.columns - len(" 100% || (999 kB/s)")
	for _, text = range texts {
		if len(text) <= room {
			break
		}
	}
	return text
}

// erase takes the bar off the screen, so that a line can be written; the next show draws it again.
func (b *bar) erase() {
	if b != nil {
		b.row.clear()
		b.drawn = time.Time{}
	}
}
