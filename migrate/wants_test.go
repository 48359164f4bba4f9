package migrate_test

import (
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/migrate"
)

// TestWants guards that a selection says the same of a mailbox before it is archived as when it is brought on.
func TestWants(t *testing.T) {
	globs := func(texts ...string) (all []migrate.Glob) {
		for _, s := range texts {
			all = append(all, migrate.ParseGlob(s))
		}
		return all
	}
	for _, tc := range []struct {
		include, exclude []migrate.Glob
		name             string
		want             bool
	}{
		{nil, nil, "Work", true},
		{nil, globs("Work"), "Work", false},
		{nil, globs("Work"), "Work/2019", true},
		{nil, globs("Work*"), "Work/2019", false},
		{globs("Work*"), nil, "Work/2019", true},
		{globs("Work*"), nil, "Other", false},
		{globs("Work*"), globs("*/2019"), "Work/2019", false},
		{globs("Entwürfe"), nil, "Entw&APw-rfe", true},
		{globs("Entw&APw-rfe"), nil, "Entw&APw-rfe", true},
		{globs("INBOX"), nil, mail.Inbox, true},
	} {
		r := migrate.Rules{Include: tc.include, Exclude: tc.exclude}
		for _, noSelect := range []bool{false, true} {
			if got := r.Wants(mail.Mailbox{Name: tc.name, Delim: '/', NoSelect: noSelect}); got != tc.want {
				t.Errorf("%+v wants %s: %v, want %v", r, tc.name, got, tc.want)
			}
		}
	}
}
