package find

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestWords guards what the words of a text are.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World! 42":            "hello world 42",
		"café CAFE\u0301 Straße":      "cafe cafe strasse",
		"ŁÓDŹ İstanbul ısı":           "lodz istanbul isi",
		"ё Ёлка йод":                  "е елка иод",
		"a.b@c-d.example":             "a b c d example",
		"ﬁn ｆｕｌｌ １２":                  "fin full 12",
		"كِتَابٌ کتاب":                "كتاب كتاب",
		"می\u200cخواهم ميخواهم":       "ميخواهم ميخواهم",
		"مكتبـــة مکتبه":              "مكتبه مكتبه",
		"۱۲۳ ١٢٣":                     "123 123",
		"שָׁלוֹם":                     "שלום",
		"北京":                          "北京 京",
		"京":                           "京",
		"在北京。好":                       "在北 北京 京 好",
		"議事\n録を":                      "議事 事録 録を を",
		"一\r\n> 二":                    "一二 二",
		"一\n\n二":                      "一 二",
		"한국어 말":                       "한국 국어 어 말",
		"東京tower塔":                    "東京 京 tower 塔",
		"が か\u3099":                   "が が",
		"ｶﾞｷﾞ":                        "ガギ ギ",
		"コーヒー":                        "コー ーヒ ヒー ー",
		"नमस्कार":                     "नमस्कार",
		"ไทย":                         "ไท ทย ย",
		"soft\u00adhyphen ze\ufeffro": "softhyphen zero",
		"\xff\xfe broken":             "broken",
		"👀 emoji":                     "emoji",
		strings.Repeat("x", 100):      strings.Repeat("x", maxWord),
		"":                            "",
	} {
		if got := strings.TrimSpace(string(appendWords(nil, text, true))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestPhrase guards that a query has words as the text has, and that the last ones may begin longer ones where they do.
func TestPhrase(t *testing.T) {
	for _, tt := range []struct {
		text   string
		prefix bool
		want   string
	}{
		{"Report", false, `"report"`}, {"rep", true, `"rep" *`}, {"annual report", false, `"annual report"`}, {"a.b@c", false, `"a b c"`},
		{"北京", false, `"北京"`}, {"北京市", false, `"北京 京市"`}, {"京", false, `"京" *`}, {"東京tower", false, `"東京 京 tower"`}, {"tower東", false, `"tower 東" *`},
		{"", false, ""}, {"!?", false, ""}, {`"`, true, ""},
	} {
		if got := phrase(tt.text, tt.prefix); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// FuzzWords guards that whatever text there is, its words are words, and that any of its words is found in it again.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"Hello, World", "می\u200cخواهم", "議事\n録を", "ｶﾞ \u0301", "İıſ", "\xff", "한국어", "ǆ ŉ ΐ", "\u0e01\u0e33"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := string(appendWords(nil, text, true))
		if !utf8.ValidString(words) && utf8.ValidString(text) {
			t.Errorf("%q is no text", words)
		}
		if i := strings.IndexFunc(words, func(r rune) bool { return r != ' ' && kindOf(r) != letter && kindOf(r) != pairs }); i >= 0 && utf8.ValidString(text) {
			t.Errorf("%q holds %q", words, words[i:])
		}
		for _, w := range strings.Fields(words) {
			if again := strings.Fields(string(appendWords(nil, w, false))); utf8.RuneCountInString(w) < maxWord && (len(again) == 0 || !strings.HasPrefix(w, again[0]) && !strings.Contains(words, again[0])) {
				t.Errorf("%q of %q becomes %q", w, text, again)
			}
		}
	})
}

// FuzzParse guards that no query makes the parser fall, or FTS5 refuse what it makes of it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`from:alice "annual report" -draft OR (a b) after:2024-03 larger:10M`, "NOT (北 OR x*)", `"`, "((", "-", "is:unread has:attachment", "folder:*", "id:<a@b>", "“q” «r»", "a OR", "file:*.pdf"} {
		f.Add(s)
	}
	s := newShelf(f)
	s.put("INBOX", nil, march, letterOf("one", "text/plain", "two"))
	x := New(s.Archive)
	f.Cleanup(func() { x.Close() })
	f.Fuzz(func(t *testing.T, query string) {
		q, err := Parse(query)
		if err != nil {
			if e, ok := err.(*QueryError); !ok || e.Why == "" || e.Remedy == "" {
				t.Errorf("%q: %#v", query, err)
			}
			return
		}
		if _, err := x.IDs(t.Context(), q); err != nil {
			if _, ok := err.(*QueryError); !ok {
				t.Errorf("%q: %v", query, err)
			}
		}
	})
}
