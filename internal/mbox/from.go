package mbox

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxFromLine is how long a From_ line can be. RFC 4155 has none, and no sender needs more.
const maxFromLine = 1 << 10

// A FromLine is what stands before each message of an mbox.
type FromLine struct {
	Sender string
	Date   time.Time // zero: it has none that could be understood
	Zoned  bool      // Date says in which zone it is; else UTC stands for a zone that nobody knows
}

// ParseFromLine takes a line apart that begins with "From ". Programs have put dates of many forms behind the sender,
// which may have spaces in it: anything that names month, day, time and year is one.
func ParseFromLine(line []byte) (f FromLine, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("From "))
	if !ok || len(line) > maxFromLine {
		return f, false
	}
	words := strings.Fields(string(rest))
	for i := range words {
		if date, zoned, ok := fromDate(words[i:]); ok {
			return FromLine{strings.Join(words[:i], " "), date, zoned}, true
		}
	}
	return FromLine{Sender: strings.Join(words, " ")}, true
}

var (
	weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
)

// A fromClock collects what the words of a date say, whatever their order.
type fromClock struct {
	year, month, day, seconds int
	timed, zoned              bool
	zone                      int
}

// fromDate reads a date from the first of the words on: up to the last of them, or to the first that is no part of one.
func fromDate(words []string) (date time.Time, zoned, ok bool) {
	var c fromClock
	for _, w := range words {
		if !c.take(strings.ToLower(strings.TrimSuffix(w, ","))) {
			break
		}
	}
	if c.year == 0 || c.month == 0 || c.day == 0 || !c.timed {
		return time.Time{}, false, false
	}
	date = time.Date(c.year, time.Month(c.month), c.day, 0, 0, c.seconds-c.zone, 0, time.UTC)
	if c.zoned {
		date = date.In(time.FixedZone("", c.zone))
	}
	return date, c.zoned, true
}

// take reports whether the word is a part of a date that is not there yet.
func (c *fromClock) take(w string) bool {
	n, err := strconv.Atoi(w)
	month := slices.Index(months, w[:min(len(w), 3)]) + 1
	switch {
	case slices.Contains(weekdays, w):
		return c.month+c.day+c.year == 0
	case month > 0 && len(w) <= 9 && c.month == 0:
		c.month = month
	case strings.Contains(w, ":") && !c.timed:
		return c.takeTime(w)
	case len(w) == 5 && (w[0] == '+' || w[0] == '-') && err == nil && !c.zoned:
		c.zoned, c.zone = true, (n/100*60+n%100)*60
	case err == nil && n > 0 && n <= 31 && len(w) <= 2 && c.day == 0:
		c.day = n
	case err == nil && len(w) == 4 && n >= 1900 && c.year == 0:
		c.year = n
	case c.timed && c.year == 0 && isZoneName(w): // between time and year, as "MET DST"
		c.zoned = c.zoned || w == "utc" || w == "gmt"
	default:
		return false
	}
	return true
}

func (c *fromClock) takeTime(w string) bool {
	parts := strings.Split(w, ":")
	if len(parts) > 3 {
		return false
	}
	for i, unit := range [...]int{3600, 60, 1} {
		if i == len(parts) {
			break
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > [...]int{23, 59, 60}[i] || len(parts[i]) > 2 {
			return false
		}
		c.seconds += n * unit
	}
	c.timed = true
	return true
}

func isZoneName(w string) bool {
	return len(w) >= 2 && len(w) <= 5 && !strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' })
}

var fromWord = []byte("From ")

// isQuoted reports whether a line is a From_ line with ">"s before it.
func isQuoted(line []byte) bool {
	return len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), fromWord)
}

// isField reports whether a line looks like a header field.
func isField(line []byte) bool {
	name, _, found := bytes.Cut(line, []byte{':'})
	return found && len(name) > 0 && len(name) < 100 &&
		!bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
