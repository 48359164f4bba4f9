package archive

import (
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// Who asks often is answered without the ledger, and no less well: also for what came since, and for an identity
// that an entry was given since.
func TestSimilarAskedOften(t *testing.T) {
	a := open(t, ramDir(t))
	defer shut(t, a)
	mustTake(t, a, letterOne)
	for i := range 2 * manyAsked {
		if found, err := a.Similar(int64(1000+i), then); err != nil || len(found) > 0 {
			t.Fatalf("Similar = %v, %v", found, err)
		}
	}
	if a.looks.known == nil {
		t.Error("every question goes to the ledger")
	}
	later := newLetter(inbox, 2, "A: one that came later\r\n\r\n")
	later.item.Identity = "EMAILID:M1"
	mustTake(t, a, later)
	status := mail.Status{Validity: 7, Next: 3, Messages: 2, ModSeq: 9}
	one := letterOne.item
	one.Identity = "EMAILID:M0"
	_, _, err := a.Looked(inbox.Name, Look{Changes: mail.Changes{Status: status, New: []mail.Item{one, later.item}}, Complete: true})
	mustDo(t, err)
	for _, l := range []letter{letterOne, later} {
		for _, received := range []time.Time{then, {}} {
			if found, err := a.Similar(int64(len(l.body)), received); err != nil || len(found) != 1 {
				t.Errorf("Similar(%d, %v) = %v, %v", len(l.body), received, found, err)
			}
		}
	}
	for _, identity := range []string{"EMAILID:M0", "EMAILID:M1"} {
		if found, err := a.Identical(identity); err != nil || len(found) != 1 {
			t.Errorf("Identical(%s) = %v, %v", identity, found, err)
		}
	}
}
