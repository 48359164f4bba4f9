package postoffice

import (
	"strings"
	"testing"
)

func TestStrict(t *testing.T) {
	long := strings.Repeat("x", 998)
	for _, tc := range []struct{ octets, want string }{
		{"", "NO Message is empty"},
		{"A: b\r\n\r\n\x00", "NO Message contains NUL characters"},
		{"A: b\r\n\r\na\nb", "NO Message contains bare newlines"},
		{"A: b\r\n\r\na\rb", "NO Message contains bare newlines"},
		{"A: b\r\nno colon\r\n\r\n", "NO Message contains invalid header"},
		{"A : b\r\n\r\n", "NO Message contains invalid header"},
		{": b\r\n\r\n", "NO Message contains invalid header"},
		{"\xe4: b\r\n\r\n", "NO Message contains invalid header"},
		{" A: b\r\n\r\n", "NO Message contains invalid header"},
		{"From a\r\nA: b\r\n\r\n", "NO Message contains invalid header"},
		{"A: b", "NO Message contains invalid header"},
		{"A: b\r\n\r\n" + long + "x\r\n", "NO Message contains a line that is too long"},
		{"A: \xe4\r\n b\r\n\r\nno colon\r\n" + long, ""},
		{"A: b\r\n", ""},
		{"\r\n", ""},
	} {
		got := ""
		for _, f := range Strict() {
			if got == "" && f.fits("APPEND", false, int64(len(tc.octets)), &Message{Octets: []byte(tc.octets)}) {
				got = f.Say
			}
		}
		if got != tc.want {
			t.Errorf("%.40q is answered %q, want %q", tc.octets, got, tc.want)
		}
	}
}
