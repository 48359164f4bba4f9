package migrate

import "github.com/mailhaul/mailhaul/internal/mail"

// giveRoles finds out what each folder is for. A role has one folder, that with the strongest evidence: what names
// itself Sent where another one is \Sent is a folder like others.
func (t *tree) giveRoles() {
	for i := range t.folders {
		f := &t.folders[i]
		t.judge(f)
		best := t.byRole[f.claims]
		if f.claims != mail.RoleNone && (best == nil || f.strength < best.strength) {
			t.byRole[f.claims] = f
		}
	}
	t.settleRoles()
}

// settleRoles gives the roles to the folders that byRole says.
func (t *tree) settleRoles() {
	for i := range t.folders {
		f := &t.folders[i]
		f.role, f.other = mail.RoleNone, ""
		if best := t.byRole[f.claims]; best == f || f.view() {
			f.role = f.claims
		} else if best != nil {
			f.other = best.text()
		}
	}
}

// yieldTo has, of several folders that may be it with equal right, the one be it that has the name of dst's.
func (t *tree) yieldTo(dst *tree) {
	for i := range t.folders {
		f := &t.folders[i]
		best, to := t.byRole[f.claims], dst.byRole[f.claims]
		if best != nil && to != nil && !f.view() && f.evidence == best.evidence && dst.key(f.bare) == dst.key(to.path) {
			t.byRole[f.claims] = f
		}
	}
	t.settleRoles()
}

// The strengths of what tells a role; within one, the usual word comes first.
const (
	bySpecialUse = 1000 * iota
	byProvider
	byWord
)

func (t *tree) judge(f *folder) {
	word := f.meaning()
	rank := 999
	switch {
	case mail.IsInbox(f.Name):
		f.claims, f.evidence, f.strength = mail.RoleInbox, "INBOX", 0
		return
	case f.Role != mail.RoleNone && f.Role != mail.RoleInbox:
		f.claims, f.evidence, f.strength = f.Role, "special use", bySpecialUse
	case t.provider.role(f.path) != mail.RoleNone:
		f.claims, f.evidence, f.strength = t.provider.role(f.path), "its name at "+t.provider.name, byProvider
	case word.role != mail.RoleNone:
		f.claims, f.evidence, f.strength = word.role, "its name ("+word.language+")", byWord
	}
	if word.role == f.claims {
		rank = word.rank
	}
	f.strength += rank
}

// meaning is what its name says, if it is one of the account's own: "Work/Sent" is somebody's folder like others.
func (f *folder) meaning() meaning {
	switch {
	case len(f.bare) == 1:
		return meanings[wordKey(f.bare[0])]
	case len(f.bare) == 2 && mail.IsInbox(f.bare[0]):
		return meanings[wordKey(f.bare[1])]
	}
	return meaning{}
}

// view reports whether the mail in it is that of other folders.
func (f *folder) view() bool {
	return f.claims == mail.RoleAll || f.claims == mail.RoleFlagged || f.claims == mail.RoleImportant
}

// withRole returns the folder of the tree that has the role of f, a folder of another tree. Of several that may be
// it with equal right it is the one with f's name.
func (t *tree) withRole(f *folder) *folder {
	best := t.byRole[f.role]
	if f.role == mail.RoleNone || best == nil {
		return nil
	}
	if same := t.byPath[t.key(f.bare)]; same != nil && same.claims == f.role && same.evidence == best.evidence {
		return same
	}
	return best
}
