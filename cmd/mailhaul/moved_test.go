package main

import (
	"testing"

	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/internal/postoffice/trial"
)

// TestMovedBeforeItWasBrought guards that mail which was archived, and not brought on, is not brought to where it was
// when the source has moved or deleted it meanwhile, however far ahead of the looking the bringing could be.
func TestMovedBeforeItWasBrought(t *testing.T) {
	bin := program(t)
	r := newFolderRig(t, append(trial.Mail(), numbered("m", 60)...))
	if status, err := newProcess(bin, "backup", r.source, r.archive).finish(); err != nil || status != exitDone {
		t.Fatal(status, err)
	}
	for i, m := range r.from.Messages("Work") {
		switch {
		case i%3 == 0:
			r.from.Deliver("Later", m)
			r.from.Expunge("Work", m.UID)
		case i%3 == 1:
			r.from.Expunge("Work", m.UID)
		}
	}
	r.from.Rename("Copies", "Twins")
	r.src.SetTrouble(postoffice.Trouble{Trickle: postoffice.Trickle{ToClient: 10_000}})
	if status, err := newProcess(bin, r.migrate()...).finish(); err != nil || status != exitDone {
		t.Fatal(status, err)
	}
	for _, folder := range []string{mail.Inbox, "Work", "Later", "Twins", "Copies"} {
		if v := trial.Judge(octets(r.from, folder), octets(r.to, folder)); v != (trial.Verdict{}) {
			t.Errorf("%s at the destination: %v", folder, v)
		}
	}
}
