package migrate

import (
	"strings"
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// One word must not be Sent in one language and Junk in another: mail would land where nobody looks for it.
func TestWordsMeanOneThing(t *testing.T) {
	roles := make(map[string]mail.Role)
	for _, v := range words {
		for role, list := range v.byRole() {
			for word := range strings.SplitSeq(list, "|") {
				key := wordKey(word)
				if key == "" || strings.TrimSpace(word) != word {
					t.Errorf("%s has %q for %s", v.language, word, role)
				}
				if other, ok := roles[key]; ok && other != role {
					t.Errorf("%s: %q is %s, and %s in another language", v.language, word, role, other)
				}
				roles[key] = role
			}
		}
	}
	t.Logf("%d words in %d languages", len(roles), len(words))
}

func TestWords(t *testing.T) {
	for _, tc := range []struct {
		name string
		role mail.Role
	}{
		{"sent items", mail.RoleSent}, {"SENT", mail.RoleSent}, {"Sent-Mail", mail.RoleSent}, {"Envoyes", mail.RoleSent},
		{"Entwu\u0308rfe", mail.RoleDrafts}, {"ENTWÜRFE", mail.RoleDrafts}, {"Junk-E-Mail", mail.RoleJunk},
		{"Удаленные", mail.RoleTrash}, {"پیش نویس ها", mail.RoleDrafts}, {"بايگاني", mail.RoleArchive}, {"ISTENMEYEN", mail.RoleJunk},
		{"こ\u3099み箱", mail.RoleTrash}, {"Archiv", mail.RoleArchive}, {"Sent 2019", ""}, {"Work", ""}, {"", ""}, {"Outbox", ""},
	} {
		if got := meanings[wordKey(tc.name)].role; got != tc.role {
			t.Errorf("%q is %q, want %q", tc.name, got, tc.role)
		}
	}
}
