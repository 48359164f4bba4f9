package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRow(t *testing.T) {
	var out bytes.Buffer
	r := row{&out}
	for _, tc := range []struct{ in, want string }{
		{"\rshort", "\rshort" + strings.Repeat(" ", usual-spare-len("short"))},
		{"\r" + strings.Repeat("█", 100), "\r" + strings.Repeat("█", usual-spare)},
		{"\r" + strings.Repeat(" ", 100) + "\r", "\r" + strings.Repeat(" ", usual-spare) + "\r"},
	} {
		out.Reset()
		if n, err := r.Write([]byte(tc.in)); n != len(tc.in) || err != nil || out.String() != tc.want {
			t.Errorf("Write(%q) = %d, %v, and writes %q, want %q", tc.in, n, err, out.String(), tc.want)
		}
	}
	out.Reset()
	r.clear()
	if want := "\r" + strings.Repeat(" ", usual-1) + "\r"; out.String() != want {
		t.Errorf("clear writes %q", out.String())
	}
}
