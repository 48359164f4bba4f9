package migrate_test

import (
	"testing"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/mail"
	"github.com/mailhaul/mailhaul/internal/postoffice"
	"github.com/mailhaul/mailhaul/migrate"
)

// TestChosen guards that a run for chosen entries brings those and nothing else, not even folders, that the sums hold with all
// others left out, that nothing is brought twice, and that a run for all is a first one afterwards.
func TestChosen(t *testing.T) {
	acct, srv := office(t, postoffice.Trouble{})
	a, err := archive.Open(inMemory(t), archive.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	fillFromIMAP(t, a, 6, 2) // 1 and 2 are gone
	for _, tc := range []struct {
		chosen []int64
		gone   bool
		want   migrate.Report
	}{
		{[]int64{}, false, migrate.Report{Archived: 6, LeftOut: 4, Gone: 2}},
		{[]int64{3, 1, 99}, false, migrate.Report{Archived: 6, Appended: 1, LeftOut: 3, Gone: 2}},
		{[]int64{3, 1}, false, migrate.Report{Archived: 6, Known: 1, LeftOut: 3, Gone: 2}},
		{[]int64{3, 1}, true, migrate.Report{Archived: 6, Known: 1, Appended: 1, LeftOut: 4}},
		{[]int64{4, 5}, false, migrate.Report{Archived: 6, Known: 2, Appended: 2, LeftOut: 1, Gone: 1}},
		{nil, false, migrate.Report{Archived: 6, Known: 4, Appended: 1, Gone: 1}},
	} {
		if err := a.Choose(tc.chosen); err != nil {
			t.Fatal(err)
		}
		dst := client(srv)
		job := migrate.Job{Archive: a, Destination: dst, Account: there, Pause: noWait, IncludeGone: tc.gone, Chosen: tc.chosen != nil}
		plan, err := job.Preview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waiting := 0
		for _, f := range plan.Folders {
			waiting += f.Waiting.Messages
		}
		rep, err := job.Run(t.Context())
		dst.Close()
		got := migrate.Report{Archived: rep.Archived, Known: rep.Known, Appended: rep.Appended, LeftOut: rep.LeftOut, Gone: rep.Gone, Failed: rep.Failed}
		if err != nil || len(rep.Failures) > 0 || !sameCounts(got, tc.want) || got.LeftOut != tc.want.LeftOut || waiting != rep.Appended {
			t.Errorf("%v: %d waiting, %+v, %v; want %+v", tc.chosen, waiting, got, err, tc.want)
		}
		destinations, err := a.Destinations()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range destinations {
			if tc.chosen != nil && !d.Ran.IsZero() {
				t.Error("a run for a part counts as one for all")
			}
		}
	}
	if n := len(acct.Messages(mail.Inbox)); n != 5 {
		t.Errorf("%d messages at the destination", n)
	}
}
