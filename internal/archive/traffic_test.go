package archive

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// noon is when the tests of traffic begin.
var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func mustTraffic(t *testing.T, a *Archive, acct mail.Account, now time.Time) string {
	t.Helper()
	hours, err := a.Traffic(acct, now)
	mustDo(t, err)
	var text []string
	for _, h := range hours {
		text = append(text, fmt.Sprintf("%s ↓%d ↑%d", h.Last.UTC().Format("15:04"), h.Octets[Down], h.Octets[Up]))
	}
	return fmt.Sprint(text)
}

func TestTraffic(t *testing.T) {
	a := open(t, ramDir(t))
	add := func(acct mail.Account, after time.Duration, down, up int64) {
		t.Helper()
		mustDo(t, a.AddTraffic(acct, noon.Add(after), [2]int64{down, up}))
	}
	check := func(acct mail.Account, after time.Duration, want string) {
		t.Helper()
		if got := mustTraffic(t, a, acct, noon.Add(after)); got != want {
			t.Errorf("after %v: traffic %s, want %s", after, got, want)
		}
	}
	check(source, 0, "[]")
	add(source, 0, 100, 1)
	add(source, 20*time.Minute, 200, 2)
	add(source, 70*time.Minute, 50, 5)
	add(there, 30*time.Minute, 7, 9000)
	check(source, 70*time.Minute, "[12:20 ↓300 ↑3 13:10 ↓50 ↑5]")
	check(there, 70*time.Minute, "[12:30 ↓7 ↑9000]")
	a = reopened(t, a)
	defer func() { shut(t, a) }()
	check(source, 24*time.Hour+19*time.Minute, "[12:20 ↓300 ↑3 13:10 ↓50 ↑5]") // an hour counts whole
	check(source, 24*time.Hour+20*time.Minute, "[13:10 ↓50 ↑5]")
	check(source, 26*time.Hour, "[]")
	check(source, -10*time.Minute, "[12:20 ↓300 ↑3]") // the clock was set back, by a little and by a lot
	check(source, -48*time.Hour, "[]")
	carried, err := a.Carried(noon.Add(2 * time.Hour))
	if err != nil || len(carried) != 2 || !slices.Contains(carried, source) || !slices.Contains(carried, there) {
		t.Errorf("Carried = %v, %v; want both accounts", carried, err)
	}

	add(there, 48*time.Hour, 1, 1)
	rows := 0
	mustDo(t, a.ledger.each("select count(*) from traffic", func(scan func(...any) error) error { return scan(&rows) }))
	if rows != 1 {
		t.Errorf("%d hours are kept, want that of today", rows)
	}
	add(source, -48*time.Hour, 1, 1) // the hours of a clock that was wrong do not stay
	check(there, 48*time.Hour, "[]")
}

func TestHalts(t *testing.T) {
	a := open(t, ramDir(t))
	defer func() { shut(t, a) }()
	check := func(now time.Time, want string) {
		t.Helper()
		halts, err := a.Halts(there, now)
		mustDo(t, err)
		text := []string{}
		for _, h := range halts {
			text = append(text, fmt.Sprintf("%d %d %s", h.Way, h.Allowance, h.Until.UTC().Format("15:04")))
		}
		if got := fmt.Sprint(text); got != want {
			t.Errorf("halts %s, want %s", got, want)
		}
	}
	check(noon, "[]")
	mustDo(t, a.Halt(there, Halt{Up, 500, noon.Add(time.Hour)}))
	mustDo(t, a.Halt(there, Halt{Up, 600, noon.Add(2 * time.Hour)}))
	mustDo(t, a.Halt(there, Halt{Down, 70, noon.Add(3 * time.Hour)}))
	mustDo(t, a.Halt(source, Halt{Down, 1, noon.Add(3 * time.Hour)}))
	check(noon, "[0 70 15:00 1 600 14:00]")
	check(noon.Add(2*time.Hour), "[0 70 15:00]")
	check(noon.Add(-48*time.Hour), "[]") // a clock that was wrong stops nobody for ever
	mustDo(t, a.Halt(there, Halt{Way: Down}))
	check(noon, "[1 600 14:00]")
}

// TestTrafficInOldLedger: what a mailhaul before traffic was counted has left can be looked into.
func TestTrafficInOldLedger(t *testing.T) {
	dir := ramDir(t)
	shut(t, open(t, dir))
	v, err := View(dir)
	mustDo(t, err)
	defer v.Close()
	if got := mustTraffic(t, v, there, noon); got != "[]" {
		t.Errorf("traffic %s, want none", got)
	}
	if halts, err := v.Halts(there, noon); err != nil || len(halts) > 0 {
		t.Errorf("Halts = %v, %v", halts, err)
	}
	if carried, err := v.Carried(noon); err != nil || len(carried) > 0 {
		t.Errorf("Carried = %v, %v", carried, err)
	}
	if err := v.AddTraffic(there, noon, [2]int64{1, 1}); err == nil {
		t.Error("a reader has written")
	}
}
