package main

import (
	"testing"
	"time"

	"github.com/mailhaul/mailhaul/internal/dial"
)

func TestParseOctets(t *testing.T) {
	for text, want := range map[string]int64{
		"500k": 500_000, "500kB": 500_000, "20MB": 20_000_000, "1.5G": 1_500_000_000, "20MiB": 20 << 20, "2Gi": 2 << 30,
		"1t": 1e12, "12B": 12, "3 MB": 3e6, "0.5k": 500,
		"": 0, "500": 0, "k": 0, "-5k": 0, "+5k": 0, "0k": 0, "1e3k": 0, "0x5k": 0, "nank": 0, "infM": 0, "5 parsecs": 0, "9999999999T": 0, "5k5": 0, "1_000k": 0,
	} {
		got, err := parseOctets(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("parseOctets(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestBandwidth(t *testing.T) {
	for text, want := range map[string][2]int64{
		"1M": {1e6, 1e6}, "1MiB:500k": {1 << 20, 500e3}, "0:2M": {0, 2e6}, "off": {0, 0}, "0": {0, 0}, "1M:off": {1e6, 0},
		"500": {-1}, "1M:": {-1}, ":1M": {-1}, "1M:1M:1M": {-1}, "900B": {-1}, "": {-1},
	} {
		b := bandwidth{throttle: new(dial.Throttle)}
		err := b.Set(text)
		if wrong := want[0] < 0; wrong != (err != nil) || !wrong && [2]int64{b.throttle.Up, b.throttle.Down} != want {
			t.Errorf("--bwlimit %q: %d up, %d down, %v; want %d", text, b.throttle.Up, b.throttle.Down, err, want)
		}
	}
}

func TestMessageRate(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"4": 250 * time.Millisecond, "4/s": 250 * time.Millisecond, "100/min": 600 * time.Millisecond, "1000/h": 3600 * time.Millisecond,
		"0.5": 2 * time.Second, "0": 0, "fast": -1, "4/day": -1, "-4": -1, "": -1, "nan": -1, "inf/s": -1, "1e9": -1,
	} {
		var r messageRate
		err := r.Set(text)
		if wrong := want < 0; wrong != (err != nil) || !wrong && r.every != want {
			t.Errorf("--max-rate %q: one in %v, %v; want %v", text, r.every, err, want)
		}
	}
}

func TestDailyLimit(t *testing.T) {
	const known = 500e6
	for text, want := range map[string]int64{"": known, "none": 0, "20MB": 20e6} {
		var l dailyLimit
		if text != "" {
			if err := l.Set(text); err != nil {
				t.Errorf("--daily-upload %q: %v", text, err)
			}
		}
		if got := l.or(known); got != want {
			t.Errorf("--daily-upload %q: %d, want %d", text, got, want)
		}
	}
	if err := new(dailyLimit).Set("0"); err == nil {
		t.Error("--daily-upload 0 is nothing, or none? It must be said")
	}
}
