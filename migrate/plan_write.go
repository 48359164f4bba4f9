package migrate

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/mailhaul/mailhaul/internal/mail"
)

const planHead = `#
# Change what you like, and give the file to restore or migrate with --plan. Of each [[folder]]:
#
#   from = "NAME"      a folder of the source
#   to = "NAME"        where its mail goes, as the destination writes it; several folders may go to one
#   leave_out = true   its mail stays in the archive and goes nowhere
#
# A folder that is not named here goes where it would go without a plan.
`

// WritePlan writes the steps as a plan file that ReadPlan reads: obeyed as it is, it does what the steps say. title is
// its first line, and note says something about each step for a person. Of mailboxes that would fall into one, all but
// the first lack the line that says where to; a person must write it.
func WritePlan(title string, steps []Step, note func(Step) string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n%s", mail.Printable(title), planHead)
	src := survey(Tree{Mailboxes: sources(steps)})
	taken := make(map[string]string)
	for _, s := range steps {
		if s.Rest || len(s.SentFrom) > 0 { // a plan is of whole folders
			fmt.Fprintf(&b, "\n# %s. A part of %s goes to %s; %s\n", note(s), oneLine(textOf(s.From)), oneLine(textOf(s.To)), oneLine(s.Why))
			continue
		}
		fmt.Fprintf(&b, "\n# %s. %s\n[[folder]]\nfrom = %s\n", note(s), oneLine(s.Why), tomlString(src.nameFor(s.From)))
		switch first := taken[s.To.Name]; {
		case s.LeftOut:
			b.WriteString("leave_out = true\n")
		case s.Clash && first != "":
			fmt.Fprintf(&b, "# %s goes there as well: take the # away to put them together, or choose another name\n# to = %s\n",
				oneLine(first), tomlString(textOf(s.To)))
		default:
			taken[s.To.Name] = textOf(s.From)
			fmt.Fprintf(&b, "to = %s\n", tomlString(textOf(s.To)))
		}
	}
	return []byte(b.String())
}

func sources(steps []Step) (boxes []mail.Mailbox) {
	for _, s := range steps {
		boxes = append(boxes, s.From)
	}
	return boxes
}

// nameFor returns a name that means mb and no other mailbox: as people read it, or else as it is on the wire.
func (t *tree) nameFor(mb mail.Mailbox) string {
	text := t.byName[mb.Name].text()
	if named := t.named(text); len(named) == 1 && named[0].Name == mb.Name {
		return text
	}
	return mb.Name
}

// oneLine returns text that may hold foreign names so that it is a comment to its end.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// tomlString writes a basic string of TOML, in which nothing is invisible.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
