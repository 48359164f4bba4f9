package migrate

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Rule says where mailboxes of certain names go.
type Rule struct {
	text string // as it was written
	from *regexp.Regexp
	to   string
	all  bool // from matches the whole name, and each * of to stands for a group; else to is a replacement of regexp
}

// ParseRule reads FROM=TO, where FROM is a name, or a pattern in which each * stands for anything, as it does in the
// same place of TO; or /REGEXP/=REPLACEMENT with the syntax of Go. Names at the destination may be written with / or
// its own delimiter between the levels, with or without its namespace. Errors are *mail.Error.
func ParseRule(s string) (Rule, error) {
	const form = "write --map 'FROM=TO', where FROM may hold *, or --map '/REGEXP/=REPLACEMENT'"
	if from, to, ok := cutRegexp(s); ok {
		re, err := regexp.Compile(from)
		if err != nil {
			return Rule{}, usage(form, "--map '%s': %w", s, err)
		}
		return Rule{text: s, from: re, to: to}, nil
	}
	from, to, ok := strings.Cut(s, "=")
	switch {
	case !ok || from == "":
		return Rule{}, usage(form, "--map '%s' does not say from where to where", s)
	case to == "":
		return Rule{}, usage("--exclude '"+from+"' leaves folders out", "--map '%s' does not say where to", s)
	case strings.Count(to, "*") > strings.Count(from, "*"):
		return Rule{}, usage(form, "--map '%s' has more * after the = than before it", s)
	}
	return Rule{text: s, from: patternOf(from), to: to, all: true}, nil
}

func cutRegexp(s string) (re, replacement string, ok bool) {
	if rest, found := strings.CutPrefix(s, "/"); found {
		return strings.Cut(rest, "/=")
	}
	return "", "", false
}

// patternOf matches whole names, with a group for each *.
func patternOf(glob string) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, "(.*)") + "$")
}

// apply returns the path at the destination that the rule gives f, and whether it is for f.
func (r Rule) apply(f *folder, dst *tree) ([]string, bool) {
	for _, name := range f.names() {
		idx := r.from.FindStringSubmatchIndex(name)
		if idx == nil {
			continue
		}
		if to := dst.byText(r.to); to != nil && r.all {
			return to.path, true
		}
		source := name // what is taken over from the name keeps its levels, whatever separates them here and there
		if f.Delim != 0 && f.Delim < 0x80 {
			source = strings.ReplaceAll(name, string(f.Delim), "\x00")
		}
		if r.all {
			return dst.unprefixed(strings.Split(fill(dst.separated(r.to), source, idx), "\x00")), true
		}
		return dst.unprefixed(strings.Split(r.replace(dst.separated(r.to), name, source), "\x00")), true
	}
	return nil, false
}

// fill puts the groups into the place of each *.
func fill(to, source string, idx []int) string {
	for i := 2; i < len(idx) && strings.Contains(to, "*"); i += 2 {
		to = strings.Replace(to, "*", strings.ReplaceAll(source[idx[i]:idx[i+1]], "*", "\uFFFF"), 1)
	}
	return strings.ReplaceAll(to, "\uFFFF", "*")
}

// replace does what regexp's ReplaceAll does, with the text of source.
func (r Rule) replace(template, name, source string) string {
	var out []byte
	end := 0
	for _, idx := range r.from.FindAllStringSubmatchIndex(name, -1) {
		out = append(out, source[end:idx[0]]...)
		out = r.from.ExpandString(out, template, source, idx)
		end = idx[1]
	}
	return string(append(out, source[end:]...))
}

// names are how a person may write the folder's name.
func (f *folder) names() []string {
	names := []string{f.text()}
	if bare := strings.Join(f.path, separatorOf(f.Delim)); bare != names[0] {
		names = append(names, bare)
	}
	if f.Name != names[0] {
		names = append(names, f.Name)
	}
	for i := range names {
		names[i] = strings.ReplaceAll(names[i], "\x00", substitute)
	}
	return names
}

// A Glob matches names of mailboxes; each * in it stands for anything.
type Glob struct {
	text    string
	pattern *regexp.Regexp
}

// ParseGlob reads a pattern. It takes any text.
func ParseGlob(s string) Glob { return Glob{s, patternOf(s)} }

func (g Glob) matches(f *folder) bool {
	for _, name := range f.names() {
		if g.pattern.MatchString(name) {
			return true
		}
	}
	return false
}

// Wants reports whether Include and Exclude leave a mailbox of an account in.
func (r Rules) Wants(mb mail.Mailbox) bool {
	mb.NoSelect = false // which has no place in a map
	return r.leavesOut(&survey(Tree{Mailboxes: []mail.Mailbox{mb}}).folders[0]) == ""
}

// leavesOut returns why the selection leaves a folder out, "" if it does not.
func (r Rules) leavesOut(f *folder) string {
	for _, g := range r.Exclude {
		if g.matches(f) {
			return fmt.Sprintf("--exclude '%s'", g.text)
		}
	}
	for _, g := range r.Include {
		if g.matches(f) {
			return ""
		}
	}
	if len(r.Include) > 0 {
		return "no --include is for it"
	}
	return ""
}
