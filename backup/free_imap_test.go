package backup_test

import (
	"testing"

	"github.com/mailhaul/mailhaul/backup"
	"github.com/mailhaul/mailhaul/internal/postoffice"
)

// What a server answers to the commands that remove, and what it does: nothing goes but what is safe, what could go has gone
// in the end, and no mark is left behind.
func TestFreeAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fault postoffice.Fault
		gone  int // in the first run
		stay  backup.Stay
	}{
		"the answer lost":        {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, Do: postoffice.Done, End: postoffice.RST}, 20, ""},
		"lost, not done":         {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, End: postoffice.RST}, 20, ""},
		"lost after the mark":    {postoffice.Fault{Verb: "NOOP", Times: 1, End: postoffice.FIN}, 20, ""},
		"the mark lost":          {postoffice.Fault{Verb: "UID STORE", Times: 1, Do: postoffice.Done, End: postoffice.FIN}, 20, ""},
		"busy":                   {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, Say: "NO [INUSE] locked"}, 20, ""},
		"busy, and marks":        {postoffice.Fault{Verb: "UID STORE", Times: 1, Do: postoffice.Done, Say: "NO [UNAVAILABLE] later"}, 20, ""},
		"done, and a NO":         {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, Do: postoffice.Done, Say: "NO oops"}, 20, ""},
		"a lie":                  {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, Say: "OK all gone"}, 0, backup.StayRefused},
		"no right":               {postoffice.Fault{Verb: "UID EXPUNGE", Times: 1, Say: "NO [NOPERM] not you"}, 0, backup.StayRefused},
		"the look after is lost": {postoffice.Fault{Verb: "UID FETCH", At: 9, Times: 1, End: postoffice.FIN}, 20, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRoom(t, true, letters(20)...)
			m.deliver(letter(77).Octets)
			m.srv.SetTrouble(postoffice.Trouble{Faults: []postoffice.Fault{c.fault}})
			got, err := m.free(t.Context(), nil)
			if got.Gone.Messages != c.gone || m.wrongly() > 0 || (err == nil) != (c.stay == "") {
				t.Errorf("%+v, %v; %d wrongly", got, err, m.wrongly())
			}
			if c.stay != "" && stays(got)[c.stay] != 20 {
				t.Errorf("%v stay, want all %s", stays(got), c.stay)
			}
			m.recorded(name, true)
			m.srv.SetTrouble(postoffice.Trouble{})
			again, err := m.free(t.Context(), nil)
			if err != nil || len(m.gone()) != 20 || m.wrongly() > 0 {
				t.Errorf("again: %+v, %v; %d are gone, %d wrongly", again, err, len(m.gone()), m.wrongly())
			}
			m.recorded(name+", again", true)
			if rep := m.backup(); rep.Fetched != 1 {
				t.Errorf("the next backup: %+v, want what came meanwhile", rep)
			}
		})
	}
}
