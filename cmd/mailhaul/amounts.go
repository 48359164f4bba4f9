package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
)

// units are what stands behind an amount of octets, in lower case. K, M and G are powers of ten, as providers have
// them.
var units = map[string]float64{
	"b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20, "gi": 1 << 30, "gib": 1 << 30, "ti": 1 << 40, "tib": 1 << 40,
}

var errNoAmount = errors.New("write 500k, 20MB, 1.5G or 20MiB")

// parseOctets reads an amount. It must have a unit: of a bare number every program thinks otherwise.
func parseOctets(s string) (int64, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	n, err := strconv.ParseFloat(digits, 64)
	octets := n * unit
	if !known || err != nil || strings.Trim(digits, "0123456789.") != "" || !(octets >= 1 && octets < math.MaxInt64/2) {
		return 0, errNoAmount
	}
	return int64(octets), nil
}

// A dailyLimit is how many octets may go one way in a day, as the person has it.
type dailyLimit struct {
	text   string
	said   bool
	octets int64 // 0: any number
}

func (l *dailyLimit) String() string { return l.text }

// Type is what help calls it.
func (l *dailyLimit) Type() string { return "SIZE" }

// Set makes it a flag.
func (l *dailyLimit) Set(s string) (err error) {
	l.text, l.said, l.octets = s, true, 0
	if s != "none" {
		if l.octets, err = parseOctets(s); err != nil {
			return fmt.Errorf("%w, or none", err)
		}
	}
	return nil
}

// or returns the person's limit, or else the provider's.
func (l *dailyLimit) or(known int64) int64 {
	if l.said {
		return l.octets
	}
	return known
}

// A bandwidth is a throttle as a flag: a rate for each of the two directions, or UP:DOWN.
type bandwidth struct {
	throttle *dial.Throttle
	text     string
}

func (b *bandwidth) String() string { return b.text }

// Type is what help calls it.
func (b *bandwidth) Type() string { return "RATE" }

// Set makes it a flag.
func (b *bandwidth) Set(s string) (err error) {
	up, down, both := strings.Cut(s, ":")
	if !both {
		down = up
	}
	if b.throttle.Up, err = parseRate(up); err == nil {
		b.throttle.Down, err = parseRate(down)
	}
	b.text = s
	return err
}

// parseRate reads octets a second.
func parseRate(s string) (int64, error) {
	if s == "0" || s == "off" {
		return 0, nil
	}
	rate, err := parseOctets(s)
	switch {
	case err != nil:
		return 0, errors.New("write 500k, 1.5M or 2MiB, which is a second, or UP:DOWN; 0 is no limit")
	case rate < dial.LeastRate:
		return 0, errors.New("no server waits for less than 1k a second")
	}
	return rate, nil
}

// A messageRate is how often a message may go, as a flag.
type messageRate struct {
	text  string
	every time.Duration // between two; 0: at once
}

func (r *messageRate) String() string { return r.text }

// Type is what help calls it.
func (r *messageRate) Type() string { return "N" }

var perUnit = map[string]time.Duration{"": time.Second, "s": time.Second, "sec": time.Second, "min": time.Minute, "m": time.Minute, "h": time.Hour}

// Set makes it a flag.
func (r *messageRate) Set(s string) error {
	number, unit, _ := strings.Cut(s, "/")
	per, known := perUnit[unit]
	n, err := strconv.ParseFloat(number, 64)
	if !known || err != nil || !(n == 0 || n >= 1e-3 && n <= 1e6) {
		return errors.New("write 4 or 4/s, 100/min or 1000/h; 0 is no limit")
	}
	r.text, r.every = s, 0
	if n > 0 {
		r.every = time.Duration(float64(per) / n)
	}
	return nil
}
