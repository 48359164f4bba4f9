package archive

import (
	"slices"
	"time"
)

// arrivalTable says from which entry on they were archived on which day, in UTC. Of those before the first row it is only
// known that they are older than it.
var arrivalTable = &addition{"arrival", `
create table if not exists arrival (
	day integer primary key, -- Unix seconds / 86400
	first integer not null   -- the id of the first entry since then
)`}

const secondsOfDay = 24 * 60 * 60

func dayOf(t time.Time) int64 { return t.Unix() / secondsOfDay }

// noteDay notes, inside a transaction and before entries are inserted, that all that come are of today. A clock that was set
// back makes no entry older than those before it.
func (a *Archive) noteDay(today int64) error {
	if today <= a.day.Load() {
		return nil
	}
	if err := a.ledger.add(arrivalTable); err != nil {
		return err
	}
	_, err := a.ledger.exec(`insert into arrival (day, first) select ?1, 1 + coalesce((select max(id) from entry), 0)
		where not exists (select 1 from arrival where day >= ?1)`, today)
	return err
}

// Arrivals tell when entries were archived, to the day.
type Arrivals []arrivalDay

type arrivalDay struct{ day, first int64 }

// Arrivals returns when the entries were archived. In a ledger that is older than this knowledge, all there are count
// from now on.
func (a *Archive) Arrivals() (Arrivals, error) {
	err := a.write("arrival", func() error { return a.noteDay(dayOf(time.Now())) })
	if err != nil {
		return nil, err
	}
	var all Arrivals
	err = a.ledger.eachOf(arrivalTable, "select day, first from arrival order by first, day", func(scan func(...any) error) error {
		var d arrivalDay
		err := scan(&d.day, &d.first)
		all = append(all, d)
		return err
	})
	return all, err
}

// Before reports whether the entry was archived more than so many whole days before now, in which the day of its
// arrival and the present one do not count. With 0 days every entry was.
func (all Arrivals) Before(entry int64, now time.Time, days int) bool {
	if days <= 0 || len(all) == 0 {
		return days <= 0
	}
	i, exact := slices.BinarySearchFunc(all, entry, func(d arrivalDay, id int64) int { return int(min(max(d.first-id, -1), 1)) })
	for exact && i+1 < len(all) && all[i+1].first == entry {
		i++
	}
	if !exact {
		i = max(i-1, 0)
	}
	return dayOf(now)-all[i].day > int64(days)
}
