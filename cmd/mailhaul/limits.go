package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/mailhaul/mailhaul/internal/archive"
	"github.com/mailhaul/mailhaul/internal/dial"
)

// dailyOptions are how much may go in a day, where the person knows better than we do.
type dailyOptions struct{ upload, download dailyLimit }

func (o *dailyOptions) addFlags(f *pflag.FlagSet) {
	f.Var(&o.upload, "daily-upload", "stop when so much went to an account in 24 hours, as 500MB, or none")
	f.Var(&o.download, "daily-download", "stop when so much came from an account in 24 hours, as 2.5GB, or none")
}

// of returns the limits of an account, by archive.Way. What a source is told is not worth one.
func (o *dailyOptions) of(p *party) (limit [2]int64) {
	known := p.account.Allowance()
	if p.limits != nil {
		known.Down, known.Up = p.limits.download.or(known.Down), p.limits.upload.or(known.Up)
	}
	limit[archive.Down] = o.download.or(known.Down)
	if p.role == "destination" {
		limit[archive.Up] = o.upload.or(known.Up)
	}
	return limit
}

// limitOptions are what the person or a provider sets as limits.
type limitOptions struct {
	dailyOptions
	bandwidth bandwidth
	rate      messageRate
}

func (o *limitOptions) addFlags(f *pflag.FlagSet) {
	o.bandwidth.throttle = new(dial.Throttle)
	f.Var(&o.bandwidth, "bwlimit", "octets a second in each direction, as 500k or 1MiB, or UP:DOWN")
	f.Var(&o.rate, "max-rate", "messages a second from or to an account, or as 100/min")
	o.dailyOptions.addFlags(f)
}

// foretell warns of what will take longer than a day.
func (s *survey) foretell(o *outlook) {
	for _, text := range []string{
		moreDays(o.source, s.daily.of(&s.source)[archive.Down], "from", &s.source),
		moreDays(o.destination, s.daily.of(&s.destination)[archive.Up], "to", &s.destination),
	} {
		if text != "" {
			o.warnings = append(o.warnings, text)
		}
	}
}

// moreDays says how long it takes to carry so much from or to an account; "" if that is no more than a day.
func moreDays(octets, limit int64, direction string, p *party) string {
	if limit == 0 || octets <= limit {
		return ""
	}
	return fmt.Sprintf("%s %s %s", daysText(daysFor(octets, limit), limit), direction, p.account.Host)
}

func daysText(n, limit int64) string { return fmt.Sprintf("about %d days at %s a day", n, size(limit)) }

// over returns the limits, with those of the account where nobody has said another.
func (o *limitOptions) over(account *accountLimits) (messageRate, bandwidth) {
	rate, width := o.rate, o.bandwidth
	if account != nil && rate.text == "" {
		rate = account.rate
	}
	if account != nil && width.text == "" {
		width = account.bandwidth
	}
	return rate, width
}
