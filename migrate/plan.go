package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// A Plan is what a plan file says of where mailboxes go: of each it names, a name at the destination, or that it is
// left out. Of mailboxes it does not name it says nothing. A nil Plan names none.
type Plan struct {
	file    string
	entries []*entry
}

// An entry is one [[folder]] of a plan file.
type entry struct {
	From     string  `toml:"from"`
	To       *string `toml:"to"`
	LeaveOut bool    `toml:"leave_out"`
	line     int
}

// ReadPlan reads a plan file; file is its name for people. It is strict: what it does not know, or is told twice, is
// an error that names the line. Errors are *mail.Error.
func ReadPlan(file string, text []byte) (*Plan, error) {
	p := &Plan{file: file}
	for _, part := range partsOf(string(text)) {
		e, err := p.read(part)
		if err != nil {
			return nil, err
		}
		if e != nil {
			p.entries = append(p.entries, e)
		}
	}
	return p, nil
}

// A part is one table of the file, from its header on.
type part struct {
	line int
	text string
}

// partsOf takes the file apart before each line that begins with [[: toml keeps no lines of what it has read, and of
// a part there is little to say where in it.
func partsOf(text string) []part {
	parts := []part{{line: 1}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimSpace(line), "[[") {
			parts = append(parts, part{line: n})
		}
		last := &parts[len(parts)-1]
		last.text += line
	}
	return parts
}

func (p *Plan) read(part part) (*entry, error) {
	var file struct {
		Folder []*entry `toml:"folder"`
	}
	md, err := toml.Decode(part.text, &file)
	if err != nil {
		line, text := whereIn(err)
		return nil, p.wrong(part.line+line-1, "%s", text)
	}
	if keys := md.Undecoded(); len(keys) > 0 {
		key := keys[0][len(keys[0])-1]
		return nil, p.wrong(part.lineOf(key), "there is no %q in a plan: a [[folder]] has from, to and leave_out", key)
	}
	if len(file.Folder) == 0 {
		return nil, nil
	}
	e := file.Folder[0]
	e.line = part.line
	return e, p.check(e, part)
}

// whereIn returns the line of an error of toml's, from 1 on, and its text. Some of them hold the line in the text only.
func whereIn(err error) (line int, text string) {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return max(parse.Position.Line, 1), parse.Message
	}
	if _, scanErr := fmt.Sscanf(err.Error(), "toml: line %d", &line); scanErr != nil {
		return 1, err.Error()
	}
	_, text, _ = strings.Cut(err.Error(), "): ")
	return line, text
}

// lineOf returns the line of the file on which the part sets a key.
func (part part) lineOf(key string) int {
	n := part.line
	for line := range strings.Lines(part.text) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.Trim(strings.TrimSpace(name), `"'[]`) == key {
			return n
		}
		n++
	}
	return part.line
}

func (p *Plan) check(e *entry, part part) error {
	twice := slices.IndexFunc(p.entries, func(other *entry) bool { return other.From == e.From })
	switch {
	case e.From == "":
		return p.wrong(e.line, "the [[folder]] does not say from which folder")
	case twice >= 0:
		return p.wrong(part.lineOf("from"), "the folder %q stands in line %d already", e.From, p.entries[twice].line)
	case e.LeaveOut && e.To != nil:
		return p.wrong(part.lineOf("to"), "the folder %q is left out and goes to %q: one of the two must go", e.From, *e.To)
	case !e.LeaveOut && (e.To == nil || *e.To == ""):
		return p.wrong(e.line, "the folder %q needs a line with to or with leave_out = true", e.From)
	}
	return nil
}

func (p *Plan) wrong(line int, format string, args ...any) error {
	return usage("mailhaul plan writes a new one", "%s, line %d: %w", p.file, line, fmt.Errorf(format, args...))
}

// bind finds the folder that each entry names: as it is on the wire, or as people read it. What names none, or
// several, is an error, unless more folders may come.
func (p *Plan) bind(t *tree, partial bool) (bound map[*folder]*entry, errs []error) {
	if p == nil {
		return nil, nil
	}
	bound = make(map[*folder]*entry)
	for _, e := range p.entries {
		found := t.named(e.From)
		switch {
		case len(found) == 0 && !partial:
			errs = append(errs, p.wrong(e.line, "the source has no folder %q", e.From))
		case len(found) > 1:
			errs = append(errs, p.wrong(e.line, "the source has %d folders that read %q: write the name as it is on the wire", len(found), e.From))
		case len(found) == 1 && bound[found[0]] != nil:
			errs = append(errs, p.wrong(e.line, "the folder %q stands in line %d already", e.From, bound[found[0]].line))
		case len(found) == 1:
			bound[found[0]] = e
		}
	}
	return bound, errs
}

// named returns the folders that a person may mean by a name.
func (t *tree) named(name string) (all []*folder) {
	if f := t.byName[name]; f != nil {
		return []*folder{f}
	}
	for i := range t.folders {
		if f := &t.folders[i]; f.text() == name {
			all = append(all, f)
		}
	}
	return all
}

// planned is the step that a plan says.
func (m *mapper) planned(f *folder, e *entry) Step {
	why := fmt.Sprintf("the plan, line %d", e.line)
	if e.LeaveOut {
		return Step{From: f.Mailbox, LeftOut: true, Why: why, byUser: true}
	}
	s := m.place(f, m.dst.read(*e.To), why)
	s.byUser = true
	return s
}
