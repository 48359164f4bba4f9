package config

import (
	"fmt"
	"time"
)

// A Schedule is when a job is to run: "hourly", "daily", "weekly", or a time of the day as "02:30"; "" is when somebody
// runs it. mailhaul does not run by itself: it is what the lines for cron and systemd are made of.
type Schedule string

// timeOfDay is how a Schedule has it.
const timeOfDay = "15:04"

func (s Schedule) valid() bool {
	switch s {
	case "hourly", "daily", "weekly":
		return true
	}
	_, err := time.Parse(timeOfDay, string(s))
	return err == nil && len(s) == len(timeOfDay)
}

// Systemd returns the OnCalendar of a timer (systemd.time(7)).
func (s Schedule) Systemd() string {
	if _, err := time.Parse(timeOfDay, string(s)); err == nil {
		return "*-*-* " + string(s) + ":00"
	}
	return string(s)
}

// Cron returns the five fields of a crontab (crontab(5)). Hours that nobody has chosen are not full ones, at which
// everybody else's jobs come too.
func (s Schedule) Cron() string {
	switch s {
	case "hourly":
		return "17 * * * *"
	case "daily":
		return "17 3 * * *"
	case "weekly":
		return "17 3 * * 0"
	}
	t, err := time.Parse(timeOfDay, string(s))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d * * *", t.Minute(), t.Hour())
}
