package migrate

import "testing"

func TestKeys(t *testing.T) {
	for _, tc := range []struct {
		why, a, b           string
		name, folded, worth bool // what key makes them the same
	}{
		{"the same", "Sent", "Sent", true, true, true},
		{"case", "Sent", "SENT", false, true, true},
		{"NFC and NFD", "Entwürfe", "Entwu\u0308rfe", true, true, true},
		{"two marks, in either order", "ậ", "a\u0323\u0302", true, true, true},
		{"two marks, in the other order", "ậ", "a\u0302\u0323", true, true, true},
		{"Vietnamese", "Thùng rác", "Thu\u0300ng ra\u0301c", true, true, true},
		{"Cyrillic й", "Важный", "Важныи\u0306", true, true, true},
		{"Korean", "보낸 편지함", "\u1107\u1169\u1102\u1162\u11ab \u1111\u1167\u11ab\u110c\u1175\u1112\u1161\u11b7", true, true, true},
		{"kana", "ごみ箱", "こ\u3099み箱", true, true, true},
		{"Greek final sigma", "ΑΡΧΕΙΟΣ", "αρχειος", false, true, true},
		{"a mark more", "Entwürfe", "Entwurfe", false, false, true},
		{"Turkish dotless i", "Çöp kutusu", "ÇÖP KUTUSU", false, true, true},
		{"Turkish dotted I", "İstenmeyen", "istenmeyen", false, false, true},
		{"blanks and hyphens", "Junk-E-Mail", "junk email", false, false, true},
		{"ZWNJ", "پیش\u200cنویس\u200cها", "پیشنویسها", false, false, true},
		{"Arabic yeh for Persian yeh", "بایگانی", "بايگاني", false, false, true},
		{"Arabic vowel signs", "المُرسَل", "المرسل", false, false, true},
		{"another word", "Sent", "Send", false, false, false},
	} {
		if got := nameKey(tc.a) == nameKey(tc.b); got != tc.name {
			t.Errorf("%s: nameKey takes %q and %q for the same: %t, want %t", tc.why, tc.a, tc.b, got, tc.name)
		}
		if got := foldedKey(tc.a) == foldedKey(tc.b); got != tc.folded {
			t.Errorf("%s: foldedKey takes %q and %q for the same: %t, want %t", tc.why, tc.a, tc.b, got, tc.folded)
		}
		if got := wordKey(tc.a) == wordKey(tc.b); got != tc.worth {
			t.Errorf("%s: wordKey takes %q and %q for the same: %t, want %t", tc.why, tc.a, tc.b, got, tc.worth)
		}
	}
}
