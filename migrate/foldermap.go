package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// A Tree is the mailboxes of an account.
type Tree struct {
	Host      string         // of the account; it tells the provider. "" if it is not known
	Namespace mail.Namespace // zero: it is read off the names
	Mailboxes []mail.Mailbox
	// Partial: more mailboxes may come, so that what a plan names need not be there yet.
	Partial bool
}

// A Step says where one mailbox of the source goes, and why.
type Step struct {
	From mail.Mailbox
	To   mail.Mailbox // at the destination; none if the mailbox is left out
	New  bool         // the destination does not have To yet
	Why  string       // for a person
	// LeftOut: nothing of it is brought.
	LeftOut bool
	// Rest: From is a view of all mail. What of it is in no other mailbox goes to To, and nothing else.
	Rest bool
	// SentFrom: only what one of these addresses has sent goes to To. Another Step says where the rest of From goes.
	SentFrom []string
	// Clash: another mailbox would fall into To as well, and nobody has put them together.
	Clash bool

	byUser bool // a rule or a plan says so
	view   bool // From shows the mail of other mailboxes
}

// Rules are what a person says about where mailboxes go. Names in them are as people read them.
type Rules struct {
	Map     []Rule // the first that fits counts
	Prefix  string // everything that no rule is for goes beneath it
	Include []Glob // none: all
	Exclude []Glob
	Plan    *Plan
	// SentFrom are the addresses of the account's owner: what they have sent is told from the mail of the INBOX. It is for
	// mail of POP3, which has no folders.
	SentFrom []string
}

// Map says where each mailbox of the source goes, in this order: what the rules say; special use, what is known of
// the provider, and names in many languages, on both sides; else the same path in the destination's form. Nothing is
// given another name without Why saying so.
//
// Two mailboxes that would fall into one are an error, unless a rule put them there, and so is what a plan names and
// the source has not. The errors are *mail.Error, joined if there are several; the steps hold all the same.
func Map(source, destination Tree, r Rules) ([]Step, error) {
	m := mapper{rules: r, src: survey(source), dst: survey(destination)}
	planned, errs := r.Plan.bind(m.src, source.Partial)
	m.plan = planned
	m.src.yieldTo(m.dst)
	var steps []Step
	for i := range m.src.folders {
		s := m.step(&m.src.folders[i])
		steps = append(steps, s)
		if m.src.folders[i].role == mail.RoleInbox && len(r.SentFrom) > 0 && !s.LeftOut {
			steps = append(steps, m.sent(s.From))
		}
	}
	return steps, errors.Join(append(errs, m.conflicts(steps)...)...)
}

// A mapper is one Map under way.
type mapper struct {
	rules    Rules
	plan     map[*folder]*entry
	src, dst *tree
}

func (m *mapper) step(f *folder) Step {
	if why := m.rules.leavesOut(f); why != "" {
		return Step{From: f.Mailbox, LeftOut: true, Why: why}
	}
	if e := m.plan[f]; e != nil {
		return m.planned(f, e)
	}
	for _, rule := range m.rules.Map {
		if levels, ok := rule.apply(f, m.dst); ok {
			s := m.place(f, levels, fmt.Sprintf("--map '%s'", rule.text))
			s.byUser = true
			return s
		}
	}
	switch {
	case f.view():
		return m.viewed(f)
	case m.rules.Prefix != "":
		return m.prefixed(f)
	case f.role == mail.RoleInbox:
		return m.place(f, []string{mail.Inbox}, "the INBOX")
	}
	if to := m.dst.withRole(f); to != nil {
		return Step{From: f.Mailbox, To: to.Mailbox, Why: roleName[f.role] + ": " + both(f.evidence, to.evidence)}
	}
	return m.samePath(f)
}

// both says what tells the role here and there.
func both(here, there string) string {
	if here == there {
		return here + " on both sides"
	}
	return here + " here, " + there + " there"
}

// place is a step to that path at the destination.
func (m *mapper) place(f *folder, levels []string, why string) Step {
	to, notes := m.dst.place(levels)
	if !utf8.ValidString(f.Name) {
		notes = append(notes, "its name is taken for Latin-1")
	}
	s := Step{From: f.Mailbox, To: to, New: !m.dst.has(to.Name), Why: strings.Join(append([]string{why}, notes...), "; ")}
	return s
}

