package mail

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUTF7(t *testing.T) {
	for _, tc := range []struct{ text, wire string }{
		{"INBOX", "INBOX"}, {"A & B", "A &- B"}, {"Entwürfe", "Entw&APw-rfe"}, {"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
		{"😀", "&2D3eAA-"}, {"Корзина", "&BBoEPgRABDcEOAQ9BDA-"},
	} {
		if got := EncodeUTF7(tc.text); got != tc.wire {
			t.Errorf("EncodeUTF7(%q) = %q, want %q", tc.text, got, tc.wire)
		}
		if got, err := DecodeUTF7(tc.wire); got != tc.text || err != nil {
			t.Errorf("DecodeUTF7(%q) = %q, %v, want %q", tc.wire, got, err, tc.text)
		}
	}
	for _, wire := range []string{"A & B", "&", "&2D0-", "&APw", "&!!-"} {
		if got, err := DecodeUTF7(wire); err == nil {
			t.Errorf("DecodeUTF7(%q) = %q, want an error", wire, got)
		}
	}
}

func TestNameText(t *testing.T) {
	for _, tc := range []struct{ why, name, text string }{
		{"modified UTF-7", "INBOX.Entw&APw-rfe", "INBOX.Entwürfe"},
		{"UTF-8, as servers with RFC 6855 have it", "Entwürfe & mehr", "Entwürfe & mehr"},
		{"a lone & that no encoder wrote", "R & D", "R & D"},
		{"broken off", "Entw&APw", "Entw&APw"},
		{"Latin-1", "Entw\xfcrfe", "Entwürfe"},
	} {
		if got := NameText(tc.name); got != tc.text {
			t.Errorf("%s: NameText(%q) = %q, want %q", tc.why, tc.name, got, tc.text)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"", "&", "Entwürfe", "日本語 & x", "😀", "a&-b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError) {
			if back, err := DecodeUTF7(EncodeUTF7(s)); err != nil || back != s {
				t.Errorf("%q came back as %q, %v", s, back, err)
			}
		}
		if text, err := DecodeUTF7(s); err == nil && !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) && !strings.Contains(s, "-&") {
			if again, err := DecodeUTF7(EncodeUTF7(text)); err != nil || again != text {
				t.Errorf("%q is %q, and that %q, %v", s, text, again, err)
			}
		}
	})
}
