package main

import (
	"slices"
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/archive"
)

// noon is when these tests look at the clock.
var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.Local)

// went is a day on which so much went up, so many hours ago each.
func went(limit int64, hours map[int]int64) day {
	d := day{way: archive.Up, limit: limit, now: noon}
	for ago, octets := range hours {
		d.hours = append(d.hours, archive.Hour{Last: noon.Add(-time.Duration(ago) * time.Hour), Octets: [2]int64{archive.Down: 7e9, archive.Up: octets}})
	}
	slices.SortFunc(d.hours, func(a, b archive.Hour) int { return a.Last.Compare(b.Last) })
	return d
}

func TestDayFits(t *testing.T) {
	const k, M = 1000, 1000_000
	many := make([]int64, 100)
	for i := range many {
		many[i] = 1 * M
	}
	for _, tt := range []struct {
		name   string
		day    day
		octets []int64
		want   int
	}{
		{"no limit", day{}, many, 100},
		{"nothing went", went(500*M, nil), many, 61}, // an eighth of the limit at a time
		{"little is left", went(500*M, map[int]int64{3: 495 * M}), many, 4},
		{"nothing is left", went(500*M, map[int]int64{3: 499*M + 900*k}), many, 0},
		{"too much went", went(500*M, map[int]int64{3: 700 * M}), []int64{1}, 0},
		{"over several hours", went(500*M, map[int]int64{20: 200 * M, 10: 200 * M, 0: 99 * M}), many, 0},
		{"all but a little fits exactly", went(10*k, map[int]int64{1: 8000}), []int64{1000, 1000}, 1},
		{"one larger than a day, on a fresh day", went(500*M, map[int]int64{2: 100 * M}), []int64{700 * M, 1}, 1},
		{"one larger than a day, later", went(500*M, map[int]int64{2: 126 * M}), []int64{700 * M}, 0},
		{"one nearly as large as a day, after a listing", went(500*M, map[int]int64{0: 10 * M}), []int64{495 * M}, 1},
		{"what is under way counts", day{way: archive.Up, limit: 500 * M, underway: 499 * M}, []int64{2 * M}, 0},
		{"nothing to compare with costs nothing", went(500*M, map[int]int64{3: 700 * M}), []int64{0, 0, 5, 0}, 2},
	} {
		if got := tt.day.fits(tt.octets); got != tt.want {
			t.Errorf("%s: fits = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestDayWhen(t *testing.T) {
	const M = 1000_000
	for _, tt := range []struct {
		name   string
		day    day
		octets int64
		want   string
	}{
		{"when the oldest hour is over", went(500*M, map[int]int64{20: 200 * M, 10: 200 * M, 0: 99 * M}), 50 * M, "16:01 today"},
		{"when two are", went(500*M, map[int]int64{20: 200 * M, 10: 200 * M, 0: 99 * M}), 300 * M, "02:01 tomorrow"},
		{"when all are", went(500*M, map[int]int64{20: 10 * M, 0: 490 * M}), 100 * M, "12:01 tomorrow"},
		{"on a fresh day", went(500*M, map[int]int64{5: 400 * M, 1: 100 * M}), 700 * M, "07:01 tomorrow"},
	} {
		until := tt.day.when(tt.octets)
		if got := clockText(until, noon); got != tt.want {
			t.Errorf("%s: when = %s, want %s", tt.name, got, tt.want)
		}
		later := tt.day
		later.now, later.hours = until, slices.DeleteFunc(slices.Clone(later.hours), func(h archive.Hour) bool { return !h.Last.Add(24 * time.Hour).After(until) })
		if later.fits([]int64{tt.octets}) != 1 {
			t.Errorf("%s: it does not fit then", tt.name)
		}
	}
}

func TestDays(t *testing.T) {
	const M = 1000_000
	for _, tt := range []struct {
		day  day
		more int64
		want int64
	}{
		{day{}, 900 * M, 1},
		{went(500*M, nil), 500 * M, 1},
		{went(500*M, nil), 501 * M, 2},
		{went(500*M, map[int]int64{1: 400 * M}), 600 * M, 2},
		{went(500*M, map[int]int64{1: 400 * M}), 601 * M, 3},
		{went(500*M, map[int]int64{1: 900 * M}), 10_000 * M, 21},
		{went(500*M, nil), -1, 1},
	} {
		if got := tt.day.days(tt.more); got != tt.want {
			t.Errorf("days(%d) after %d = %d, want %d", tt.more, tt.day.used(), got, tt.want)
		}
	}
}