func (m *mapper) samePath(f *folder) Step {
	why := "the same path"
	if len(f.bare) == 1 {
		why = "the same name"
	}
	if f.off != "" {
		why += " without " + f.off
	}
	switch {
	case f.other != "":
		why += fmt.Sprintf("; %s is the %s folder", f.other, roleName[f.claims])
	case f.role != mail.RoleNone:
		why += fmt.Sprintf("; the destination has no %s folder yet", roleName[f.role])
	}
	path := f.bare
	if usual := roleName[f.role]; f.role != mail.RoleNone && len(path) < len(f.path) {
		// What Gmail calls it in [Gmail] is nobody's choice.
		path, why = []string{usual}, fmt.Sprintf("the usual name; the destination has no %s folder yet", usual)
	}
	s := m.place(f, path, why)
	if s.New {
		s.To.Role = f.role
	}
	return s
}

func (m *mapper) prefixed(f *folder) Step {
	why := "--prefix " + m.rules.Prefix
	if f.off != "" {
		why += ", without " + f.off
	}
	return m.place(f, slices.Concat(m.dst.parse(m.rules.Prefix), f.bare), why)
}

// viewed is the step of a mailbox that shows the mail of others.
func (m *mapper) viewed(f *folder) Step {
	if f.role != mail.RoleAll {
		return Step{From: f.Mailbox, LeftOut: true, view: true, Why: "a view: its messages are in other folders too"}
	}
	s := Step{From: f.Mailbox, Rest: true, view: true}
	if to := cmp.Or(m.dst.byRole[mail.RoleArchive], m.dst.byRole[mail.RoleAll]); to != nil {
		s.To = to.Mailbox
	} else {
		s.To, _ = m.dst.place([]string{"Archive"})
		s.To.Role, s.New = mail.RoleArchive, !m.dst.has(s.To.Name)
	}
	s.Why = "a view of all mail: only what is in no other folder goes there"
	return s
}

// sent is the step of what the owner has sent and the INBOX holds.
func (m *mapper) sent(inbox mail.Mailbox) Step {
	s := Step{From: inbox, SentFrom: m.rules.SentFrom, byUser: true, Why: "--sent-from " + strings.Join(m.rules.SentFrom, ", ")}
	if to := m.dst.byRole[mail.RoleSent]; to != nil {
		s.To = to.Mailbox
		return s
	}
	s.To, _ = m.dst.place([]string{roleName[mail.RoleSent]})
	s.To.Role, s.New = mail.RoleSent, !m.dst.has(s.To.Name)
	return s
}

// conflicts marks the steps of mailboxes that would fall into one, none of which a person has put there, and returns
// an error for each such one.
func (m *mapper) conflicts(steps []Step) (errs []error) {
	into := make(map[string][]*Step)
	var order []string
	for i := range steps {
		s := &steps[i]
		if !s.claims() {
			continue
		}
		key := m.dst.key(m.dst.split(s.To.Name))
		if len(into[key]) == 0 {
			order = append(order, key)
		}
		into[key] = append(into[key], s)
	}
	for _, key := range order {
		if len(into[key]) > 1 {
			errs = append(errs, conflict(into[key]))
		}
	}
	return errs
}

// conflict is the error of mailboxes that would fall into one.
func conflict(steps []*Step) error {
	var names []string
	for _, s := range steps {
		s.Clash = true
		names = append(names, fmt.Sprintf("%q (%s)", textOf(s.From), s.Why))
	}
	last := textOf(steps[len(steps)-1].From)
	to := textOf(steps[0].To)
	return usage(fmt.Sprintf("--map '%s=%s' puts them together, --map '%s=ANOTHER NAME' keeps them apart, and so can a plan file (mailhaul plan)", last, to, last),
		"the folders %s would fall into one, %q", strings.Join(names, " and "), to)
}

// usage is an error of what the person said, or has to say first.
func usage(hint, format string, args ...any) *mail.Error {
	return &mail.Error{Scope: mail.ScopeAccount, Cause: mail.CauseUsage, Hint: hint, Err: fmt.Errorf(format, args...)}
}
