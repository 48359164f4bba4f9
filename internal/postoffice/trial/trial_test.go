package trial

import "testing"

func TestMailIsSmallAndEnough(t *testing.T) {
	total := 0
	for _, m := range Mail() {
		total += len(m)
	}
	if len(Mail()) != 12 || total > 14<<10 {
		t.Errorf("%d messages of %d octets, want 12 within 14 KB", len(Mail()), total)
	}
}

func TestJudge(t *testing.T) {
	a, b, c := []byte("a\r\n"), []byte("b\r\n"), []byte("c\r\n")
	for _, tc := range []struct {
		sent, shown [][]byte
		want        Verdict
	}{
		{[][]byte{a, b}, [][]byte{b, a}, Verdict{}},
		{[][]byte{a, a}, [][]byte{a, a}, Verdict{}},
		{[][]byte{a, a}, [][]byte{a}, Verdict{Lost: 1}},
		{[][]byte{a}, [][]byte{a, a}, Verdict{Doubled: 1}},
		{[][]byte{a, b}, [][]byte{a, c}, Verdict{Altered: 1}},
		{[][]byte{a}, [][]byte{[]byte("a\n")}, Verdict{}},
		{[][]byte{a}, [][]byte{a, c}, Verdict{Altered: 1}},
		{[][]byte{a, b}, nil, Verdict{Lost: 2}},
	} {
		if got := Judge(tc.sent, tc.shown); got != tc.want {
			t.Errorf("Judge(%q, %q) = %v, want %v", tc.sent, tc.shown, got, tc.want)
		}
	}
}
